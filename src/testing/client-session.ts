// A bound resource: RFC 6120 §8.1 (addresses), RFC 6121 §4 (presence), XEP-0198 (what outlives a connection).
import type { JID } from '../jid/jid.js';
import { xml } from '../xml/builder.js';
import type { Element } from '../xml/element.js';
import { NS } from '../xml/namespaces.js';
import type { Connection } from './connection.js';
import { accountOf, isStanza, jidOf, problemOf, withFrom } from './stanza.js';
import type { Resource } from './services/host.js';
import type { Site } from './site.js';
import { failed, StreamManagement } from './stream-management.js';
import { StreamFault } from './stream-fault.js';

/** Most addresses that are remembered to be told of the client's end. */
const DIRECTED_LIMIT = 1000;

let order = 0;

/** One resource of an account. With stream management it may change its connection, and be without one for a while. */
export class ClientSession implements Resource {
  /** Of its presence; null while it is not available. */
  priority: number | null = null;
  /** Tells which of two sessions became available later. */
  since = 0;
  presence: Element | null = null;
  presenceAt = 0;
  interested = false;
  #connection: Connection | null;
  #management: StreamManagement | null = null;
  #expiry: NodeJS.Timeout | null = null;
  #over = false;
  /** Who got presence directly, and is told when it ends (RFC 6121 §4.6). */
  readonly #directed = new Set<string>();

  constructor(
    private readonly site: Site,
    readonly jid: JID,
    connection: Connection,
  ) {
    this.#connection = connection;
    this.#adopt(connection);
    site.hub.addSession(this);
  }

  get connection(): Connection | null {
    return this.#connection;
  }

  get management(): StreamManagement | null {
    return this.#management;
  }

  /** A first-level element of the client. */
  handle(element: Element): void {
    if (element.namespaceURI === NS.SM) {
      this.#manage(element);
    } else if (isStanza(element, NS.CLIENT)) {
      this.#management?.received();
      if (this.site.script === null) this.#send(element);
    } else if (!isClientState(element)) {
      throw new StreamFault('unsupported-stanza-type');
    }
  }

  /** Takes a stanza for the client. */
  deliver(stanza: Element): void {
    const ask = this.#management?.sent(this.#connection === null ? delayed(stanza, this.site.settings.domain) : stanza);
    this.#connection?.stream.send(stanza);
    if (ask === true) this.#connection?.stream.send(xml('r', { xmlns: NS.SM }));
    const kept = this.#management?.unacknowledged.length ?? 0;
    if (kept > (this.site.settings.streamManagement?.unackedLimit ?? 0)) {
      this.#connection?.kick('resource-constraint', { text: 'too many stanzas are not acknowledged' });
      this.end();
    }
  }

  /** The connection is over. Without an orderly end, a session that can be resumed waits for that. */
  leave(connection: Connection, orderly: boolean): void {
    if (this.#connection !== connection || this.#over) return;
    this.#connection = null;
    const seconds = this.site.settings.streamManagement?.max ?? 0;
    if (orderly || this.#management?.id == null) this.end();
    else this.#expiry = setTimeout(() => this.end(), seconds * 1000);
  }

  /**
   * Goes on, on another connection (XEP-0198 §5). What was not acknowledged is sent again, oldest first.
   * @throws StreamFault when the client acknowledges more than it was sent
   */
  resume(connection: Connection, element: Element): void {
    connection.stream.send(this.takeOver(connection, element));
    this.replay();
  }

  /** The first half of it: gives the answer, which has to be sent before anything else. @throws StreamFault as `resume` */
  takeOver(connection: Connection, element: Element): Element {
    const management = this.#management;
    if (management?.id == null) return failed('item-not-found');
    management.acknowledge(element);
    if (this.#expiry !== null) clearTimeout(this.#expiry);
    this.#expiry = null;
    const old = this.#connection;
    this.#connection = connection;
    old?.unbind(this.jid);
    old?.kick('conflict', { text: 'the session goes on, on another connection' });
    this.#adopt(connection);
    return xml('resumed', { xmlns: NS.SM, previd: management.id, h: management.handled });
  }

  /** The other half: sends again what was not acknowledged. */
  replay(): void {
    const { unacknowledged = [] } = this.#management ?? {};
    const stream = this.#connection?.stream;
    for (const stanza of unacknowledged) stream?.send(stanza);
    if (unacknowledged.length > 0) stream?.send(xml('r', { xmlns: NS.SM }));
  }

  /** Begins to count, if that can be; gives the answer (XEP-0198 §3). */
  enable(element: Element): Element {
    const { settings, resumption } = this.site;
    const { streamManagement } = settings;
    if (streamManagement === null) return failed('feature-not-implemented');
    if (this.#management !== null) return failed('unexpected-request');
    const wanted = /^(?:true|1)$/.test(element.getAttribute('resume') ?? '');
    const id = wanted && streamManagement.resume ? resumption.idFor(this) : null;
    this.#management = new StreamManagement(id, streamManagement);
    const { max } = streamManagement;
    return xml('enabled', { xmlns: NS.SM, ...(id === null ? {} : { id, resume: 'true', max }) });
  }

  /** The session is over for good. What its client did not acknowledge goes elsewhere, or back to its senders. */
  end(returned = true): void {
    if (this.#over) return;
    this.#over = true;
    if (this.#expiry !== null) clearTimeout(this.#expiry);
    const { hub, resumption } = this.site;
    hub.removeSession(this);
    resumption.ended(this);
    this.#connection?.unbind(this.jid);
    this.#connection = null;
    if (returned) {
      this.#goOffline(xml('presence', { xmlns: NS.CLIENT, type: 'unavailable', from: this.jid.toString() }));
      for (const stanza of this.#management?.unacknowledged ?? []) hub.route(stanza);
    }
    const name = accountOf(this.jid);
    // Nobody comes back as an account that was made up for one session.
    if (!this.site.accounts.has(name) && hub.sessions(name).length === 0) this.site.services.forget(name);
    this.site.publish('ended', { jid: this.jid });
  }

  #adopt(connection: Connection): void {
    connection.bind(this.jid);
    connection.write = (stanza) => {
      if (isStanza(stanza, NS.CLIENT)) this.deliver(stanza);
      else connection.stream.send(stanza);
    };
  }

  /** A stanza of the client goes out (RFC 6120 §8.1). */
  #send(stanza: Element): void {
    const bare = this.jid.bare().toString();
    const claimed = jidOf(stanza.getAttribute('from'));
    const foreign = stanza.hasAttribute('from') && !this.jid.equals(claimed) && claimed?.toString() !== bare;
    if (foreign) throw new StreamFault('invalid-from');
    const { hub } = this.site;
    const subscription = /^(?:un)?subscribed?$/.test(stanza.getAttribute('type') ?? '');
    const owned = withFrom(stanza, stanza.localName === 'presence' && subscription ? bare : this.jid.toString());
    const problem = problemOf(owned);
    if (problem !== null) {
      hub.bounce(owned, problem);
    } else if (owned.localName === 'presence') {
      this.#sendPresence(owned);
    } else {
      if (!owned.hasAttribute('to')) owned.setAttribute('to', bare);
      if (owned.localName === 'message') this.site.services.said(this.jid, owned);
      hub.route(owned);
    }
  }

  #sendPresence(presence: Element): void {
    const to = presence.getAttribute('to');
    const type = presence.getAttribute('type');
    if (to !== null) {
      if (this.site.services.outbound(this.jid, presence)) return;
      if (type === null && this.#directed.size < DIRECTED_LIMIT) this.#directed.add(to);
      if (type === 'unavailable') this.#directed.delete(to);
      this.site.hub.route(presence);
    } else if (type === 'unavailable') {
      this.#goOffline(presence);
    } else if (type === null) {
      this.#goOnline(presence);
    }
  }

  #goOnline(presence: Element): void {
    const before = this.priority;
    const initial = before === null;
    const priority = Number(presence.getChildText('priority') ?? 0);
    this.priority = Number.isInteger(priority) && priority >= -128 && priority <= 127 ? priority : 0;
    this.presence = presence;
    this.presenceAt = Date.now();
    if (initial) this.since = ++order;
    const others = this.#available().filter((session) => session !== this);
    // A resource that comes sees those that are there.
    if (initial) for (const other of others) if (other.presence !== null) this.deliver(other.presence);
    for (const session of [...others, this]) session.deliver(presence);
    this.site.services.available(this, before);
  }

  #goOffline(presence: Element): void {
    const wasAvailable = this.priority !== null;
    this.priority = null;
    this.presence = null;
    if (wasAvailable) {
      for (const session of this.#available()) session.deliver(presence);
      this.site.services.unavailable(this.jid, presence);
    }
    for (const to of this.#directed) {
      const copy = presence.clone();
      copy.setAttribute('to', to);
      this.site.hub.route(copy);
    }
    this.#directed.clear();
  }

  #available(): ClientSession[] {
    return this.site.hub.sessions(this.jid.local).filter(({ priority }) => priority !== null);
  }

  /** XEP-0198 §3, §4. */
  #manage(element: Element): void {
    const stream = this.#connection?.stream;
    switch (element.localName) {
      case 'enable':
        stream?.send(this.enable(element));
        return;
      case 'r':
        if (this.#management !== null) stream?.send(this.#management.answer());
        return;
      case 'a':
        this.#management?.acknowledge(element);
        return;
      case 'resume':
        stream?.send(failed('unexpected-request'));
        return;
      default:
        throw new StreamFault('unsupported-stanza-type');
    }
  }
}

/** A copy that says when it would have arrived (XEP-0203). */
function delayed(stanza: Element, domain: string): Element {
  if (stanza.localName === 'iq' || stanza.getChild('delay', NS.DELAY) !== null) return stanza;
  const copy = stanza.clone();
  copy.appendChild(xml('delay', { xmlns: NS.DELAY, from: domain, stamp: new Date().toISOString() }));
  return copy;
}

/** XEP-0352 leaves it to the server what it makes of that: here nothing is held back. */
function isClientState({ namespaceURI, localName }: Element): boolean {
  return namespaceURI === NS.CSI && (localName === 'active' || localName === 'inactive');
}
