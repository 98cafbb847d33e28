import { shown, kindOf } from '../arguments/values.js';
import { BrokerError, usageError } from '../errors.js';
import type { Ticket } from './ticket.js';

/** Bounds of what the broker keeps for sending. */
export interface QueueLimits {
  /** Most stanzas held while not ready. Default 10 000. */
  maxStanzas: number;
  /** Most bytes kept, held and waiting for the socket together. Default 32 MiB. */
  maxBytes: number;
}

/** Who has a queue, and is told what becomes of held stanzas. */
export interface QueueOwner {
  dropped(ticket: Ticket): void;
}

/**
 * Stanzas that were output while the broker was not ready, oldest first. They stay through reconnects until
 * `purgeQueue` sends them or `drop` discards them. Nothing is sent by itself.
 */
export class OutboundQueue implements Iterable<Ticket> {
  /** @internal */
  readonly limits: QueueLimits;
  readonly #owner: QueueOwner;
  #tickets: Ticket[] = [];
  #bytes = 0;

  /** @internal */
  constructor(limits: QueueLimits, owner: QueueOwner) {
    this.limits = limits;
    this.#owner = owner;
  }

  /** Number of held stanzas. */
  get size(): number {
    return this.#tickets.length;
  }

  /** Bytes of the held stanzas. */
  get bytes(): number {
    return this.#bytes;
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

  /** Discards held stanzas, all or those selected; their tickets become `dropped`. Returns them, oldest first. @throws BrokerError `USAGE_SELECT` */
  drop(select?: (ticket: Ticket) => boolean): Ticket[] {
    if (select !== undefined && typeof select !== 'function') {
      throw usageError('USAGE_SELECT', `queue.drop() takes a function of a ticket, or nothing, not ${kindOf(select)}`);
    }
    const dropped = this.take(select);
    for (const ticket of dropped) {
      ticket.markDropped();
      this.#owner.dropped(ticket);
    }
    return dropped;
  }

  /**
   * @internal Holds one more stanza.
   * @throws BrokerError `QUEUE_FULL`; nothing was accepted
   */
  push(ticket: Ticket, bytesElsewhere: number): void {
    this.check(ticket.bytes, bytesElsewhere);
    if (this.size >= this.limits.maxStanzas) {
      throw queueFull(`${String(this.limits.maxStanzas)} stanzas are held (queue.maxStanzas)`);
    }
    this.#tickets.push(ticket);
    this.#bytes += ticket.bytes;
  }

  /** @internal throws `QUEUE_FULL` when that many bytes more would pass the bound */
  check(bytes: number, bytesElsewhere: number): void {
    if (this.#bytes + bytesElsewhere + bytes > this.limits.maxBytes) {
      throw queueFull(
        `${String(this.#bytes + bytesElsewhere)} of ${String(this.limits.maxBytes)} bytes are in use (queue.maxBytes) and the stanza has ${String(bytes)}`,
      );
    }
  }

  /** @internal Puts stanzas of a lost link back in front. They were accepted once, so no bound refuses them. */
  returnToFront(tickets: readonly Ticket[]): void {
    if (tickets.length === 0) return;
    this.#tickets = [...tickets, ...this.#tickets];
    for (const ticket of tickets) this.#bytes += ticket.bytes;
  }

  /** @internal Holds a stanza that was accepted to be sent at once. No bound refuses it any more. */
  returnToBack(ticket: Ticket): void {
    this.#tickets = [...this.#tickets, ticket];
    this.#bytes += ticket.bytes;
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
    this.#bytes = kept.reduce((sum, ticket) => sum + ticket.bytes, 0);
    return taken;
  }

  /** @internal Takes one stanza out if it is held. */
  remove(ticket: Ticket): boolean {
    const index = this.#tickets.indexOf(ticket);
    if (index < 0) return false;
    this.#tickets.splice(index, 1);
    this.#bytes -= ticket.bytes;
    return true;
  }
}

function queueFull(why: string): BrokerError {
  return new BrokerError(
    'QUEUE_FULL',
    `the stanza was refused because the outbound queue is full: ${why}; wait for tickets to be sent, purge or drop`,
    { layer: 'queue', sent: 'no', retryable: true },
  );
}
