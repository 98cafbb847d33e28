// A component that acts for a server's users: XEP-0356.
import { method } from '../arguments/checks.js';
import { readOptions, type OptionTable } from '../arguments/options.js';
import { isA, kindOf } from '../arguments/values.js';
import { BrokerError, usageError } from '../errors.js';
import { JID } from '../jid/jid.js';
import type { Ticket } from '../queue/ticket.js';
import { inClientNamespace } from '../stanza/client-namespace.js';
import { newId } from '../stanza/id.js';
import { StanzaError } from '../stanza/stanza-error.js';
import { xml } from '../xml/builder.js';
import { Element } from '../xml/element.js';
import { NS } from '../xml/namespaces.js';
import { forwarded, forwardedIn } from './forwarded.js';
import { permits, privilegeNamespace, readGrants, type Grants } from './grants.js';
import type { PrivilegedBroker } from './privileged-broker.js';
import { Servers, servers } from './servers.js';

/** Options of {@link Privileges}. */
export interface PrivilegesOptions {
  /**
   * Domains whose announcements are believed. Default: the component's name without its first label. On some servers
   * users and remote servers can send a component what looks like an announcement.
   */
  servers?: readonly string[] | undefined;
  /** Told of each change: what a server grants now, or null when the link is gone and nothing is granted any more. Default none. */
  onGrants?: ((server: string, grants: Grants | null) => unknown) | undefined;
}

/** Options of one request in a user's name. */
export interface PrivilegedRequestOptions {
  /** Milliseconds until it fails, counted from the call. Default `timeouts.request`. */
  timeout?: number | undefined;
  /** Gives up waiting. Default none. */
  signal?: AbortSignal | undefined;
}

const OPTIONS: OptionTable<PrivilegesOptions> = { checks: { servers, onGrants: method } };

/**
 * What a server lets a component do for its users (XEP-0356): read and change rosters, send messages and requests in
 * their name. Made for a broker with a component dialect, before it connects: servers tell what they grant right behind
 * the handshake, and anew on each connection.
 *
 * Nothing is sent that was not granted. Both versions of the protocol are spoken, each with the server that uses it.
 */
export class Privileges {
  readonly #broker: PrivilegedBroker;
  readonly #servers: Servers;
  readonly #onGrants: PrivilegesOptions['onGrants'];
  readonly #grants = new Map<string, Grants>();

  /** @throws BrokerError `USAGE_PRIVILEGE` */
  constructor(broker: PrivilegedBroker, options: PrivilegesOptions = {}) {
    const { servers, onGrants } = readOptions('USAGE_PRIVILEGE', 'new Privileges()', options, OPTIONS);
    this.#broker = broker;
    this.#servers = new Servers(servers, broker.config.domain);
    this.#onGrants = onGrants;
    // What `onGrants` returns is handed on, so that a promise that rejects is told as an error of a handler.
    broker.subscribe('PCJ_NODERECEIVED', (stanza) => this.#onStanza(stanza));
    broker.subscribe('PCJ_SOCKETDISCONNECT', () => this.#onDisconnect());
  }

  /** What a server grants on this link; null before it has said so, and while there is no link. */
  grants(server: string): Grants | null {
    return this.#grants.get(JID.parse(server).domain) ?? null;
  }

  /**
   * Asks for the roster of a user (XEP-0356 §4.3).
   * @param user a bare address of a server that grants it
   * @returns a promise of the `<query/>` with the items. Rejects with a BrokerError: `PRIVILEGE_UNKNOWN`,
   * `PRIVILEGE_NOT_GRANTED`, `USAGE_PRIVILEGE`, and as `Broker.request`
   */
  async roster(user: string, options: PrivilegedRequestOptions = {}): Promise<Element> {
    const address = bareAddress(user, 'roster()');
    this.#check(address, 'read rosters', (grants) => permits(grants.roster, 'get'));
    const query = xml('query', { xmlns: NS.IQ_ROSTER });
    const answer = await this.#broker.request(this.#rosterRequest('get', address, query), options);
    return answer.getChild('query', NS.IQ_ROSTER) ?? query;
  }

  /**
   * Adds, changes or removes one item of a user's roster (XEP-0356 §4.3).
   * @param item an `<item/>` as RFC 6121 §2.3 and §2.5 have it
   * @returns a promise that rejects as that of {@link roster}
   */
  async setRoster(user: string, item: Element, options: PrivilegedRequestOptions = {}): Promise<void> {
    const address = bareAddress(user, 'setRoster()');
    if (!isA(item, Element) || item.localName !== 'item') {
      throw usageError('USAGE_PRIVILEGE', `setRoster() takes an <item/>, not ${described(item)}`);
    }
    this.#check(address, 'change rosters', (grants) => permits(grants.roster, 'set'));
    const query = xml('query', { xmlns: NS.IQ_ROSTER }, item);
    await this.#broker.request(this.#rosterRequest('set', address, query), options);
  }

  /**
   * Sends a message in the name of a user, or of the server (XEP-0356 §5). A server that takes it says nothing.
   * @param message its `from` is a bare address of the server, or the server itself
   * @throws BrokerError `PRIVILEGE_UNKNOWN`, `PRIVILEGE_NOT_GRANTED`, `USAGE_PRIVILEGE`, and as `Broker.output`
   */
  send(message: Element): Ticket {
    if (!isA(message, Element) || message.localName !== 'message') {
      throw usageError('USAGE_PRIVILEGE', `send() takes a <message/>, not ${described(message)}`);
    }
    const from = bareAddress(message.getAttribute('from'), "the 'from' of a message for send()");
    const grants = this.#check(from, 'send messages in the name of its users', ({ message: granted }) => granted);
    const inner = forwarded(inClientNamespace(message));
    const wrapper = xml('privilege', { xmlns: privilegeNamespace(grants) }, inner);
    const { domain } = this.#broker.config;
    return this.#broker.output(xml('message', { from: domain, to: from.domain, id: newId() }, wrapper));
  }

  /**
   * Sends a request in the name of a user (XEP-0356 §6.3).
   * @param user a bare address of a server that grants it
   * @param iq of type get or set, to whom the request is for; its `from` is left out or the user
   * @returns a promise of the answer that the user would have got. Rejects with a StanzaError when that is an error, else
   * as that of {@link roster}
   */
  async request(user: string, iq: Element, options: PrivilegedRequestOptions = {}): Promise<Element> {
    const address = bareAddress(user, 'request()');
    const type = isA(iq, Element) && iq.localName === 'iq' ? iq.getAttribute('type') : null;
    const payload = type === 'get' || type === 'set' ? iq.firstElementChild : null;
    if (payload === null) {
      throw usageError(
        'USAGE_PRIVILEGE',
        `request() takes an <iq/> of type get or set with a payload, not ${described(iq)}`,
      );
    }
    const from = iq.getAttribute('from');
    if (from !== null && !JID.equivalent(from, address.toString())) {
      throw usageError(
        'USAGE_PRIVILEGE',
        `the 'from' of a request in the name of ${address.toString()} is that address, or left out`,
      );
    }
    const namespace = payload.namespaceURI ?? '';
    const grants = this.#check(address, `send requests of type ${type ?? ''} and namespace ${namespace}`, (granted) =>
      permits(granted.iq.get(namespace), type as 'get' | 'set'),
    );
    const inner = inClientNamespace(iq);
    if ((inner.getAttribute('id') ?? '') === '') inner.setAttribute('id', newId());
    const outer = xml(
      'iq',
      { type, id: newId(), from: this.#broker.config.domain, to: address.toString() },
      xml('privileged_iq', { xmlns: privilegeNamespace(grants) }, inner),
    );
    const answer = await this.#broker.request(outer, options);
    const found = forwardedIn(answer.getChild('privilege', privilegeNamespace(grants)), 'iq');
    if (found === null || found.getAttribute('id') !== inner.getAttribute('id')) {
      throw new BrokerError(
        'PRIVILEGE_BAD_ANSWER',
        `${address.domain} answered a request in a user's name without the answer to it`,
        {
          layer: 'stanza',
          origin: 'peer',
          sent: 'acked',
        },
      );
    }
    if (found.getAttribute('type') === 'error') throw new StanzaError(found);
    return found;
  }

  #rosterRequest(type: 'get' | 'set', user: JID, query: Element): Element {
    return xml('iq', { type, id: newId(), from: this.#broker.config.domain, to: user.toString() }, query);
  }

  #check({ domain }: JID, what: string, granted: (grants: Grants) => boolean): Grants {
    const grants = this.#grants.get(domain);
    if (grants === undefined) {
      throw new BrokerError(
        'PRIVILEGE_UNKNOWN',
        `${domain} has not said what this component may do; is it privileged there, is the broker ready, and is the domain among Privileges({ servers })?`,
        { layer: 'stanza', sent: 'no', retryable: this.#broker.state !== 'ready' },
      );
    }
    if (granted(grants)) return grants;
    throw new BrokerError(
      'PRIVILEGE_NOT_GRANTED',
      `${domain} does not let this component ${what}; the server's configuration has to grant it`,
      { layer: 'stanza', sent: 'no' },
    );
  }

  #onStanza(stanza: Element): unknown {
    if (stanza.localName !== 'message' || stanza.getAttribute('type') === 'error') return undefined;
    const grants = readGrants(stanza);
    const server = grants === null ? null : this.#servers.sender(stanza);
    if (grants === null || server === null) return undefined;
    this.#grants.set(server, grants);
    return this.#onGrants?.(server, grants);
  }

  #onDisconnect(): Promise<unknown> {
    const servers = [...this.#grants.keys()];
    this.#grants.clear();
    const told = servers.map(async (server) => {
      await this.#onGrants?.(server, null);
    });
    return Promise.all(told);
  }
}

/** @throws BrokerError `USAGE_PRIVILEGE` */
function bareAddress(address: unknown, what: string): JID {
  try {
    const jid = JID.parse(address as string);
    if (jid.resource === null) return jid;
  } catch {
    // told below
  }
  throw usageError('USAGE_PRIVILEGE', `${what} must be a bare address such as juliet@example.org`);
}

function described(value: unknown): string {
  return isA(value, Element) ? `<${value.localName}/> of type ${value.getAttribute('type') ?? 'none'}` : kindOf(value);
}
