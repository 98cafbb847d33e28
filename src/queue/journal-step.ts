import type { Change, SessionRecord } from './store.js';
import { StoredRecord } from './stored-record.js';

/** What waits for a commit: a stanza that was accepted, known by its record, or something else that happened. */
export type JournalStep =
  | StoredRecord
  | { readonly kind: 'change'; readonly record: StoredRecord | null; readonly change: Change }
  | {
      readonly kind: 'session';
      /** As it was when the commit was put together. */
      session: SessionRecord | null;
    }
  | { readonly kind: 'then'; readonly then: () => void };

/** Whether a step has something for the store. */
export function isWritten(step: JournalStep): boolean {
  return step instanceof StoredRecord ? !step.isOver && !step.isStored : step.kind !== 'then';
}

/** Whether a step is of no use when the link is gone. */
export function isForLink(step: JournalStep): boolean {
  return !(step instanceof StoredRecord) && step.kind === 'then';
}

/** The stanza that a step is about; null: none, or one that has no record. */
export function recordOf(step: JournalStep): StoredRecord | null {
  if (step instanceof StoredRecord) return step;
  return step.kind === 'change' ? step.record : null;
}

/**
 * Steps without those that later ones make needless: while a store does not answer, a link that comes and goes repeats them
 * without end. Of what became of a stanza counts the last; that it may be there already counts in any case.
 */
export function compacted(steps: readonly JournalStep[]): JournalStep[] {
  const left: JournalStep[] = [];
  const later = new Map<StoredRecord, Change['kind']>();
  let hasSession = false;
  for (const step of steps.toReversed()) {
    if (step instanceof StoredRecord) {
      // What the store may have is told of its end, and whoever waits for it hears so.
      if (step.isOver && !step.mayBeStored) continue;
    } else if (step.kind === 'session') {
      if (hasSession) continue;
      hasSession = true;
    } else if (step.kind === 'change' && step.record !== null) {
      const next = later.get(step.record);
      if (next !== undefined && (next !== 'hand' || step.change.kind === 'hand')) continue;
      later.set(step.record, step.change.kind);
    }
    left.push(step);
  }
  return left.reverse();
}
