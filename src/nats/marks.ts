// What a holder record says of single stanzas: which were handed to a socket, where in which session, and what happened to
// them before. Written small: the record is written with every group of marks.
import type { Handed } from '../queue/store.js';

/** What is not as of a fresh stanza. */
export interface Mark {
  readonly handed: Handed | null;
  readonly possibleDuplicate: boolean;
  readonly attempts: number;
  readonly faults: number;
}

export const FRESH: Mark = Object.freeze({ handed: null, possibleDuplicate: false, attempts: 0, faults: 0 });

/** Of a stanza that was done with, and is there again. */
const AGAIN: Mark = Object.freeze({ ...FRESH, possibleDuplicate: true });

export function isFresh({ handed, possibleDuplicate, attempts, faults }: Mark): boolean {
  return handed === null && !possibleDuplicate && attempts === 0 && faults === 0;
}

/** Stanzas alike, with places in their session that follow one another. */
interface Group {
  /** 0: held; 1: handed. */
  h: 0 | 1;
  /** The session it was handed to. */
  s?: string;
  /** Place of the first. */
  o?: number;
  /** Whether it may be a duplicate; how often it was handed; stream errors. */
  d: 0 | 1;
  a: number;
  f: number;
  /** Sequences: the first, how many follow it one by one, how many are left out, how many follow, … */
  q: number[];
}

/** Counters of stanzas wrap around to 0 here (XEP-0198 §4). */
const MODULUS = 2 ** 32;

/** Most numbers in all lists. Beyond that, everything between the first and the last stanza counts as handed. */
const MOST_NUMBERS = 8_192;

/** @param marked sequences of stanzas with their marks */
export function packed(marked: Iterable<readonly [sequence: number, mark: Mark]>): readonly Group[] {
  const rows = [...marked].filter(([, mark]) => !isFresh(mark)).sort(([a], [b]) => a - b);
  const groups: Group[] = [];
  let last: { group: Group; sequence: number; ordinal: number | null } | null = null;
  let numbers = 0;
  for (const [sequence, mark] of rows) {
    const { handed } = mark;
    const ordinal = handed?.ordinal ?? null;
    if (last !== null && isAlike(last.group, mark) && follows(last.ordinal, ordinal)) {
      const { q } = last.group;
      const skipped = sequence - last.sequence - 1;
      if (skipped === 0) q[q.length - 1] = (q.at(-1) ?? 0) + 1;
      else {
        q.push(skipped, 1);
        numbers += 2;
      }
    } else {
      const { possibleDuplicate, attempts: a, faults: f } = mark;
      const group: Group = { h: handed === null ? 0 : 1, d: possibleDuplicate ? 1 : 0, a, f, q: [sequence, 1] };
      if (handed !== null && handed.session !== null) group.s = handed.session;
      if (ordinal !== null) group.o = ordinal;
      groups.push(group);
      numbers += 8;
      last = { group, sequence, ordinal };
    }
    last = { ...last, sequence, ordinal };
  }
  const first = rows[0];
  const end = rows.at(-1);
  if (numbers <= MOST_NUMBERS || first === undefined || end === undefined) return groups;
  return [{ h: 1, d: 1, a: 1, f: 0, q: [first[0], end[0] - first[0] + 1] }];
}

function isAlike({ h, s, d, a, f }: Group, { handed, possibleDuplicate, attempts, faults }: Mark): boolean {
  if ((h === 1) !== (handed !== null) || (s ?? null) !== (handed?.session ?? null)) return false;
  return (d === 1) === possibleDuplicate && a === attempts && f === faults;
}

function follows(last: number | null, next: number | null): boolean {
  return last === null || next === null ? last === next : (last + 1) % MODULUS === next;
}

/** The marks of a record, by sequence. It comes from another process: what does not fit is left out. */
export class Marks {
  readonly #groups: readonly Group[];
  /** Ranges of places that are done with: the first, the last, the first … */
  readonly done: readonly number[];
  /** The highest sequence of which it says something. */
  readonly last: number;

  constructor(given: unknown, done?: unknown) {
    this.#groups = Array.isArray(given) ? given.filter(isGroup) : [];
    this.done = Array.isArray(done) && done.every(isCount) ? (done as number[]) : [];
    this.last = this.#groups.reduce(
      (last, group) => Math.max(last, lastOf(group)),
      this.done.reduce((last, sequence) => Math.max(last, sequence), 0),
    );
  }

  /**
   * @param isNewer whether it is newer than the record, and has got the place of another one. It may be that one, if something
   * was on its way there
   */
  of(sequence: number, isNewer: boolean): Mark {
    for (const { h, s, o, d, a, f, q } of this.#groups) {
      const index = indexIn(q, sequence);
      if (index < 0) continue;
      if (isNewer) return { handed: null, possibleDuplicate: true, attempts: a, faults: f };
      const handed = h === 0 ? null : { session: s ?? null, ordinal: o === undefined ? null : (o + index) % MODULUS };
      return { handed, possibleDuplicate: d === 1, attempts: a, faults: f };
    }
    return !isNewer && this.#isDone(sequence) ? AGAIN : FRESH;
  }

  #isDone(sequence: number): boolean {
    return this.done.some((last, at) => at % 2 === 1 && sequence <= last && sequence >= (this.done[at - 1] ?? 0));
  }

  /** The groups as they were read: what is not looked at yet has to stay in the record. */
  get groups(): readonly object[] {
    return this.#groups;
  }
}

/** The place of a sequence in a list of them; -1: it is none of them. */
function indexIn(q: readonly number[], sequence: number): number {
  let start = q[0] ?? 0;
  let index = 0;
  for (let i = 1; i < q.length && start <= sequence; i += 2) {
    const count = q[i] ?? 0;
    if (sequence < start + count) return index + sequence - start;
    index += count;
    start += count + (q[i + 1] ?? 0);
  }
  return -1;
}

function lastOf({ q }: Group): number {
  return q.reduce((sum, number) => sum + number, 0) - 1;
}

function isGroup(value: unknown): value is Group {
  if (typeof value !== 'object' || value === null) return false;
  const { h, s, o, d, a, f, q } = value as Record<string, unknown>;
  return (
    isBit(h) &&
    isBit(d) &&
    isCount(a) &&
    isCount(f) &&
    (s === undefined || typeof s === 'string') &&
    (o === undefined || isCount(o)) &&
    Array.isArray(q) &&
    q.every(isCount)
  );
}

const isBit = (value: unknown): boolean => value === 0 || value === 1;
const isCount = (value: unknown): boolean => Number.isSafeInteger(value) && (value as number) >= 0;
