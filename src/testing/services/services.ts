import type { JID } from '../../jid/jid.js';
import type { Element } from '../../xml/element.js';
import { NS } from '../../xml/namespaces.js';
import { jidOf } from '../stanza.js';
import { Archives } from './archive.js';
import { Contacts } from './contacts.js';
import type { Host, Resource } from './host.js';
import { OfflineMessages } from './offline.js';
import { PersonalNodes, PubSubService } from './pubsub-service.js';
import { Rooms } from './rooms.js';

/** What is served beside the delivery of stanzas. */
export interface ServiceSettings {
  /** Domain, or null for none. */
  readonly rooms: string | null;
  /** Domain, or null for none; accounts have nodes when it is not null. */
  readonly pubsub: string | null;
  readonly roster: boolean;
  readonly offline: boolean;
  readonly archive: boolean;
}

/** What the server has beside the delivery of stanzas. */
export class Services {
  readonly #rooms: Rooms | null;
  readonly #contacts: Contacts | null;
  readonly #offline: OfflineMessages | null;
  readonly #personal: PersonalNodes | null;
  readonly #archives: Archives | null;

  constructor(host: Host, { rooms, pubsub, roster, offline, archive }: ServiceSettings) {
    this.#rooms = rooms === null ? null : new Rooms(rooms, (stanza) => host.route(stanza));
    if (this.#rooms !== null) host.addService(this.#rooms.domain, this.#rooms);
    this.#contacts = roster ? new Contacts(host) : null;
    this.#offline = offline ? new OfflineMessages(host) : null;
    const mayRead = (account: string, jid: JID) => this.#contacts?.isWatcher(account, jid) ?? false;
    this.#personal = pubsub === null ? null : new PersonalNodes(host, mayRead);
    if (pubsub !== null) host.addService(pubsub, new PubSubService(pubsub, host));
    this.#archives = archive ? new Archives(host) : null;
  }

  /** Features of the server itself, for service discovery. */
  get features(): readonly string[] {
    return this.#offline === null ? [] : ['msgoffline'];
  }

  /** Features of accounts. */
  get accountFeatures(): readonly string[] {
    return [
      ...(this.#personal === null ? [] : [NS.PUBSUB]),
      ...(this.#archives === null ? [] : [NS.MAM, NS.STANZA_ID]),
    ];
  }

  /** Every session is over, and nobody was told. */
  reset(): void {
    this.#rooms?.reset();
  }

  /** An account is no more. */
  forget(account: string): void {
    this.#contacts?.forget(account);
    this.#offline?.forget(account);
    this.#personal?.forget(account);
    this.#archives?.forget(account);
  }

  /** Deals with a request to the server or an account. @returns whether it was for a service */
  ask(request: Element, to: JID): boolean {
    return [this.#contacts, this.#personal, this.#archives].some((service) => service?.ask(request, to) === true);
  }

  /** A presence that a client sends to somebody. @returns whether it was dealt with */
  outbound(own: JID, presence: Element): boolean {
    return this.#contacts?.outbound(own, presence) ?? false;
  }

  /** A presence for an account. @returns whether it was dealt with */
  inbound(presence: Element, to: JID): boolean {
    return this.#contacts?.inbound(presence, to) ?? false;
  }

  /** A message that a client sends. */
  said(own: JID, message: Element): void {
    const to = jidOf(message.getAttribute('to'));
    // What somebody says to themselves is kept when it arrives.
    if (to !== null && !to.bare().equals(own.bare())) this.#archives?.keep(own, to, message);
  }

  /** A message for an account. @returns it as it is delivered */
  incoming(message: Element, to: JID): Element {
    return this.#archives?.incoming(message, to) ?? message;
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
