// Stanzas that other processes put into the queue: what was there when the link became ready is old, and is held, sent or
// dropped as if it had been held here; what is newer goes out at once, as an output does.
import type { Lifecycle } from '../lifecycle/lifecycle.js';
import type { Traffic } from '../link/traffic.js';
import type { Journal } from '../queue/journal.js';
import type { Ticket } from '../queue/ticket.js';
import type { HeldDecision } from './held-decision.js';
import type { Outbox } from './outbox.js';
import type { Status } from './status.js';

/** Time until a store that does not answer is asked again for its newest stanza, in milliseconds. */
const RETRY_MS = 1_000;
/** Most purges that are remembered for what they meant and has not come yet. */
const MOST_PURGES = 32;

/** What it works with. */
export interface ArrivalsParts {
  readonly journal: Journal | null;
  readonly outbox: Outbox;
  readonly heldDecision: HeldDecision;
  readonly lifecycle: Lifecycle;
  readonly status: Status;
  readonly traffic: Traffic;
}

/** A purge that also means what the store has and did not hand over yet. */
interface Purge {
  readonly select: ((ticket: Ticket) => boolean) | undefined;
  readonly by: string;
  /** Position of the newest stanza that it means; null: not known yet. */
  upTo: number | null;
}

/** A stanza that came, and its position in the store. */
interface Arrival {
  readonly ticket: Ticket;
  readonly position: number;
}

export class Arrivals {
  readonly #parts: ArrivalsParts;
  #newest: (() => Promise<number>) | null = null;
  /** Position of the newest old stanza; null: the store is asked. */
  #line: number | null = Number.NEGATIVE_INFINITY;
  /** What waits for what the store says, and what it will cost in the queue. */
  #unsure: Arrival[] = [];
  #unsureCost = 0;
  #purges: Purge[] = [];
  /** Rises with each link and store: answers for earlier ones mean nothing. */
  #turn = 0;

  constructor(parts: ArrivalsParts) {
    this.#parts = parts;
  }

  /** How many wait for what the store says. */
  get waiting(): number {
    return this.#unsure.length;
  }

  /** What they will cost in the queue, in bytes. */
  get waitingCost(): number {
    return this.#unsureCost;
  }

  /** The store is open. @param newest of a store that several processes put stanzas into */
  open(newest: (() => Promise<number>) | null): void {
    this.#newest = newest;
    this.#begin();
  }

  /** The store is somebody else's, or closed. */
  close(): void {
    this.#newest = null;
    this.#taken();
    this.#begin();
  }

  /** The link is ready. */
  linkReady(): void {
    this.#begin();
    const newest = this.#newest;
    if (newest === null) return;
    this.#line = null;
    const turn = this.#turn;
    this.#ask(newest, turn, (position) => {
      this.#line = position;
      for (const arrival of this.#taken()) this.#settle(arrival, position);
    });
  }

  linkEnded(): void {
    const unsure = this.#taken();
    this.#begin();
    for (const { ticket } of unsure) this.#hold(ticket);
  }

  /** What is held was purged: that means what the store has up to now, too. */
  purged(select: ((ticket: Ticket) => boolean) | undefined, by: string): void {
    const newest = this.#newest;
    if (newest === null) return;
    const purge: Purge = { select, by, upTo: null };
    this.#purges = [...this.#purges.slice(1 - MOST_PURGES), purge];
    this.#ask(newest, this.#turn, (position) => {
      purge.upTo = position;
    });
  }

  /** A stanza came, which is in no queue yet. */
  add(arrival: Arrival): void {
    if (!this.#isReady) this.#hold(arrival.ticket);
    else if (this.#line === null) {
      this.#unsure.push(arrival);
      this.#unsureCost += arrival.ticket.cost;
    } else this.#settle(arrival, this.#line);
  }

  /** All that waited. */
  #taken(): Arrival[] {
    const unsure = this.#unsure;
    this.#unsure = [];
    this.#unsureCost = 0;
    return unsure;
  }

  get #isReady(): boolean {
    return this.#parts.lifecycle.link?.ready === true;
  }

  #begin(): void {
    this.#turn += 1;
    this.#purges = [];
    this.#line = Number.NEGATIVE_INFINITY;
  }

  #ask(newest: () => Promise<number>, turn: number, then: (position: number) => void): void {
    asked(newest).then(
      (position) => {
        if (this.#turn === turn) then(position);
      },
      () => {
        setTimeout(() => {
          if (this.#turn === turn) this.#ask(newest, turn, then);
        }, RETRY_MS).unref();
      },
    );
  }

  #settle({ ticket, position }: Arrival, line: number): void {
    const { journal, outbox, heldDecision } = this.#parts;
    if (!this.#isReady) {
      this.#hold(ticket);
      return;
    }
    this.#purges = this.#purges.filter(({ upTo }) => upTo === null || position <= upTo);
    if (position > line) {
      journal?.pass(ticket, undefined, false);
      return;
    }
    outbox.queue.returnToBack(ticket);
    for (const { select, by } of this.#purges) {
      if (this.#isPicked(select, ticket) && outbox.sendHeld(ticket, by)) return;
    }
    heldDecision.decideOn(ticket);
    if (ticket.held) this.#tell(ticket);
  }

  /** The function is the user's code. */
  #isPicked(select: ((ticket: Ticket) => boolean) | undefined, ticket: Ticket): boolean {
    try {
      return select === undefined || select(ticket);
    } catch (error) {
      this.#parts.status.onHandlerError(error, 'queue.send');
      return false;
    }
  }

  #hold(ticket: Ticket): void {
    this.#parts.outbox.queue.returnToBack(ticket);
    this.#tell(ticket);
  }

  #tell(ticket: Ticket): void {
    const { status, traffic } = this.#parts;
    if (status.watched('PCJ_NODEQUEUED')) traffic.held(ticket.node);
  }
}

/** A store may throw where it should reject. */
async function asked(newest: () => Promise<number>): Promise<number> {
  return await newest();
}
