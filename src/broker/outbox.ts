import { shown } from '../arguments/values.js';
import { BrokerError, usageError } from '../errors.js';
import type { OwnIdentity } from './identity.js';
import type { Lifecycle } from '../lifecycle/lifecycle.js';
import type { Link } from '../link/link.js';
import type { Traffic } from '../link/traffic.js';
import type { BrokerConfig } from '../options/options.js';
import { isDecision, type QueueDecision } from '../options/queue.js';
import { checkStanza, withoutOwnSender } from '../stanza/outbound.js';
import { OutboundQueue, type QueueOwner } from '../queue/outbound-queue.js';
import { Ticket } from '../queue/ticket.js';
import type { PendingRequests } from '../requests/pending-requests.js';
import type { CountedKind } from '../stats.js';
import type { Status } from './status.js';
import { isStanzaKind } from '../stanza/kinds.js';
import type { Element } from '../xml/element.js';
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
  /** What a session that is kept has sent counts with what is held. */
  readonly resumption: { readonly bytes: number };
}

/** Where every outbound stanza goes through: to the ready link, or into the queue. */
export class Outbox implements QueueOwner {
  readonly queue: OutboundQueue;
  readonly #parts: OutboxParts;
  readonly #scope: SerializeScope;
  #ids = 0;
  /** What was output inside a purge: it lines up behind what is purged. */
  #behindPurge: { readonly ticket: Ticket; readonly stanza: Element }[] | null = null;

  constructor(parts: OutboxParts) {
    this.#parts = parts;
    this.#scope = { defaultNamespace: parts.config.xmlns };
    this.queue = new OutboundQueue(parts.config.queue, this);
  }

  /** Sends a stanza now, or holds it. @throws BrokerError as `Broker.output`; nothing was accepted then */
  output(given: Element): Ticket {
    const stanza = this.prepare(given);
    const ticket = this.ticket(stanza);
    this.accept(ticket, stanza);
    if (isAnswer(stanza)) this.#parts.answerer.sent(stanza);
    return ticket;
  }

  /** The stanza as the protocol and the dialect want it. @throws BrokerError `USAGE_*`; it is refused then */
  prepare(stanza: Element): Element {
    const { config, identity } = this.#parts;
    checkStanza(stanza);
    const anonymous = withoutOwnSender(stanza, identity.account);
    return config.connectionType.prepare === undefined ? anonymous : config.connectionType.prepare(anonymous, config);
  }

  /** A ticket for a stanza that may be sent. @throws BrokerError `XML_UNSERIALIZABLE` */
  ticket(stanza: Element): Ticket {
    const { xmlns } = this.#parts.config;
    const text = written(stanza, this.#scope);
    this.#ids += 1;
    return new Ticket(this.#ids, text, xmlns, kindOf(stanza, xmlns));
  }

  /** Sends a ticket's stanza now, or holds it. @throws BrokerError `QUEUE_FULL`, `PEER_LIMIT`; nothing was accepted then */
  accept(ticket: Ticket, stanza: Element): void {
    const { status, traffic, lifecycle, resumption } = this.#parts;
    const { link } = lifecycle;
    const ready = link?.ready === true;
    try {
      if (ready) {
        checkSize(ticket, link);
        const most = this.queue.bytes + ticket.bytesAtMost + link.bytesAtMost;
        // Near the bound it is worth while to count.
        if (most > this.queue.limits.maxBytes) this.queue.check(ticket.bytes, link.bytes);
      } else this.queue.push(ticket, link?.bytes ?? resumption.bytes);
    } catch (error) {
      if (error instanceof BrokerError) status.publish('PCJ_QUEUEFAIL', error);
      throw error;
    }
    if (!ready) traffic.held(stanza);
    else if (this.#behindPurge !== null) this.#behindPurge.push({ ticket, stanza });
    else link.output(ticket, stanza);
  }

  /** Sends what is held and picked. Returns the tickets that are sent; none while not ready. @throws BrokerError `BROKER_HALTED` */
  send(select?: (ticket: Ticket) => boolean): Ticket[] {
    const { lifecycle } = this.#parts;
    if (lifecycle.state === 'halted') throw halted();
    if (!this.#isReady || this.#behindPurge !== null) return [];
    this.queue.expire();
    const tickets = this.queue.take(select);
    const behind = (this.#behindPurge = []);
    try {
      this.#send(tickets);
    } finally {
      this.#behindPurge = null;
    }
    this.#sendBehind(behind);
    return tickets;
  }

  /**
   * The broker is ready: what is held is sent, stays, or is dropped, as `queue.onReady` says.
   * @throws what the program's function throws, and BrokerError `USAGE_ON_READY`; all of it stays held then
   */
  ready(): void {
    const { onReady } = this.#parts.config.queue;
    this.queue.expire();
    if (onReady === 'send') this.send();
    else if (onReady === 'drop') this.queue.drop();
    else if (onReady !== 'hold') this.#decide(onReady);
  }

  #decide(onReady: (ticket: Ticket) => QueueDecision): void {
    const decisions = new Map<Ticket, QueueDecision>();
    for (const ticket of this.queue) {
      const decision: unknown = onReady(ticket);
      if (!isDecision(decision)) {
        // It may be a promise that rejects.
        Promise.resolve(decision).catch(() => undefined);
        const text = `queue.onReady must return 'send', 'hold' or 'drop', not ${shown(decision)}`;
        throw usageError('USAGE_ON_READY', text);
      }
      decisions.set(ticket, decision);
    }
    this.queue.drop((ticket) => decisions.get(ticket) === 'drop');
    this.send((ticket) => decisions.get(ticket) === 'send');
  }

  get #isReady(): boolean {
    return this.#parts.lifecycle.link?.ready === true;
  }

  #send(tickets: Ticket[]): void {
    const { status, requests, lifecycle } = this.#parts;
    for (const [index, ticket] of tickets.entries()) {
      const { link } = lifecycle;
      // A handler, such as one of PCJ_NODESENT, may have ended the link: the rest stays held, in front.
      if (link?.ready !== true) {
        const rest = tickets.splice(index);
        if (lifecycle.state === 'halted') for (const one of rest) one.markFailed(halted());
        else this.queue.returnToFront(rest);
        return;
      }
      try {
        checkSize(ticket, link);
        link.output(ticket);
      } catch (caught) {
        // The server does not take it, or the dialect cannot wrap it: its end, not that of the others.
        const error = caught instanceof BrokerError ? caught : notWrapped(caught);
        ticket.markFailed(error);
        status.publish('PCJ_QUEUEFAIL', error);
        if (ticket.request !== null) requests.fail(ticket.request, error);
      }
    }
  }

  /** A purge is over: what was output inside it goes out, or is held where no link is there any more. */
  #sendBehind(behind: readonly { readonly ticket: Ticket; readonly stanza: Element }[]): void {
    const { lifecycle, traffic } = this.#parts;
    for (const { ticket, stanza } of behind) {
      // Its request may have ended meanwhile.
      if (ticket.state !== 'queued') continue;
      const { link } = lifecycle;
      if (lifecycle.state === 'halted') ticket.markFailed(halted());
      else if (link?.ready === true) link.output(ticket, stanza);
      else {
        this.queue.returnToBack(ticket);
        traffic.held(stanza);
      }
    }
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
    for (const ticket of uncertain) ticket.markHeld(true);
    for (const ticket of unsent) ticket.markHeld(false);
    this.queue.returnToFront([...uncertain, ...unsent]);
  }
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

function notWrapped(cause: unknown): BrokerError {
  const text = 'the dialect could not wrap a held stanza';
  return new BrokerError('DIALECT_FAILED', text, { layer: 'queue', sent: 'no', cause });
}

/** What an element counts as: stream management counts those of the content namespace (XEP-0198 §4). */
function kindOf({ localName, namespaceURI }: Element, xmlns: string): CountedKind {
  return isStanzaKind(localName) && (namespaceURI === null || namespaceURI === xmlns) ? localName : 'other';
}

/** Whether an element answers a request. */
function isAnswer(stanza: Element): boolean {
  if (stanza.localName !== 'iq') return false;
  const type = stanza.getAttribute('type');
  return type === 'result' || type === 'error';
}
