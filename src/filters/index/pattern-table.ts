import { randomInt } from 'node:crypto';
import type { Bucket, Candidate } from './bucket.js';

/**
 * A text that filters look for, filed under the hash of a part of it. Those that only their texts tell apart, because
 * hash, place of the part and length are the same, are one group: whatever their number, one look-up finds the right one.
 */
export class Pattern<T extends Candidate> {
  /** The first pattern of another group in the same slot of the table. */
  next: Pattern<T> | null = null;
  /** By text, all patterns of the group; null when there is no other. Only the first pattern has it. */
  group: Map<string, Pattern<T>> | null = null;
  /** A bit for each character, modulo 32, that a text of the group ends with: where none fits, nothing is compared. */
  ends: number;

  constructor(
    readonly text: string,
    readonly filters: Bucket<T>,
    readonly hash: number,
    /** Where in `text` the part begins that was hashed. */
    readonly offset: number,
  ) {
    this.ends = endOf(text, text.length);
  }

  /** Which pattern of the group stands in `text` at `start`, or null. */
  find(text: string, start: number): Pattern<T> | null {
    const end = start + this.text.length;
    if (end > text.length || (this.ends & endOf(text, end)) === 0) return null;
    if (this.group !== null) return this.group.get(text.slice(start, end)) ?? null;
    return text.startsWith(this.text, start) ? this : null;
  }

  isAlike({ hash, offset, text }: Pattern<T>): boolean {
    return hash === this.hash && offset === this.offset && text.length === this.text.length;
  }
}

function endOf(text: string, end: number): number {
  return 1 << (text.charCodeAt(end - 1) & 31);
}

const LEAST_BITS = 6;
/** How many slots there are for each pattern at least, as a power of two. */
const SPARSE = 1;
/** How many bits of the mask there are for each slot, as a power of two: 64 for each pattern at least. */
const FINER = 5;

/** Not the same in two processes, so that nobody can make up texts that all fall into one slot. */
const MULTIPLIER = (randomInt(2 ** 31) << 1) | 1;

/** Patterns by hash, made for look-ups that mostly fail: those end at a bit of a small mask. */
export class PatternTable<T extends Candidate> {
  /** How many groups there are. */
  size = 0;
  #bits = LEAST_BITS;
  #slots = emptySlots<T>(LEAST_BITS);
  /** A bit for each hash value, coarser than the hash and finer than the slots. */
  #mask = new Uint32Array(1 << (LEAST_BITS + FINER - 5));

  /** The first of the groups that may have that hash, linked by `next`. */
  at(hash: number): Pattern<T> | null {
    const fine = Math.imul(hash, MULTIPLIER) >>> (32 - this.#bits - FINER);
    if ((((this.#mask[fine >>> 5] as number) >>> (fine & 31)) & 1) === 0) return null;
    return this.#slots[fine >>> FINER] as Pattern<T> | null;
  }

  add(pattern: Pattern<T>): void {
    for (let first = this.#first(pattern); first !== null; first = first.next) {
      if (!first.isAlike(pattern)) continue;
      first.group ??= new Map([[first.text, first]]);
      first.group.set(pattern.text, pattern);
      first.ends |= pattern.ends;
      return;
    }
    this.size += 1;
    if (this.size << SPARSE > 1 << this.#bits) this.#resize(this.#bits + 1);
    this.#link(pattern);
  }

  remove(pattern: Pattern<T>): void {
    const others: Pattern<T>[] = [];
    let left: Pattern<T> | null = null;
    for (let first = this.#first(pattern); first !== null; first = first.next) {
      if (first.isAlike(pattern)) left = without(first, pattern);
      else others.push(first);
    }
    if (left !== null) others.push(left);
    else this.size -= 1;
    const slot = this.#fine(pattern.hash) >>> FINER;
    const last = ((slot + 1) << FINER) - 1;
    for (let fine = slot << FINER; fine <= last; fine += 1) {
      this.#mask[fine >>> 5] = (this.#mask[fine >>> 5] as number) & ~(1 << (fine & 31));
    }
    this.#slots[slot] = null;
    for (const other of others) this.#link(other);
    if (this.#bits > LEAST_BITS && this.size << (SPARSE + 2) < 1 << this.#bits) this.#resize(this.#bits - 1);
  }

  /** The first group in the slot of a pattern. */
  #first(pattern: Pattern<T>): Pattern<T> | null {
    return this.#slots[this.#fine(pattern.hash) >>> FINER] as Pattern<T> | null;
  }

  #fine(hash: number): number {
    return Math.imul(hash, MULTIPLIER) >>> (32 - this.#bits - FINER);
  }

  #link(pattern: Pattern<T>): void {
    const fine = this.#fine(pattern.hash);
    this.#mask[fine >>> 5] = (this.#mask[fine >>> 5] as number) | (1 << (fine & 31));
    pattern.next = this.#slots[fine >>> FINER] ?? null;
    this.#slots[fine >>> FINER] = pattern;
  }

  #resize(bits: number): void {
    const old = this.#slots;
    this.#bits = bits;
    this.#slots = emptySlots(bits);
    this.#mask = new Uint32Array(1 << (bits + FINER - 5));
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

/** The first pattern of a group when one is gone, or null. */
function without<T extends Candidate>(first: Pattern<T>, pattern: Pattern<T>): Pattern<T> | null {
  const { group } = first;
  if (group === null) return null;
  group.delete(pattern.text);
  const [heir] = group.values();
  if (heir === undefined) return null;
  first.group = null;
  heir.group = group.size > 1 ? group : null;
  heir.ends = first.ends;
  return heir;
}
