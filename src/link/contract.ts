// Whom a link works with, whom it tells of itself, and what it is made from.
import type { Delivered } from './delivery.js';
import type { BrokerConfig } from '../options/options.js';
import type { DialectConfig, Established } from '../protocols/dialect.js';
import type { Tally } from '../stats.js';
import type { XmlStream } from '../stream/xml-stream.js';
import type { Element } from '../xml/element.js';
import type { LinkEnd } from './closing.js';
import type { StatusPublisher } from './status-publisher.js';
import type { Traffic } from './traffic.js';

/** What a link works with. */
export interface LinkParts {
  readonly config: BrokerConfig;
  readonly status: StatusPublisher;
  readonly traffic: Traffic;
  readonly tally: Tally;
  /** Gets every stanza, in wire order. */
  readonly router: { deliver(stanza: Element): Delivered };
  /** Asks the server for a sign of life (XEP-0199). */
  readonly requester: { ping(to: string): void };
  /** Requests that wait for their answers. */
  readonly requests: { readonly size: number };
}

/** Who has a link, and hears how far it is. */
export interface LinkOwner {
  /** Resolves when everything that was accepted for the link was handed to it; null when it was. */
  settled(): Promise<void> | null;
  /** The link can send no more: outputs are held from now on. */
  notReady(): void;
  /** The socket is closed. Called once, before the events that say so. */
  ended(end: LinkEnd): void;
}

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
