// What is set and taken away of an element's attributes (DOM Core, Namespaces in XML 1.0).
import { kindOf } from '../arguments/values.js';
import { usageError } from '../errors.js';
import { Attr } from './attr.js';
import type { Element } from './element.js';
import { checkCharacters } from './escape.js';
import { inherit } from './inheritance.js';
import { NS } from './namespaces.js';
import { badName, QName, splitName, unprefixed, XMLNS } from './qname.js';
import { declarationMistake } from './declaration.js';

/** As {@link Element.setAttribute}. */
export function setAttribute(element: Element, name: string, value: string): void {
  if (typeof name !== 'string') throw badName(name);
  checkCharacters(value);
  const attr = element.getAttributeNode(name);
  if (name === 'xmlns') declareDefault(element, value);
  else if (name.startsWith('xmlns:')) declarable(name, name.slice(6), value);
  if (attr !== null) attr.value = value;
  else addAttribute(element, new Attr(attributeName(element, name), value, element));
}

/** As {@link Element.setAttributeNS}. */
export function setAttributeNS(element: Element, namespaceURI: string | null, name: string, value: string): void {
  if (namespaceURI !== null && typeof namespaceURI !== 'string') {
    throw usageError('USAGE_XML', `the namespace of an attribute is a string or null, not ${kindOf(namespaceURI)}`);
  }
  checkCharacters(namespaceURI ?? '');
  const { prefix, localName } = splitName(name);
  if ((namespaceURI || null) === null && prefix === null && name !== 'xmlns') {
    setAttribute(element, name, value);
    return;
  }
  if (namespaceURI === NS.XMLNS && (prefix === 'xmlns' || name === 'xmlns')) {
    setAttribute(element, name, value);
    return;
  }
  const qname = new QName(prefix, localName, namespaceURI);
  if (
    prefix === null ||
    prefix === 'xmlns' ||
    !qname.writable ||
    declarationMistake(prefix, namespaceURI as string) !== null
  ) {
    throw badName(name, 'an attribute in a namespace needs a prefix, and a prefix a namespace');
  }
  checkCharacters(value);
  const attr = element.getAttributeNodeNS(namespaceURI, localName);
  if (attr !== null) attr.value = value;
  else addAttribute(element, new Attr(qname, value, element));
}

/** As {@link Element.removeAttribute}. */
export function removeAttribute(element: Element, name: string): void {
  let before: Attr | null = null;
  for (let attr = element.firstAttribute; attr !== null; before = attr, attr = attr.nextAttribute) {
    if (attr.qname.name !== name) continue;
    if (before === null) element.firstAttribute = attr.nextAttribute;
    else before.nextAttribute = attr.nextAttribute;
    attr.nextAttribute = null;
    attr.ownerElement = null;
    return;
  }
}

/** Moves an element without prefix into a namespace, and what in it was waiting for one. @throws BrokerError `XML_BAD_NAME` */
export function declareDefault(element: Element, uri: string): void {
  declarable('xmlns', null, uri);
  if (element.qname.prefix === null) element.qname = unprefixed(element.qname.localName, uri || null);
  for (const child of element.children) inherit(child, uri || null);
}

function attributeName(element: Element, name: string): QName {
  const { prefix, localName } = splitName(name);
  if (prefix === null) return name === 'xmlns' ? XMLNS : unprefixed(name, null);
  const uri = element.lookupNamespaceURI(prefix);
  if (uri === null) {
    throw badName(name, `prefix "${prefix}" is not declared; set "xmlns:${prefix}" first, or use setAttributeNS()`);
  }
  if (uri !== NS.XMLNS && element.hasAttributeNS(uri, localName)) {
    throw badName(name, 'the element has this attribute under another prefix');
  }
  return new QName(prefix, localName, uri);
}

function addAttribute(element: Element, added: Attr): void {
  let last = element.firstAttribute;
  if (last === null) {
    element.firstAttribute = added;
    return;
  }
  while (last.nextAttribute !== null) last = last.nextAttribute;
  last.nextAttribute = added;
}

function declarable(name: string, prefix: string | null, uri: string): void {
  const mistake = declarationMistake(prefix, uri);
  if (mistake !== null) throw badName(name, mistake);
}
