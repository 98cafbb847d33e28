import { BloomFilter } from './bloom-filter.js';

/** What the index knows about a filter. */
export interface Candidate {
  /** Number of the last stanza for which it was found. */
  found: number;
  /** Whether it was removed from the set. */
  readonly gone: boolean;
}

/** Collects the filters that one stanza makes candidates, each once. */
export class Candidates<T extends Candidate> {
  /** Counts stanzas, so that what was found for one need not be cleared for the next. */
  stanza = 0;
  readonly candidates: T[] = [];
}

/** The filters under one key, in the order they were added. Removing takes constant time on average. */
export class Bucket<T extends Candidate> {
  #filters: T[];
  #gone = 0;
  #gathered = 0;

  constructor(first: T) {
    this.#filters = [first];
  }

  /** Number of filters that are still there. */
  get size(): number {
    return this.#filters.length - this.#gone;
  }

  add(filter: T): void {
    this.#filters.push(filter);
  }

  /** Counts one of the filters as gone; it is dropped with the others when they are half of all. */
  remove(): void {
    this.#gone += 1;
    if (this.#gone * 2 <= this.#filters.length) return;
    this.#filters = this.#filters.filter((filter) => !filter.gone);
    this.#gone = 0;
  }

  /** Whether the filters are candidates already. */
  wasGathered({ stanza }: Candidates<T>): boolean {
    return this.#gathered === stanza;
  }

  /** Makes the filters candidates, once a stanza. */
  gather(into: Candidates<T>): void {
    const { stanza, candidates } = into;
    if (this.#gathered === stanza) return;
    this.#gathered = stanza;
    for (const filter of this.#filters) {
      if (filter.found === stanza || filter.gone) continue;
      filter.found = stanza;
      candidates.push(filter);
    }
  }
}

/** Buckets by key. */
export class Buckets<T extends Candidate> {
  readonly #buckets = new Map<string, Bucket<T>>();
  #filter = new BloomFilter(this.#buckets);
  /** No key is longer, in UTF-16 code units. */
  longestKey = 0;

  get isEmpty(): boolean {
    return this.#buckets.size === 0;
  }

  load(key: string): number {
    return this.#buckets.get(key)?.size ?? 0;
  }

  add(key: string, filter: T): void {
    const bucket = this.#buckets.get(key);
    if (bucket !== undefined) {
      bucket.add(filter);
      return;
    }
    this.#buckets.set(key, new Bucket(filter));
    if (key.length > this.longestKey) this.longestKey = key.length;
    if (this.#filter.isFull) this.#filter = new BloomFilter(this.#buckets);
    else this.#filter.add(key);
  }

  remove(key: string): void {
    const bucket = this.#buckets.get(key);
    bucket?.remove();
    if (bucket?.size === 0) this.#buckets.delete(key);
  }

  gather(text: string, into: Candidates<T>): void {
    if (text.length > this.longestKey || !this.#filter.has(text)) return;
    this.#buckets.get(text)?.gather(into);
  }
}
