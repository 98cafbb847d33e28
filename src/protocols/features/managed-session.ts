// The state of a managed session: XEP-0198 §4 and §5.
import { BrokerError } from '../../errors.js';
import type { SessionLocation } from '../../queue/store.js';
import type { Ticket } from '../../queue/ticket.js';
import type { Told } from './told.js';

/** Counters of stanzas wrap around to 0 here (XEP-0198 §4). */
const MODULUS = 2 ** 32;

/** What was agreed on when a session began. */
export interface SessionTerms {
  /** What resumes it. Default null: it cannot be resumed. */
  readonly id?: string | null | undefined;
  /** How long the server keeps it, in seconds. Default null: it did not say. */
  readonly max?: number | null | undefined;
  /** Where the server would like it to be resumed. Default null. */
  readonly location?: SessionLocation | null | undefined;
  /** What both counters begin with. Default 0; tests begin near 2^32. */
  readonly start?: number | undefined;
}

/**
 * The state of one managed session: what was sent and not acknowledged, and how many stanzas were handled. It outlives
 * the link, so that the session can be resumed on the next one.
 */
export class ManagedSession {
  /** How long the server keeps the session, in seconds, or null if it did not say. */
  readonly max: number | null;
  /** Where the server would like the session to be resumed, or null. */
  readonly location: SessionLocation | null;
  /** Our address in the session. */
  readonly jid: string;
  /** What the server told with its features: a session that goes on with a sign-in by SASL2 comes without. */
  told: Told | undefined;
  #id: string | null;
  #handled: number;
  #acked: number;
  readonly #unacked: Ticket[] = [];
  #head = 0;
  #bytes = 0;
  #lostResuming = 0;
  #losses = 0;

  constructor(jid: string, { id = null, max = null, location = null, start = 0 }: SessionTerms = {}) {
    this.jid = jid;
    this.max = max;
    this.location = location;
    this.#id = id;
    this.#handled = start % MODULUS;
    this.#acked = start % MODULUS;
  }

  /** What resumes the session, or null when it cannot be resumed. */
  get id(): string | null {
    return this.#id;
  }

  /** Stanzas of the server that were handled, mod 2^32. */
  get handled(): number {
    return this.#handled;
  }

  /** Stanzas sent in this session, mod 2^32. */
  get sent(): number {
    return (this.#acked + this.size) % MODULUS;
  }

  /** Number of stanzas sent and not acknowledged. */
  get size(): number {
    return this.#unacked.length - this.#head;
  }

  /** Bytes of the stanzas sent and not acknowledged. */
  get bytes(): number {
    return this.#bytes;
  }

  /** What was sent and not acknowledged, oldest first. */
  unacked(): Ticket[] {
    return this.#unacked.slice(this.#head);
  }

  /** A stanza was handed to the socket. */
  onSent(ticket: Ticket): void {
    this.#unacked.push(ticket);
    this.#bytes += ticket.bytes;
  }

  /** A stanza of the server was handled. */
  onHandled(): void {
    this.#handled = (this.#handled + 1) % MODULUS;
  }

  /**
   * The server says how many stanzas it has handled. The tickets become `acked`.
   * @returns the tickets that are acknowledged by it, oldest first
   * @throws BrokerError `SM_BAD_H` for what is no number, or more than was sent
   */
  onAck(h: string | null): Ticket[] {
    const count = parseCount(h);
    const fresh = (count - this.#acked + MODULUS) % MODULUS;
    if (fresh > this.size) {
      throw new BrokerError(
        'SM_BAD_H',
        `the server acknowledges ${String(count)} stanzas, but ${String(this.sent)} were sent`,
        {
          layer: 'sm',
          origin: 'peer',
          sentCondition: 'undefined-condition',
        },
      );
    }
    const acked = this.#unacked.slice(this.#head, this.#head + fresh);
    this.#head += fresh;
    if (this.#head > 1_024 || this.#head === this.#unacked.length) {
      this.#unacked.splice(0, this.#head);
      this.#head = 0;
    }
    this.#acked = count;
    if (fresh > 0) this.#losses = 0;
    for (const ticket of acked) {
      this.#bytes -= ticket.bytes;
      ticket.markAcked();
    }
    return acked;
  }

  /**
   * The link was lost with stanzas that were not acknowledged. Returns how often that has happened since the server last
   * acknowledged something.
   */
  lost(): number {
    if (this.size > 0) this.#losses += 1;
    return this.#losses;
  }

  /** The session was resumed: what went wrong on the way there is over. */
  goesOn(): void {
    this.#lostResuming = 0;
  }

  /** The connection was lost behind `<resume/>`. Returns how often that has happened since the session last went on. */
  lostWhileResuming(): number {
    this.#lostResuming += 1;
    return this.#lostResuming;
  }

  /** The session cannot be resumed any more. */
  abandon(): void {
    this.#id = null;
  }

  /** Ends the session: takes out what was not acknowledged, oldest first. */
  takeUnacked(): Ticket[] {
    const tickets = this.unacked();
    this.#unacked.length = 0;
    this.#head = 0;
    this.#bytes = 0;
    return tickets;
  }
}

/** An `h` attribute as a number. @throws BrokerError `SM_BAD_H` */
function parseCount(h: string | null): number {
  const count = h !== null && /^\d{1,10}$/.test(h) ? Number(h) : Number.NaN;
  if (count < MODULUS) return count;
  throw new BrokerError(
    'SM_BAD_H',
    `the server's acknowledgement has the count ${JSON.stringify(h)}, which is no number below 2^32`,
    {
      layer: 'sm',
      origin: 'peer',
      sentCondition: 'undefined-condition',
    },
  );
}
