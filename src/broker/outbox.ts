import { kindOf } from '../arguments/values.js';
import { BrokerError } from '../errors.js';
import type { OwnIdentity } from './identity.js';
import type { Lifecycle } from '../lifecycle/lifecycle.js';
import { dialectFailed } from '../link/errors.js';
import type { Link } from '../link/link.js';
import type { Traffic } from '../link/traffic.js';
import type { BrokerConfig } from '../options/options.js';
import { checkStanza, withoutOwnSender } from '../stanza/outbound.js';
import type { Journal } from '../queue/journal.js';
import type { Turn } from '../queue/lane.js';
import { OutboundQueue, queueFull, type QueueOwner } from '../queue/outbound-queue.js';
import type { StoredStanza } from '../queue/store.js';
import { readBack } from '../queue/read-back.js';
import { StoredRecord } from '../queue/stored-record.js';
import { Suspects, type SuspectsOwner } from '../queue/suspects.js';
import { randomKey, Ticket, Unstored } from '../queue/ticket.js';
import type { PendingRequests } from '../requests/pending-requests.js';
import type { CountedKind } from '../stats.js';
import { remindAtExit, type HeldAtExit } from './held-at-exit.js';
import type { Status } from './status.js';
import { isStanzaKind } from '../stanza/kinds.js';
import { isElement, type Element } from '../xml/element.js';
import { written, type SerializeScope } from '../xml/serializer.js';

/** What the outbox works with. */
export interface OutboxParts {
  readonly config: BrokerConfig;
  readonly status: Status;
  readonly traffic: Traffic;
  readonly identity: OwnIdentity;
  readonly requests: PendingRequests;
  /** Wants to know of answers. */
  readonly answerer: { sent(answer: Element): void };
  readonly lifecycle: Lifecycle;
  /** Null without a store. */
  readonly journal: Journal | null;
  readonly keeper: {
    readonly queue: string;
    keeps(stanza: Element): boolean;
    purged(select: ((ticket: Ticket) => boolean) | undefined, by: string): void;
  } | null;
  /** What a session that is kept has sent counts with what is held. */
  readonly resumption: { readonly cost: number };
}

/** One output. */
interface Output {
  readonly ticket: Ticket;
  readonly stanza: Element;
}

/** Where every outbound stanza goes through: to the ready link, or into the queue. */
export class Outbox implements QueueOwner, SuspectsOwner, HeldAtExit {
  readonly queue: OutboundQueue;
  #suspects: Suspects | null = null;
  readonly #parts: OutboxParts;
  readonly #scope: SerializeScope;
  #ids = 0;
  /** Tickets with keys that no store has. */
  #named: Map<string, Ticket> | null = null;
  /** What was output inside a purge: it lines up behind what is purged. */
  #behindPurge: Output[] | null = null;
  /** What it costs to keep what a purge has taken out of the queue and not sent, and what lines up behind it. */
  #purgeCost = 0;

  constructor(parts: OutboxParts) {
    this.#parts = parts;
    this.#scope = { defaultNamespace: parts.config.xmlns };
    this.queue = new OutboundQueue(parts.config.queue, this);
  }

  /** Made when the first link is lost: until then nothing speaks against anything. */
  get suspects(): Suspects {
    this.#suspects ??= new Suspects(this.#parts.config.queue.maxFaults, this);
    return this.#suspects;
  }

  /** Suspects may be sent. */
  next(): void {
    if (this.#parts.lifecycle.state !== 'halted') this.send(nothing);
  }

  /** Sends a stanza now, or holds it. @throws BrokerError as `Broker.output`; nothing was accepted then */
  output(given: Element, key?: string): Ticket {
    const known = key === undefined ? undefined : this.#find(key);
    if (known !== undefined) return known;
    const stanza = this.prepare(given);
    const ticket = this.ticket(stanza);
    if (this.#parts.keeper?.keeps(stanza) === true) {
      this.accept(ticket, stanza, key ?? randomKey());
    } else {
      this.accept(ticket, stanza);
      if (key !== undefined) this.#name(ticket, key);
    }
    if (isAnswer(stanza)) this.#parts.answerer.sent(stanza);
    return ticket;
  }

  /** The stanza as the protocol and the dialect want it. @throws BrokerError `USAGE_*`, `DIALECT_FAILED`; it is refused then */
  prepare(stanza: Element): Element {
    const { config, identity } = this.#parts;
    checkStanza(stanza);
    const anonymous = withoutOwnSender(stanza, identity.account);
    const dialect = config.connectionType;
    if (dialect.prepare === undefined) return anonymous;
    try {
      const prepared: unknown = dialect.prepare(anonymous, config);
      if (prepared === anonymous || isElement(prepared)) return prepared as Element;
      throw new TypeError(`prepare() must return an element, not ${kindOf(prepared)}`);
    } catch (error) {
      throw dialectFailed(error, dialect, 'to prepare a stanza').with({ sent: 'no' });
    }
  }

  /** A ticket for a stanza that may be sent. @throws BrokerError `XML_UNSERIALIZABLE` */
  ticket(stanza: Element): Ticket {
    const { xmlns } = this.#parts.config;
    const text = written(stanza, this.#scope);
    this.#ids += 1;
    return new Ticket(this.#ids, text, xmlns, countedKind(stanza, xmlns));
  }

  /** The ticket of a stanza of an earlier life. @throws what is wrong with it */
  recovered({ xml, xmlns: given, at }: StoredStanza): Ticket {
    const { xmlns } = this.#parts.config;
    // What says nothing of its namespace is meant for the stream.
    const stanza = readBack(xml, given ?? xmlns);
    const prepared = given === xmlns ? stanza : this.prepare(stanza);
    const text = given === xmlns ? xml : written(prepared, this.#scope);
    this.#ids += 1;
    return new Ticket(this.#ids, text, xmlns, countedKind(prepared, xmlns), Math.max(0, Date.now() - at));
  }

  /** The ticket that has a key, while it is in the queue or on its way. */
  #find(key: string): Ticket | undefined {
    return this.#parts.journal?.find(key) ?? this.#named?.get(key);
  }

  /** Remembers the key of a ticket that no store has. */
  #name(ticket: Ticket, key: string): void {
    const named = (this.#named ??= new Map<string, Ticket>());
    named.set(key, ticket);
    ticket.record = new Unstored(key, () => named.delete(key));
  }

  /**
   * Sends a ticket's stanza now, or holds it.
   * @param key what the store knows it by; null: the store does not keep it
   * @throws BrokerError `QUEUE_FULL`, `PEER_LIMIT`, what the store says; nothing was accepted then
   */
  accept(ticket: Ticket, stanza: Element, key: string | null = null): void {
    const { status, traffic, lifecycle, resumption, requests, journal } = this.#parts;
    const { link } = lifecycle;
    const ready = link?.ready === true;
    try {
      if (journal !== null && key !== null) journal.checkWorks(ticket);
      if (ready) {
        checkSize(ticket, link);
        const elsewhere = this.#purgeCost + (journal?.lane.cost ?? 0);
        const most = this.queue.bytes + ticket.costAtMost + link.costAtMost + requests.sentCostAtMost + elsewhere;
        // Near the bound it is worth while to count.
        if (most > this.queue.limits.maxBytes) {
          this.queue.check(ticket.cost, link.cost + requests.sentCost + elsewhere);
        }
        if (journal !== null && journal.lane.size >= this.queue.limits.maxStanzas) {
          throw queueFull(`${String(journal.lane.size)} stanzas wait for the store (queue.maxStanzas)`);
        }
      } else {
        const elsewhere = this.#purgeCost + (journal?.lane.cost ?? 0);
        this.queue.push(ticket, (link?.cost ?? resumption.cost) + requests.sentCost + elsewhere);
      }
    } catch (error) {
      if (error instanceof BrokerError) status.publish('PCJ_QUEUEFAIL', error);
      throw error;
    }
    if (journal !== null && key !== null) journal.put(ticket, key);
    if (!ready) traffic.held(stanza);
    else if (journal !== null) journal.pass(ticket, stanza, false);
    else if (this.#behindPurge === null) link.output(ticket, stanza);
    else {
      this.#behindPurge.push({ ticket, stanza });
      this.#purgeCost += ticket.cost;
    }
  }

  /**
   * Sends what is held and picked. Returns the tickets that are sent; none while not ready.
   * @param meansAll whether it means what the store has and did not hand over yet, too
   * @throws BrokerError `BROKER_HALTED`
   */
  send(select?: (ticket: Ticket) => boolean, by = 'program', meansAll = true): Ticket[] {
    const { lifecycle } = this.#parts;
    if (lifecycle.state === 'halted') throw halted();
    if (!this.#isReady || this.#behindPurge !== null) return [];
    this.queue.expire();
    const tickets = this.#suspects === null ? this.queue.take(select) : this.#suspects.take(this.queue, select);
    const { journal, keeper, status } = this.#parts;
    if (journal !== null) {
      for (const ticket of tickets) journal.pass(ticket, undefined, true);
      if (meansAll && by !== 'ready' && select !== nothing) keeper?.purged(select, by);
      if (tickets.length > 0) status.publish('PCJ_PURGED', { queue: keeper?.queue ?? '', by, count: tickets.length });
      return tickets;
    }
    const behind: Output[] = (this.#behindPurge = []);
    for (const { cost } of tickets) this.#purgeCost += cost;
    try {
      this.#send(tickets);
      this.#sendBehind(behind);
    } finally {
      this.#behindPurge = null;
      this.#purgeCost = 0;
    }
    return tickets;
  }

  /** Sends one stanza that is held. Returns false if that cannot be. */
  sendHeld(ticket: Ticket, by: string): boolean {
    return this.send((one) => one === ticket, by, false).length > 0;
  }

  get #isReady(): boolean {
    return this.#parts.lifecycle.link?.ready === true;
  }

  #send(tickets: Ticket[]): void {
    const { lifecycle } = this.#parts;
    for (const [index, ticket] of tickets.entries()) {
      const { link } = lifecycle;
      // A handler, such as one of PCJ_NODESENT, may have ended the link: the rest stays held, in front.
      if (link?.ready !== true) {
        const rest = tickets.splice(index);
        if (lifecycle.state === 'halted') for (const one of rest) one.markFailed(halted());
        else this.queue.returnToFront(rest);
        return;
      }
      this.#sendOne(link, ticket, undefined);
    }
  }

  /** The store has the mark of a stanza that waited: it goes out. @throws what makes it fail, alone */
  pass({ ticket, element }: Turn): void {
    const { link } = this.#parts.lifecycle;
    if (link === null) return;
    checkSize(ticket, link);
    link.output(ticket, element);
  }

  /** The server does not take a held stanza, or the dialect cannot wrap it: its end, not that of the others. */
  unfit(ticket: Ticket, caught: unknown): void {
    const { status, requests } = this.#parts;
    // Whatever the dialect throws is a BrokerError by now.
    const error = caught as BrokerError;
    ticket.markFailed(error);
    status.publish('PCJ_QUEUEFAIL', error);
    if (ticket.request !== null) requests.fail(ticket.request, error);
  }

  /** Nobody waits for the answer of a request any more: its stanza is not sent if that can still be helped. */
  withdraw(ticket: Ticket): boolean {
    return this.queue.remove(ticket) || this.#parts.journal?.lane.remove(ticket) === true;
  }

  /**
   * A purge is over: what was output inside it goes out, and what is output by that; or it is held where no link is there
   * any more.
   */
  #sendBehind(behind: readonly Output[]): void {
    const { lifecycle, traffic } = this.#parts;
    for (const { ticket, stanza } of behind) {
      // Its request may have ended meanwhile.
      if (ticket.state !== 'queued') continue;
      const { link } = lifecycle;
      if (lifecycle.state === 'halted') ticket.markFailed(halted());
      else if (link?.ready === true) this.#sendOne(link, ticket, stanza);
      else {
        this.queue.returnToBack(ticket);
        traffic.held(stanza);
      }
    }
  }

  /** Sends what was accepted before: whoever output it hears by its ticket that it cannot be sent. */
  #sendOne(link: Link, ticket: Ticket, stanza: Element | undefined): void {
    this.#purgeCost -= ticket.cost;
    try {
      checkSize(ticket, link);
      link.output(ticket, stanza);
    } catch (caught) {
      this.unfit(ticket, caught);
    }
  }

  holds(): void {
    if (this.#parts.keeper === null) remindAtExit(this);
  }

  tellAtExit(): void {
    const lost = [...this.queue].filter(({ record }) => !(record instanceof StoredRecord && record.isStored));
    this.#parts.status.log.heldAtExit({ size: lost.length, at: (index) => lost[index] });
  }

  dropped(ticket: Ticket, cause: BrokerError): void {
    const { request } = ticket;
    if (request === null) return;
    const text = 'the request was dropped from the queue';
    this.#parts.requests.fail(request, new BrokerError('RTS_DROPPED', text, { layer: 'rts', sent: 'no', cause }));
  }

  expired(count: number): void {
    this.#parts.status.log.expired(count, this.queue.limits.maxAgeMs);
  }

  /** Holds stanzas of a lost link again, in front of the queue: those that may have arrived, then those that cannot. */
  takeBack(uncertain: readonly Ticket[], unsent: readonly Ticket[]): void {
    const again = uncertain.filter((ticket) => !this.suspects.isPoison(ticket));
    for (const ticket of uncertain) if (this.suspects.isPoison(ticket)) this.#giveUp(ticket);
    for (const ticket of again) ticket.markHeld(true);
    for (const ticket of unsent) ticket.markHeld(false);
    const { journal } = this.#parts;
    if (journal !== null) for (const ticket of [...again, ...unsent]) journal.hold(ticket);
    this.queue.returnToFront([...again, ...unsent]);
  }

  /** Sends what was on its way on a link before, as soon as it is held again: suspects in their turn. */
  sendAgain(tickets: readonly Ticket[]): void {
    this.suspects.release(tickets);
    this.send(nothing);
  }

  /** A stanza is given up behind the change that this is part of: who is told may do anything. */
  #giveUp(ticket: Ticket): void {
    const { status, requests } = this.#parts;
    const text = `the server ended the stream ${String(ticket.faults)} times while the stanza was on its way (queue.maxFaults); it is not sent again`;
    const error = new BrokerError('QUEUE_POISON', text, { layer: 'queue', sent: 'maybe' });
    queueMicrotask(() => {
      const { record, key, xml } = ticket;
      // The store has it as a dead letter, and the keeper tells where.
      const isKept = record instanceof StoredRecord && record.mayBeStored;
      ticket.markFailed(error);
      if (!isKept) status.publish('PCJ_DEADLETTER', { key, xml, error });
      if (ticket.request !== null) requests.fail(ticket.request, error);
    });
  }
}

/** Picks nothing. */
function nothing(): boolean {
  return false;
}

function halted(): BrokerError {
  return new BrokerError('BROKER_HALTED', 'the broker was halted', { layer: 'usage', sent: 'no' });
}

/** What a server does not take is better not sent: it would close the stream (XEP-0478). */
function checkSize(ticket: Ticket, { maxBytes }: Link): void {
  if (maxBytes === null || ticket.bytes <= maxBytes) return;
  const text = `the stanza has ${String(ticket.bytes)} bytes, and the server takes ${String(maxBytes)} at most`;
  throw new BrokerError('PEER_LIMIT', text, { layer: 'stanza', sent: 'no' });
}

/** What an element counts as: stream management counts those of the content namespace (XEP-0198 §4). */
function countedKind({ localName, namespaceURI }: Element, xmlns: string): CountedKind {
  return isStanzaKind(localName) && (namespaceURI === null || namespaceURI === xmlns) ? localName : 'other';
}

/** Whether an element answers a request. */
function isAnswer(stanza: Element): boolean {
  if (stanza.localName !== 'iq') return false;
  const type = stanza.getAttribute('type');
  return type === 'result' || type === 'error';
}
