import type { Element } from '../../xml/element.js';

/** Somebody who gets what is sent to a domain: a component, a link to the router, or a service of the server. */
export interface DomainLink {
  /** Takes a stanza in `jabber:client`. */
  deliver(stanza: Element): void;
}

/** What the server lends to its services. */
export interface Host {
  /** Delivers a stanza in `jabber:client`, or answers it with an error. */
  route(stanza: Element): void;
  /** Lets a service have what is sent to a domain. */
  addService(name: string, service: DomainLink): void;
}
