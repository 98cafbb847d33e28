/** The time from connect() to ready, one connection after the other in a warm process. */
import { setImmediate } from 'node:timers/promises';
import { percentile } from '../statistics.mjs';

export const title = 'From connect() to ready';
export const note = 'XEP-0114 on loopback, in a process that has connected before; wall time.';
export const columns = [
  { head: 'p50 ms', of: ({ p50 }) => p50, digits: 2 },
  { head: 'p95 ms', of: ({ p95 }) => p95, digits: 2 },
];
export const ratio = { head: 'times the bare socket', to: 'raw' };

const CELLS = [
  ['raw', 'bare socket', 200, 500],
  ['ours', 'xmpp-broker', 200, 500],
  ['xmppjs', '@xmpp/component', 200, 500],
  ['libstrophe', 'libstrophe (C)', 20, 500],
  ['slixmpp', 'slixmpp (Python)', 20, 100],
];

export const cells = () =>
  CELLS.map(([candidate, label, warm, measured]) => ({
    key: candidate,
    label,
    candidate,
    params: { warm, measured },
    order: { order: 'hold' },
  }));

export const programArguments = ({ port, warm, measured }) => [port, warm, measured];

export const fromProgram = (result) => result;

export async function run(candidate, { port, warm, measured }) {
  const times = [];
  for (let i = 0; i < warm + measured; i += 1) {
    const start = performance.now();
    const link = await candidate.connect({ port });
    if (i >= warm) times.push(performance.now() - start);
    link.close();
    await setImmediate();
  }
  return { p50: percentile(times, 0.5), p95: percentile(times, 0.95) };
}
