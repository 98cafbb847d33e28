import { shown, kindOf } from '../arguments/values.js';
import { BrokerError, usageError } from '../errors.js';
import type { Ticket } from './ticket.js';

/** Bounds of what the broker keeps for sending. */
export interface QueueLimits {
  /** Most stanzas held while not ready. Default 10 000. */
  maxStanzas: number;
  /**
   * Most bytes kept, held and on their way together: what it costs to keep the stanzas, which is their text and about a
   * quarter of a KiB each. Default 32 MiB.
   */
  maxBytes: number;
  /**
   * Milliseconds since its output after which a held stanza is not worth sending any more. It is looked at when held
   * stanzas may be sent or stay held, at READY and by `queue.send`, and when the queue is full; no timer runs. What is older
   * is dropped: its ticket fails with `QUEUE_EXPIRED`. Default `Infinity`.
   */
  maxAgeMs: number;
}

/** Who has a queue, sends for it, and is told what becomes of held stanzas. */
export interface QueueOwner {
  /** Sends what is held and picked, oldest first, and returns its tickets. */
  send(select: ((ticket: Ticket) => boolean) | undefined): Ticket[];
  /** Something is held, for the first time. */
  holds(): void;
  /** A ticket was dropped, with the error that its promises reject with. */
  dropped(ticket: Ticket, error: BrokerError): void;
  /** So many tickets were dropped because they were too old, each of which was told of. */
  expired(count: number): void;
}

/**
 * Stanzas that were output while the broker was not ready, oldest first. They stay through reconnects until `send` sends
 * them or `drop` discards them. Nothing is sent by itself, unless the option `queue.onReady` says so.
 */
export class OutboundQueue implements Iterable<Ticket> {
  /** @internal */
  readonly limits: QueueLimits;
  readonly #owner: QueueOwner;
  #tickets: Ticket[] = [];
  #hasHeld = false;
  #cost = 0;

  /** @internal */
  constructor(limits: QueueLimits, owner: QueueOwner) {
    this.limits = limits;
    this.#owner = owner;
  }

  /** Number of held stanzas. */
  get size(): number {
    return this.#tickets.length;
  }

  /** What it costs to keep the held stanzas, in bytes: their text, and a fixed amount for each. `maxBytes` counts it. */
  get bytes(): number {
    return this.#cost;
  }

  /** The held stanza at an index, 0 being the oldest; undefined when there is none. @throws BrokerError `USAGE_INDEX` */
  at(index: number): Ticket | undefined {
    if (typeof index !== 'number') {
      throw usageError('USAGE_INDEX', `queue.at() takes a number, not ${shown(index)}`);
    }
    return this.#tickets[index];
  }

  /** The tickets held now, oldest first; changes while iterating do not disturb it. */
  [Symbol.iterator](): Iterator<Ticket> {
    return [...this.#tickets][Symbol.iterator]();
  }

  /**
   * Sends what is held, all or what `select` picks, oldest first; later outputs line up behind it. What is older than
   * `queue.maxAgeMs` is dropped before that.
   * What was on its way when links ended for no better reason goes behind one another, as its turn comes, and stays held
   * until then; being picked once is enough. So a loop that waits for an empty queue must wait for events or time in it.
   * @returns the tickets that are sent now; none while not ready, or while what is picked waits for its turn
   * @throws BrokerError `USAGE_SELECT`, `BROKER_HALTED`
   */
  send(select?: (ticket: Ticket) => boolean): Ticket[] {
    checkSelect('queue.send()', select);
    return this.#owner.send(select);
  }

  /** Discards held stanzas, all or those selected; their tickets become `dropped`. Returns them, oldest first. @throws BrokerError `USAGE_SELECT` */
  drop(select?: (ticket: Ticket) => boolean): Ticket[] {
    checkSelect('queue.drop()', select);
    const dropped = this.take(select);
    const error = new BrokerError('QUEUE_DROPPED', 'the stanza was dropped from the queue', UNSENT);
    for (const ticket of dropped) {
      ticket.markDropped(error);
      this.#owner.dropped(ticket, error);
    }
    return dropped;
  }

  /** @internal Drops what is older than `maxAgeMs`. Who is told hears of it behind the change that it is part of. */
  expire(): void {
    const { maxAgeMs } = this.limits;
    if (maxAgeMs === Number.POSITIVE_INFINITY) return;
    const expired = this.take(({ ageMs }) => ageMs > maxAgeMs);
    if (expired.length === 0) return;
    const text = `the stanza was held for more than ${String(maxAgeMs)} ms (queue.maxAgeMs) and was dropped`;
    const error = new BrokerError('QUEUE_EXPIRED', text, UNSENT);
    for (const ticket of expired) ticket.markDropped(error);
    queueMicrotask(() => {
      for (const ticket of expired) this.#owner.dropped(ticket, error);
      this.#owner.expired(expired.length);
    });
  }

  /**
   * @internal Holds one more stanza.
   * @throws BrokerError `QUEUE_FULL`; nothing was accepted
   */
  push(ticket: Ticket, costElsewhere: number): void {
    this.check(ticket.cost, costElsewhere);
    if (this.size >= this.limits.maxStanzas) this.#makeRoom();
    if (this.size >= this.limits.maxStanzas) {
      throw queueFull(`${String(this.limits.maxStanzas)} stanzas are held (queue.maxStanzas)`);
    }
    this.#tickets.push(ticket);
    this.#entered(ticket);
  }

  /** @internal throws `QUEUE_FULL` when a stanza of that cost would pass the bound */
  check(cost: number, costElsewhere: number): void {
    if (this.#isOver(cost, costElsewhere)) this.#makeRoom();
    if (this.#isOver(cost, costElsewhere)) {
      const used = this.#cost + costElsewhere;
      throw queueFull(
        `${String(used)} of ${String(this.limits.maxBytes)} bytes are in use (queue.maxBytes) and the stanza costs ${String(cost)}`,
      );
    }
  }

  #isOver(cost: number, costElsewhere: number): boolean {
    return this.#cost + costElsewhere + cost > this.limits.maxBytes;
  }

  /** The queue is full: what is too old goes. The oldest are in front, so that a queue of young ones costs nothing. */
  #makeRoom(): void {
    if ((this.at(0)?.ageMs ?? 0) > this.limits.maxAgeMs) this.expire();
  }

  #entered(ticket: Ticket): void {
    if (!this.#hasHeld) this.#owner.holds();
    this.#hasHeld = true;
    ticket.held = true;
    this.#cost += ticket.cost;
  }

  /** @internal Puts stanzas of a lost link back in front. They were accepted once, so no bound refuses them. */
  returnToFront(tickets: readonly Ticket[]): void {
    if (tickets.length === 0) return;
    this.#tickets = [...tickets, ...this.#tickets];
    for (const ticket of tickets) this.#entered(ticket);
  }

  /** @internal Holds a stanza that was accepted to be sent at once. No bound refuses it any more. */
  returnToBack(ticket: Ticket): void {
    this.#tickets.push(ticket);
    this.#entered(ticket);
  }

  /** @internal Takes stanzas out, all or those selected, oldest first. */
  take(select?: (ticket: Ticket) => boolean): Ticket[] {
    const before = [...this.#tickets];
    // The selector is the user's code: if it throws, nothing has changed yet.
    const chosen = select === undefined ? before : before.filter((ticket) => select(ticket));
    if (chosen.length === 0) return [];
    const gone = new Set(chosen);
    const taken: Ticket[] = [];
    const kept: Ticket[] = [];
    // A selector that outputs has added stanzas meanwhile: they stay.
    for (const ticket of this.#tickets) (gone.has(ticket) ? taken : kept).push(ticket);
    this.#tickets = kept;
    this.#cost = kept.reduce((sum, ticket) => sum + ticket.cost, 0);
    for (const ticket of taken) ticket.held = false;
    return taken;
  }

  /** @internal Takes one stanza out if it is held. */
  remove(ticket: Ticket): boolean {
    const index = this.#tickets.indexOf(ticket);
    if (index < 0) return false;
    this.#tickets.splice(index, 1);
    ticket.held = false;
    this.#cost -= ticket.cost;
    return true;
  }
}

const UNSENT = { layer: 'queue', sent: 'no' } as const;

/** @throws BrokerError `USAGE_SELECT` for what cannot pick tickets */
export function checkSelect(call: string, select: unknown): void {
  if (select === undefined || typeof select === 'function') return;
  throw usageError('USAGE_SELECT', `${call} takes a function of a ticket, or nothing, not ${kindOf(select)}`);
}

/** Nothing more is accepted. */
export function queueFull(why: string): BrokerError {
  return new BrokerError(
    'QUEUE_FULL',
    `the stanza was refused because the outbound queue is full: ${why}; wait for tickets to be sent, purge or drop`,
    { layer: 'queue', sent: 'no', retryable: true },
  );
}
