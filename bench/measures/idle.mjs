/** What a connection costs that does nothing: memory of a thousand of them in one process. */
import { collect } from '../spent.mjs';

export const title = 'Memory of an idle connection';
export const note =
  'A thousand ready components in one process, after collecting garbage, less the process before them.';
export const columns = [
  { head: 'JS heap kB', of: ({ heap }) => heap, digits: 2 },
  { head: 'external kB', of: ({ external }) => external, digits: 2 },
  { head: 'RSS kB', of: ({ rss }) => rss, digits: 1 },
];
export const ratio = { head: 'times the bare socket', to: 'raw' };

const CELLS = [
  ['raw', 'bare socket'],
  ['ours', 'xmpp-broker'],
  ['xmppjs', '@xmpp/component'],
];

export const cells = () =>
  CELLS.map(([candidate, label]) => ({
    key: candidate,
    label,
    candidate,
    params: { connections: 1000 },
    order: { order: 'hold' },
  }));

export async function run(candidate, { port, connections }) {
  // What is made once, such as compiled code, belongs to no connection; it is made during the first thousands of them.
  const warm = [];
  for (let i = 0; i < 2_000; i += 1) warm.push(await candidate.connect({ port }));
  collect();
  const before = process.memoryUsage();
  const links = [];
  for (let i = 0; i < connections; i += 1) links.push(await candidate.connect({ port }));
  collect();
  const after = process.memoryUsage();
  const each = (key) => (after[key] - before[key]) / connections / 1000;
  for (const link of [...warm, ...links]) link.close();
  return { heap: each('heapUsed'), external: each('external'), rss: each('rss') };
}
