// What the holder of a queue knows of the stanzas that are in its stream, and what it did not bring yet.
import { isFresh, type Mark } from './marks.js';
import type { StagedEntry as Entry } from './staged.js';

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

  /** JetStream brought it. @returns whether for the first time */
  pass(sequence: number): boolean {
    if (sequence <= this.#floor) return false;
    this.#floor = sequence;
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
  bring(entry: Entry, reply: string): void {
    entry.reply = reply;
    this.#own.delete(entry);
  }

  /**
   * It is done with.
   * @returns whether it has to be deleted: it was brought before it was known, and there is nothing to be acknowledged
   */
  end(entry: Entry): boolean {
    if (!isFresh(entry.mark)) this.#ending.set(entry.sequence, entry.mark);
    if (this.#byKey.get(entry.key) === entry) this.#byKey.delete(entry.key);
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

  /** Marks of those of which there is something to say, by sequence. */
  marks(): Map<number, Mark> {
    const marks = new Map(this.#ending);
    for (const { sequence, mark } of this.#bySequence.values()) if (!isFresh(mark)) marks.set(sequence, mark);
    return marks;
  }
}
