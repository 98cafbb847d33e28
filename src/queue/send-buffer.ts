import { Deferred } from '../deferred.js';
import type { Element } from '../xml/element.js';
import { STANZA_COST, textCost, textCostAtMost, type Ticket } from './ticket.js';

/** Characters after which a batch is written without waiting for the end of the turn. */
const BATCH = 32 * 1024;

/** Who has a send buffer, and writes for it. */
export interface SendBufferOwner {
  /** Writes to the socket; false asks to wait until {@link SendBuffer.drained} is called. `done` when it is written. */
  write(text: string, done: (error?: Error | null) => void): boolean;
  /** The ticket was handed to the socket; its element, if that was at hand. */
  handedOver(ticket: Ticket, element: Element | undefined): void;
  /** The ticket was written to the operating system. */
  written(ticket: Ticket): void;
}

interface Entry {
  ticket: Ticket | null;
  text: string;
  cost: number;
}

/** What is written at once. */
class Batch {
  readonly tickets: Ticket[] = [];
  text = '';
  #cost = 0;
  #counted = 0;

  /** What it costs to keep it. Each stanza is counted once, when that is first asked for. */
  get cost(): number {
    for (; this.#counted < this.tickets.length; this.#counted += 1) {
      this.#cost += (this.tickets[this.#counted] as Ticket).cost;
    }
    return this.#cost;
  }

  get costAtMost(): number {
    return this.tickets.length * STANZA_COST + textCostAtMost(this.text.length);
  }
}

/**
 * Stanzas on their way out of a ready broker, in order. What is output within one turn of the event loop leaves in
 * one write; when the socket is congested the rest waits here until it drains.
 */
export class SendBuffer {
  readonly #owner: SendBufferOwner;
  /** Characters after which a batch is written. */
  readonly #most: number;
  /** Null while there is nothing: most links are quiet at most times. */
  #batch: Batch | null = null;
  #scheduled: NodeJS.Immediate | null = null;
  #waiting: Entry[] | null = null;
  #next = 0;
  #waitingCost = 0;
  /** What does not wait for its turn, made when it is written. */
  #urgent: (() => string)[] | null = null;
  #congested = false;
  #held = false;
  #closed = false;
  /** Few: the first one that is more than the socket takes stops the rest. */
  #inFlight: Batch[] | null = null;
  #inFlightCostAtMost = 0;
  #idle: Deferred<void> | null = null;

  /** @param separate whether each element is written by itself */
  constructor(owner: SendBufferOwner, separate = false) {
    this.#owner = owner;
    this.#most = separate ? 1 : BATCH;
  }

  /** What it costs to keep what was accepted and not yet handed to the socket. */
  get waitingCost(): number {
    return this.#waitingCost;
  }

  /** The same for what was handed to the socket, or is about to be, and not yet written to the operating system. */
  get inFlightCost(): number {
    const begun = this.#batch?.cost ?? 0;
    return this.#inFlight?.reduce((sum, { cost }) => sum + cost, begun) ?? begun;
  }

  /** A bound of {@link inFlightCost} that costs nothing. */
  get inFlightCostAtMost(): number {
    return (this.#batch === null ? 0 : this.#batch.costAtMost) + this.#inFlightCostAtMost;
  }

  /** Appends a stanza, or with `ticket` null an element that is none, such as an acknowledgement. */
  push(ticket: Ticket | null, text: string, element?: Element): void {
    if (this.#congested || this.#held || this.#waiting !== null) {
      const cost = costOf(ticket, text);
      (this.#waiting ??= []).push({ ticket, text, cost });
      this.#waitingCost += cost;
    } else {
      this.#add(ticket, text, element);
    }
  }

  /**
   * Writes what is no stanza at the end of this turn, ahead of everything that waits; holding does not hold it. Its
   * text is made when it is written, so that it tells how things are then.
   */
  urgent(text: () => string): void {
    if (this.#closed) return;
    (this.#urgent ??= []).push(text);
    if (!this.#congested) this.#scheduled ??= setImmediate(flushLater, this);
  }

  /** The socket took what was written and wants more. */
  drained(): void {
    this.#congested = false;
    this.#pump();
  }

  /** Holds everything back (jabberd2's throttle), or lets it flow again. */
  hold(held: boolean): void {
    this.#held = held;
    if (!held) this.#pump();
  }

  /** Writes the batch of this turn now. */
  flush(): void {
    if (this.#scheduled !== null) {
      clearImmediate(this.#scheduled);
      this.#scheduled = null;
    }
    if (this.#closed) return;
    if (!this.#congested) {
      for (const text of this.#urgent?.splice(0) ?? []) {
        if (this.#batch !== null && this.#batch.text.length >= this.#most) this.#write();
        (this.#batch ??= new Batch()).text += text();
      }
    }
    this.#write();
  }

  #write(): void {
    const batch = this.#batch;
    if (batch === null || batch.text === '') return;
    this.#batch = null;
    (this.#inFlight ??= []).push(batch);
    this.#inFlightCostAtMost += batch.costAtMost;
    const more = this.#owner.write(batch.text, (error) => {
      this.#written(batch, error);
    });
    if (!more) this.#congested = true;
  }

  /** Resolves when everything accepted so far was written, or the buffer was closed. */
  drain(): Promise<void> {
    this.flush();
    if (this.#isIdle()) return Promise.resolve();
    this.#idle ??= new Deferred();
    return this.#idle.promise;
  }

  /** Ends the buffer and returns what is not proved to be written, oldest first: in flight, then waiting. */
  close(): { inFlight: Ticket[]; waiting: Ticket[] } {
    this.#closed = true;
    if (this.#scheduled !== null) clearImmediate(this.#scheduled);
    this.#scheduled = null;
    const inFlight = this.#inFlight?.flatMap(({ tickets }) => tickets) ?? [];
    const waiting = this.#batch?.tickets ?? [];
    for (const { ticket } of this.#waiting?.slice(this.#next) ?? []) if (ticket !== null) waiting.push(ticket);
    this.#inFlight = null;
    this.#inFlightCostAtMost = 0;
    this.#batch = null;
    this.#waiting = null;
    this.#urgent = null;
    this.#next = 0;
    this.#waitingCost = 0;
    this.#settleIdle();
    return { inFlight, waiting };
  }

  #add(ticket: Ticket | null, text: string, element?: Element): void {
    // A large text alone is written as it is: behind others it would be copied.
    if (text.length >= BATCH) this.flush();
    const batch = (this.#batch ??= new Batch());
    batch.text += text;
    if (ticket !== null) {
      batch.tickets.push(ticket);
      this.#owner.handedOver(ticket, element);
    }
    if (batch.text.length >= this.#most) this.flush();
    else this.#scheduled ??= setImmediate(flushLater, this);
  }

  #pump(): void {
    while (!this.#congested && !this.#closed) {
      const urgent = this.#urgent?.shift();
      if (urgent !== undefined) {
        this.#add(null, urgent());
        continue;
      }
      const waiting = this.#waiting;
      const entry = waiting?.[this.#next];
      if (waiting === null || entry === undefined || this.#held) break;
      this.#next += 1;
      this.#waitingCost -= entry.cost;
      if (this.#next === waiting.length) {
        this.#waiting = null;
        this.#next = 0;
      } else if (this.#next === 4096) {
        waiting.splice(0, this.#next);
        this.#next = 0;
      }
      this.#add(entry.ticket, entry.text);
    }
    this.flush();
  }

  #written(batch: Batch, error: Error | null | undefined): void {
    const inFlight = this.#inFlight;
    const index = inFlight?.indexOf(batch) ?? -1;
    // The buffer was closed, or this was told before.
    if (inFlight === null || index < 0 || error != null) return;
    inFlight.splice(index, 1);
    if (inFlight.length === 0) this.#inFlight = null;
    this.#inFlightCostAtMost -= batch.costAtMost;
    for (const ticket of batch.tickets) this.#owner.written(ticket);
    if (this.#isIdle()) this.#settleIdle();
  }

  #isIdle(): boolean {
    return (
      this.#inFlight === null &&
      (this.#batch === null || this.#batch.text === '') &&
      (this.#urgent?.length ?? 0) === 0 &&
      this.#waiting === null
    );
  }

  #settleIdle(): void {
    const idle = this.#idle;
    this.#idle = null;
    idle?.resolve();
  }
}

/** What is wrapped by the dialect is kept twice: as it was output, and as it goes out. */
function costOf(ticket: Ticket | null, text: string): number {
  if (ticket === null) return STANZA_COST + textCost(text);
  return text === ticket.xml ? ticket.cost : ticket.cost + textCost(text);
}

function flushLater(buffer: SendBuffer): void {
  buffer.flush();
}
