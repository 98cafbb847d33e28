import { BrokerError } from '../errors.js';
import type { JID } from '../jid/jid.js';
import type { Link } from '../link/link.js';
import type { BrokerConfig } from '../options/options.js';
import { checkStanza, withoutOwnSender } from '../stanza/outbound.js';
import { OutboundQueue, type QueueHost } from '../queue/outbound-queue.js';
import { Ticket } from '../queue/ticket.js';
import { isStanzaKind } from '../stanza/kinds.js';
import type { Element } from '../xml/element.js';
import { written, type SerializeScope } from '../xml/serializer.js';

/** What the outbox needs of the broker. */
export interface OutboxHost extends QueueHost {
  readonly config: BrokerConfig;
  readonly link: Link | null;
  /** The account that stanzas are sent from; null for a component, and before the first link. */
  readonly account: JID | null;
  /** Bytes of a managed session that waits to be resumed. */
  readonly keptBytes: number;
  /** Publishes PCJ_NODEQUEUED. */
  queued(stanza: Element): void;
  /** Publishes PCJ_QUEUEFAIL. With a ticket, its request is over, too. */
  refused(error: BrokerError, ticket: Ticket | null): void;
  /** Publishes PCJ_NODESENT. */
  sent(stanza: Element): void;
  /** Whether anybody wants to see what is sent. */
  readonly watched: boolean;
}

/** Where every outbound stanza goes through: to the ready link, or into the queue. */
export class Outbox {
  readonly queue: OutboundQueue;
  readonly #host: OutboxHost;
  readonly #scope: SerializeScope;
  #ids = 0;

  constructor(host: OutboxHost) {
    this.#host = host;
    this.#scope = { defaultNamespace: host.config.xmlns };
    this.queue = new OutboundQueue(host.config.queue, host);
  }

  /** The stanza as the protocol and the dialect want it. @throws BrokerError `USAGE_*`; it is refused then */
  prepare(stanza: Element): Element {
    const { config, account } = this.#host;
    checkStanza(stanza);
    const anonymous = withoutOwnSender(stanza, account);
    return config.connectionType.prepare === undefined ? anonymous : config.connectionType.prepare(anonymous, config);
  }

  /** A ticket for a stanza that may be sent. @throws BrokerError `XML_UNSERIALIZABLE` */
  ticket(stanza: Element): Ticket {
    const { xmlns } = this.#host.config;
    const text = written(stanza, this.#scope);
    this.#ids += 1;
    return new Ticket(this.#ids, text, xmlns, isCounted(stanza, xmlns));
  }

  /** Sends a ticket's stanza now, or holds it. @throws BrokerError `QUEUE_FULL`, `PEER_LIMIT`; nothing was accepted then */
  accept(ticket: Ticket, stanza: Element): void {
    const host = this.#host;
    const link = host.link;
    const ready = link?.ready === true;
    try {
      if (ready) {
        checkSize(ticket, link);
        const most = this.queue.bytes + ticket.bytesAtMost + link.bytesAtMost;
        // Near the bound it is worth while to count.
        if (most > this.queue.limits.maxBytes) this.queue.check(ticket.bytes, link.bytes);
      } else this.queue.push(ticket, link?.bytes ?? host.keptBytes);
    } catch (error) {
      if (error instanceof BrokerError) host.refused(error, null);
      throw error;
    }
    if (ready) link.output(ticket, stanza);
    else host.queued(stanza);
  }

  /** Sends what is held and picked, oldest first. Returns the tickets that are sent; none while not ready. */
  purge(select?: (ticket: Ticket) => boolean): Ticket[] {
    const host = this.#host;
    const link = host.link;
    if (link === null || !link.ready) return [];
    const tickets = this.queue.take(select);
    for (const [index, ticket] of tickets.entries()) {
      // A handler of PCJ_NODESENT may have ended the link: the rest stays held, in front.
      if (this.#host.link?.ready !== true) {
        this.queue.returnToFront(tickets.splice(index));
        break;
      }
      try {
        checkSize(ticket, link);
        link.output(ticket);
      } catch (caught) {
        // The server does not take it, or the dialect cannot wrap it: its end, not that of the others.
        const error = caught instanceof BrokerError ? caught : notWrapped(caught);
        ticket.markFailed(error);
        host.refused(error, ticket);
      }
    }
    return tickets;
  }

  /** A ticket's stanza was handed to the socket; without its element, PCJ_NODESENT shows what is read back. */
  handedOver(ticket: Ticket, stanza: Element | undefined): void {
    if (this.#host.watched) this.#host.sent(stanza ?? ticket.node);
  }

  /** Holds stanzas of a lost link again, in front of the queue: those that may have arrived, then those that cannot. */
  takeBack(uncertain: readonly Ticket[], unsent: readonly Ticket[]): void {
    for (const ticket of uncertain) ticket.markHeld(true);
    for (const ticket of unsent) ticket.markHeld(false);
    this.queue.returnToFront([...uncertain, ...unsent]);
  }
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

/** Whether stream management counts an element (XEP-0198 §4). */
function isCounted({ localName, namespaceURI }: Element, xmlns: string): boolean {
  return isStanzaKind(localName) && (namespaceURI === null || namespaceURI === xmlns);
}
