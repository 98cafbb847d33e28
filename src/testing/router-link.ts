// Names and routes of one link to the router: the component protocol of jabberd2's router.
import { randomBytes } from 'node:crypto';
import type { JID } from '../jid/jid.js';
import { xml } from '../xml/builder.js';
import type { Element } from '../xml/element.js';
import { NS } from '../xml/namespaces.js';
import type { Connection } from './connection.js';
import type { DomainLink } from './services/host.js';
import type { Site } from './site.js';
import { isStanza, jidOf } from './stanza.js';

/** Names that the server's own parts have: its session manager and its client side. */
const OWN_NAMES: ReadonlySet<string> = new Set(['sm', 'c2s']);

/** Most routes held for a peer that asked for a pause. */
const HELD_LIMIT = 10_000;

/** One peer of the router, with any number of names. */
export class RouterLink implements DomainLink {
  readonly #connection: Connection;
  readonly #site: Site;
  readonly #username: string;
  readonly #names = new Map<string, JID>();
  /** Names that get a copy of every route. */
  readonly #logs = new Set<string>();
  /** What waits while the peer has asked for a pause. */
  #held: Element[] | null = null;

  constructor(connection: Connection, site: Site, username: string) {
    this.#connection = connection;
    this.#site = site;
    this.#username = username;
    site.routers.add(this);
  }

  /** A first-level element of the peer. What is not part of the protocol is dropped, as jabberd2 does. */
  handle(element: Element): void {
    if (element.namespaceURI !== NS.JABBERD2_COMPONENT) return;
    switch (element.localName) {
      case 'bind':
        this.#bind(element);
        return;
      case 'unbind':
        this.#unbind(element);
        return;
      case 'route':
        if (this.#site.script === null) this.#route(element);
        return;
      case 'throttle':
        this.#throttle();
    }
  }

  /** Wraps a stanza that is for one of our names, or for a name nobody knows. */
  deliver(stanza: Element): void {
    const to = jidOf(stanza.getAttribute('to'))?.domain;
    const sender = jidOf(stanza.getAttribute('from'))?.domain;
    const from = sender === this.#site.settings.domain ? 'sm' : sender;
    const route = xml('route', { xmlns: NS.JABBERD2_COMPONENT, to, from }, stanza.clone());
    this.#log(route);
    this.send(route);
  }

  /** Writes an element, now or when the peer ends its pause. */
  send(element: Element): void {
    if (this.#held === null) {
      this.#connection.stream.send(element);
      return;
    }
    this.#held.push(element);
    if (this.#held.length > HELD_LIMIT) {
      this.#connection.kick('resource-constraint', { text: 'the pause is too long' });
      this.leave();
    }
  }

  /** A name came or went. */
  announce(name: string, available: boolean): void {
    if (this.#names.size === 0) return;
    this.send(
      xml('presence', { xmlns: NS.JABBERD2_COMPONENT, type: available ? undefined : 'unavailable', from: name }),
    );
  }

  /** Gets a copy of a route, if it asked for them. */
  copy(route: Element): void {
    if (this.#logs.size === 0) return;
    const copy = route.clone();
    copy.setAttribute('type', 'log');
    this.send(copy);
  }

  leave(): void {
    const { hub, routers } = this.#site;
    routers.delete(this);
    if (hub.fallback === this) hub.fallback = null;
    for (const name of this.#names.keys()) hub.removeLink(name, this);
    this.#names.clear();
    this.#logs.clear();
    this.#held = null;
  }

  #bind(element: Element): void {
    const { hub, settings } = this.#site;
    const jid = jidOf(element.getAttribute('name'));
    const multi = element.hasAttribute('multi');
    const isDefault = element.getChild('default') !== null;
    const error = this.#bindError(jid, multi, isDefault);
    this.send(answerTo(element, error));
    if (jid === null || error !== null) return;

    const name = jid.domain;
    const known = ['sm', settings.domain, 'c2s', ...hub.names.filter((other) => !this.#names.has(other))];
    this.#names.set(name, jid);
    this.#connection.bind(jid);
    if (isDefault) hub.fallback = this;
    if (element.getChild('log') !== null) this.#logs.add(name);
    hub.addLink(name, this, multi ? 'to' : 'from');
    if (this.#site.script === null) this.#welcome(name, known);
    this.#site.publish('session', { connection: this.#connection, jid, resumed: false });
  }

  /** Tells a name which others are there. */
  #welcome(name: string, known: readonly string[]): void {
    for (const other of known) if (other !== name) this.announce(other, true);
    // As jabberd2's session manager does: it wants to know what this is. The answer goes nowhere.
    const id = randomBytes(18).toString('base64url');
    const query = xml('query', { xmlns: NS.DISCO_INFO });
    this.deliver(xml('iq', { xmlns: NS.CLIENT, type: 'get', to: name, from: 'sm', id }, query));
  }

  #bindError(jid: JID | null, multi: boolean, isDefault: boolean): string | null {
    const { hub, settings } = this.#site;
    if (jid === null || jid.local !== null || jid.resource !== null) return '400';
    const name = jid.domain;
    if (settings.routerUsers?.[this.#username]?.acl === 'own' && name !== this.#username) return '403';
    if (name === settings.domain || OWN_NAMES.has(name) || this.#names.has(name)) return '409';
    if (isDefault && hub.fallback !== null) return '409';
    const shared = hub.links(name).length === 0 || (multi && hub.sharing(name) === 'to');
    return shared ? null : '409';
  }

  #unbind(element: Element): void {
    const name = jidOf(element.getAttribute('name'))?.domain ?? '';
    const jid = this.#names.get(name);
    this.send(answerTo(element, jid === undefined ? '404' : null));
    if (jid === undefined) return;
    const { hub } = this.#site;
    this.#names.delete(name);
    this.#logs.delete(name);
    this.#connection.unbind(jid);
    if (hub.fallback === this && this.#names.size === 0) hub.fallback = null;
    hub.removeLink(name, this);
  }

  #throttle(): void {
    const held = this.#held;
    this.#held = null;
    this.send(xml('throttle', { xmlns: NS.JABBERD2_COMPONENT }));
    if (held === null) this.#held = [];
    else for (const element of held) this.send(element);
  }

  /** Forwards a route, or gives it back with an error. A route that carries an error is never answered. */
  #route(route: Element): void {
    if (route.hasAttribute('error')) return;
    const { hub, routers } = this.#site;
    const from = jidOf(route.getAttribute('from'))?.domain ?? '';
    if (!this.#names.has(from)) {
      this.#giveBack(route, '401');
      return;
    }
    if (route.getAttribute('type') === 'broadcast') {
      for (const other of routers) if (other !== this) other.send(route);
      return;
    }
    const to = jidOf(route.getAttribute('to'))?.domain;
    const [stanza] = route.children;
    if (to === undefined || stanza === undefined) {
      this.#giveBack(route, '400');
      return;
    }
    this.#log(route);
    const link = hub.linkFor(to, stanza);
    if (link instanceof RouterLink) link.send(route);
    else if (to === this.#site.settings.domain || OWN_NAMES.has(to) || (link === null && hub.services.includes(to)))
      this.#intoServer(stanza, from);
    else if (link !== null) link.deliver(stanza.clone());
    else if (hub.fallback instanceof RouterLink) hub.fallback.send(route);
    else this.#giveBack(route, '404');
  }

  /** A stanza for the server, or somebody on it. */
  #intoServer(stanza: Element, from: string): void {
    const to = jidOf(stanza.getAttribute('to'));
    if (to !== null && OWN_NAMES.has(to.domain)) return;
    if (isStanza(stanza, NS.CLIENT) && to !== null && jidOf(stanza.getAttribute('from')) !== null) {
      this.#site.hub.route(stanza.clone());
      return;
    }
    // As jabberd2 does it: the stanza comes back as an error, and its addresses are not swapped.
    const bad = stanza.clone();
    bad.setAttribute('type', 'error');
    const condition = xml('bad-request', { xmlns: NS.STANZAS });
    bad.appendChild(xml('error', { xmlns: bad.namespaceURI, code: '400', type: 'modify' }, condition));
    this.send(xml('route', { xmlns: NS.JABBERD2_COMPONENT, to: from, from: 'sm' }, bad));
  }

  #giveBack(route: Element, error: string): void {
    const copy = route.clone();
    copy.setAttribute('error', error);
    this.send(copy);
  }

  #log(route: Element): void {
    for (const link of this.#site.routers) link.copy(route);
  }
}

/** A `bind` or `unbind` comes back without its name, and with what else it had. */
function answerTo(element: Element, error: string | null): Element {
  const answer = element.clone();
  answer.removeAttribute('name');
  if (error !== null) answer.setAttribute('error', error);
  return answer;
}
