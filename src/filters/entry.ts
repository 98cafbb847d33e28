import type { Candidate } from './index/bucket.js';
import type { Keys } from './index/condition.js';
import type { Filter, FilterCounters, FilterOptions, FilterState } from './filter.js';
import type { Matcher } from './xpath/matcher.js';

/** After so many evaluations within the budget one strike is forgiven. */
const EVALUATIONS_PER_PARDON = 1000;

/** A filter in a set. */
export class Entry implements Filter, Candidate {
  state: FilterState = 'active';
  found = 0;
  evaluated = 0;
  matched = 0;
  overruns = 0;
  /** Of the evaluations that were timed. */
  timed = 0;
  milliseconds = 0;
  #strikes = 0;
  /** `evaluated` when the last strike came. */
  #since = 0;

  constructor(
    readonly event: string,
    readonly expression: string,
    /** Place among all filters of the set. */
    readonly order: number,
    /** Made when it is first needed, because most filters of a large set never are. */
    public matcher: Matcher | null,
    /** What the matcher is made with, beside the expression. */
    readonly options: FilterOptions,
    /** What it is filed under; null when it is evaluated for every stanza. */
    readonly keys: Keys | null,
    /** Why it is filed under nothing. */
    readonly why: string,
    /** How many stanzas the set had seen when it was added. */
    readonly addedAt: number,
    private readonly onRemove: (entry: Entry) => void,
  ) {}

  get gone(): boolean {
    return this.state === 'removed';
  }

  get counters(): FilterCounters {
    const { evaluated, matched, overruns, timed, milliseconds } = this;
    return { evaluated, matched, overruns, milliseconds: timed === 0 ? 0 : (milliseconds / timed) * evaluated };
  }

  remove(): void {
    if (this.state === 'removed') return;
    this.state = 'removed';
    this.onRemove(this);
  }

  [Symbol.dispose](): void {
    this.remove();
  }

  reinstate(): void {
    if (this.state !== 'set-aside') return;
    this.state = 'active';
    this.#strikes = 0;
  }

  setAside(): void {
    this.state = 'set-aside';
  }

  /** Counts a failed evaluation and tells how many there are that are not forgiven. */
  strike(): number {
    const pardons = Math.floor((this.evaluated - this.#since) / EVALUATIONS_PER_PARDON);
    this.#strikes = Math.max(0, this.#strikes - pardons) + 1;
    this.#since = this.evaluated;
    return this.#strikes;
  }
}

/** Few are sorted by insertion: there are mostly two or three. */
const FEW = 24;

/** Puts filters into the order in which they were added. */
export function putInOrder(entries: Entry[]): void {
  if (entries.length > FEW) {
    entries.sort((a, b) => a.order - b.order);
    return;
  }
  for (let i = 1; i < entries.length; i += 1) {
    const entry = entries[i] as Entry;
    let at = i;
    for (; at > 0 && (entries[at - 1] as Entry).order > entry.order; at -= 1) entries[at] = entries[at - 1] as Entry;
    entries[at] = entry;
  }
}
