import { Element, following, type Node } from '../../xml/element.js';
import { Text } from '../../xml/text.js';
import { Bucket, Buckets, type Candidate, type Candidates } from './bucket.js';
import { frequency, type Condition, type Keys } from './condition.js';
import { NameTable } from './name-table.js';
import { ElementTexts } from './element-texts.js';
import { ValueIndex } from './value-index.js';

/** After so many nodes a walk through a stanza leaves the turn of the event loop to others. */
const NODES_PER_TURN = 2_500;

/** The filters that ask for an element of one name: at the stanza itself, anywhere, with some text. */
class ElementKeys<T extends Candidate> {
  root: Bucket<T> | null = null;
  any: Bucket<T> | null = null;
  text: ValueIndex<T> | null = null;

  get isEmpty(): boolean {
    return this.root === null && this.any === null && this.text === null;
  }
}

/** The filters that ask for an attribute of one name: at the stanza itself, or anywhere. */
class AttributeKeys<T extends Candidate> {
  root: ValueIndex<T> | null = null;
  any: ValueIndex<T> | null = null;

  get isEmpty(): boolean {
    return this.root === null && this.any === null;
  }
}

/**
 * Finds the filters that a stanza may match, without evaluating any. A filter is filed under conditions one of which
 * holds whenever it matches; so what the index leaves out cannot match, and what it finds is still evaluated.
 */
export class FilterIndex<T extends Candidate> {
  readonly #elements: NameTable<ElementKeys<T>>;
  readonly #attributes: NameTable<AttributeKeys<T>>;
  /** Filters that ask for an element in a namespace, of whatever name: the stanza itself, or any. */
  readonly #namespaces = { root: new Buckets<T>(), element: new Buckets<T>() };
  /** Asked of the text of the whole stanza. */
  readonly #text = new ValueIndex<T>();
  /** How many conditions are about elements below the stanza, and about their attributes. */
  #below = { elements: 0, attributes: 0 };
  readonly #openTexts = new ElementTexts<T>();

  constructor(contentNamespaces: readonly string[]) {
    this.#elements = new NameTable(() => new ElementKeys(), contentNamespaces);
    this.#attributes = new NameTable(() => new AttributeKeys(), contentNamespaces);
  }

  /** How much a condition costs as a key: less when fewer stanzas fulfil it and fewer filters are filed under it. */
  cost(condition: Condition): number {
    return frequency(condition) * (1 + Math.log2(1 + this.load(condition)));
  }

  /** How many filters are filed under a condition. */
  load(condition: Condition): number {
    const { on, name } = condition;
    if (on === 'attribute') return this.#attributes.get(name)?.[condition.at]?.load(condition.test) ?? 0;
    if (on === 'text') {
      const table = name === null ? this.#text : this.#elements.get(name)?.text;
      return table?.load(condition.test) ?? 0;
    }
    if (name.localName === null) return this.#namespaces[on].load(name.namespaceURI as string);
    return this.#elements.get(name)?.[on === 'root' ? 'root' : 'any']?.size ?? 0;
  }

  add(keys: Keys, filter: T): void {
    for (const condition of keys) {
      const { on, name } = condition;
      this.#count(condition, 1);
      if (on === 'attribute') {
        const table = this.#attributes.getOrMake(name);
        (table[condition.at] ??= new ValueIndex()).add(condition.test, filter);
      } else if (on === 'text') {
        const table = name === null ? this.#text : (this.#elements.getOrMake(name).text ??= new ValueIndex());
        table.add(condition.test, filter);
      } else if (name.localName === null) this.#namespaces[on].add(name.namespaceURI as string, filter);
      else {
        const table = this.#elements.getOrMake(name);
        const place = on === 'root' ? 'root' : 'any';
        const bucket = table[place];
        if (bucket === null) table[place] = new Bucket(filter);
        else bucket.add(filter);
      }
    }
  }

  /** Takes a filter out that is gone already. */
  remove(keys: Keys): void {
    for (const condition of keys) {
      const { on, name } = condition;
      this.#count(condition, -1);
      if (on === 'attribute') {
        const table = this.#attributes.getOrMake(name);
        table[condition.at] = without(table[condition.at], condition);
        if (table.isEmpty) this.#attributes.delete(name);
      } else if (on === 'text') {
        if (name === null) this.#text.remove(condition.test);
        else {
          const table = this.#elements.getOrMake(name);
          table.text = without(table.text, condition);
          if (table.isEmpty) this.#elements.delete(name);
        }
      } else if (name.localName === null) this.#namespaces[on].remove(name.namespaceURI as string);
      else {
        const table = this.#elements.getOrMake(name);
        const place = on === 'root' ? 'root' : 'any';
        table[place]?.remove();
        if (table[place]?.size === 0) table[place] = null;
        if (table.isEmpty) this.#elements.delete(name);
      }
    }
  }

  /**
   * Makes candidates of the filters that the stanza may match.
   * @param from where it goes on; null: it begins
   * @returns where it has to go on in another turn of the event loop; null: it is done
   */
  gather(stanza: Element, into: Candidates<T>, from: Node | null = null): Node | null {
    if (from === null) {
      // The last walk lost its way: between two turns its filters were removed, or the stanza was changed.
      if (!this.#openTexts.isEmpty) this.#openTexts.forget();
      this.#gatherElement(stanza, true, into);
      if (!this.#attributes.isEmpty) this.#gatherAttributes(stanza, true, into);
    }
    if (this.#below.elements > 0 || this.#below.attributes > 0) {
      const next = this.#gatherBelow(stanza, from ?? stanza.firstChild, into);
      if (next !== null) return next;
    }
    if (this.#text.hasParts) this.#text.gatherParts(textOf(stanza), into);
    return null;
  }

  /** @returns the node at which it stopped because there are so many */
  #gatherBelow(stanza: Element, from: Node | null, into: Candidates<T>): Node | null {
    const { elements, attributes } = this.#below;
    const texts = this.#openTexts;
    let node = from;
    for (let left = NODES_PER_TURN; node !== null; left -= 1) {
      if (left === 0) return node;
      if (node instanceof Element) {
        if (elements > 0) this.#gatherElement(node, false, into);
        if (attributes > 0) this.#gatherAttributes(node, false, into);
        if (node.firstChild !== null) {
          node = node.firstChild;
          continue;
        }
      } else if (!texts.isEmpty) texts.text(node.data);
      let last: Node = node;
      while (last.nextSibling === null) {
        const { parentElement } = last;
        if (parentElement === null) return null;
        if (!texts.isEmpty) texts.leave(parentElement, into);
        if (parentElement === stanza) return null;
        last = parentElement;
      }
      node = last.nextSibling;
    }
    return null;
  }

  #gatherElement(element: Element, isRoot: boolean, into: Candidates<T>): void {
    const { qname } = element;
    for (const table of this.#elements.find(qname)) this.#gatherKeys(table, element, isRoot, into);
    const { namespaceURI } = qname;
    if (namespaceURI === null) return;
    const namespaces = this.#namespaces;
    if (!namespaces.element.isEmpty) namespaces.element.gather(namespaceURI, into);
    if (isRoot && !namespaces.root.isEmpty) namespaces.root.gather(namespaceURI, into);
  }

  #gatherKeys({ root, any, text }: ElementKeys<T>, element: Element, isRoot: boolean, into: Candidates<T>): void {
    if (isRoot) root?.gather(into);
    any?.gather(into);
    if (text !== null) this.#openTexts.enter(element, text, into);
  }

  #gatherAttributes(element: Element, isRoot: boolean, into: Candidates<T>): void {
    for (let attr = element.firstAttribute; attr !== null; attr = attr.nextAttribute) {
      for (const { root, any } of this.#attributes.find(attr.qname)) {
        if (isRoot) root?.gather(attr.value, into);
        any?.gather(attr.value, into);
      }
    }
  }

  #count(condition: Condition, change: 1 | -1): void {
    if (condition.on === 'attribute' && condition.at === 'any') this.#below.attributes += change;
    if (condition.on === 'element' || (condition.on === 'text' && condition.name !== null)) {
      this.#below.elements += change;
    }
  }
}

/** The index without one of the filters that have that condition; null when none is left. */
function without<T extends Candidate>(
  table: ValueIndex<T> | null,
  { test }: Condition & { on: 'attribute' | 'text' },
): ValueIndex<T> | null {
  table?.remove(test);
  return table?.isEmpty === true ? null : table;
}

function textOf(element: Element): string {
  let text = '';
  for (let node: Node | null = element.firstChild; node !== null; node = following(node, element)) {
    if (node instanceof Text) text += node.data;
  }
  return text;
}
