import { Attr } from './attr.js';
import { Document } from './document.js';
import { NS } from './namespaces.js';
import { QName } from './qname.js';
import { Text } from './text.js';

/** What an element contains. */
export type Node = Element | Text;

const documents = new WeakMap<Element, Document>();
const childLists = new WeakMap<Element, readonly Node[]>();

/**
 * An XML element: the read side of the W3C DOM and a small write side. Siblings are a linked list, so building and
 * walking allocate nothing beside the nodes themselves.
 *
 * Deliberate differences from the DOM: `childNodes` and `attributes` are snapshots, and an element without a parent
 * is always the root of a {@link Document} of its own.
 */
export class Element {
  parentElement: Element | null = null;
  previousSibling: Node | null = null;
  nextSibling: Node | null = null;
  firstChild: Node | null = null;
  lastChild: Node | null = null;
  firstAttribute: Attr | null = null;

  /** Builders and the tokenizer only: user code calls `xml()` or `parse()`. */
  constructor(readonly qname: QName) {}

  get nodeType(): 1 {
    return 1;
  }
  get nodeName(): string {
    return this.qname.name;
  }
  get tagName(): string {
    return this.qname.name;
  }
  /** The qualified name as written; short for {@link nodeName}. */
  get name(): string {
    return this.qname.name;
  }
  get localName(): string {
    return this.qname.localName;
  }
  get prefix(): string | null {
    return this.qname.prefix;
  }
  get namespaceURI(): string | null {
    return this.qname.namespaceURI;
  }
  get nodeValue(): null {
    return null;
  }

  get parentNode(): Element | Document {
    return this.parentElement ?? documentOf(this);
  }

  get ownerDocument(): Document {
    let root: Element = this;
    while (root.parentElement !== null) root = root.parentElement;
    return documentOf(root);
  }

  /** The child nodes at this moment, in order. The array is shared until the children change: do not modify it. */
  get childNodes(): readonly Node[] {
    let list = childLists.get(this);
    if (list === undefined) {
      const nodes: Node[] = [];
      for (let child = this.firstChild; child !== null; child = child.nextSibling) nodes.push(child);
      list = nodes;
      childLists.set(this, list);
    }
    return list;
  }

  /** The child elements at this moment, in order. */
  get children(): Element[] {
    const found: Element[] = [];
    for (let child = this.firstChild; child !== null; child = child.nextSibling) {
      if (child instanceof Element) found.push(child);
    }
    return found;
  }

  get firstElementChild(): Element | null {
    let child = this.firstChild;
    while (child instanceof Text) child = child.nextSibling;
    return child;
  }

  /** The attributes at this moment, in document order, namespace declarations included. */
  get attributes(): Attributes {
    return new Attributes(this);
  }

  /** All text below this element, in document order. */
  get textContent(): string {
    const first = this.firstChild;
    if (first === null) return '';
    if (first === this.lastChild && first instanceof Text) return first.data;
    let text = '';
    for (const node of this.descendants()) if (node instanceof Text) text += node.data;
    return text;
  }

  hasChildNodes(): boolean {
    return this.firstChild !== null;
  }

  /** Every node below this one in document order, without recursion. The tree must not change meanwhile. */
  *descendants(): Generator<Node, void, undefined> {
    let node: Node | null = this.firstChild;
    while (node !== null) {
      yield node;
      node = following(node, this);
    }
  }

  /** Whether this element has that local name and that namespace; without a namespace any will do. */
  is(localName: string, namespaceURI?: string | null): boolean {
    return (
      (localName === '*' || this.qname.localName === localName) &&
      (namespaceURI === undefined || namespaceURI === '*' || this.qname.namespaceURI === (namespaceURI || null))
    );
  }

  getAttributeNode(name: string): Attr | null {
    let attr = this.firstAttribute;
    while (attr !== null && attr.qname.name !== name) attr = attr.nextAttribute;
    return attr;
  }

  getAttributeNodeNS(namespaceURI: string | null, localName: string): Attr | null {
    const wanted = namespaceURI || null;
    let attr = this.firstAttribute;
    while (attr !== null && (attr.qname.localName !== localName || attr.qname.namespaceURI !== wanted)) {
      attr = attr.nextAttribute;
    }
    return attr;
  }

  getAttribute(name: string): string | null {
    const attr = this.getAttributeNode(name);
    return attr === null ? null : attr.value;
  }

  getAttributeNS(namespaceURI: string | null, localName: string): string | null {
    const attr = this.getAttributeNodeNS(namespaceURI, localName);
    return attr === null ? null : attr.value;
  }

  hasAttribute(name: string): boolean {
    return this.getAttributeNode(name) !== null;
  }

  hasAttributeNS(namespaceURI: string | null, localName: string): boolean {
    return this.getAttributeNodeNS(namespaceURI, localName) !== null;
  }

  hasAttributes(): boolean {
    return this.firstAttribute !== null;
  }

  /** Every element below this one with that qualified name (`*` for all), in document order. */
  getElementsByTagName(name: string): Element[] {
    const found: Element[] = [];
    for (const node of this.descendants()) {
      if (node instanceof Element && (name === '*' || node.qname.name === name)) found.push(node);
    }
    return found;
  }

  /** Every element below this one with that expanded name (`*` for any part), in document order. */
  getElementsByTagNameNS(namespaceURI: string | null, localName: string): Element[] {
    const found: Element[] = [];
    for (const node of this.descendants()) {
      if (node instanceof Element && node.is(localName, namespaceURI)) found.push(node);
    }
    return found;
  }

  /** The namespace bound to a prefix here (`null` or `''`: the default namespace), or null. */
  lookupNamespaceURI(prefix: string | null): string | null {
    const wanted = prefix || null;
    if (wanted === 'xml') return NS.XML;
    if (wanted === 'xmlns') return NS.XMLNS;
    for (let element: Element | null = this; element !== null; element = element.parentElement) {
      if (element.qname.prefix === wanted && element.qname.namespaceURI !== null) return element.qname.namespaceURI;
      for (let attr = element.firstAttribute; attr !== null; attr = attr.nextAttribute) {
        if (attr.qname.namespaceURI !== NS.XMLNS) continue;
        const declared = attr.qname.prefix === null ? null : attr.qname.localName;
        if (declared === wanted) return attr.value || null;
      }
    }
    return null;
  }

  /** Appends a child and returns it; a node that has a parent is moved. Neighbouring text is merged. */
  appendChild<T extends Node>(node: T): T;
  appendChild(node: Node): Node {
    node.parentElement?.removeChild(node);
    const last = this.lastChild;
    if (node instanceof Text && last instanceof Text) {
      last.data += node.data;
      return last;
    }
    node.parentElement = this;
    node.previousSibling = last;
    if (last === null) this.firstChild = node;
    else last.nextSibling = node;
    this.lastChild = node;
    childLists.delete(this);
    return node;
  }

  removeChild<T extends Node>(node: T): T {
    const before = node.previousSibling;
    const after = node.nextSibling;
    if (before === null) this.firstChild = after;
    else before.nextSibling = after;
    if (after === null) this.lastChild = before;
    else after.previousSibling = before;
    node.parentElement = null;
    node.previousSibling = null;
    node.nextSibling = null;
    childLists.delete(this);
    return node;
  }
}

/** The attributes of one element, as an array with the DOM's `NamedNodeMap` methods. */
export class Attributes extends Array<Attr> {
  static override get [Symbol.species](): ArrayConstructor {
    return Array;
  }
  constructor(element: Element) {
    super();
    for (let attr = element.firstAttribute; attr !== null; attr = attr.nextAttribute) this.push(attr);
  }
  item(index: number): Attr | null {
    return this[index] ?? null;
  }
  getNamedItem(name: string): Attr | null {
    return this.find((attr) => attr.qname.name === name) ?? null;
  }
  getNamedItemNS(namespaceURI: string | null, localName: string): Attr | null {
    return (
      this.find((attr) => attr.qname.localName === localName && attr.qname.namespaceURI === (namespaceURI || null)) ??
      null
    );
  }
}

/** The node behind `node` in document order within `root`, descending into elements; null at the end. */
export function following(node: Node, root: Element): Node | null {
  if (node instanceof Element && node.firstChild !== null) return node.firstChild;
  let current: Node = node;
  while (current !== root) {
    if (current.nextSibling !== null) return current.nextSibling;
    if (current.parentElement === null) return null;
    current = current.parentElement;
  }
  return null;
}

function documentOf(root: Element): Document {
  let document = documents.get(root);
  if (document === undefined) {
    document = new Document(root);
    documents.set(root, document);
  }
  return document;
}

export { QName };
