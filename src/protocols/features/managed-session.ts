// The state of a managed session: XEP-0198 §4 and §5.
import { randomBytes } from 'node:crypto';
import { BrokerError } from '../../errors.js';
import type { SessionLocation, SessionRecord } from '../../queue/store.js';
import type { Ticket } from '../../queue/ticket.js';
import type { Told } from './told.js';

/** Counters of stanzas wrap around to 0 here (XEP-0198 §4). */
const MODULUS = 2 ** 32;

/** What was agreed on when a session began. */
export interface SessionTerms {
  /** What resumes it. Default null: it cannot be resumed. */
  readonly id?: string | null | undefined;
  /** What an earlier process called it. Default none: it is a new one. */
  readonly tag?: string | undefined;
  /** How long the server keeps it, in seconds. Default null: it did not say. */
  readonly max?: number | null | undefined;
  /** Where the server would like it to be resumed. Default null. */
  readonly location?: SessionLocation | null | undefined;
  /** What both counters begin with. Default 0; tests begin near 2^32. */
  readonly start?: number | undefined;
}

/** Keeps what is told to the server of a session, so that the next process can go on with it. */
export interface SessionKeeper {
  /** Calls back when a count of handled stanzas is kept that is as high as the one now, or higher. */
  keep(session: ManagedSession, then: () => void): void;
}

/** Where a stanza of the server stands in a session that can be resumed. */
export interface Place {
  /** Id of the session. */
  readonly session: string;
  /** Tells it from another session with that id. */
  readonly tag: string;
  /** 1 is the first in the session, mod 2^32. */
  readonly ordinal: number;
}

/** A stanza of a session of an earlier process, and its place there. */
export interface Placed {
  readonly ticket: Ticket;
  /** 1 is the first in the session, mod 2^32. */
  readonly ordinal: number;
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
  /** Keeps what is told of the session; null when it need not outlive the process. */
  keeper: SessionKeeper | null = null;
  #id: string | null;
  #tag: string | undefined;
  #handled: number;
  #acked: number;
  /** What is kept of `handled`: no more than that is told. */
  #kept: number;
  /** Places of what an earlier process left, which may have gaps, until the server has told its count. */
  #places: number[] | null = null;
  #hasMoved = false;
  readonly #unacked: Ticket[] = [];
  #head = 0;
  #cost = 0;
  #lostResuming = 0;
  #losses = 0;

  constructor(jid: string, { id = null, tag, max = null, location = null, start = 0 }: SessionTerms = {}) {
    this.jid = jid;
    this.max = max;
    this.location = location;
    this.#id = id;
    this.#tag = tag;
    this.#handled = start % MODULUS;
    this.#acked = start % MODULUS;
    this.#kept = this.#handled;
  }

  /** The session of an earlier process. */
  static restored(record: SessionRecord, placed: readonly Placed[]): ManagedSession {
    const session = new ManagedSession(record.jid, record);
    session.#handled = record.handled;
    session.#kept = record.handled;
    session.#acked = record.acked;
    session.#places = [];
    for (const { ticket, ordinal } of [...placed].sort((a, b) => (a.ordinal - b.ordinal) | 0)) {
      ticket.inSession = true;
      ticket.expectAck();
      session.onSent(ticket);
      session.#places.push(ordinal);
    }
    return session;
  }

  /** What resumes the session, or null when it cannot be resumed. */
  get id(): string | null {
    return this.#id;
  }

  /** Tells it from another session with that id, in every process that resumes it. */
  get tag(): string {
    return (this.#tag ??= randomBytes(6).toString('base64url'));
  }

  /** Stanzas of the server that were handled, mod 2^32. */
  get handled(): number {
    return this.#handled;
  }

  /** The count of handled stanzas that may be told to the server: never one that would be forgotten with the process. */
  get tellable(): number {
    return this.keeper === null ? this.#handled : this.#kept;
  }

  /** Resolves when everything that was handled may be told; null when it may be now. */
  allTellable(): Promise<void> | null {
    const { keeper } = this;
    if (keeper === null || this.#kept === this.#handled) return null;
    return new Promise((resolve) => {
      keeper.keep(this, resolve);
    });
  }

  /** Whether a count of handled stanzas may be told. */
  keeps(handled: number): boolean {
    return ((this.#kept - handled) | 0) >= 0;
  }

  /** The count is kept. */
  keptHandled(handled: number): void {
    this.#kept = handled;
  }

  /** Where a stanza stands that arrives now. @param ahead stanzas before it that are not handled yet */
  placeBehind(ahead: number): Place | null {
    if (this.#id === null) return null;
    return { session: this.#id, tag: this.tag, ordinal: (this.#handled + ahead + 1) % MODULUS };
  }

  /** Stanzas that the server acknowledged, mod 2^32. */
  get acked(): number {
    return this.#acked;
  }

  /** Whether what was left by an earlier process has other places now than it had there. */
  get hasMoved(): boolean {
    return this.#hasMoved;
  }

  /** Stanzas sent in this session, mod 2^32. */
  get sent(): number {
    return (this.#acked + this.size) % MODULUS;
  }

  /** Number of stanzas sent and not acknowledged. */
  get size(): number {
    return this.#unacked.length - this.#head;
  }

  /** What it costs to keep the stanzas sent and not acknowledged, in bytes. */
  get cost(): number {
    return this.#cost;
  }

  /** What was sent and not acknowledged, oldest first. */
  unacked(): Ticket[] {
    return this.#unacked.slice(this.#head);
  }

  /** A stanza was handed to the socket. */
  onSent(ticket: Ticket): void {
    this.#unacked.push(ticket);
    this.#cost += ticket.cost;
  }

  /** Stanzas of the server were handled. */
  onHandled(count = 1): void {
    this.#handled = (this.#handled + count) % MODULUS;
  }

  /**
   * The server says how many stanzas it has handled. The tickets become `acked`.
   * @returns the tickets that are acknowledged by it, oldest first
   * @throws BrokerError `SM_BAD_H` for what is no number, or more than was sent
   */
  onAck(h: string | null): Ticket[] {
    const count = parseCount(h);
    const fresh =
      this.#places === null ? (count - this.#acked + MODULUS) % MODULUS : this.#takePlaces(this.#places, count);
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
      this.#cost -= ticket.cost;
      ticket.markAcked();
    }
    return acked;
  }

  /**
   * The server's count of a session of an earlier process, in which there were stanzas that nobody remembers. What is sent
   * from now on follows its count without a gap. Returns how many of those that are left are acknowledged by it.
   */
  #takePlaces(places: readonly number[], count: number): number {
    this.#places = null;
    const fresh = places.filter((ordinal) => ((count - ordinal) | 0) >= 0).length;
    this.#hasMoved = places.slice(fresh).some((ordinal, index) => ordinal !== (count + 1 + index) % MODULUS);
    return fresh;
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
    this.#cost = 0;
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
