import type { StoredRecord } from './stored-record.js';

/**
 * The records of what is in the queue or on its way, in the order in which they came. They hang together by themselves:
 * an entry in a map costs as much as all else about an output that is stored. The index is made for the first who asks for
 * a key, and is gone when the queue has been empty.
 */
export class Records implements Iterable<StoredRecord> {
  #first: StoredRecord | null = null;
  #last: StoredRecord | null = null;
  #index: Map<string, StoredRecord> | null = null;

  add(record: StoredRecord): void {
    record.before = this.#last;
    if (this.#last === null) this.#first = record;
    else this.#last.after = record;
    this.#last = record;
    this.#index?.set(record.key, record);
  }

  /** The newest with a key. */
  find(key: string): StoredRecord | undefined {
    if (this.#first === null) return undefined;
    this.#index ??= new Map(Array.from(this, (record) => [record.key, record]));
    return this.#index.get(key);
  }

  /** Takes one out, if it is there. */
  delete(record: StoredRecord): void {
    const { before, after } = record;
    if (before === null && this.#first !== record) return;
    if (before === null) this.#first = after;
    else before.after = after;
    if (after === null) this.#last = before;
    else after.before = before;
    record.before = null;
    record.after = null;
    if (this.#first === null) this.#index = null;
    else if (this.#index?.get(record.key) === record) this.#index.delete(record.key);
  }

  /** All of them, oldest first. The one that was given may be taken out. */
  *[Symbol.iterator](): Iterator<StoredRecord> {
    let next = this.#first;
    while (next !== null) {
      const record = next;
      next = record.after;
      yield record;
    }
  }
}
