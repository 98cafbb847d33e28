// Who is reachable, and the server's rules for delivering stanzas: RFC 6120 §10, RFC 6121 §8.
import { createHash, randomInt } from 'node:crypto';
import type { JID } from '../jid/jid.js';
import type { Element } from '../xml/element.js';
import type { StanzaErrorCondition } from '../stanza/conditions.js';
import { errorReply } from '../stanza/replies.js';
import type { ClientSession } from './client-session.js';
import type { DomainLink } from './services/host.js';
import { jidOf } from './stanza.js';

/** By what the links of a shared name are chosen: the sender, or the recipient's account. */
export type Sharing = 'from' | 'to';

interface SharedName {
  readonly links: DomainLink[];
  readonly sharing: Sharing;
}

/** What the hub asks the server. */
export interface HubOwner {
  readonly domain: string;
  /** Answers a request to the server, or to an account. @returns false when nobody here knows what it is about */
  ask(request: Element, to: JID): boolean;
  /** A presence for an account. @returns whether it was about a subscription, and was dealt with */
  subscription(presence: Element, to: JID): boolean;
  /** A message for an account. @returns it as it is delivered */
  incoming(message: Element, to: JID): Element;
  /** A message that no resource takes. @returns whether it is kept */
  keep(message: Element, to: JID): boolean;
  undeliverable(stanza: Element, condition: string): void;
  /** Whether a component of this name is known, though not connected. */
  knows(domain: string): boolean;
  /** A link took a name, or shares it from now on. */
  bound(name: string, link: DomainLink): void;
  /** The last link of a name is gone. */
  gone(name: string): void;
}

/**
 * Routes stanzas between everybody connected. A stanza given to {@link Hub.route} is in `jabber:client`, belongs to
 * the hub, and has a `from` that was checked.
 */
export class Hub {
  readonly #owner: HubOwner;
  /** Sessions by account, then by resource. */
  readonly #accounts = new Map<string | null, Map<string | null, ClientSession>>();
  readonly #names = new Map<string, SharedName>();
  /** What the server itself serves. Who connects under such a name takes its place. */
  readonly #services = new Map<string, DomainLink>();
  /** Gets what is sent to domains nobody knows. */
  fallback: DomainLink | null = null;

  constructor(owner: HubOwner) {
    this.#owner = owner;
  }

  /** All names that are bound now. */
  get names(): string[] {
    return [...this.#names.keys()];
  }

  /** Sessions of an account. */
  sessions(account: string | null): ClientSession[] {
    return [...(this.#accounts.get(account)?.values() ?? [])];
  }

  session(jid: JID): ClientSession | null {
    return this.#accounts.get(jid.local)?.get(jid.resource) ?? null;
  }

  get everySession(): ClientSession[] {
    return [...this.#accounts.values()].flatMap((resources) => [...resources.values()]);
  }

  addSession(session: ClientSession): void {
    const { local, resource } = session.jid;
    const resources = this.#accounts.get(local) ?? new Map<string | null, ClientSession>();
    this.#accounts.set(local, resources.set(resource, session));
  }

  removeSession(session: ClientSession): void {
    const { local, resource } = session.jid;
    const resources = this.#accounts.get(local);
    if (resources?.get(resource) !== session) return;
    resources.delete(resource);
    if (resources.size === 0) this.#accounts.delete(local);
  }

  /** Who has a name. */
  links(name: string): readonly DomainLink[] {
    return this.#names.get(name)?.links ?? [];
  }

  /** How a name is shared, or null when nobody has it, or one link for itself. */
  sharing(name: string): Sharing | null {
    return this.#names.get(name)?.sharing ?? null;
  }

  addLink(name: string, link: DomainLink, sharing: Sharing): void {
    const shared = this.#names.get(name) ?? { links: [], sharing };
    shared.links.push(link);
    this.#names.set(name, shared);
    this.#owner.bound(name, link);
  }

  removeLink(name: string, link: DomainLink): void {
    const links = this.#names.get(name)?.links ?? [];
    const at = links.indexOf(link);
    if (at < 0) return;
    links.splice(at, 1);
    if (links.length > 0) return;
    this.#names.delete(name);
    this.#owner.gone(name);
  }

  addService(name: string, service: DomainLink): void {
    this.#services.set(name, service);
  }

  /** Domains that the server itself serves. */
  get services(): string[] {
    return [...this.#services.keys()];
  }

  /** The link that gets this stanza, or null. */
  linkFor(domain: string, stanza: Element): DomainLink | null {
    const shared = this.#names.get(domain);
    if (shared === undefined) return null;
    return shared.links[choice(stanza, shared)] ?? null;
  }

  /** Delivers a stanza, or answers it with an error. */
  route(stanza: Element): void {
    const to = jidOf(stanza.getAttribute('to'));
    if (to === null) {
      this.bounce(stanza, 'jid-malformed');
    } else if (to.domain !== this.#owner.domain) {
      this.#toDomain(stanza, to.domain);
    } else if (to.local === null) {
      this.#toServer(stanza, to);
    } else {
      this.#toAccount(stanza, to);
    }
  }

  /** Nobody took the stanza: its sender hears why, unless it is none to be answered (RFC 6120 §8.3.1). */
  bounce(stanza: Element, condition: StanzaErrorCondition): void {
    this.#owner.undeliverable(stanza, condition);
    const type = stanza.getAttribute('type');
    const silent = type === 'error' || (stanza.localName === 'iq' && type === 'result');
    if (!silent && stanza.getAttribute('from') !== null) this.route(errorReply(stanza, condition));
  }

  #toDomain(stanza: Element, domain: string): void {
    const link = this.linkFor(domain, stanza) ?? this.#services.get(domain) ?? this.fallback;
    if (link !== null) link.deliver(stanza);
    else this.bounce(stanza, this.#owner.knows(domain) ? 'service-unavailable' : 'remote-server-not-found');
  }

  #toServer(stanza: Element, to: JID): void {
    if (stanza.localName === 'iq') this.#ask(stanza, to);
    else if (stanza.localName === 'message') this.bounce(stanza, 'service-unavailable');
  }

  #ask(request: Element, to: JID): void {
    const type = request.getAttribute('type');
    if (type !== 'get' && type !== 'set') return;
    if (!this.#owner.ask(request, to)) this.bounce(request, 'service-unavailable');
  }

  /** RFC 6121 §8.5. */
  #toAccount(stanza: Element, to: JID): void {
    if (stanza.localName === 'presence' && this.#owner.subscription(stanza, to)) return;
    if (stanza.localName === 'message') stanza = this.#owner.incoming(stanza, to);
    const exact = to.resource === null ? null : this.session(to);
    if (exact !== null) {
      exact.deliver(stanza);
      return;
    }
    switch (stanza.localName) {
      case 'message':
        this.#message(stanza, to);
        return;
      case 'presence':
        if (to.resource === null) for (const session of this.#available(to)) session.deliver(stanza);
        return;
      default:
        if (to.resource === null) this.#ask(stanza, to);
        else this.bounce(stanza, 'service-unavailable');
    }
  }

  /** A message to an account, or to a resource that is not there. */
  #message(stanza: Element, to: JID): void {
    const type = stanza.getAttribute('type');
    const candidates = this.#available(to).filter(({ priority }) => (priority ?? -1) >= 0);
    if (type === 'headline') {
      if (to.resource === null) for (const session of candidates) session.deliver(stanza);
      return;
    }
    const best = candidates.sort((a, b) => (b.priority ?? 0) - (a.priority ?? 0) || b.since - a.since)[0];
    if (type === 'error') this.#owner.undeliverable(stanza, 'service-unavailable');
    else if (type === 'groupchat') this.bounce(stanza, 'service-unavailable');
    else if (best !== undefined) best.deliver(stanza);
    else if (!this.#owner.keep(stanza, to)) this.bounce(stanza, 'service-unavailable');
  }

  #available(to: JID): ClientSession[] {
    return this.sessions(to.local).filter(({ priority }) => priority !== null);
  }
}

/** Who gets a stanza of a shared name: always the same one for the same address. */
function choice(stanza: Element, { links, sharing }: SharedName): number {
  if (links.length < 2) return 0;
  const jid = jidOf(stanza.getAttribute(sharing));
  if (jid === null || (sharing === 'to' && jid.local === null)) return randomInt(links.length);
  return createHash('sha1').update(jid.bare().toString()).digest().readUInt32BE(0) % links.length;
}
