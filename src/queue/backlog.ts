import { compacted, isForLink, recordOf, type JournalStep } from './journal-step.js';
import { StoredRecord } from './stored-record.js';

/** Steps that wait, until it is looked at which of them later ones make needless. */
const MANY = 4_096;

/** So many times what the queue takes may wait for a store that does not answer. */
const MOST_FOR_EACH = 4;

/** What the next commit has to tell, in order. While a store does not answer it grows no further than the queue does. */
export class Backlog implements Iterable<JournalStep> {
  #steps: JournalStep[] = [];
  #many = MANY;

  get size(): number {
    return this.#steps.length;
  }

  [Symbol.iterator](): Iterator<JournalStep> {
    return this.#steps[Symbol.iterator]();
  }

  push(step: JournalStep): void {
    this.#steps.push(step);
    if (this.#steps.length < this.#many) return;
    this.#steps = compacted(this.#steps);
    this.#many = Math.max(MANY, 2 * this.#steps.length);
  }

  /** Whether more waits than a queue of that size can be worth. */
  isFull(maxStanzas: number): boolean {
    return this.#steps.length > MOST_FOR_EACH * Math.max(MANY, maxStanzas);
  }

  /** All that waits is to be told now. */
  take(): JournalStep[] {
    const steps = this.#steps;
    this.clear();
    return steps;
  }

  /** What was taken was not stored: it waits again, in front. */
  putBack(steps: readonly JournalStep[]): void {
    this.#steps = [...steps, ...this.#steps];
  }

  keep(which: (step: JournalStep) => boolean): void {
    this.#steps = this.#steps.filter(which);
  }

  /** Nobody waits for what is behind the link any more. */
  linkEnded(): void {
    if (this.#steps.some(isForLink)) this.keep((step) => !isForLink(step));
  }

  clear(): void {
    this.#steps = [];
    this.#many = MANY;
  }

  /** Keys of stanzas that are done with. */
  get ending(): ReadonlySet<string> {
    const keys = new Set<string>();
    for (const step of this.#steps) {
      if (!(step instanceof StoredRecord) && step.kind === 'change' && step.change.kind === 'end')
        keys.add(step.change.key);
    }
    return keys;
  }

  /** Takes out all about these records. */
  forget(records: ReadonlySet<StoredRecord>): void {
    this.keep((step) => !isAbout(step, records));
  }
}

/** Whether a step is about one of these. */
export function isAbout(step: JournalStep, records: ReadonlySet<StoredRecord>): boolean {
  const record = recordOf(step);
  return record !== null && records.has(record);
}
