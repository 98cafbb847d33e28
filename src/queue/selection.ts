// Which held stanzas are meant by a selection, which came as data.
import type { PurgeSelection } from './store.js';
import type { Ticket } from './ticket.js';

/** A function for `queue.send` and `queue.drop`. With a limit it is good for one pass over the queue, oldest first. */
export function selected(selection: PurgeSelection): (ticket: Ticket) => boolean {
  const { keys, names, to, youngerThanMs, olderThanMs, possibleDuplicate, limit } = selection;
  const wanted = keys === undefined ? null : new Set(keys);
  const kinds: ReadonlySet<string> | null = names === undefined ? null : new Set(names);
  let left = limit ?? Number.POSITIVE_INFINITY;
  return (ticket) => {
    if (left <= 0) return false;
    const isMeant =
      (wanted === null || wanted.has(ticket.key)) &&
      (kinds === null || kinds.has(ticket.kind)) &&
      (possibleDuplicate === undefined || ticket.possibleDuplicate === possibleDuplicate) &&
      (youngerThanMs === undefined || ticket.ageMs < youngerThanMs) &&
      (olderThanMs === undefined || ticket.ageMs > olderThanMs) &&
      // It has to be parsed for that.
      (to === undefined || ticket.node.getAttribute('to') === to);
    if (isMeant) left -= 1;
    return isMeant;
  };
}
