// One node: its items and who wants to hear of it: XEP-0060.
import { StanzaError } from '../../stanza/stanza-error.js';
import { xml } from '../../xml/builder.js';
import type { Element } from '../../xml/element.js';
import { NS } from '../../xml/namespaces.js';

/** Most items of a node; the oldest go. */
const ITEMS_LIMIT = 100;
const SUBSCRIBERS_LIMIT = 1000;

export class PubSubNode {
  /** By id, oldest first. */
  readonly items = new Map<string, Element>();
  readonly subscribers = new Set<string>();

  /** @param owner bare address of who made it */
  constructor(
    readonly name: string,
    readonly owner: string,
  ) {}

  publish(id: string, payload: Element | null): void {
    // What is published again is the newest.
    this.items.delete(id);
    this.items.set(id, xml('item', { xmlns: NS.PUBSUB, id }, payload));
    for (const oldest of this.items.keys()) {
      if (this.items.size <= ITEMS_LIMIT) break;
      this.items.delete(oldest);
    }
  }

  /** @throws StanzaError `item-not-found` */
  retract(id: string): void {
    if (!this.items.delete(id)) throw new StanzaError('item-not-found');
  }

  /** The newest so many items, or those with these ids; oldest first. */
  wanted(ids: readonly string[], most: number | null): Element[] {
    const all = [...this.items.values()];
    if (ids.length > 0) return all.filter((item) => ids.includes(item.getAttribute('id') as string));
    return most === null ? all : most === 0 ? [] : all.slice(-most);
  }

  /** @throws StanzaError `resource-constraint` */
  subscribe(jid: string): void {
    if (!this.subscribers.has(jid) && this.subscribers.size >= SUBSCRIBERS_LIMIT)
      throw new StanzaError('resource-constraint');
    this.subscribers.add(jid);
  }
}
