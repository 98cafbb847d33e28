/** What a filter costs that waits: memory, and the time to add it. */
import { filterSet } from '../filter-sets.mjs';
import { collect, cpu } from '../spent.mjs';

export const title = 'Memory of a filter, and the cost of adding one';
export const note = 'Filters of mixed kinds on a broker that is not connected, without subscribers.';
export const columns = [
  { head: 'heap bytes/filter', of: ({ heap }) => heap, digits: 0 },
  { head: 'CPU µs to add', of: ({ add }) => add, digits: 1 },
  { head: 'CPU µs to remove', of: ({ remove }) => remove, digits: 1 },
];
export const ratio = null;

export const cells = () =>
  [1_000, 10_000, 100_000].map((filters) => ({
    key: `ours-${filters}`,
    label: `xmpp-broker, ${filters.toLocaleString('en')} filters`,
    candidate: 'ours',
    params: { filters },
  }));

export function run(candidate, { filters }) {
  const list = filterSet(filters);
  const warm = candidate.idle();
  for (const filter of filterSet(1000)) warm.filters.add(...filter);
  const broker = candidate.idle();
  collect();
  const before = process.memoryUsage().heapUsed;
  const start = cpu();
  for (const filter of list) broker.filters.add(...filter);
  const add = (cpu() - start) / filters;
  collect();
  const heap = (process.memoryUsage().heapUsed - before) / filters;
  const end = cpu();
  for (const [event] of list) broker.filters.remove(event);
  return { heap, add, remove: (cpu() - end) / filters };
}
