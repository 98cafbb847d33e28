// What earlier lives left in the store of a queue, and what other processes put into it: the tickets of it.
import { reasonOf } from '../arguments/values.js';
import { BrokerError } from '../errors.js';
import type { Placed } from '../protocols/features/managed-session.js';
import type { Journal } from '../queue/journal.js';
import type { OpenStore, StoredStanza } from '../queue/store.js';
import { StoredRecord } from '../queue/stored-record.js';
import type { Ticket } from '../queue/ticket.js';
import type { Outbox } from './outbox.js';
import type { Resumption } from './resumption.js';
import type { Status } from './status.js';

/** Where it goes. */
export interface RecoveryParts {
  readonly status: Status;
  readonly outbox: Outbox;
  readonly resumption: Resumption;
}

/** Makes tickets of what a store has, unless they are here already. */
export class Recovery {
  readonly #journal: Journal;
  readonly #parts: RecoveryParts;

  constructor(journal: Journal, parts: RecoveryParts) {
    this.#journal = journal;
    this.#parts = parts;
  }

  /**
   * Takes up what earlier lives left: in the session that may be resumed, or held, in front of what was output here.
   * @param isAgain whether it was open here before, and nobody else had it: the session is known here then
   */
  all({ held, session, dead = [], warning, epoch }: OpenStore, isAgain: boolean): void {
    const { outbox, resumption, status } = this.#parts;
    if (typeof epoch !== 'number') throw new TypeError('open() of the store did not resolve with an open store');
    if (warning !== undefined) status.log.store(warning);
    const placed: Placed[] = [];
    const uncertain: Ticket[] = [];
    const others: Ticket[] = [];
    const mine = isAgain ? null : session;
    const { ending } = this.#journal;
    const earlier = [...this.#journal.records];
    for (const stored of held) {
      if (ending.has(stored.key)) continue;
      const ticket = this.one(stored);
      if (ticket === null) continue;
      const { handed } = stored;
      if (handed === null) others.push(ticket);
      else if (mine !== null && handed.session === mine.id && handed.ordinal !== null) {
        placed.push({ ticket, ordinal: handed.ordinal });
      } else uncertain.push(ticket);
    }
    this.#forgetOthers(earlier, held);
    outbox.takeBack(uncertain, others);
    if (mine !== null) resumption.restore(mine, placed);
    for (const { key, xml, error } of dead) status.publish('PCJ_DEADLETTER', { key, xml, error });
  }

  /** The ticket of a stored stanza; null if it is here already, or cannot be read. */
  one(stored: StoredStanza): Ticket | null {
    const { outbox, status } = this.#parts;
    const { key, xml, handed } = stored;
    const here = this.#journal.find(key);
    if (here !== undefined) return this.#found(here, stored);
    try {
      const ticket = outbox.recovered(stored);
      ticket.possibleDuplicate = stored.possibleDuplicate;
      ticket.attempts = stored.attempts;
      if (stored.faults > 0) ticket.trouble = { faults: stored.faults, losses: 0 };
      this.#journal.recovered(ticket, key).isMarked = handed !== null;
      return ticket;
    } catch (cause) {
      const error = unreadable(key, cause);
      this.#journal.bury(key, error.code, xml);
      status.publish('PCJ_DEADLETTER', { key, xml, error });
      return null;
    }
  }

  /**
   * A stanza is here already. Either its key was output before the store was open: it is the same one. Or the store had been
   * closed, and somebody else may have had it meanwhile.
   */
  #found(ticket: Ticket, { handed, possibleDuplicate, attempts, faults }: StoredStanza): Ticket | null {
    const { queue } = this.#parts.outbox;
    if (!this.#journal.found(ticket, handed !== null)) {
      const { record } = ticket;
      const isNews = handed !== null && record instanceof StoredRecord && !record.isMarked;
      ticket.possibleDuplicate ||= possibleDuplicate || isNews;
      return null;
    }
    if (!queue.remove(ticket)) return null;
    ticket.possibleDuplicate ||= possibleDuplicate;
    ticket.attempts = attempts;
    if (faults > 0) ticket.trouble = { faults, losses: 0 };
    return ticket;
  }

  /** What is held here and is not in the store any more has gone with another holder. */
  #forgetOthers(earlier: readonly StoredRecord[], held: readonly StoredStanza[]): void {
    if (earlier.length === 0) return;
    const seen = new Set(held.map(({ key }) => key));
    for (const record of earlier) {
      if (!record.isStored || seen.has(record.key) || !this.#parts.outbox.queue.remove(record.ticket)) continue;
      this.#journal.forget(record);
    }
  }
}

function unreadable(key: string, cause: unknown): BrokerError {
  const text = `the stored stanza ${JSON.stringify(key)} cannot be sent: ${reasonOf(cause)}; it lies with the dead letters of the store`;
  return new BrokerError('QUEUE_UNREADABLE', text, { layer: 'queue', sent: 'no', cause });
}
