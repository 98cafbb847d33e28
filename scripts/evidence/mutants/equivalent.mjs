/** Checks without which nothing changes that anybody could see, and why each stands there. */
export const EQUIVALENT = {
  "src/tls/server-identity.ts: type === 'SRV'":
    'what is left then are addresses, which OpenSSL writes in digits: none begins with _service.',
};
