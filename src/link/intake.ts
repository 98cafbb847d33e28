// Counting stanzas when what their handlers do is done: `acknowledge: 'settled'`.
import { BrokerError } from '../errors.js';

/** Beyond so many times the limit nothing helps but to end the link: requests kept it from being paused. */
const OVERFLOW = 10;

/** Who has an intake. */
export interface IntakeOwner {
  /** The oldest stanzas that were not settled are, so many of them that stream management counts. */
  settled(counted: number): void;
  /** The peer asked for the count when it was lower than it is now. */
  tell(): void;
  /** Reading is to stop, or to go on. */
  hold(held: boolean, unsettled: number): void;
  /** Whether an answer is waited for that may be behind what would not be read. */
  awaitsAnswer(): boolean;
  /** More is unsettled than can be kept. */
  overflow(error: BrokerError): void;
}

/** A stanza that arrived, in wire order. */
interface Arrival {
  readonly counts: boolean;
  settled: boolean;
}

/**
 * Stanzas that arrived and whose handlers are not done. They are counted in wire order, each when it and all before it
 * are settled. Above a limit nothing more is read, but for an answer that is waited for: it would wait behind them.
 */
export class Intake {
  readonly #limit: number;
  readonly #owner: IntakeOwner;
  readonly #arrivals: Arrival[] = [];
  #held = false;
  /** The peer asked what we have handled, and there was more that was not settled. */
  #toldTooLittle = false;
  #closed = false;
  /** Those among the arrivals that count. */
  #counting = 0;

  constructor(limit: number, owner: IntakeOwner) {
    this.#limit = limit;
    this.#owner = owner;
  }

  /** Stanzas that are not settled, or behind one that is not. */
  get size(): number {
    return this.#arrivals.length;
  }

  /** Stanzas among them that stream management is to count. */
  get counting(): number {
    return this.#counting;
  }

  /** @param handled when its handlers are done; never rejects. Null: they are */
  take(handled: Promise<void> | null, counts: boolean): void {
    if (handled === null && this.size === 0) {
      if (counts) this.#owner.settled(1);
      return;
    }
    const arrival: Arrival = { counts, settled: handled === null };
    this.#arrivals.push(arrival);
    if (counts) this.#counting += 1;
    void handled?.then(() => {
      arrival.settled = true;
      this.#count();
    });
    this.#look();
  }

  /** The peer asks for the count, and is told what there is. */
  asked(): void {
    this.#toldTooLittle = this.size > 0;
  }

  /** Whether to read is looked at again: a request was sent, or has its answer. */
  look(): void {
    this.#look();
  }

  /** The link is over: what is not settled is not counted, and comes again if the session is resumed. */
  close(): void {
    this.#closed = true;
    this.#arrivals.length = 0;
    this.#counting = 0;
  }

  #count(): void {
    if (this.#closed) return;
    let counted = 0;
    let settled = 0;
    for (const arrival of this.#arrivals) {
      if (!arrival.settled) break;
      settled += 1;
      if (arrival.counts) counted += 1;
    }
    if (settled === 0) return;
    this.#arrivals.splice(0, settled);
    this.#counting -= counted;
    if (counted > 0) this.#owner.settled(counted);
    if (this.size === 0 && this.#toldTooLittle) {
      this.#toldTooLittle = false;
      this.#owner.tell();
    }
    this.#look();
  }

  #look(): void {
    if (this.#closed) return;
    const most = this.#limit * OVERFLOW;
    if (this.size > most) {
      const text = `the handlers of ${String(this.size)} stanzas are not done, and requests that wait for their answers kept the link from being paused: handle faster, ask less inside handlers, or raise limits.unsettled`;
      this.#owner.overflow(new BrokerError('INTAKE_FULL', text, { layer: 'queue', retryable: true }));
      return;
    }
    // Once held, it reads on when half is settled: not for each stanza.
    const held = this.size > (this.#held ? this.#limit / 2 : this.#limit) && !this.#owner.awaitsAnswer();
    if (held === this.#held) return;
    this.#held = held;
    this.#owner.hold(held, this.size);
  }
}
