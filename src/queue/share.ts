import type { Ticket } from './ticket.js';

/** After so many that are gone their places are given free. */
const GONE = 1_024;

/** Stanzas of one kind on their way out, which may take a part of the queue and leave the rest to others. */
export class Share {
  readonly #most: number;
  /** In the order they were output, which is mostly that in which they leave. */
  readonly #tickets: Ticket[] = [];
  #next = 0;
  #cost = 0;

  /** @param most what it may cost to keep them, in bytes */
  constructor(most: number) {
    this.#most = most;
  }

  /** Whether there is room for one more. */
  get isFull(): boolean {
    if (this.#cost >= this.#most) this.#forget();
    return this.#cost >= this.#most;
  }

  add(ticket: Ticket): void {
    this.#forget();
    if (!isKept(ticket)) return;
    this.#tickets.push(ticket);
    this.#cost += ticket.cost;
  }

  #forget(): void {
    for (;;) {
      const oldest = this.#tickets[this.#next];
      if (oldest === undefined || isKept(oldest)) break;
      this.#cost -= oldest.cost;
      this.#next += 1;
    }
    if (this.#next < GONE && this.#next < this.#tickets.length) return;
    this.#tickets.splice(0, this.#next);
    this.#next = 0;
  }
}

function isKept({ state, inSession }: Ticket): boolean {
  return state === 'queued' || (state === 'sent' && inSession);
}
