/** What the index knows about a filter. */
export interface Candidate {
  /** Number of the last stanza for which it was found. */
  found: number;
  /** Whether it is still in the set. */
  readonly gone: boolean;
}

/** Collects the filters that one stanza makes candidates, each once. */
export class Gathering<T extends Candidate> {
  /** Counts stanzas, so that what was found for one need not be cleared for the next. */
  stanza = 0;
  readonly candidates: T[] = [];

  begin(): void {
    this.stanza += 1;
    this.candidates.length = 0;
  }
}

/** The filters under one key, in the order they were added. Removing takes constant time on average. */
export class Bucket<T extends Candidate> {
  #filters: T[] = [];
  #gone = 0;
  #visited = 0;

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
  wereGathered({ stanza }: Gathering<T>): boolean {
    return this.#visited === stanza;
  }

  /** Makes the filters candidates, once a stanza. */
  gather(into: Gathering<T>): void {
    const { stanza, candidates } = into;
    if (this.#visited === stanza) return;
    this.#visited = stanza;
    for (const filter of this.#filters) {
      if (filter.found === stanza || filter.gone) continue;
      filter.found = stanza;
      candidates.push(filter);
    }
  }
}
