import { Deferred } from '../deferred.js';
import { BrokerError } from '../errors.js';
import type { Change } from './store.js';
import type { Ticket, TicketEnd, TicketRecord } from './ticket.js';

/** A `put` while a commit is put together: a stanza that is handed with it costs no change of its own. */
export type Put = {
  -readonly [Name in keyof Extract<Change, { kind: 'put' }>]: Extract<Change, { kind: 'put' }>[Name];
};

/** Who keeps records, and is told what becomes of their tickets. */
export interface RecordOwner {
  handedOver(record: StoredRecord): void;
  ended(record: StoredRecord, how: TicketEnd, error: BrokerError | null): void;
}

/** What a journal knows of a ticket. There is one for each stanza that is held: what few of them need is made when it is needed. */
export class StoredRecord implements TicketRecord {
  readonly key: string;
  readonly ticket: Ticket;
  /** Whether the store has it, as far as we know. */
  isStored: boolean;
  /** Whether the store may have it: a commit with it was begun. */
  mayBeStored: boolean;
  /** Whether the store may have it as handed. */
  isMarked = false;
  /** Its `put`, while a commit is put together. */
  put: Put | null = null;
  /** Nothing more becomes of it. */
  isOver = false;
  /** Those that came before and after it: {@link Records}. */
  before: StoredRecord | null = null;
  after: StoredRecord | null = null;
  readonly #owner: RecordOwner;
  /** For those who ask before it is stored, or when it never will be. */
  #stored: Deferred<void> | null = null;

  /** @param isStored whether the store has it already, from an earlier life */
  constructor(ticket: Ticket, key: string, isStored: boolean, owner: RecordOwner) {
    this.ticket = ticket;
    this.key = key;
    this.isStored = isStored;
    this.mayBeStored = isStored;
    this.#owner = owner;
  }

  get stored(): Promise<void> {
    if (this.#stored === null) {
      this.#stored = new Deferred();
      if (this.isStored) this.#stored.resolve();
    }
    return this.#stored.promise;
  }

  /** The store has it. */
  wasStored(): void {
    this.isStored = true;
    this.#stored?.resolve();
  }

  /** The store will not have it, or nobody will know. */
  wasNotStored(error: BrokerError): void {
    if (this.isStored) return;
    this.#stored ??= new Deferred();
    this.#stored.reject(error);
  }

  handedOver(): void {
    this.#owner.handedOver(this);
  }

  ended(how: TicketEnd, error: BrokerError | null): void {
    if (this.isOver) return;
    this.isOver = true;
    this.#owner.ended(this, how, error);
    // Its end came before the store had it: it never will.
    if (!this.mayBeStored) this.wasNotStored(error ?? gone());
  }
}

function gone(): BrokerError {
  return new BrokerError('QUEUE_NOT_STORED', 'the stanza was done with before the store had it', { layer: 'queue' });
}
