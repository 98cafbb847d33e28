// What the holder of a queue knows of the stanzas that are in its stream, and what it did not bring yet.
import type { FeedMessage } from './feed.js';
import { isFresh, type Mark } from './marks.js';
import type { StagedEntry as Entry } from './staged.js';

/** The place of a stanza that the stream has lost, as by a power cut. It is here still, and there is nothing to be acknowledged. */
export const NOWHERE = 0;

/** Most ranges of places that are said to be done with. */
const MOST_RANGES = 32;

export class KnownStanzas {
  readonly #byKey = new Map<string, Entry>();
  readonly #bySequence = new Map<number, Entry>();
  /** Stanzas of this process that JetStream has not brought yet. */
  readonly #own = new Set<Entry>();
  /** What is done with before JetStream brought it. */
  readonly #endedEarly = new Set<number>();
  /** Marks of what is done with, and JetStream has not confirmed that: if that is lost, the next holder must know of them. */
  readonly #ending = new Map<number, Mark>();
  /** The newest of them that are confirmed, and still remembered. */
  readonly #confirmed: number[] = [];
  readonly #remembered: number;
  /** All up to here were brought. */
  #floor = 0;
  /** When the stream took the newest that it brought, by its clock: places that it took later are not those of what was brought. */
  #floorAt = 0;

  /** @param remembered how many that are done with keep their marks though that was confirmed */
  constructor(remembered = 0) {
    this.#remembered = remembered;
  }

  /** All up to here were brought. */
  get floor(): number {
    return this.#floor;
  }

  /** How many will be brought once more only to be acknowledged. */
  get toCome(): number {
    return this.#own.size + this.#endedEarly.size;
  }

  /** Sequences of what is done with before JetStream brought it. */
  get endedEarly(): ReadonlySet<number> {
    return this.#endedEarly;
  }

  withKey(key: string): Entry | undefined {
    return this.#byKey.get(key);
  }

  at(sequence: number): Entry | undefined {
    return this.#bySequence.get(sequence);
  }

  /**
   * JetStream brings it: a stream that was made anew, or has lost its newest messages, gives their places to others.
   * @returns whether its place, and with it those behind it, had another one before
   */
  isReused(sequence: number, key: string, at: number): boolean {
    const known = this.#bySequence.get(sequence);
    if (known === undefined) return sequence <= this.#floor && at > this.#floorAt;
    return known.key !== key || (known.at !== null && known.at !== at);
  }

  /** The stream does not have what it had from that place on. What is here of it stays here, without a place. */
  lose(from: number): void {
    for (const [sequence, entry] of [...this.#bySequence]) {
      if (sequence < from) continue;
      this.#bySequence.delete(sequence);
      this.#own.delete(entry);
      entry.sequence = NOWHERE;
      entry.at = null;
      entry.reply = null;
    }
    for (const sequence of [...this.#endedEarly]) if (sequence >= from) this.#endedEarly.delete(sequence);
    for (const sequence of [...this.#ending.keys()]) if (sequence >= from) this.#ending.delete(sequence);
    this.#floor = Math.min(this.#floor, from - 1);
  }

  /** JetStream brought it. @returns whether for the first time */
  pass(sequence: number, at: number): boolean {
    if (sequence <= this.#floor) return false;
    this.#floor = sequence;
    this.#floorAt = Math.max(this.#floorAt, at);
    // It brings what it has in order: what it passed over was taken out of the stream there.
    for (const entry of this.#own) {
      if (entry.sequence >= sequence) break;
      this.#own.delete(entry);
    }
    for (const early of this.#endedEarly) {
      if (early >= sequence) break;
      this.#endedEarly.delete(early);
      this.#ending.delete(early);
    }
    return true;
  }

  /** @returns whether it was done with before JetStream brought it, which it has now */
  endsNow(sequence: number): boolean {
    return this.#endedEarly.delete(sequence);
  }

  add(entry: Entry): void {
    this.#byKey.set(entry.key, entry);
    this.#bySequence.set(entry.sequence, entry);
    if (entry.reply === null) this.#own.add(entry);
  }

  /** JetStream brought one that is known. */
  bring(entry: Entry, { sequence, at }: Pick<FeedMessage, 'sequence' | 'at'>, reply: string): void {
    entry.sequence = sequence;
    entry.at = at;
    entry.reply = reply;
    this.#bySequence.set(sequence, entry);
    this.#own.delete(entry);
  }

  /**
   * It is done with.
   * @returns whether it has to be deleted: it was brought before it was known, and there is nothing to be acknowledged
   */
  end(entry: Entry): boolean {
    if (this.#byKey.get(entry.key) === entry) this.#byKey.delete(entry.key);
    if (entry.sequence === NOWHERE) return false;
    if (!isFresh(entry.mark)) this.#ending.set(entry.sequence, entry.mark);
    this.#bySequence.delete(entry.sequence);
    this.#own.delete(entry);
    if (entry.reply !== null) return false;
    if (entry.sequence <= this.#floor) return true;
    this.#endedEarly.add(entry.sequence);
    return false;
  }

  /** JetStream says that it knows that they are done with. Of a cluster, its leader does, and the other nodes hear of it later. */
  confirmed(sequences: readonly number[]): void {
    this.#confirmed.push(...sequences);
    const surplus = this.#confirmed.length - this.#remembered;
    for (const sequence of surplus > 0 ? this.#confirmed.splice(0, surplus) : []) this.#ending.delete(sequence);
  }

  /**
   * Places that were brought and are done with, as ranges: the first, the last, the first … What is killed may bring them again,
   * though it has confirmed that it knows: nats-server writes down what was taken out of a stream some seconds later. Places of
   * other queues count as ours. Of very many ranges, the newest.
   */
  done(): number[] {
    const open: number[] = [];
    let isSorted = true;
    for (const sequence of this.#bySequence.keys()) {
      if (sequence > this.#floor) continue;
      isSorted &&= sequence >= (open.at(-1) ?? 0);
      open.push(sequence);
    }
    if (!isSorted) open.sort((a, b) => a - b);
    const ranges: number[] = [];
    let end = this.#floor;
    for (let i = open.length; i >= 0 && ranges.length < 2 * MOST_RANGES; i -= 1) {
      const before = open[i - 1] ?? 0;
      if (before < end) ranges.unshift(before + 1, end);
      end = before - 1;
    }
    return ranges;
  }

  /** Marks of those of which there is something to say, by sequence. */
  marks(): Map<number, Mark> {
    const marks = new Map(this.#ending);
    for (const { sequence, mark } of this.#bySequence.values()) if (!isFresh(mark)) marks.set(sequence, mark);
    return marks;
  }
}
