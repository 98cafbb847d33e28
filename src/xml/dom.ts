import { createRequire } from 'node:module';
import type { Attr as DomAttr, Document, Element as DomElement, Node as DomNode } from '@xmldom/xmldom';
import { kindOf } from '../arguments/values.js';
import { BrokerError, printable, usageError } from '../errors.js';
import { Attr } from './attr.js';
import { Element, isElement, type Node } from './element.js';
import { checkedPlainValue } from './escape.js';
import { QName, unprefixed, XMLNS } from './qname.js';
import { Text } from './text.js';

const require = createRequire(import.meta.url);
/** Loaded when it is first needed: most programs never do. */
const xmldom = () => require('@xmldom/xmldom') as typeof import('@xmldom/xmldom');

const ELEMENT = 1;
const TEXT = 3;
const CDATA = 4;
const DOCUMENT = 9;

/**
 * Copies an element into a document of its own, made of `@xmldom/xmldom`'s nodes. Gives the document's root.
 * @throws BrokerError `USAGE_ELEMENT` if the argument is no element of this library
 */
export function toDom(element: Element): DomElement {
  if (!isElement(element)) {
    throw usageError('USAGE_ELEMENT', `toDom() wants an Element of this library, not ${kindOf(element)}`);
  }
  const document = new (xmldom().DOMImplementation)().createDocument(element.namespaceURI, element.nodeName);
  const root = document.documentElement as DomElement;
  copyAttributes(element, root);
  let target = root;
  let node: Node | null = element.firstChild;
  while (node !== null) {
    const copy = toDomNode(node, document);
    target.appendChild(copy);
    if (node instanceof Element && node.firstChild !== null) {
      target = copy as DomElement;
      node = node.firstChild;
      continue;
    }
    while (node !== null && node.nextSibling === null) {
      node = node.parentElement === element ? null : node.parentElement;
      if (node !== null) target = target.parentNode as DomElement;
    }
    node = node === null ? null : node.nextSibling;
  }
  return root;
}

function toDomNode(node: Node, document: Document): DomNode {
  if (node instanceof Text) return document.createTextNode(node.data);
  const copy = document.createElementNS(node.namespaceURI, node.nodeName);
  copyAttributes(node, copy);
  return copy;
}

function copyAttributes(element: Element, copy: DomElement): void {
  for (let attr = element.firstAttribute; attr !== null; attr = attr.nextAttribute) {
    copy.setAttributeNS(attr.namespaceURI, attr.name, attr.value);
  }
}

/**
 * Copies a DOM element, or a document's root, with everything in it. Neighbouring texts and CDATA sections become one
 * text. An element in no namespace that does not say `xmlns=''` takes one where it is put, as those of `xml()` do.
 * @throws BrokerError `XML_RESTRICTED` for comments, processing instructions, document types and entity references,
 * which XMPP does not have (RFC 6120 §11.1); `XML_BAD_NAME` and `XML_UNSERIALIZABLE` for names and characters that
 * cannot be written; `USAGE_ELEMENT` if the argument is no DOM element
 */
export function fromDom(node: DomElement | Document): Element {
  try {
    return copyOf(node);
  } catch (error) {
    if (error instanceof BrokerError) throw error;
    throw usageError('USAGE_ELEMENT', 'fromDom() was given a DOM element that throws when it is read', {
      cause: error,
    });
  }
}

function copyOf(node: DomElement | Document): Element {
  const source = rootElement(node);
  const root = fromDomElement(source);
  let target = root;
  let current: DomNode | null = source.firstChild;
  while (current !== null) {
    if (current.nodeType === ELEMENT) {
      const copy = fromDomElement(current as DomElement);
      target.appendChild(copy);
      if (current.firstChild !== null) {
        target = copy;
        current = current.firstChild;
        continue;
      }
    } else if (current.nodeType === TEXT || current.nodeType === CDATA) {
      target.appendText(current.nodeValue as string);
    } else {
      throw restricted(current);
    }
    while (current !== null && current.nextSibling === null) {
      current = current.parentNode === source ? null : current.parentNode;
      if (current !== null) target = target.parentElement as Element;
    }
    current = current === null ? null : current.nextSibling;
  }
  return root;
}

function rootElement(node: unknown): DomElement {
  const given = node as DomNode | null | undefined;
  if (given?.nodeType === ELEMENT) return given as DomElement;
  if (given?.nodeType !== DOCUMENT) {
    throw usageError('USAGE_ELEMENT', 'fromDom() wants a DOM element, or a document that has a root element');
  }
  let root: DomElement | null = null;
  for (let child = given.firstChild; child !== null; child = child.nextSibling) {
    if (child.nodeType !== ELEMENT) throw restricted(child);
    root = child as DomElement;
  }
  if (root === null) throw usageError('USAGE_ELEMENT', 'fromDom() was given a document without a root element');
  return root;
}

function fromDomElement(source: DomElement): Element {
  const element = new Element(nameOf(source, !source.hasAttribute('xmlns')));
  let last: Attr | null = null;
  const { attributes } = source;
  for (let i = 0; i < attributes.length; i += 1) {
    const attr = attributes.item(i) as DomAttr;
    const { value } = attr;
    const name = attr.name === 'xmlns' ? XMLNS : nameOf(attr, false);
    const made = new Attr(name, value, element);
    if (checkedPlainValue(value)) made.writing = value;
    if (last === null) element.firstAttribute = made;
    else last.nextAttribute = made;
    last = made;
  }
  return element;
}

/** The resolved name of a node. */
function nameOf(node: DomNode, mayInherit: boolean): QName {
  const localName = node.localName ?? node.nodeName;
  const namespaceURI = node.namespaceURI || null;
  if (!node.prefix) return unprefixed(localName, namespaceURI ?? (mayInherit ? undefined : null));
  const qname = new QName(node.prefix, localName, namespaceURI);
  if (qname.writable) return qname;
  throw new BrokerError(
    'XML_BAD_NAME',
    `"${printable(node.nodeName, 64)}" is not a name XML can have, or its prefix has no namespace`,
    {
      layer: 'xml',
    },
  );
}

function restricted(node: DomNode): BrokerError {
  return new BrokerError(
    'XML_RESTRICTED',
    `XMPP has no ${printable(node.nodeName, 64)}: only elements, attributes and text (RFC 6120 §11.1)`,
    { layer: 'xml' },
  );
}
