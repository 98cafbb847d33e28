import { randomInt } from 'node:crypto';
import { Bucket, type Candidate } from './bucket.js';

/** A text that filters look for, with the filters. */
export class Pattern<T extends Candidate> {
  readonly filters = new Bucket<T>();
  /** The next pattern in the same slot of the table. */
  next: Pattern<T> | null = null;

  constructor(
    readonly text: string,
    /** What it is found by. */
    readonly hash: number,
    /** Where in `text` the part begins that was hashed. */
    readonly offset: number,
  ) {}
}

const LEAST_BITS = 6;
/** How many slots there are for each pattern at least, as a power of two: most look-ups end at an empty slot. */
const SPARSE = 2;

/** Not the same in two processes, so that nobody can make up texts that all fall into one slot. */
const multiplier = randomInt(2 ** 31) * 2 + 1;

/** Patterns by hash, made for look-ups that mostly fail. */
export class PatternTable<T extends Candidate> {
  size = 0;
  #bits = LEAST_BITS;
  #slots: (Pattern<T> | null)[] = emptySlots<T>(LEAST_BITS);

  /** The first of the patterns that may have that hash, linked by `next`. */
  at(hash: number): Pattern<T> | null {
    return this.#slots[Math.imul(hash, multiplier) >>> (32 - this.#bits)] as Pattern<T> | null;
  }

  add(pattern: Pattern<T>): void {
    this.size += 1;
    if (this.size << SPARSE > 1 << this.#bits) this.#resize(this.#bits + 1);
    this.#link(pattern);
  }

  remove(pattern: Pattern<T>): void {
    const slot = this.#slotOf(pattern.hash);
    let before: Pattern<T> | null = null;
    for (let at = this.#slots[slot] ?? null; at !== null; before = at, at = at.next) {
      if (at !== pattern) continue;
      if (before === null) this.#slots[slot] = at.next;
      else before.next = at.next;
      this.size -= 1;
      break;
    }
    if (this.#bits > LEAST_BITS && this.size << (SPARSE + 2) < 1 << this.#bits) this.#resize(this.#bits - 1);
  }

  /** How many patterns share the slot of a hash. */
  load(hash: number): number {
    let load = 0;
    for (let at = this.at(hash); at !== null; at = at.next) load += 1;
    return load;
  }

  #slotOf(hash: number): number {
    return Math.imul(hash, multiplier) >>> (32 - this.#bits);
  }

  #link(pattern: Pattern<T>): void {
    const slot = this.#slotOf(pattern.hash);
    pattern.next = this.#slots[slot] ?? null;
    this.#slots[slot] = pattern;
  }

  #resize(bits: number): void {
    const old = this.#slots;
    this.#bits = bits;
    this.#slots = emptySlots(bits);
    for (let pattern of old) {
      while (pattern !== null) {
        const { next } = pattern;
        this.#link(pattern);
        pattern = next;
      }
    }
  }
}

function emptySlots<T extends Candidate>(bits: number): (Pattern<T> | null)[] {
  return new Array<Pattern<T> | null>(1 << bits).fill(null);
}
