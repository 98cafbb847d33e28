import { Bucket, type Candidate, type Candidates } from './bucket.js';
import { Pattern, PatternTable } from './pattern-table.js';

const FNV_BASIS = 0x811c9dc5;
const FNV_PRIME = 0x01000193;

/** Finds which of many texts a given text begins with, in one pass over as much of it as the longest has. */
export class PrefixIndex<T extends Candidate> {
  readonly #patterns = new Map<string, Pattern<T>>();
  readonly #table = new PatternTable<T>();
  /** How many texts there are of each length. */
  readonly #counts = new Map<number, number>();
  /** The lengths that occur, ascending. */
  #lengths: readonly number[] = [];

  get size(): number {
    return this.#patterns.size;
  }

  load(prefix: string): number {
    return this.#patterns.get(prefix)?.filters.size ?? 0;
  }

  add(prefix: string, filter: T): void {
    const known = this.#patterns.get(prefix);
    if (known !== undefined) {
      known.filters.add(filter);
      return;
    }
    const pattern = new Pattern(prefix, new Bucket(filter), hashOf(prefix), 0);
    this.#table.add(pattern);
    this.#patterns.set(prefix, pattern);
    this.#count(prefix.length, 1);
  }

  remove(prefix: string): void {
    const pattern = this.#patterns.get(prefix);
    if (pattern === undefined) return;
    pattern.filters.remove();
    if (pattern.filters.size > 0) return;
    this.#patterns.delete(prefix);
    this.#table.remove(pattern);
    this.#count(prefix.length, -1);
  }

  /** Makes candidates of the filters whose prefix `text` begins with. */
  gather(text: string, into: Candidates<T>): void {
    let hash = FNV_BASIS;
    let at = 0;
    for (const length of this.#lengths) {
      if (length > text.length) return;
      for (; at < length; at += 1) hash = Math.imul(hash ^ text.charCodeAt(at), FNV_PRIME);
      for (let first = this.#table.at(hash); first !== null; first = first.next) {
        if (first.hash === hash && first.text.length === length) first.find(text, 0)?.filters.gather(into);
      }
    }
  }

  #count(length: number, change: 1 | -1): void {
    const before = this.#counts.get(length) ?? 0;
    if (before + change === 0) this.#counts.delete(length);
    else this.#counts.set(length, before + change);
    if (before === 0 || before + change === 0) this.#lengths = [...this.#counts.keys()].sort((a, b) => a - b);
  }
}

function hashOf(text: string): number {
  let hash = FNV_BASIS;
  for (let i = 0; i < text.length; i += 1) hash = Math.imul(hash ^ text.charCodeAt(i), FNV_PRIME);
  return hash;
}
