/** Checks without which nothing changes that anybody could see, and why each stands there. */
export const EQUIVALENT = {
  "src/tls/server-identity.ts: type === 'SRV'":
    'what is left then are addresses, which OpenSSL writes in digits: none begins with _service.',
  'src/filters/xpath/functions.ts: !isNodeSet(nodes)':
    'the parser refuses a call whose argument is no node-set; the compiler of TypeScript wants to be told.',
  'src/filters/xpath/functions.ts: !isNodeSet(nodes) (2)':
    'the parser refuses a call whose argument is no node-set; the compiler of TypeScript wants to be told.',
  'src/lifecycle/retries.ts: reconnect !== false':
    'false has no member initial, and what is not there is as good as false; the compiler of TypeScript wants to be told.',
};
