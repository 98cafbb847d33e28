// The domain that publishes, and the nodes of accounts: XEP-0060, XEP-0163.
import type { JID } from '../../jid/jid.js';
import { reply } from '../../stanza/replies.js';
import { StanzaError } from '../../stanza/stanza-error.js';
import { xml } from '../../xml/builder.js';
import type { Element } from '../../xml/element.js';
import { NS } from '../../xml/namespaces.js';
import { jidOf } from '../stanza.js';
import type { DomainLink, Host } from './host.js';
import { PubSubNodes } from './pubsub.js';
import { refusal } from './refusal.js';

const FEATURES = ['create-nodes', 'delete-nodes', 'instant-nodes', 'item-ids', 'persistent-items', 'publish']
  .concat('purge-nodes', 'retract-items', 'retrieve-items', 'retrieve-subscriptions', 'subscribe')
  .map((name) => `${NS.PUBSUB}#${name}`);

/** The request in an iq that is about nodes, or null. */
function pubsubOf(request: Element): Element | null {
  return request.getChild('pubsub', NS.PUBSUB) ?? request.getChild('pubsub', NS.PUBSUB_OWNER);
}

/** A domain where everybody may make nodes. */
export class PubSubService implements DomainLink {
  readonly #nodes: PubSubNodes;

  constructor(
    readonly domain: string,
    private readonly host: Host,
  ) {
    const always = () => true;
    this.#nodes = new PubSubNodes({
      address: domain,
      send: (stanza) => host.route(stanza),
      mayCreate: always,
      mayRead: always,
      createsOnPublish: false,
      audience: () => [],
    });
  }

  deliver(stanza: Element): void {
    const from = jidOf(stanza.getAttribute('from'));
    const type = stanza.getAttribute('type');
    // What cannot be delivered comes back, and is not answered.
    if (from === null || stanza.localName === 'presence' || type === 'error' || type === 'result') return;
    const refused = refusal(stanza, () => this.#ask(stanza, from));
    if (refused !== null) this.host.route(refused);
  }

  #ask(request: Element, from: JID): void {
    const pubsub = pubsubOf(request);
    const query = request.firstElementChild;
    const isGet = request.getAttribute('type') === 'get';
    if (request.localName !== 'iq' || query === null) throw new StanzaError('service-unavailable');
    if (pubsub !== null) this.#nodes.ask(request, pubsub, from);
    else if (isGet && query.is('ping', NS.PING)) this.host.route(reply(request));
    else if (isGet && query.is('query', NS.DISCO_INFO)) this.#info(request, query.getAttribute('node'));
    else if (isGet && query.is('query', NS.DISCO_ITEMS)) this.#items(request, query.getAttribute('node'));
    else throw new StanzaError('service-unavailable');
  }

  #info(request: Element, node: string | null): void {
    if (node !== null) this.#nodes.node(node);
    const type = node === null ? 'service' : 'leaf';
    const features = [NS.DISCO_INFO, NS.DISCO_ITEMS, NS.PUBSUB, ...FEATURES];
    const identity = xml('identity', { category: 'pubsub', type });
    const told = features.map((name) => xml('feature', { var: name }));
    this.host.route(reply(request, xml('query', { xmlns: NS.DISCO_INFO, node }, identity, told)));
  }

  #items(request: Element, node: string | null): void {
    const items =
      node === null
        ? this.#nodes.names.map((name) => xml('item', { jid: this.domain, node: name }))
        : [...this.#nodes.node(node).items.keys()].map((name) => xml('item', { jid: this.domain, name }));
    this.host.route(reply(request, xml('query', { xmlns: NS.DISCO_ITEMS, node }, items)));
  }
}

/** What accounts publish of themselves. */
export class PersonalNodes {
  readonly #accounts = new Map<string, PubSubNodes>();

  /** @param mayRead whether somebody sees the account's presence */
  constructor(
    private readonly host: Host,
    private readonly mayRead: (account: string, jid: JID) => boolean,
  ) {}

  /** Deals with a request about the nodes of an account. @returns whether it was one */
  ask(request: Element, to: JID): boolean {
    const pubsub = pubsubOf(request);
    const from = jidOf(request.getAttribute('from'));
    if (pubsub === null || from === null || to.local === null || !this.host.hasAccount(to.local)) return false;
    const nodes = this.#of(to.local, to.bare());
    const refused = refusal(request, () => nodes.ask(request, pubsub, from));
    if (refused !== null) this.host.route(refused);
    return true;
  }

  forget(account: string): void {
    this.#accounts.delete(account);
  }

  #of(account: string, own: JID): PubSubNodes {
    const known = this.#accounts.get(account);
    if (known !== undefined) return known;
    const isOwn = (from: JID) => from.bare().equals(own);
    const nodes = new PubSubNodes({
      address: own.toString(),
      send: (stanza) => this.host.route(stanza),
      mayCreate: isOwn,
      mayRead: (from) => isOwn(from) || this.mayRead(account, from),
      createsOnPublish: true,
      audience: () => {
        const available = this.host.resources(account).filter(({ priority }) => priority !== null);
        return available.map(({ jid }) => jid.toString());
      },
    });
    this.#accounts.set(account, nodes);
    return nodes;
  }
}
