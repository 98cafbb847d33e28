// One commit: what a store is told in it, and the telling.
import { isWritten, type JournalStep } from './journal-step.js';
import type { Lane } from './lane.js';
import type { Change, OpenStore, SessionRecord } from './store.js';
import { StoredRecord } from './stored-record.js';

/**
 * The changes of a commit: those of the steps, then the marks of what may go next.
 * @param session gives the managed session as it is now, if it can be resumed
 */
export function changesOf(steps: readonly JournalStep[], session: () => SessionRecord | null, lane: Lane): Change[] {
  const changes: Change[] = [];
  const puts: StoredRecord[] = [];
  for (const step of steps) {
    if (step instanceof StoredRecord) {
      // Its end came first, or it was found there.
      if (!isWritten(step)) continue;
      const { key, ticket } = step;
      step.mayBeStored = true;
      step.put = { kind: 'put', key, xml: ticket.xml, at: ticket.at, handed: null };
      puts.push(step);
      changes.push(step.put);
    } else if (step.kind === 'session') {
      step.session = session();
      changes.push({ kind: 'session', session: step.session });
    } else if (step.kind === 'change') changes.push(step.change);
  }
  lane.mark(changes);
  for (const record of puts) record.put = null;
  return changes;
}

/** A store may throw where it should reject. No `async` function: it would keep the changes until the store has answered. */
export function committed(store: OpenStore, changes: readonly Change[]): Promise<void> {
  return new Promise((resolve) => {
    resolve(store.commit(changes));
  });
}
