import type { Candidate, Gathering } from './bucket.js';
import { Pattern, PatternTable } from './pattern-table.js';

/** Longest run of characters that is hashed, in UTF-16 code units: four of eight bits fill a hash. */
const GRAM = 4;

/**
 * Finds which of many texts are part of a given text, in one pass over it. Each is filed under the hash of a few
 * neighbouring characters of it, the ones that are rarest among all; the hash of the last few characters rolls along,
 * and where something is filed under it the whole text is compared. So a pass costs the length of the text and what is
 * found, adding and removing costs the length of what is added, and there is no automaton to be built.
 */
export class PartIndex<T extends Candidate> {
  readonly #patterns = new Map<string, Pattern<T>>();
  /** By length of what is hashed: shorter than {@link GRAM} only for texts that are shorter themselves. */
  readonly #tables: (PatternTable<T> | null)[] = new Array<PatternTable<T> | null>(GRAM + 1).fill(null);

  get size(): number {
    return this.#patterns.size;
  }

  /** How many filters look for that text. */
  load(text: string): number {
    return this.#patterns.get(text)?.filters.size ?? 0;
  }

  /** @param text - not empty */
  add(text: string, filter: T): void {
    let pattern = this.#patterns.get(text);
    if (pattern === undefined) {
      const length = Math.min(GRAM, text.length);
      const table = (this.#tables[length] ??= new PatternTable<T>());
      pattern = rarest(text, length, table);
      table.add(pattern);
      this.#patterns.set(text, pattern);
    }
    pattern.filters.add(filter);
  }

  remove(text: string): void {
    const pattern = this.#patterns.get(text);
    if (pattern === undefined) return;
    pattern.filters.remove();
    if (pattern.filters.size > 0) return;
    this.#patterns.delete(text);
    const length = Math.min(GRAM, text.length);
    const table = this.#tables[length];
    table?.remove(pattern);
    if (table?.size === 0) this.#tables[length] = null;
  }

  /** Makes candidates of the filters whose text is part of `text`. */
  gather(text: string, into: Gathering<T>): void {
    for (let length = 1; length <= GRAM; length += 1) {
      const table = this.#tables[length];
      if (table != null) scan(text, length, table, into);
    }
  }
}

function scan<T extends Candidate>(text: string, length: number, table: PatternTable<T>, into: Gathering<T>): void {
  const mask = maskOf(length);
  let hash = 0;
  for (let i = 0; i < text.length; i += 1) {
    hash = (hash << 8) ^ text.charCodeAt(i);
    for (let pattern = table.at(hash & mask); pattern !== null; pattern = pattern.next) {
      if (pattern.hash !== (hash & mask) || pattern.filters.wereGathered(into)) continue;
      const start = i + 1 - length - pattern.offset;
      if (start >= 0 && text.startsWith(pattern.text, start)) pattern.filters.gather(into);
    }
  }
}

/** The pattern for a text, filed under the characters of it under which the fewest others are. */
function rarest<T extends Candidate>(text: string, length: number, table: PatternTable<T>): Pattern<T> {
  const mask = maskOf(length);
  let best = 0;
  let bestHash = 0;
  let least = Infinity;
  let hash = 0;
  for (let i = 0; i < text.length && least > 0; i += 1) {
    hash = (hash << 8) ^ text.charCodeAt(i);
    if (i < length - 1) continue;
    const load = table.load(hash & mask);
    if (load >= least) continue;
    least = load;
    best = i + 1 - length;
    bestHash = hash & mask;
  }
  return new Pattern(text, bestHash, best);
}

/** The bits of a rolling hash that the last `length` characters decide. */
function maskOf(length: number): number {
  return length >= GRAM ? -1 : (1 << (8 * length)) - 1;
}

const FNV_BASIS = 0x811c9dc5;
const FNV_PRIME = 0x01000193;

/** Finds which of many texts a given text begins with, in one pass over as much of it as the longest has. */
export class PrefixIndex<T extends Candidate> {
  readonly #patterns = new Map<string, Pattern<T>>();
  readonly #table = new PatternTable<T>();
  /** The lengths that occur, ascending, and how many texts have each. */
  #lengths: { length: number; count: number }[] = [];

  get size(): number {
    return this.#patterns.size;
  }

  load(prefix: string): number {
    return this.#patterns.get(prefix)?.filters.size ?? 0;
  }

  add(prefix: string, filter: T): void {
    let pattern = this.#patterns.get(prefix);
    if (pattern === undefined) {
      pattern = new Pattern(prefix, hashOf(prefix), 0);
      this.#table.add(pattern);
      this.#patterns.set(prefix, pattern);
      this.#count(prefix.length, 1);
    }
    pattern.filters.add(filter);
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
  gather(text: string, into: Gathering<T>): void {
    let hash = FNV_BASIS;
    let at = 0;
    for (const { length } of this.#lengths) {
      if (length > text.length) return;
      for (; at < length; at += 1) hash = Math.imul(hash ^ text.charCodeAt(at), FNV_PRIME);
      for (let pattern = this.#table.at(hash); pattern !== null; pattern = pattern.next) {
        if (pattern.hash === hash && pattern.text.length === length && text.startsWith(pattern.text)) {
          pattern.filters.gather(into);
        }
      }
    }
  }

  #count(length: number, change: 1 | -1): void {
    const known = this.#lengths.find((each) => each.length === length);
    if (known === undefined) {
      this.#lengths = [...this.#lengths, { length, count: 1 }].sort((a, b) => a.length - b.length);
      return;
    }
    known.count += change;
    if (known.count === 0) this.#lengths = this.#lengths.filter((each) => each !== known);
  }
}

function hashOf(text: string): number {
  let hash = FNV_BASIS;
  for (let i = 0; i < text.length; i += 1) hash = Math.imul(hash ^ text.charCodeAt(i), FNV_PRIME);
  return hash;
}
