// Publishing and subscribing: XEP-0060; at accounts XEP-0163, without what depends on capabilities.
import type { JID } from '../../jid/jid.js';
import { newId } from '../../stanza/id.js';
import { reply } from '../../stanza/replies.js';
import { StanzaError } from '../../stanza/stanza-error.js';
import { xml, type XmlChild } from '../../xml/builder.js';
import type { Element } from '../../xml/element.js';
import { NS } from '../../xml/namespaces.js';
import { jidOf } from '../stanza.js';
import { isTrue } from './data-form.js';
import { PubSubNode } from './pubsub-node.js';

/** Most nodes at one address. */
const NODES_LIMIT = 1000;

/** What differs between a service and an account. */
export interface PubSubOwner {
  /** Who publishes: the domain of the service, or the account. */
  readonly address: string;
  send(stanza: Element): void;
  /** Whether somebody may make nodes here. */
  mayCreate(from: JID): boolean;
  /** Whether somebody may read and subscribe. */
  mayRead(from: JID): boolean;
  /** Whether nodes come into being when something is published (XEP-0163 §3). */
  readonly createsOnPublish: boolean;
  /** Who hears of everything, beside those who have subscribed. */
  audience(): readonly string[];
}

/** The nodes at one address. Errors are thrown as `StanzaError`. */
export class PubSubNodes {
  readonly #nodes = new Map<string, PubSubNode>();

  constructor(private readonly owner: PubSubOwner) {}

  get names(): string[] {
    return [...this.#nodes.keys()];
  }

  /** @throws StanzaError `item-not-found` */
  node(name: string | null): PubSubNode {
    const node = this.#nodes.get(name ?? '');
    if (node !== undefined) return node;
    throw new StanzaError('item-not-found');
  }

  /** Deals with a request of `pubsub` or `pubsub#owner`. */
  ask(request: Element, pubsub: Element, from: JID): void {
    const isSet = request.getAttribute('type') === 'set';
    const [action] = pubsub.children;
    if (action === undefined) throw new StanzaError('bad-request');
    if (pubsub.namespaceURI === NS.PUBSUB_OWNER) {
      this.#administer(request, action, isSet, from);
      return;
    }
    const kind = `${isSet ? 'set' : 'get'} ${action.localName}`;
    switch (kind) {
      case 'set create':
        this.#create(request, action, from);
        return;
      case 'set publish':
        this.#publish(request, action, from);
        return;
      case 'set retract':
        this.#retract(request, action, from);
        return;
      case 'get items':
        this.#items(request, action, from);
        return;
      case 'set subscribe':
      case 'set unsubscribe':
        this.#subscription(request, action, from);
        return;
      case 'get subscriptions':
        this.#subscriptions(request, action, from);
        return;
      default:
        throw new StanzaError('feature-not-implemented');
    }
  }

  #create(request: Element, action: Element, from: JID): void {
    const given = action.getAttribute('node');
    const node = this.#add(given ?? newId(), from);
    const told = given === null ? pubsub(xml('create', { node: node.name })) : null;
    this.owner.send(reply(request, told));
  }

  /** @throws StanzaError `forbidden`, `conflict`, `resource-constraint` */
  #add(name: string, from: JID): PubSubNode {
    if (!this.owner.mayCreate(from)) throw new StanzaError('forbidden');
    if (name === '') throw new StanzaError('bad-request');
    if (this.#nodes.has(name)) throw new StanzaError('conflict');
    if (this.#nodes.size >= NODES_LIMIT) throw new StanzaError('resource-constraint');
    const node = new PubSubNode(name, from.bare().toString());
    this.#nodes.set(name, node);
    return node;
  }

  #publish(request: Element, action: Element, from: JID): void {
    const name = action.getAttribute('node') ?? '';
    const missing = !this.#nodes.has(name) && this.owner.createsOnPublish;
    const node = missing ? this.#add(name, from) : this.#owned(name, from);
    const [item, more] = action.getChildren('item');
    if (more !== undefined) throw new StanzaError('bad-request');
    const id = item?.getAttribute('id') ?? newId();
    node.publish(id, item?.firstElementChild?.clone() ?? null);
    this.owner.send(reply(request, pubsub(xml('publish', { node: name }, xml('item', { id })))));
    this.#notify(node, xml('items', { node: name }, eventItem(node.items.get(id), id)));
  }

  #retract(request: Element, action: Element, from: JID): void {
    const node = this.#owned(action.getAttribute('node'), from);
    const id = action.getChild('item')?.getAttribute('id');
    if (id == null) throw new StanzaError('bad-request');
    node.retract(id);
    this.owner.send(reply(request));
    if (isTrue(action.getAttribute('notify') ?? '')) {
      this.#notify(node, xml('items', { node: node.name }, xml('retract', { id })));
    }
  }

  #items(request: Element, action: Element, from: JID): void {
    const node = this.#readable(action.getAttribute('node'), from);
    const ids = action.getChildren('item').map((item) => item.getAttribute('id') ?? '');
    const most = action.getAttribute('max_items') ?? '';
    const items = node.wanted(ids, /^\d{1,9}$/.test(most) ? Number(most) : null);
    this.owner.send(
      reply(
        request,
        pubsub(
          xml(
            'items',
            { node: node.name },
            items.map((item) => item.clone()),
          ),
        ),
      ),
    );
  }

  #subscription(request: Element, action: Element, from: JID): void {
    const jid = jidOf(action.getAttribute('jid'));
    // Nobody subscribes others (§6.1.3.1).
    if (jid?.bare().equals(from.bare()) !== true) throw new StanzaError('forbidden');
    const node = this.#readable(action.getAttribute('node'), from);
    const address = jid.toString();
    if (action.localName === 'subscribe') {
      node.subscribe(address);
      const told = xml('subscription', { node: node.name, jid: address, subscription: 'subscribed' });
      this.owner.send(reply(request, pubsub(told)));
    } else {
      if (!node.subscribers.delete(address)) throw new StanzaError('unexpected-request');
      this.owner.send(reply(request));
    }
  }

  #subscriptions(request: Element, action: Element, from: JID): void {
    const name = action.getAttribute('node');
    const nodes = name === null ? [...this.#nodes.values()] : [this.node(name)];
    const own = nodes.flatMap((node) =>
      [...node.subscribers]
        .filter((jid) => jidOf(jid)?.bare().equals(from.bare()))
        .map((jid) => xml('subscription', { node: node.name, jid, subscription: 'subscribed' })),
    );
    this.owner.send(reply(request, pubsub(xml('subscriptions', { node: name }, own))));
  }

  #administer(request: Element, action: Element, isSet: boolean, from: JID): void {
    const node = this.#owned(action.getAttribute('node'), from);
    if (!isSet || (action.localName !== 'delete' && action.localName !== 'purge')) {
      throw new StanzaError('feature-not-implemented');
    }
    if (action.localName === 'delete') this.#nodes.delete(node.name);
    else node.items.clear();
    this.owner.send(reply(request));
    this.#notify(node, xml(action.localName, { node: node.name }));
  }

  /** @throws StanzaError `item-not-found`, `forbidden` */
  #owned(name: string | null, from: JID): PubSubNode {
    const node = this.node(name);
    if (node.owner !== from.bare().toString()) throw new StanzaError('forbidden');
    return node;
  }

  #readable(name: string | null, from: JID): PubSubNode {
    if (!this.owner.mayRead(from)) throw new StanzaError('forbidden');
    return this.node(name);
  }

  #notify(node: PubSubNode, what: Element): void {
    for (const to of new Set([...node.subscribers, ...this.owner.audience()])) {
      const event = xml('event', { xmlns: NS.PUBSUB_EVENT }, what.clone());
      const head = { xmlns: NS.CLIENT, type: 'headline', from: this.owner.address, to, id: newId() };
      this.owner.send(xml('message', head, event));
    }
  }
}

function pubsub(...children: XmlChild[]): Element {
  return xml('pubsub', { xmlns: NS.PUBSUB }, ...children);
}

/** The item as notifications show it: in their namespace. */
function eventItem(item: Element | undefined, id: string): Element {
  return xml('item', { id }, item?.firstElementChild?.clone());
}
