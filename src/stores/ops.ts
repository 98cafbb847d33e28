// What happened to queues, as it is posted to the writer thread: a list of plain values costs the sender a third of what objects do.
import type { Change, SessionRecord } from '../queue/store.js';

/** One change behind the other, each begun by its {@link Op}; those of a queue behind one that names it. */
export type Ops = (string | number | null)[];

/** What an entry is, and what follows it in the list. */
export const Op = {
  /** key, xml, at */
  put: 0,
  /** key, xml, at, session, ordinal */
  putHanded: 1,
  /** key, session, ordinal */
  hand: 2,
  /** key, 1 if it may be there already, faults */
  hold: 3,
  /** key */
  end: 4,
  /** key, code */
  bury: 5,
  /** the record as JSON */
  session: 6,
  /** name, namespace in which the texts are to be read: what follows is of that queue */
  queue: 7,
} as const;

/** How many values follow each. */
export const FOLLOWING = [3, 5, 3, 3, 1, 2, 1, 2] as const;

/** Adds changes of a queue to a list. */
export function add(ops: Ops, queue: string, xmlns: string, changes: readonly Change[]): void {
  ops.push(Op.queue, queue, xmlns);
  for (const change of changes) {
    switch (change.kind) {
      case 'put': {
        const { key, xml, at, handed } = change;
        if (handed === null) ops.push(Op.put, key, xml, at);
        else ops.push(Op.putHanded, key, xml, at, handed.session, handed.ordinal);
        break;
      }
      case 'hand':
        ops.push(Op.hand, change.key, change.handed.session, change.handed.ordinal);
        break;
      case 'hold':
        ops.push(Op.hold, change.key, change.possibleDuplicate ? 1 : 0, change.faults);
        break;
      case 'end':
        if (change.outcome === 'failed') ops.push(Op.bury, change.key, change.code ?? null);
        else ops.push(Op.end, change.key);
        break;
      case 'session':
        ops.push(Op.session, JSON.stringify(change.session satisfies SessionRecord | null));
    }
  }
}
