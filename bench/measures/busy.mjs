/** A thousand busy connections in one process: stanzas for each of them in turn. */
import { span } from '../spent.mjs';
import { CORPUS } from '../traffic.mjs';

export const title = 'A thousand busy connections in one process';
export const note = 'Each gets about 4 kB at a time, in turn; no filters.';
export const columns = [
  { head: 'CPU µs/stanza', of: ({ cpu }) => cpu, digits: 2 },
  { head: 'stanzas/s (wall)', of: ({ rate }) => rate, digits: 0 },
  { head: 'RSS MB', of: ({ rss }) => rss, digits: 0 },
];
export const ratio = { head: 'times as fast as @xmpp/component', to: 'xmppjs', inverse: true };

const CONNECTIONS = 1000;

const CELLS = [
  ['ours', 'xmpp-broker', [20, 40]],
  ['xmppjs', '@xmpp/component', [10, 20]],
  ['raw', 'bare socket (limit)', [20, 80]],
];

export const cells = () =>
  CELLS.map(([candidate, label, [warm, measured]]) => ({
    key: candidate,
    label,
    candidate,
    params: { connections: CONNECTIONS, warm: warm * CORPUS, measured: measured * CORPUS },
    // One more, so that counting by bytes comes to its end, too.
    order: { order: 'sprinkle', connections: CONNECTIONS, bytes: 4096, corpora: warm + measured + 1 },
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
