import { Element, following } from '../xml/element.js';
import { Text } from '../xml/text.js';
import { Bucket, type Candidate, type Gathering } from './bucket.js';
import { frequency, type Condition, type Cover, type WantedName } from './condition.js';
import { NameTable } from './name-table.js';
import { ValueIndex } from './value-index.js';

/** The filters that ask for an element of one name. */
class ElementKeys<T extends Candidate> {
  readonly present = new Bucket<T>();
  /** Asked of the text of such an element. */
  readonly text = new ValueIndex<T>();
}

/** The filters that ask for an attribute of one name, at the stanza itself or anywhere. */
class AttributeKeys<T extends Candidate> {
  readonly root = new ValueIndex<T>();
  readonly any = new ValueIndex<T>();
}

/**
 * Finds the filters that a stanza may match, without evaluating any. A filter is filed under conditions one of which
 * holds whenever it matches; so what the index leaves out cannot match, and what it finds is still evaluated.
 */
export class FilterIndex<T extends Candidate> {
  readonly #roots = new NameTable(() => new Bucket<T>());
  readonly #rootNamespaces = new Map<string, Bucket<T>>();
  readonly #elements = new NameTable(() => new ElementKeys<T>());
  readonly #elementNamespaces = new Map<string, Bucket<T>>();
  readonly #attributes = new NameTable(() => new AttributeKeys<T>());
  /** How many conditions are about attributes that need not be the stanza's own. */
  #anyAttributes = 0;
  readonly #text = new ValueIndex<T>();
  /** Elements with elements inside whose text was searched, by what was searched for; empty between stanzas. */
  readonly #searched = new Map<ElementKeys<T>, Element>();
  readonly #contentNamespaces: readonly string[];

  constructor(contentNamespaces: readonly string[]) {
    this.#contentNamespaces = contentNamespaces;
  }

  /** How much a condition costs as a key: less when fewer stanzas fulfil it and fewer filters are filed under it. */
  cost(condition: Condition): number {
    return frequency(condition) * (1 + Math.log2(1 + this.#load(condition)));
  }

  add(cover: Cover, filter: T): void {
    for (const condition of cover) {
      if (condition.on === 'attribute') {
        const { root, any } = this.#attributes.getOrMake(condition.name);
        (condition.at === 'root' ? root : any).add(condition.test, filter);
        if (condition.at === 'any') this.#anyAttributes += 1;
      } else if (condition.on === 'text') {
        const { name, test } = condition;
        (name === null ? this.#text : this.#elements.getOrMake(name).text).add(test, filter);
      } else this.#named(condition).add(filter);
    }
  }

  /** Takes a filter out that is gone already. */
  remove(cover: Cover): void {
    for (const condition of cover) {
      if (condition.on === 'attribute') {
        const keys = this.#attributes.getOrMake(condition.name);
        (condition.at === 'root' ? keys.root : keys.any).remove(condition.test);
        if (condition.at === 'any') this.#anyAttributes -= 1;
        if (keys.root.isEmpty && keys.any.isEmpty) this.#attributes.delete(condition.name);
      } else if (condition.on === 'text') {
        const { name, test } = condition;
        (name === null ? this.#text : this.#elements.getOrMake(name).text).remove(test);
        if (name !== null) this.#dropElement(name);
      } else {
        const bucket = this.#named(condition);
        bucket.remove();
        if (bucket.size === 0) this.#dropName(condition.on, condition.name);
      }
    }
  }

  /** Makes candidates of the filters that the stanza may match. */
  gather(stanza: Element, into: Gathering<T>): void {
    const { localName, namespaceURI } = stanza.qname;
    const roots = this.#roots.find(localName);
    if (roots !== undefined) {
      for (const { namespaceURI: wanted, value } of roots) if (this.#fits(namespaceURI, wanted)) value.gather(into);
    }
    if (namespaceURI !== null) this.#rootNamespaces.get(namespaceURI)?.gather(into);
    if (!this.#attributes.isEmpty) this.#gatherAttributes(stanza, true, into);
    if (!this.#elements.isEmpty || this.#elementNamespaces.size > 0 || this.#anyAttributes > 0) {
      this.#gatherElements(stanza, into);
    }
    if (this.#text.hasParts) this.#text.gatherParts(textOf(stanza), into);
  }

  #gatherAttributes(element: Element, isRoot: boolean, into: Gathering<T>): void {
    for (let attr = element.firstAttribute; attr !== null; attr = attr.nextAttribute) {
      const found = this.#attributes.find(attr.qname.localName);
      if (found === undefined) continue;
      for (const { namespaceURI, value } of found) {
        if (!this.#fits(attr.qname.namespaceURI, namespaceURI)) continue;
        if (isRoot) value.root.gather(attr.value, into);
        value.any.gather(attr.value, into);
      }
    }
  }

  #gatherElements(stanza: Element, into: Gathering<T>): void {
    const withAttributes = this.#anyAttributes > 0;
    for (let node: Element | Text | null = stanza; node !== null; node = following(node, stanza)) {
      if (!(node instanceof Element)) continue;
      const { localName, namespaceURI } = node.qname;
      const found = this.#elements.find(localName);
      if (found !== undefined) {
        for (const { namespaceURI: wanted, value } of found) {
          if (!this.#fits(namespaceURI, wanted)) continue;
          value.present.gather(into);
          if (!value.text.isEmpty) gatherText(node, value, this.#searched, into);
        }
      }
      if (namespaceURI !== null && this.#elementNamespaces.size > 0) {
        this.#elementNamespaces.get(namespaceURI)?.gather(into);
      }
      if (withAttributes && node !== stanza) this.#gatherAttributes(node, false, into);
    }
    if (this.#searched.size > 0) this.#searched.clear();
  }

  /** Whether a namespace is the one asked for. */
  #fits(actual: string | null, wanted: string | null | undefined): boolean {
    if (wanted === undefined || actual === wanted) return true;
    return wanted === null && actual !== null && this.#contentNamespaces.includes(actual);
  }

  /** The bucket of a condition that asks for a name only. */
  #named({ on, name }: Condition & { on: 'root' | 'element' }): Bucket<T> {
    if (name.localName !== null) {
      return on === 'root' ? this.#roots.getOrMake(name) : this.#elements.getOrMake(name).present;
    }
    const namespaces = on === 'root' ? this.#rootNamespaces : this.#elementNamespaces;
    const uri = name.namespaceURI as string;
    let bucket = namespaces.get(uri);
    if (bucket === undefined) namespaces.set(uri, (bucket = new Bucket()));
    return bucket;
  }

  #dropName(on: 'root' | 'element', name: WantedName): void {
    if (name.localName === null) {
      (on === 'root' ? this.#rootNamespaces : this.#elementNamespaces).delete(name.namespaceURI as string);
    } else if (on === 'root') this.#roots.delete(name);
    else this.#dropElement(name);
  }

  #dropElement(name: WantedName): void {
    const keys = this.#elements.get(name);
    if (keys !== undefined && keys.present.size === 0 && keys.text.isEmpty) this.#elements.delete(name);
  }

  #load(condition: Condition): number {
    switch (condition.on) {
      case 'attribute': {
        const keys = this.#attributes.get(condition.name);
        return keys === undefined ? 0 : (condition.at === 'root' ? keys.root : keys.any).load(condition.test);
      }
      case 'text': {
        const keys = condition.name === null ? this.#text : this.#elements.get(condition.name)?.text;
        return keys?.load(condition.test) ?? 0;
      }
      case 'root':
      case 'element': {
        const { on, name } = condition;
        if (name.localName === null) {
          const namespaces = on === 'root' ? this.#rootNamespaces : this.#elementNamespaces;
          return namespaces.get(name.namespaceURI as string)?.size ?? 0;
        }
        return (on === 'root' ? this.#roots.get(name) : this.#elements.get(name)?.present)?.size ?? 0;
      }
    }
  }
}

/**
 * Looks the text of an element up. What is inside an element that was searched is not searched again, unless it is a
 * single text: so a stanza is searched at most twice for each name, however deeply its elements lie in one another.
 */
function gatherText<T extends Candidate>(
  element: Element,
  keys: ElementKeys<T>,
  searched: Map<ElementKeys<T>, Element>,
  into: Gathering<T>,
): void {
  const { firstChild } = element;
  if (firstChild === null || (firstChild === element.lastChild && firstChild instanceof Text)) {
    keys.text.gather(firstChild === null ? '' : firstChild.data, into);
    return;
  }
  if (keys.text.hasEqual) {
    const text = textOf(element, keys.text.longestEqual);
    if (text.length <= keys.text.longestEqual) keys.text.gatherEqual(text, into);
  }
  if (!keys.text.hasParts) return;
  const last = searched.get(keys);
  if (last !== undefined && isInside(element, last)) return;
  searched.set(keys, element);
  keys.text.gatherParts(textOf(element), into);
}

function isInside(element: Element, outer: Element): boolean {
  for (let at = element.parentElement; at !== null; at = at.parentElement) if (at === outer) return true;
  return false;
}

/** The text below an element; when it is longer than `most`, perhaps only the beginning, but more than `most`. */
function textOf(element: Element, most = Infinity): string {
  let text = '';
  for (let node: Element | Text | null = element.firstChild; node !== null; node = following(node, element)) {
    if (!(node instanceof Text)) continue;
    text += node.data;
    if (text.length > most) break;
  }
  return text;
}
