/** What an open console costs that nobody looks at: stanzas over loopback TCP into a component, as in the inbound measure. */
import { filterSet } from '../filter-sets.mjs';
import { span } from '../spent.mjs';
import { CORPUS } from '../traffic.mjs';

export const title = 'Inbound, with a console that nobody looks at';
export const note = '10 filters, each with a subscriber. The console listens on a port, and no page is open.';
export const columns = [
  { head: 'CPU µs/stanza', of: ({ cpu }) => cpu, digits: 2 },
  { head: 'stanzas/s (wall)', of: ({ rate }) => rate, digits: 0 },
];
export const ratio = { head: 'CPU against none', to: 'none' };

const FILTERS = 10;

export function cells(short) {
  const [warm, measured] = [20 * CORPUS, (short ? 40 : 120) * CORPUS];
  const cell = (key, label) => ({
    key,
    label,
    candidate: 'ours',
    params: { open: key === 'open', warm, measured },
    order: { order: 'flood', corpora: Math.ceil((warm + measured) / CORPUS) + 1 },
  });
  return [cell('open', 'a console, and nobody looks'), cell('none', 'no console')];
}

export async function run(candidate, { port, open, warm, measured }) {
  const { promise, received } = span(warm, measured);
  const link = await candidate.connect({ port, received, filters: filterSet(FILTERS) });
  // While it is warming up.
  const page = open ? await candidate.openConsole(link.broker) : null;
  const { cpu, wall, stanzas } = await promise;
  link.close();
  await page?.close();
  return { cpu: cpu / stanzas, rate: stanzas / wall };
}
