import type { Element } from '../xml/element.js';
import type { Change, Handed } from './store.js';
import { StoredRecord } from './stored-record.js';
import type { Ticket } from './ticket.js';

/** Most stanzas of a purge that are marked and not handed to the socket, and most bytes of them. */
const AHEAD = 256;
const AHEAD_BYTES = 64 * 1024;

/** Counters of stanzas wrap around to 0 here (XEP-0198 §4). */
const MODULUS = 2 ** 32;

/** A stanza that waits for its turn to be handed to the link. */
export interface Turn {
  readonly ticket: Ticket;
  readonly element: Element | undefined;
  /** Whether it is one of many that were held: they are marked as far as they can be written, no further. */
  readonly wasHeld: boolean;
}

/** The managed session that stanzas are handed to. */
export interface LaneSession {
  readonly id: string | null;
  /** Stanzas sent in it, mod 2^32. */
  readonly sent: number;
}

/**
 * Stanzas on their way from the queue to a ready link, in order. Each is handed on only when the store has the mark that
 * it is; what the store does not keep waits for its turn, too.
 */
export class Lane {
  #turns: Turn[] = [];
  #head = 0;
  #cost = 0;
  /** What is marked in the commit that is under way. */
  #marked: Turn[] = [];
  #markedHead = 0;
  /** What is marked and not with the socket yet; null: nothing ever was. */
  #ahead: Set<StoredRecord> | null = null;
  #aheadBytes = 0;
  #session: string | null = null;
  /** Place in the session of the last stanza that was handed to the link; null without a session. */
  #ordinal: number | null = null;

  /** Stanzas that wait. */
  get size(): number {
    return this.#turns.length - this.#head + this.#marked.length - this.#markedHead;
  }

  /** What it costs to keep the stanzas that wait, in bytes. */
  get cost(): number {
    return this.#cost;
  }

  /** A link is ready: places are those in its session. */
  begin(session: LaneSession | null): void {
    this.#session = session?.id ?? null;
    this.#ordinal = session === null ? null : session.sent;
    this.#ahead = null;
    this.#aheadBytes = 0;
  }

  add(ticket: Ticket, element: Element | undefined, wasHeld: boolean): void {
    this.#turns.push({ ticket, element, wasHeld });
    this.#cost += ticket.cost;
  }

  /** Takes out what is not marked. */
  remove(ticket: Ticket): boolean {
    const index = this.#turns.findIndex((turn, at) => at >= this.#head && turn.ticket === ticket);
    if (index < 0) return false;
    this.#turns.splice(index, 1);
    this.#cost -= ticket.cost;
    return true;
  }

  /** The link is gone: takes everything out, in order. */
  clear(): Ticket[] {
    const left = [...this.#marked.slice(this.#markedHead), ...this.#turns.slice(this.#head)];
    this.#marked = [];
    this.#markedHead = 0;
    this.#turns = [];
    this.#head = 0;
    this.#cost = 0;
    return left.map(({ ticket }) => ticket);
  }

  /** Whether something can go on. */
  get isMoving(): boolean {
    const turn = this.#turns[this.#head];
    return turn !== undefined && this.next === undefined && !this.#waits(turn);
  }

  /** Marks what may go next, as changes behind those that are there. */
  mark(changes: Change[]): void {
    if (this.next !== undefined) return;
    const marked: Turn[] = [];
    let ordinal = this.#ordinal;
    for (;;) {
      const turn = this.#turns[this.#head];
      if (turn === undefined || this.#waits(turn)) break;
      this.#head += 1;
      marked.push(turn);
      const { ticket } = turn;
      let place: number | null = null;
      if (ordinal !== null && isCounted(ticket)) ordinal = place = (ordinal + 1) % MODULUS;
      const { record } = ticket;
      if (record instanceof StoredRecord) {
        this.#mark(turn, record, { session: this.#session, ordinal: place }, changes);
      }
    }
    if (this.#head > 1_024 || this.#head === this.#turns.length) {
      this.#turns.splice(0, this.#head);
      this.#head = 0;
    }
    this.#marked = marked;
    this.#markedHead = 0;
  }

  /** The marks are stored: the next stanza of them; undefined when there is none. */
  get next(): Turn | undefined {
    return this.#marked[this.#markedHead];
  }

  /** The next stanza is handed on to the link. */
  passed({ ticket }: Turn): void {
    this.#markedHead += 1;
    this.#cost -= ticket.cost;
    if (this.#ordinal !== null && isCounted(ticket)) this.#ordinal = (this.#ordinal + 1) % MODULUS;
  }

  /** What was handed on last did not get there: those behind it have another place now, and need another mark. */
  failed({ ticket }: Turn): void {
    if (this.#ordinal !== null && isCounted(ticket)) this.#ordinal = (this.#ordinal + MODULUS - 1) % MODULUS;
    this.unmark();
  }

  /** The marks are not stored, or do not fit any more: their stanzas wait again, in front. */
  unmark(): void {
    const left = this.#marked.slice(this.#markedHead);
    this.#marked = [];
    this.#markedHead = 0;
    if (left.length === 0) return;
    this.#turns = [...left, ...this.#turns.slice(this.#head)];
    this.#head = 0;
  }

  /** It is with the socket, or held again. */
  fellBehind(record: StoredRecord): void {
    if (this.#ahead?.delete(record) === true) this.#aheadBytes -= record.ticket.bytes;
  }

  #waits({ wasHeld, ticket }: Turn): boolean {
    if (!wasHeld || this.#ahead === null || this.#ahead.size === 0) return false;
    return this.#ahead.size >= AHEAD || this.#aheadBytes + ticket.bytes > AHEAD_BYTES;
  }

  #mark({ ticket }: Turn, record: StoredRecord, handed: Handed, changes: Change[]): void {
    record.isMarked = true;
    this.#ahead ??= new Set();
    if (!this.#ahead.has(record)) {
      this.#ahead.add(record);
      this.#aheadBytes += ticket.bytes;
    }
    if (record.put === null) changes.push({ kind: 'hand', key: record.key, handed });
    else record.put.handed = handed;
  }
}

/** Whether stream management counts a stanza (XEP-0198 §4). */
function isCounted({ kind }: Ticket): boolean {
  return kind !== 'other';
}
