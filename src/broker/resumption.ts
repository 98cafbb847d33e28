// What goes on from one link to the next: the queue, the requests, and sessions of XEP-0198 §5.
import { BrokerError } from '../errors.js';
import type { Link } from '../link/link.js';
import type { LinkEnd } from '../link/closing.js';
import type { Outbox } from './outbox.js';
import { ManagedSession, type Placed, type SessionKeeper } from '../protocols/features/managed-session.js';
import type { SessionRecord } from '../queue/store.js';
import { StoredRecord } from '../queue/stored-record.js';
import type { Journal } from '../queue/journal.js';
import { verdictOf, type Verdict } from '../queue/suspects.js';
import type { Ticket } from '../queue/ticket.js';
import type { PendingRequests } from '../requests/pending-requests.js';

/** How long a session is kept when the server did not say, in seconds. */
const DEFAULT_MAX = 300;

/** Losses of a link with the same stanzas unacknowledged, before the session is given up: one of them may be the cause. */
const MAX_LOSSES = 3;

/** Longest time a session is kept, in seconds. */
const MAX_KEPT = 86_400;

/** Who waits until a count of handled stanzas is kept. */
interface Waiting {
  readonly session: ManagedSession;
  readonly handled: number;
  readonly then: () => void;
}

/** What {@link Resumption} works with. */
export interface ResumptionParts {
  /** Null without a store. */
  readonly journal: Journal | null;
  readonly outbox: Outbox;
  readonly requests: PendingRequests;
}

/**
 * Takes care that nothing is lost between links. Without stream management, what was not written is held again. A
 * managed session is kept until it is resumed, or is over; then what the server did not acknowledge is held again.
 */
export class Resumption implements SessionKeeper {
  readonly #parts: ResumptionParts;
  #kept: ManagedSession | null = null;
  /** That of the last ready link. When it is over it has nothing left. */
  #latest: ManagedSession | null = null;
  /** The session of the link that is ready. */
  #current: ManagedSession | null = null;
  #timer: NodeJS.Timeout | null = null;
  /** Who waits for a count to be kept, on the link that is there or on the way to the next. */
  #waiting: Waiting[] | null = null;
  /** What the end of the last link says of what was on its way. */
  #verdict: Verdict = 'none';

  constructor(parts: ResumptionParts) {
    this.#parts = parts;
  }

  /** The session that may be resumed, or null. */
  get resumable(): ManagedSession | null {
    return this.#kept?.id == null ? null : this.#kept;
  }

  /** Stanzas that were sent and the server did not acknowledge, on the link or in the session that is kept. */
  get unacknowledged(): number {
    return this.#latest?.size ?? 0;
  }

  /** What it costs to keep what a kept session has sent and the server did not acknowledge. */
  get cost(): number {
    return this.#kept?.cost ?? 0;
  }

  /** What the next process needs to go on with the session there is, or null. */
  get record(): SessionRecord | null {
    const session = this.#current ?? this.#kept;
    if (session?.id == null) return null;
    const { id, tag, jid, max, location, sent, acked, handled } = session;
    return { id, tag, jid, max, location, sent, acked, handled, at: Date.now() };
  }

  /** The session of an earlier process is kept as if its link had been lost now. */
  restore(record: SessionRecord, placed: readonly Placed[]): void {
    const session = ManagedSession.restored(record, placed);
    session.keeper = this;
    this.#latest = session;
    this.#keep(session);
  }

  keep(session: ManagedSession, then: () => void): void {
    const { journal } = this.#parts;
    if (journal === null || session.id === null) {
      // Nobody will go on with it.
      session.keptHandled(session.handled);
      then();
      return;
    }
    // Without a link an attempt waits, and the one before it is over.
    if (this.#current === null) this.#stopWaiting();
    (this.#waiting ??= []).push({ session, handled: session.handled, then });
    journal.session();
  }

  /** The store has what the session was. */
  stored(record: SessionRecord | null): void {
    const session = this.#current ?? this.#kept;
    if (record !== null && record.id === session?.id) session.keptHandled(record.handled);
    const waits = (one: Waiting): boolean =>
      one.session === session && session.id !== null && !session.keeps(one.handled);
    const waiting = this.#waiting ?? [];
    const done = waiting.filter((one) => !waits(one));
    this.#waiting = waiting.filter(waits);
    for (const { then } of done) then();
  }

  /** Whoever waits is on a link that is gone, or on a way that was given up. */
  #stopWaiting(): void {
    const waiting = this.#waiting ?? [];
    this.#waiting = null;
    for (const { then } of waiting) then();
  }

  /** A link ended, and nothing was told of it yet. */
  linkEnded({ session, inFlight, waiting: notHandedOver, byUs, error, doubted }: LinkEnd): void {
    const { journal } = this.#parts;
    const waiting = journal === null ? notHandedOver : [...notHandedOver, ...journal.clear()];
    this.#current = null;
    const goesOn = byUs === 'replace' || (byUs === null && (session?.lost() ?? 0) <= MAX_LOSSES);
    const resumable = session !== null && session.id !== null && goesOn;
    if (resumable) this.#keep(session);
    const { suspects } = this.#parts.outbox;
    suspects.clear();
    const verdict = byUs === null ? verdictOf(error) : 'none';
    // A server that goes on with the parser of the lost connection says that our bytes are wrong, and no stanza is. If one is
    // to blame all the same, it will show in the session that follows.
    this.#verdict = doubted && verdict === 'blamed' ? 'none' : verdict;
    // What the server says is known now; that it says nothing counts when nobody goes on where it was.
    if (this.#verdict === 'blamed') suspects.suspect(session?.unacked() ?? inFlight, 'blamed');
    this.#hold(session === null ? this.#lost(inFlight) : resumable ? [] : this.#lost(unproved(session)), waiting);
    if (session !== null && !resumable) journal?.session();
    this.#stopWaiting();
  }

  /** The end of the link was told: requests that were on it fail, unless their session may go on. */
  afterLinkEnded(): void {
    if (this.#kept === null) this.#failCutRequests();
  }

  /** A link is ready: the kept session goes on with it, before anything new, or is over. */
  linkReady(link: Link, session: ManagedSession | null): void {
    const { journal } = this.#parts;
    const previous = this.#take();
    this.#latest = session;
    this.#current = session;
    if (previous !== null && previous !== session) this.#giveUp(previous);
    const suspected = previous !== null && previous === session ? this.#suspected(previous) : [];
    if (journal !== null) {
      if (session !== null) session.keeper = this;
      journal.lane.begin(session);
      if (session?.id != null || previous !== null) journal.session();
    }
    if (previous === null || previous !== session) return;
    if (suspected.length > 0) {
      link.replay([]);
      this.#parts.outbox.sendAgain(suspected);
    } else if (journal !== null && previous.hasMoved) this.#replayMoved(link, previous, journal);
    else link.replay(previous.unacked());
  }

  /** What an earlier process left has other places in the session now: they are stored before anything is sent again. */
  #replayMoved(link: Link, session: ManagedSession, journal: Journal): void {
    const tickets = session.unacked();
    for (const [index, { record }] of tickets.entries()) {
      if (record instanceof StoredRecord)
        journal.hand(record, session.id as string, (session.acked + 1 + index) % 2 ** 32);
    }
    journal.behind(() => {
      if (this.#current === session && link.takes) link.replay(tickets.filter(({ inSession }) => inSession));
    });
  }

  /**
   * The broker was shut down without a link: nobody will resume the kept session. With a store somebody may, in this process
   * or in the next; but nobody waits for its answers any more.
   */
  shutDown(): void {
    if (this.#parts.journal !== null) {
      this.#failCutRequests();
      return;
    }
    const previous = this.#take();
    if (previous !== null) this.#giveUp(previous);
  }

  /** Another process has the session, and what was sent in it; what it does not know, such as requests, is over. */
  forget(): void {
    this.#current = null;
    this.#hold(
      this.#take()
        ?.takeUnacked()
        .filter(({ state }) => state !== 'failed') ?? [],
      [],
    );
    this.#stopWaiting();
  }

  /** Ends everything: stanzas and requests fail. */
  halt(error: BrokerError): void {
    const { outbox, journal } = this.#parts;
    const tickets = [...(this.#take()?.takeUnacked() ?? []), ...(journal?.clear() ?? []), ...outbox.queue.take()];
    for (const ticket of tickets) ticket.markFailed(error);
    this.#stopWaiting();
    this.#parts.requests.failWhere(
      () => true,
      () => error,
    );
  }

  /**
   * What a resumed session has not had acknowledged, if a stanza of it may be why links end: the server said that it has
   * none of them, so they leave the session, and enter it anew with care.
   */
  #suspected(session: ManagedSession): readonly Ticket[] {
    if (!session.unacked().some(({ isSuspect }) => isSuspect)) return [];
    const tickets = session.takeUnacked().filter(({ state }) => state === 'queued' || state === 'sent');
    this.#hold(tickets, []);
    return tickets;
  }

  #keep(session: ManagedSession): void {
    this.#take();
    this.#kept = session;
    const seconds = Math.min(session.max ?? DEFAULT_MAX, MAX_KEPT);
    this.#timer = setTimeout(() => {
      this.#take();
      this.#giveUp(session);
      this.#parts.journal?.session();
    }, seconds * 1_000);
    this.#timer.unref();
  }

  #take(): ManagedSession | null {
    const session = this.#kept;
    this.#kept = null;
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    return session;
  }

  /** A session is over: its requests fail, and what the server did not acknowledge is held: it may have arrived. */
  #giveUp(session: ManagedSession): void {
    this.#failCutRequests();
    this.#hold(this.#lost(unproved(session)), []);
  }

  /** What was on its way on the last link is not proved to be through, and will not be. */
  #lost(tickets: readonly Ticket[]): readonly Ticket[] {
    if (this.#verdict === 'silent') this.#parts.outbox.suspects.suspect(tickets, 'silent');
    return tickets;
  }

  #hold(uncertain: readonly Ticket[], waiting: readonly Ticket[]): void {
    for (const { request } of [...uncertain, ...waiting]) if (request !== null) this.#parts.requests.held(request);
    this.#parts.outbox.takeBack(uncertain, waiting);
  }

  /** Requests whose stanza was written on a link that is gone; those that are held wait for a purge. */
  #failCutRequests(): void {
    this.#parts.requests.failWhere(
      ({ ticket }) => ticket.state !== 'queued',
      ({ ticket }) =>
        new BrokerError('RTS_DISCONNECTED', 'the link was lost before the answer came', {
          layer: 'rts',
          phase: 'ready',
          sent: ticket.state === 'acked' ? 'acked' : 'maybe',
          retryable: true,
        }),
    );
  }
}

/**
 * Takes out what a session that is over leaves to be held. A request that was written is not: it fails, or was answered,
 * and its stanza must not go out again behind that.
 */
function unproved(session: ManagedSession): Ticket[] {
  return session.takeUnacked().filter(({ state, request }) => state === 'queued' || request === null);
}
