import type { JID } from '../../jid/jid.js';
import type { Element } from '../../xml/element.js';

/** Somebody who gets what is sent to a domain: a component, a link to the router, or a service of the server. */
export interface DomainLink {
  /** Takes a stanza in `jabber:client`. */
  deliver(stanza: Element): void;
}

/** A connected resource of an account. */
export interface Resource {
  readonly jid: JID;
  /** Of its presence; null while it is not available. */
  readonly priority: number | null;
  /** What it said of itself last; null while it is not available. */
  readonly presence: Element | null;
  /** When it did, in milliseconds since 1970. */
  readonly presenceAt: number;
  /** Whether it has asked for the roster: then it is told of changes (RFC 6121 §2.1.6). */
  interested: boolean;
  deliver(stanza: Element): void;
}

/** What the server lends to its services. */
export interface Host {
  /** The server's own domain. */
  readonly domain: string;
  /** Delivers a stanza in `jabber:client`, or answers it with an error. */
  route(stanza: Element): void;
  /** Lets a service have what is sent to a domain. */
  addService(name: string, service: DomainLink): void;
  /** Everybody who is connected as this account. */
  resources(account: string): readonly Resource[];
  /** Whether there is such an account. */
  hasAccount(name: string): boolean;
}
