// Stanzas of one queue on their way into their stream, in order. What is in doubt is published again, everything behind it
// too, with the same ids: JetStream takes each of them once.
import type { JetStreamClient, PubAck } from '@nats-io/jetstream';
import type { MsgHdrs } from '@nats-io/transport-node';
import type { BrokerError } from '../errors.js';
import { STANZA_COST, textCost } from '../queue/ticket.js';
import { isOutsized } from './errors.js';

/** Most messages that are published and not answered, of a lane and of all. */
export const WINDOW = 256;
/** For an answer of JetStream, and until what is in doubt is tried again, in milliseconds. */
const ANSWER_MS = 2_000;
const RETRY_MS = 500;

/** A stanza on its way. */
export interface Outgoing {
  readonly subject: string;
  readonly xml: string;
  /** @param isLate whether JetStream may not know any more that it had it before */
  headers(isLate: boolean): MsgHdrs;
  stored(): void;
  /** Whether the holder has told what became of it: then it was stored, whatever came of the answer to that. */
  isTold(): boolean;
  /** It will never be stored. */
  failed(error: BrokerError): void;
  /** The same: NATS takes nothing so large. */
  outsized(): void;
}

/** What is done for it elsewhere. */
export interface LaneOwner {
  /** An error of ours. */
  error(cause: unknown): BrokerError;
  /** It does not work: once an outage. */
  failing(error: BrokerError): void;
  working(): void;
  /** Whether one may be published now. If not, `more()` is called when it may. */
  admit(): boolean;
  /** What was admitted is stored, or refused. */
  answered(isStored: boolean): void;
  /** One is done with, that cost so much. */
  left(cost: number): void;
}

interface Waiting {
  readonly one: Outgoing;
  /** When it was published first; null: not yet. */
  since: number | null;
  /** JetStream may have stored it, and not know it any more. */
  isForgotten: boolean;
  /** Stored, or given up. */
  isOver: boolean;
}

export class OutgoingLane {
  readonly #owner: LaneOwner;
  readonly #dedupMs: number;
  /** Not stored, oldest first. */
  #waiting: Waiting[] = [];
  /** Place in it of the next to be published. */
  #next = 0;
  #inFlight = 0;
  #js: JetStreamClient | null = null;
  /** Something was refused, or not answered: everything from the first on is published again once all have an outcome. */
  #isInDoubt = false;
  #retry: NodeJS.Timeout | null = null;
  #isTold = false;
  /**
   * Nothing was stored since the last refusal, or outage: one at a time, so that none passes another. JetStream may begin to take
   * stanzas in the midst of what is on its way: when there is room again, or when it has just been started.
   */
  #isNarrow: boolean;
  #size = 0;

  /** @param isProven whether something was stored over this connection */
  constructor(owner: LaneOwner, dedupMs: number, isProven: boolean) {
    this.#owner = owner;
    this.#dedupMs = dedupMs;
    this.#isNarrow = !isProven;
  }

  /** How many are not stored. */
  get size(): number {
    return this.#size;
  }

  /** @returns what it costs to keep it, in bytes */
  add(one: Outgoing): number {
    this.#waiting.push({ one, since: null, isForgotten: false, isOver: false });
    this.#size += 1;
    this.#pump();
    return costOf(one);
  }

  /** There is room for more on its way. */
  more(): void {
    this.#pump();
  }

  /** There is a connection. */
  open(js: JetStreamClient): void {
    this.#js = js;
    this.#again();
  }

  /** The connection was interrupted, and is there again. @param isAnother its nats-server knows no ids of what is done with */
  again(isAnother: boolean): void {
    if (isAnother) for (const waiting of this.#waiting) waiting.isForgotten ||= waiting.since !== null;
    this.#isInDoubt = true;
    this.#isNarrow = true;
    if (this.#inFlight === 0) this.#again();
  }

  /** Nothing is published any more. */
  close(error: BrokerError): void {
    this.#js = null;
    if (this.#retry !== null) clearTimeout(this.#retry);
    for (const { one, isOver } of this.#waiting) if (!isOver) one.failed(error);
    this.#waiting = [];
    this.#size = 0;
  }

  #pump(): void {
    const js = this.#js;
    if (js === null || this.#isInDoubt) return;
    const window = this.#isNarrow ? 1 : WINDOW;
    while (this.#inFlight < window) {
      const waiting = this.#waiting[this.#next];
      if (waiting === undefined) return;
      // The answer was lost, and the holder was faster than the next try: JetStream need not know the id any more.
      if (waiting.one.isTold()) this.#take(waiting);
      if (!waiting.isOver && !this.#owner.admit()) return;
      this.#next += 1;
      if (!waiting.isOver) this.#publish(js, waiting);
    }
  }

  #publish(js: JetStreamClient, waiting: Waiting): void {
    const { one } = waiting;
    const now = performance.now();
    waiting.since ??= now;
    const isLate = waiting.isForgotten || now - waiting.since >= this.#dedupMs;
    this.#inFlight += 1;
    publish(js, one, one.headers(isLate)).then(
      () => {
        this.#inFlight -= 1;
        this.#owner.answered(true);
        this.#stored(waiting);
      },
      (cause: unknown) => {
        this.#inFlight -= 1;
        this.#owner.answered(false);
        if (isOutsized(cause)) this.#giveUp(waiting);
        else this.#refused(cause);
      },
    );
  }

  #stored(waiting: Waiting): void {
    if (this.#take(waiting)) waiting.one.stored();
    this.#isNarrow = false;
    if (this.#isTold) {
      this.#isTold = false;
      this.#owner.working();
    }
    this.#goOn();
  }

  /** It was accepted when it was not known yet how much NATS takes. What is behind it goes on. */
  #giveUp(waiting: Waiting): void {
    if (this.#take(waiting)) waiting.one.outsized();
    this.#goOn();
  }

  /** @returns whether it was not done with before */
  #take(waiting: Waiting): boolean {
    if (waiting.isOver || this.#js === null) return false;
    waiting.isOver = true;
    this.#size -= 1;
    this.#owner.left(costOf(waiting.one));
    return true;
  }

  #goOn(): void {
    if (this.#isInDoubt) {
      this.#settle();
      return;
    }
    this.#forget();
    this.#pump();
  }

  /** What is done with, from the front on. */
  #forget(): void {
    let count = 0;
    while (this.#waiting[count]?.isOver === true) count += 1;
    // Not for each of them: what is behind has to be moved.
    if (count === 0 || (count < WINDOW && count < this.#waiting.length)) return;
    this.#waiting.splice(0, count);
    this.#next = Math.max(0, this.#next - count);
  }

  #refused(cause: unknown): void {
    if (this.#js === null) return;
    this.#isInDoubt = true;
    this.#isNarrow = true;
    if (!this.#isTold) {
      this.#isTold = true;
      this.#owner.failing(this.#owner.error(cause));
    }
    this.#settle();
  }

  #settle(): void {
    if (this.#inFlight > 0 || this.#retry !== null) return;
    this.#retry = setTimeout(() => {
      this.#retry = null;
      this.#again();
    }, RETRY_MS).unref();
  }

  #again(): void {
    if (this.#retry !== null) clearTimeout(this.#retry);
    this.#retry = null;
    this.#isInDoubt = false;
    this.#next = 0;
    this.#forget();
    this.#pump();
  }
}

/** The client may throw where it should reject. */
async function publish(js: JetStreamClient, { subject, xml }: Outgoing, headers: MsgHdrs): Promise<PubAck> {
  return await js.publish(subject, xml, { headers, timeout: ANSWER_MS });
}

function costOf({ xml }: Outgoing): number {
  return STANZA_COST + textCost(xml);
}
