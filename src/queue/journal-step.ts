import type { Change, SessionRecord } from './store.js';
import { StoredRecord } from './stored-record.js';

/** What waits for a commit: a stanza that was accepted, known by its record, or something else that happened. */
export type JournalStep =
  | StoredRecord
  | { readonly kind: 'change'; readonly record: StoredRecord | null; readonly change: Change }
  | {
      readonly kind: 'session';
      readonly stored: (session: SessionRecord | null) => void;
      /** As it was when the commit was put together. */
      session: SessionRecord | null;
    }
  | { readonly kind: 'then'; readonly then: () => void };

/** Whether a step has something for the store. */
export function isWritten(step: JournalStep): boolean {
  return step instanceof StoredRecord ? !step.isOver : step.kind !== 'then';
}

/** The stanza that a step is about; null: none, or one that has no record. */
export function recordOf(step: JournalStep): StoredRecord | null {
  if (step instanceof StoredRecord) return step;
  return step.kind === 'change' ? step.record : null;
}
