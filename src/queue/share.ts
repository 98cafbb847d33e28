import type { Ticket } from './ticket.js';

/** So many are not worth to look which of them are gone. */
const FEW = 1_024;

/** How often it is looked while there is no room, in milliseconds. */
const LOOK_MS = 1_000;

/** Stanzas of one kind on their way out, which may take a part of the queue and leave the rest to others. */
export class Share {
  readonly #most: number;
  /** In the order they were output, which is mostly that in which they leave. */
  #tickets: Ticket[] = [];
  #next = 0;
  #cost = 0;
  /** With so many it is looked again which of them are gone. */
  #many = FEW;
  #lookedAt = Number.NEGATIVE_INFINITY;

  /** @param most what it may cost to keep them, in bytes */
  constructor(most: number) {
    this.#most = most;
  }

  /** Whether there is room for one more. */
  get isFull(): boolean {
    if (this.#cost < this.#most) return false;
    this.#forgetOldest();
    if (this.#cost >= this.#most && performance.now() - this.#lookedAt >= LOOK_MS) this.#forgetAll();
    return this.#cost >= this.#most;
  }

  add(ticket: Ticket): void {
    this.#forgetOldest();
    if (!isKept(ticket)) return;
    this.#tickets.push(ticket);
    this.#cost += ticket.cost;
    if (this.#tickets.length >= this.#many) this.#forgetAll();
  }

  #forgetOldest(): void {
    for (;;) {
      const oldest = this.#tickets[this.#next];
      if (oldest === undefined || isKept(oldest)) break;
      this.#cost -= oldest.cost;
      this.#next += 1;
    }
    if (this.#next < FEW && this.#next < this.#tickets.length) return;
    this.#tickets.splice(0, this.#next);
    this.#next = 0;
  }

  /** One of them may stay for good, held in the queue of a program that never sends it, with all that follow behind it. */
  #forgetAll(): void {
    this.#tickets = this.#tickets.filter(isKept);
    this.#next = 0;
    this.#cost = this.#tickets.reduce((sum, { cost }) => sum + cost, 0);
    this.#many = Math.max(FEW, 2 * this.#tickets.length);
    this.#lookedAt = performance.now();
  }
}

function isKept({ state, inSession }: Ticket): boolean {
  return state === 'queued' || (state === 'sent' && inSession);
}
