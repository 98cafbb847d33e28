import { inspect } from 'node:util';
import { kindOf } from '../arguments/values.js';
import { usageError } from '../errors.js';
import type { Attr } from './attr.js';
import { removeAttribute, setAttribute, setAttributeNS } from './attribute-writing.js';
import { Attributes } from './attributes.js';
import { cloneOf } from './clone.js';
import { Document } from './document.js';
import { checkedPlainText } from './escape.js';
import type { QName } from './qname.js';
import { defaultNamespace, inherit, lookup } from './inheritance.js';
import { following, link, rootOf } from './order.js';
import { serialize } from './serializer.js';
import { Text } from './text.js';

/** What an element contains. */
export type Node = Element | Text;
export { following } from './order.js';

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

  /** For builders and the tokenizer: programs call `xml()` or `parse()`. */
  constructor(public qname: QName) {}

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
    return documentOf(rootOf(this));
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

  /**
   * The first child element with that local name: in this element's own namespace, or in the one given (`*`: any).
   * So `message.getChild('body')` never finds a `<body/>` of another protocol.
   */
  getChild(localName: string, namespaceURI: string | null = this.qname.namespaceURI): Element | null {
    for (let child = this.firstChild; child !== null; child = child.nextSibling) {
      if (child instanceof Element && child.is(localName, namespaceURI)) return child;
    }
    return null;
  }

  /** All child elements that {@link getChild} would find. */
  getChildren(localName: string, namespaceURI: string | null = this.qname.namespaceURI): Element[] {
    return this.children.filter((child) => child.is(localName, namespaceURI));
  }

  /** The text in the element that {@link getChild} finds, or null if there is none. */
  getChildText(localName: string, namespaceURI?: string | null): string | null {
    const child = this.getChild(localName, namespaceURI);
    return child === null ? null : child.textContent;
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
    return lookup(this, prefix || null);
  }

  /**
   * Sets an attribute by its qualified name; a prefix must be declared here or further out. `xmlns` also moves an
   * element without prefix into that namespace (its children stay in theirs).
   * @throws BrokerError `XML_BAD_NAME`, `XML_UNSERIALIZABLE`
   */
  setAttribute(name: string, value: string): void {
    setAttribute(this, name, value);
  }

  /**
   * Sets an attribute of a namespace. The prefix is declared when the element is written.
   * @throws BrokerError `XML_BAD_NAME` if a namespace is given without a prefix, or the other way round; `XML_UNSERIALIZABLE`
   */
  setAttributeNS(namespaceURI: string | null, name: string, value: string): void {
    setAttributeNS(this, namespaceURI, name, value);
  }

  /** Removes an attribute by its qualified name. Removing `xmlns` does not change the element's namespace. */
  removeAttribute(name: string): void {
    removeAttribute(this, name);
  }

  /**
   * Appends a child and returns it; a node that has a parent is moved. Neighbouring text is merged: then the text
   * that was there is returned. Elements that say no namespace take the default namespace of this place.
   * @throws BrokerError `USAGE_ELEMENT` for what is neither Element nor Text, and for an element put into itself
   */
  appendChild<T extends Node>(node: T): T;
  appendChild(node: Node): Node {
    if (isElement(node)) {
      if (node.firstChild !== null || node === this) refuseCycle(node, this);
      node.parentElement?.removeChild(node);
      if (node.qname.inherits || node.qname.prefix !== null) inherit(node, defaultNamespace(this));
    } else if (isText(node)) {
      node.parentElement?.removeChild(node);
      if (this.lastChild instanceof Text) {
        this.lastChild.data += node.data;
        return this.lastChild;
      }
    } else {
      throw usageError('USAGE_ELEMENT', `appendChild() wants an Element or Text of this library, not ${kindOf(node)}`);
    }
    linkLast(this, node);
    return node;
  }

  /** Appends text as it is: nothing in it is markup. @throws BrokerError `XML_UNSERIALIZABLE` */
  appendText(data: string): void {
    if (data === '') return;
    const plain = checkedPlainText(data);
    if (this.lastChild instanceof Text) {
      this.lastChild.data += data;
      return;
    }
    const text = new Text(data);
    if (plain) text.plain = data;
    linkLast(this, text);
  }

  /** @throws BrokerError `USAGE_ELEMENT` if the node is not a child of this element */
  removeChild<T extends Node>(node: T): T {
    if (!(isElement(node) || isText(node)) || node.parentElement !== this) {
      throw usageError('USAGE_ELEMENT', `removeChild() wants a child of this <${this.qname.name}>`);
    }
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

  /** A deep copy without a parent. Names are shared, because they never change. */
  clone(): Element {
    return cloneOf(this);
  }

  /** The element as XML that can stand alone. Errors as of `serialize()`. */
  toString(): string {
    return serialize(this);
  }

  /** Shows the beginning of the XML in `console.log` and debuggers. */
  [inspect.custom](): string {
    let text: string;
    try {
      text = serialize(this);
    } catch {
      text = `<${this.qname.name} …>`;
    }
    return `Element ${text.length > INSPECTED ? `${text.slice(0, INSPECTED).toWellFormed()}…` : text}`;
  }
}

/** `instanceof`, which a proxy can make throw: that is no element. */
export function isElement(value: unknown): value is Element {
  try {
    return value instanceof Element;
  } catch {
    return false;
  }
}

function isText(value: unknown): value is Text {
  try {
    return value instanceof Text;
  } catch {
    return false;
  }
}

function linkLast(parent: Element, node: Node): void {
  link(parent, node);
  childLists.delete(parent);
}

/** How much of an element's XML `util.inspect` shows. */
const INSPECTED = 500;

function refuseCycle(node: Element, parent: Element): void {
  for (let outer: Element | null = parent; outer !== null; outer = outer.parentElement) {
    if (outer === node) throw usageError('USAGE_ELEMENT', `<${node.qname.name}> cannot be put into itself`);
  }
}

function documentOf(root: Element): Document {
  let document = documents.get(root);
  if (document === undefined) {
    document = new Document(root);
    documents.set(root, document);
  }
  return document;
}
