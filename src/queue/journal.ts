// What happens to the stanzas of a queue, on its way to a store: one commit under way, what comes meanwhile goes with the next.
import { Deferred } from '../deferred.js';
import { BrokerError } from '../errors.js';
import type { Element } from '../xml/element.js';
import { Backlog, isAbout } from './backlog.js';
import { changesOf, committed } from './commit.js';
import { isWritten, type JournalStep } from './journal-step.js';
import { Lane, type Turn } from './lane.js';
import { Outage } from './outage.js';
import { Records } from './records.js';
import { asStoreError, kept, tooLarge } from './store-errors.js';
import { queueFull, type QueueLimits } from './outbound-queue.js';
import type { Change, OpenStore, SessionRecord } from './store.js';
import { StoredRecord, type RecordOwner } from './stored-record.js';
import type { Ticket, TicketEnd } from './ticket.js';

/** Who has a journal. */
export interface JournalOwner {
  /** Whether there is a link that takes stanzas. */
  readonly takes: boolean;
  /** What the queue takes. */
  readonly limits: Readonly<QueueLimits>;
  /** The store has the mark of a stanza: it goes to the link. @throws what makes it fail, alone */
  pass(turn: Turn): void;
  /** The managed session as it is now, if it can be resumed. */
  session(): SessionRecord | null;
  /** The store has what the session was. */
  sessionStored(session: SessionRecord | null): void;
  /** A stanza was not fit to be sent after all. */
  unfit(ticket: Ticket, error: unknown): void;
  /** The store refused a stanza: it is not kept, and was not written. */
  refused(ticket: Ticket, error: BrokerError): void;
  /** A stanza was given up, and lies with the dead letters of the store. */
  buried(ticket: Ticket, error: BrokerError): void;
  /** The store failed, again and again. */
  failing(error: BrokerError): void;
  /** The store works again. */
  working(): void;
  /** Somebody else has the queue. */
  fenced(error: BrokerError): void;
}

/** Collects what happens to stanzas, has it stored, and lets stanzas pass to the link behind their marks. */
export class Journal implements RecordOwner {
  readonly lane = new Lane();
  readonly #owner: JournalOwner;
  /** What is in the queue or on its way. */
  readonly records = new Records();
  #store: OpenStore | null = null;
  readonly #pending = new Backlog();
  #flight: JournalStep[] | null = null;
  #isDue = false;
  readonly #outage = new Outage(() => {
    this.#tryAgain();
  });
  #idle: Deferred<void> | null = null;
  #isOver = false;

  constructor(owner: JournalOwner) {
    this.#owner = owner;
  }

  /**
   * @throws BrokerError `STORE_LIMIT`, what is wrong with a store that will not work again by itself; `QUEUE_FULL` when it has
   * not answered for so long that too much waits for it. Nothing is accepted then
   */
  checkWorks(ticket: Ticket): void {
    const { error } = this.#outage;
    if (error !== null && !error.retryable) throw error;
    const most = this.#store?.maxBytes;
    if (most !== undefined && ticket.bytes > most) throw tooLarge(ticket.bytes, most);
    if (!this.#pending.isFull(this.#owner.limits.maxStanzas)) return;
    throw queueFull(`${String(this.#pending.size)} changes wait for the store (queue.maxStanzas)`);
  }

  /** The ticket of a key that is in the queue, or on its way. */
  find(key: string): Ticket | undefined {
    return this.records.find(key)?.ticket;
  }

  /** Keys of stanzas that are done with, which the store does not know yet. */
  get ending(): ReadonlySet<string> {
    return this.#pending.ending;
  }

  /** The store is open: what was accepted before goes into it. */
  open(store: OpenStore): void {
    this.#store = store;
    this.#outage.end();
    this.#refuseLarge(store.maxBytes);
    this.#wake();
  }

  /** What was accepted before it was known how much the store takes. */
  #refuseLarge(most: number | undefined): void {
    if (most === undefined) return;
    for (const step of this.#pending) {
      if (!(step instanceof StoredRecord) || step.isOver || step.ticket.bytes <= most) continue;
      this.#refuseOne(step, tooLarge(step.ticket.bytes, most));
    }
  }

  /** Nothing is stored any more, until the store is open again. */
  close(): void {
    this.#store = null;
    this.#outage.end();
    // What is not known to be stored comes again.
    this.#pending.putBack(this.#flight ?? []);
    this.#flight = null;
    this.lane.unmark();
    this.#settleIdle();
  }

  /** Somebody else has what is stored: tickets of it say that it is kept, and nothing more is said of it. */
  disown(): void {
    this.close();
    this.#pending.keep((step) => step instanceof StoredRecord && !step.mayBeStored);
    for (const record of [...this.records]) if (record.mayBeStored) this.forget(record);
  }

  /** Nothing is stored any more, for ever. Tickets of stanzas that the store may have say that they are kept. */
  halt(): void {
    this.#isOver = true;
    for (const record of [...this.records]) {
      if (record.mayBeStored) record.ticket.markFailed(kept(record.ticket));
      this.records.delete(record);
    }
    this.close();
    this.#pending.clear();
  }

  /** A stanza was accepted that shall be kept. */
  put(ticket: Ticket, key: string): void {
    this.#push(this.#remember(ticket, key, false));
  }

  /** A stanza of an earlier life is here again. */
  recovered(ticket: Ticket, key: string): StoredRecord {
    return this.#remember(ticket, key, true);
  }

  #remember(ticket: Ticket, key: string, isStored: boolean): StoredRecord {
    const record = new StoredRecord(ticket, key, isStored, this);
    ticket.record = record;
    this.records.add(record);
    return record;
  }

  /** A stanza that was accepted before the store was open is there already. Returns false if that is known. */
  found(ticket: Ticket, isMarked: boolean): boolean {
    const { record } = ticket;
    if (!(record instanceof StoredRecord) || record.isStored) return false;
    record.mayBeStored = true;
    record.isMarked = isMarked;
    record.wasStored();
    return true;
  }

  /** The store has it no more, or it is somebody else's. */
  forget(record: StoredRecord): void {
    record.isOver = true;
    this.records.delete(record);
    const error = kept(record.ticket);
    record.wasNotStored(error);
    record.ticket.markFailed(error);
  }

  /** A stanza is held again. */
  hold(ticket: Ticket): void {
    const { record } = ticket;
    if (!(record instanceof StoredRecord) || record.isOver || !record.isMarked) return;
    this.lane.fellBehind(record);
    record.isMarked = false;
    const { possibleDuplicate, faults } = ticket;
    this.#add(record, { kind: 'hold', key: record.key, possibleDuplicate, faults });
  }

  /** A stanza of a session has another place in it. */
  hand(record: StoredRecord, session: string, ordinal: number): void {
    record.isMarked = true;
    this.#add(record, { kind: 'hand', key: record.key, handed: { session, ordinal } });
  }

  /** A text of an earlier life that is no stanza. */
  bury(key: string, code: string, xml: string): void {
    this.#add(null, { kind: 'end', key, outcome: 'failed', code, xml });
  }

  /** The session is another one, or has changed. */
  session(): void {
    this.#push({ kind: 'session', session: null });
  }

  /** Calls back when the store has everything up to here, ahead of the stanzas that wait; never when the link is gone before. */
  behind(then: () => void): void {
    this.#push({ kind: 'then', then });
  }

  /** The link is gone: what waited for its turn, in order. */
  clear(): Ticket[] {
    this.#pending.linkEnded();
    const tickets = this.lane.clear();
    this.#wake();
    // Not what somebody else has now.
    return tickets.filter(({ state }) => state === 'queued');
  }

  /** Hands a stanza on to the link when it is its turn and the store has its mark. */
  pass(ticket: Ticket, element: Element | undefined, wasHeld: boolean): void {
    this.lane.add(ticket, element, wasHeld);
    this.#wake();
  }

  /** Resolves when everything up to now is stored and handed on, or the store is closed. Null when nothing waits. */
  settled(): Promise<void> | null {
    if (this.#store === null) return null;
    if (this.#flight === null && this.#pending.size === 0 && this.lane.size === 0) return null;
    this.#idle ??= new Deferred();
    return this.#idle.promise;
  }

  /** What the store says of itself beside its commits. */
  health(error: BrokerError | null): void {
    if (this.#store === null) return;
    if (error !== null) this.#fails(error);
    else if (this.#outage.error !== null) this.#tryAgain();
  }

  handedOver(record: StoredRecord): void {
    this.lane.fellBehind(record);
    if (this.lane.isMoving) this.#wake();
  }

  ended(record: StoredRecord, how: TicketEnd, error: BrokerError | null): void {
    if (this.#isOver) {
      if (error !== null) record.wasNotStored(error);
      return;
    }
    this.records.delete(record);
    const { key } = record;
    // What was marked and never gets to the socket keeps nobody waiting.
    this.lane.fellBehind(record);
    // Its put is left out when it is its turn.
    if (!record.mayBeStored) return;
    this.#add(record, {
      kind: 'end',
      key,
      outcome: how,
      ...(how === 'failed' && error !== null ? { code: error.code, xml: record.ticket.xml } : {}),
    });
    if (how === 'failed' && error !== null) this.#owner.buried(record.ticket, error);
  }

  #add(record: StoredRecord | null, change: Change): void {
    this.#push({ kind: 'change', record, change });
  }

  #push(step: JournalStep): void {
    this.#pending.push(step);
    this.#wake();
  }

  /** What is said in one turn of the event loop is stored at once. */
  #wake(): void {
    if (this.#isDue || this.#store === null || this.#flight !== null || this.#outage.error !== null) return;
    this.#isDue = true;
    queueMicrotask(() => {
      this.#isDue = false;
      this.#pump();
    });
  }

  #pump(): void {
    const store = this.#store;
    if (store === null || this.#flight !== null || this.#outage.error !== null) return;
    if (this.#pending.size === 0 && !this.lane.isMoving) {
      if (this.lane.size === 0) this.#settleIdle();
      return;
    }
    this.#commit(store);
  }

  #commit(store: OpenStore): void {
    const steps = this.#pending.take();
    this.#flight = steps;
    const changes = changesOf(steps, () => this.#owner.session(), this.lane);
    if (changes.length === 0) {
      this.#done(steps);
      return;
    }
    committed(store, changes).then(
      () => {
        if (this.#store === store) this.#done(steps);
      },
      (error: unknown) => {
        if (this.#store === store) this.#failed(steps, asStoreError(error));
      },
    );
  }

  #done(steps: readonly JournalStep[]): void {
    this.#flight = null;
    if (this.#outage.error !== null) {
      this.#outage.end();
      this.#owner.working();
    }
    for (const step of steps) {
      if (step instanceof StoredRecord) {
        if (step.mayBeStored) step.wasStored();
      } else if (step.kind === 'session') this.#owner.sessionStored(step.session);
      else if (step.kind === 'then') step.then();
    }
    this.#passMarked();
    this.#pump();
  }

  #passMarked(): void {
    for (;;) {
      const turn = this.lane.next;
      if (turn === undefined || !this.#owner.takes) return;
      this.lane.passed(turn);
      try {
        this.#owner.pass(turn);
      } catch (error) {
        // Behind it, everybody has another place.
        this.lane.failed(turn);
        this.#owner.unfit(turn.ticket, error);
      }
    }
  }

  #failed(steps: JournalStep[], error: BrokerError): void {
    this.#flight = null;
    this.lane.unmark();
    if (error.code === 'QUEUE_FENCED') {
      // None of it counts, if the store is sure: what was to be put waits for the next time. Else it may be with another holder.
      const isSure = error.sent !== 'maybe';
      for (const step of isSure ? steps : [])
        if (step instanceof StoredRecord && !step.isStored) step.mayBeStored = false;
      this.#pending.putBack(steps);
      this.#owner.fenced(error);
      return;
    }
    let again = steps;
    if (!error.retryable) again = this.#refuse(steps, error);
    this.#pending.putBack(again);
    this.#fails(error);
  }

  /** The puts of a commit that failed fail their tickets, and whatever else was to become of them is forgotten. */
  #refuse(steps: JournalStep[], error: BrokerError): JournalStep[] {
    const refused = new Set(steps.filter((step) => step instanceof StoredRecord).filter(({ isStored }) => !isStored));
    this.#pending.forget(refused);
    for (const record of refused) {
      record.mayBeStored = false;
      if (!record.isOver) this.#refuseOne(record, error);
    }
    return steps.filter((step) => !isAbout(step, refused));
  }

  #refuseOne(record: StoredRecord, error: BrokerError): void {
    this.records.delete(record);
    this.lane.remove(record.ticket);
    record.wasNotStored(error);
    this.#owner.refused(record.ticket, error);
  }

  #fails(error: BrokerError): void {
    this.#outage.failed(error);
    this.#owner.failing(error);
  }

  /** Something has to be written, or it says nothing. */
  #tryAgain(): void {
    const store = this.#store;
    if (store === null || this.#flight !== null) return;
    if (![...this.#pending].some(isWritten)) this.#pending.push({ kind: 'session', session: null });
    this.#commit(store);
  }

  #settleIdle(): void {
    const idle = this.#idle;
    this.#idle = null;
    idle?.resolve();
  }
}
