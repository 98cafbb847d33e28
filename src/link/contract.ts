// Who has to do with a link: the broker it works for, the life it is part of, and what it leaves to them.
import type { StatusEvents } from '../events.js';
import type { BrokerConfig } from '../options/options.js';
import type { DialectConfig, Established } from '../protocols/dialect.js';
import type { LinkEnd } from './closing.js';
import type { Ticket } from '../queue/ticket.js';
import type { XmlStream } from '../stream/xml-stream.js';
import type { Element } from '../xml/element.js';

/** A negotiated stream, ready to be a link. */
export interface Negotiated {
  readonly stream: XmlStream;
  readonly established: Established;
  readonly dialectConfig: DialectConfig;
  /** Whether the server's certificate was checked. */
  readonly verified: boolean;
  /** When the server's certificate expires; null when there is none, or it is not checked. */
  readonly certificateExpiry: Date | null;
  /** What arrived during the negotiation and was set aside for the router, in order. */
  readonly deferredElements: readonly Element[];
}

/** What a link needs of the broker. */
export interface LinkHost {
  readonly config: BrokerConfig;
  publish<N extends keyof StatusEvents>(event: N, payload: StatusEvents[N]): void;
  /** One stanza, in wire order. */
  deliver(stanza: Element): void;
  /** A stanza was handed to the socket. */
  handedOver(ticket: Ticket, element: Element | undefined): void;
  /** Publishes PCJ_NODESENT, redacted, and logs. */
  sent(element: Element, secret?: boolean): void;
  /** Asks the server for a sign of life with a ping (XEP-0199). */
  ping(): void;
  received(element: Element): void;
}

/** Who has a link, and hears how far it is. */
export interface LinkOwner {
  /** The link can send no more: outputs are held from now on. */
  notReady(): void;
  /** The socket is closed. Called once, before the events that say so. */
  ended(end: LinkEnd): void;
}
