/** Stanzas over TLS into a client with stream management: decrypt, parse, count, acknowledge, publish. */
import { span } from '../spent.mjs';
import { CORPUS } from '../traffic.mjs';

export const title = 'Inbound over TLS, with stream management';
export const note =
  'Signed in by PLAIN over direct TLS; no filters. The server asks for an acknowledgement every 16 KiB. Both answer the 6 % of the stanzas that are iq requests.';
export const columns = [
  { head: 'CPU µs/stanza', of: ({ cpu }) => cpu, digits: 2 },
  { head: 'stanzas/s (wall)', of: ({ rate }) => rate, digits: 0 },
  { head: 'acknowledged', of: ({ peer }) => peer.acknowledged, digits: 0 },
];
export const ratio = { head: 'times as fast as @xmpp/client', to: 'xmppjs', inverse: true };

/** The other side of a cell. */
export const peer = 'secure-peer.mjs';

const CELLS = [
  ['ours', 'ours', 'xmpp-broker', [20, 60]],
  ['xmppjs', 'xmppjs-client', '@xmpp/client', [5, 15]],
];

export const cells = () =>
  CELLS.map(([key, candidate, label, [warm, measured]]) => ({
    key,
    label,
    candidate,
    params: { warm: warm * CORPUS, measured: measured * CORPUS },
    order: { corpora: warm + measured + 1, every: 16_384 },
  }));

/** Without stream management the figure is another one. */
export function check({ peer: { acknowledged } }, { warm }) {
  if (acknowledged < warm) throw new Error(`${acknowledged} stanzas are acknowledged`);
}

export async function run(candidate, { warm, measured, ...server }) {
  const { promise, received } = span(warm, measured);
  const link = await candidate.signIn({ ...server, received });
  const { cpu, wall, stanzas } = await promise;
  link.close();
  return { cpu: cpu / stanzas, rate: stanzas / wall };
}
