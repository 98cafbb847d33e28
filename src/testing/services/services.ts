import type { JID } from '../../jid/jid.js';
import type { Element } from '../../xml/element.js';
import { Contacts } from './contacts.js';
import type { Host, Resource } from './host.js';
import { OfflineMessages } from './offline.js';
import { Rooms } from './rooms.js';

/** What is served beside the delivery of stanzas. */
export interface ServiceSettings {
  /** Domain, or null for none. */
  readonly rooms: string | null;
  readonly roster: boolean;
  readonly offline: boolean;
}

/** What the server has beside the delivery of stanzas. */
export class Services {
  readonly #rooms: Rooms | null;
  readonly #contacts: Contacts | null;
  readonly #offline: OfflineMessages | null;

  constructor(host: Host, { rooms, roster, offline }: ServiceSettings) {
    this.#rooms = rooms === null ? null : new Rooms(rooms, (stanza) => host.route(stanza));
    if (this.#rooms !== null) host.addService(this.#rooms.domain, this.#rooms);
    this.#contacts = roster ? new Contacts(host) : null;
    this.#offline = offline ? new OfflineMessages(host) : null;
  }

  /** Features of the server itself, for service discovery. */
  get features(): readonly string[] {
    return this.#offline === null ? [] : ['msgoffline'];
  }

  /** Every session is over, and nobody was told. */
  reset(): void {
    this.#rooms?.reset();
  }

  /** An account is no more. */
  forget(account: string): void {
    this.#contacts?.forget(account);
    this.#offline?.forget(account);
  }

  /** Deals with a request to the server or an account. @returns whether it was for a service */
  ask(request: Element, to: JID): boolean {
    return this.#contacts?.ask(request, to) ?? false;
  }

  /** A presence that a client sends to somebody. @returns whether it was dealt with */
  outbound(own: JID, presence: Element): boolean {
    return this.#contacts?.outbound(own, presence) ?? false;
  }

  /** A presence for an account. @returns whether it was dealt with */
  inbound(presence: Element, to: JID): boolean {
    return this.#contacts?.inbound(presence, to) ?? false;
  }

  /** A message that nobody takes now. @returns whether it is kept */
  keep(message: Element, to: JID): boolean {
    return this.#offline?.keep(message, to) ?? false;
  }

  /** A resource has said something of itself. @param before its priority until then, null if it was not available */
  available(resource: Resource, before: number | null): void {
    this.#contacts?.available(resource, before === null, (stanza) => resource.deliver(stanza));
    if ((before ?? -1) < 0 && (resource.priority ?? -1) >= 0) this.#offline?.deliver(resource);
  }

  /** A resource is not available any more. */
  unavailable(jid: JID, presence: Element): void {
    this.#contacts?.unavailable(jid, presence);
  }
}
