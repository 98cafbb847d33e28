/** What a filter costs that waits: memory, and the time to add it. */
import { random } from '../corpus.mjs';
import { filterSet } from '../filter-sets.mjs';
import { collect, cpu } from '../spent.mjs';

export const title = 'Memory of a filter, and the cost of adding one';
export const note =
  'On a broker that is not connected, without subscribers. Filters of mixed kinds, then sets that are hard on an index.';
export const columns = [
  { head: 'heap bytes/filter', of: ({ heap }) => heap, digits: 0 },
  { head: 'CPU µs to add', of: ({ add }) => add, digits: 1 },
  { head: 'CPU µs to remove', of: ({ remove }) => remove, digits: 1 },
];
export const ratio = null;

/** Filters that all fall into the same place of an index, if it is not careful. */
const HARD = {
  'the same attribute': (i) => [`e${i}`, `/message[@from='a@b' and not(@x='${i}')]`],
  'no key': (i) => [`e${i}`, `not(@x='${i}')`],
  'words with a common beginning': (i) => [`e${i}`, `contains(body, 'a word that is common ${i}')`],
  'words of two letters': (i, next) => {
    const word = Array.from({ length: 7 + Math.floor(next() * 50) }, () => (next() < 0.5 ? 'a' : 'b')).join('');
    return [`e${i}`, `contains(body, '${word}')`];
  },
};

const MIXED = [1_000, 10_000, 100_000].map((filters) => ({ filters, kind: null, reverse: false }));
const OTHERS = [null, ...Object.keys(HARD)].map((kind) => ({ filters: 100_000, kind, reverse: true }));

export const cells = () =>
  [...MIXED, ...OTHERS].map(({ filters, kind, reverse }) => {
    const which = `xmpp-broker, ${filters.toLocaleString('en')} filters`;
    return {
      key: kind === null && !reverse ? `ours-${filters}` : `ours-${filters}-${kind ?? 'mixed'}-reverse`,
      label: `${which}${kind === null ? '' : `: ${kind}`}${reverse ? ', removed last to first' : ''}`,
      candidate: 'ours',
      params: { filters, kind, reverse },
    };
  });

function setOf(kind, filters) {
  if (kind === null) return filterSet(filters);
  const next = random(7);
  return Array.from({ length: filters }, (_, i) => HARD[kind](i, next));
}

export function run(candidate, { filters, kind, reverse }) {
  const list = setOf(kind, filters);
  const warm = candidate.idle();
  for (const filter of setOf(kind, 1000)) warm.filters.add(...filter);
  const broker = candidate.idle();
  collect();
  const before = process.memoryUsage().heapUsed;
  const start = cpu();
  for (const filter of list) broker.filters.add(...filter);
  const add = (cpu() - start) / filters;
  collect();
  const heap = (process.memoryUsage().heapUsed - before) / filters;
  if (reverse) list.reverse();
  const end = cpu();
  for (const [event] of list) broker.filters.remove(event);
  return { heap, add, remove: (cpu() - end) / filters };
}
