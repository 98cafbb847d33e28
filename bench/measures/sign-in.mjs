/** What a client's sign-in to a real server costs: Prosody, STARTTLS, SCRAM-SHA-256, binding and stream management. */
import { setTimeout as pause } from 'node:timers/promises';
import { cpu } from '../spent.mjs';
import { median } from '../statistics.mjs';

export const title = 'Sign-in to Prosody';
export const note =
  'One after the other in a warm process; CPU time of all threads from connect() to ready. The limit is a TLS handshake with the same server and one key derived with PBKDF2.';
export const columns = [
  { head: 'CPU ms', of: ({ cpu }) => cpu, digits: 2 },
  { head: 'p50 ms', of: ({ wall }) => wall, digits: 1 },
];
export const ratio = { head: 'times the limit', to: 'raw' };

/** The other side of a cell. */
export const peer = 'prosody-peer.mjs';

const CELLS = [
  ['raw', 'a TLS handshake and a key (limit)'],
  ['ours', 'xmpp-broker'],
];

export const cells = () =>
  CELLS.map(([key, label]) => ({
    key,
    label,
    candidate: 'sign-in',
    params: { key, warm: 60, measured: 200 },
    order: {},
  }));

export async function run(candidate, { key, warm, measured, ...server }) {
  const [costs, times] = [[], []];
  for (let i = 0; i < warm + measured; i += 1) {
    const before = { cpu: cpu(), at: performance.now() };
    const link = await candidate[key](server);
    if (i >= warm) {
      costs.push((cpu() - before.cpu) / 1000);
      times.push(performance.now() - before.at);
    }
    link.close();
    // What closing costs, on both sides, is not to be in the next one.
    await pause(5);
  }
  return { cpu: costs.reduce((sum, one) => sum + one, 0) / measured, wall: median(times) };
}
