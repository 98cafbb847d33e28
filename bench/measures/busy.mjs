/** Many busy connections in one process: stanzas for each of them in turn. */
import { span } from '../spent.mjs';
import { CORPUS } from '../traffic.mjs';

export const title = 'Busy connections in one process';
export const note =
  'Each gets about 4 kB at a time, in turn; no filters. What ten thousand cost over a thousand is what memory that is in no cache costs, also for a bare socket.';
export const columns = [
  { head: 'CPU µs/stanza', of: ({ cpu }) => cpu, digits: 2 },
  { head: 'stanzas/s (wall)', of: ({ rate }) => rate, digits: 0 },
  { head: 'RSS MB', of: ({ rss }) => rss, digits: 0 },
];
export const ratio = { head: 'times as fast as @xmpp/component', to: 'xmppjs', inverse: true };

const CELLS = [
  ['ours', 'ours', 'xmpp-broker', 1_000, [20, 40]],
  ['ours-10000', 'ours', 'xmpp-broker', 10_000, [20, 60]],
  ['xmppjs', 'xmppjs', '@xmpp/component', 1_000, [10, 20]],
  ['raw', 'raw', 'bare socket (limit)', 1_000, [20, 80]],
  ['raw-10000', 'raw', 'bare socket (limit)', 10_000, [20, 80]],
];

export const cells = () =>
  CELLS.map(([key, candidate, label, connections, [warm, measured]]) => ({
    key,
    label: `${label}, ${connections.toLocaleString('en')}`,
    candidate,
    params: { connections, warm: warm * CORPUS, measured: measured * CORPUS },
    // One more, so that counting by bytes comes to its end, too.
    order: { order: 'sprinkle', connections, bytes: 4096, corpora: warm + measured + 1 },
  }));

export async function run(candidate, { port, connections, warm, measured }) {
  const { promise, received } = span(warm, measured);
  const links = [];
  for (let i = 0; i < connections; i += 1) links.push(await candidate.connect({ port, received }));
  const { cpu, wall, stanzas } = await promise;
  const rss = process.memoryUsage.rss() / 1e6;
  for (const link of links) link.close();
  return { cpu: cpu / stanzas, rate: stanzas / wall, rss };
}
