import type { Candidate, Gathering } from './bucket.js';
import { Pattern, PatternTable } from './pattern-table.js';

/** Longest run of characters that is hashed: four of eight bits fill a hash. */
const GRAM = 4;

/** Where texts are laid out to be scanned: the low byte of each UTF-16 code unit. */
const BYTES = Buffer.allocUnsafeSlow(8192);

/**
 * Finds which of many texts are part of a given text, in one pass over it. Each is filed under the hash of a few
 * neighbouring characters of it, the ones under which fewest are; the hash of the last few characters rolls along, and
 * where something is filed under it the whole text is compared. So a pass costs the length of the text and what is
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
    const known = this.#patterns.get(text);
    if (known !== undefined) {
      known.filters.add(filter);
      return;
    }
    const length = Math.min(GRAM, text.length);
    const table = (this.#tables[length] ??= new PatternTable<T>());
    const { hash, offset } = rarest(text, length, table);
    const pattern = new Pattern(text, hash, offset, filter);
    table.add(pattern);
    this.#patterns.set(text, pattern);
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
      if (table != null) search(text, length, table, into);
    }
  }
}

function search<T extends Candidate>(text: string, length: number, table: PatternTable<T>, into: Gathering<T>): void {
  let from = 0;
  const found = (pattern: Pattern<T>, at: number): void => {
    if (pattern.filters.wasGathered(into)) return;
    const start = from + at + 1 - length - pattern.offset;
    if (start >= 0 && text.startsWith(pattern.text, start)) pattern.filters.gather(into);
  };
  let hash = 0;
  for (; from < text.length; from += BYTES.length) {
    const part = text.length <= BYTES.length ? text : text.slice(from, from + BYTES.length);
    const written = BYTES.write(part, 0, part.length, 'latin1');
    hash = table.scan(BYTES, written, hash, maskOf(length), found);
  }
}

/** The place in a text under whose characters the fewest others are filed. */
function rarest<T extends Candidate>(
  text: string,
  length: number,
  table: PatternTable<T>,
): { hash: number; offset: number } {
  const mask = maskOf(length);
  let best = { hash: 0, offset: 0 };
  let least = Infinity;
  let hash = 0;
  for (let i = 0; i < text.length && least > 0; i += 1) {
    hash = (hash << 8) | (text.charCodeAt(i) & 0xff);
    if (i < length - 1) continue;
    const load = table.load(hash & mask);
    if (load >= least) continue;
    least = load;
    best = { hash: hash & mask, offset: i + 1 - length };
  }
  return best;
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
    const pattern = new Pattern(prefix, hashOf(prefix), 0, filter);
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
  gather(text: string, into: Gathering<T>): void {
    let hash = FNV_BASIS;
    let at = 0;
    for (const length of this.#lengths) {
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
