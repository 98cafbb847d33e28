import type { Change, SessionRecord } from './store.js';
import type { StoredRecord } from './stored-record.js';

/** A change that waits for a commit. */
export type JournalStep =
  | { readonly kind: 'put'; readonly record: StoredRecord }
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
  return step.kind === 'put' ? !step.record.isOver : step.kind !== 'then';
}
