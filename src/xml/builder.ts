import { isRecord, kindOf } from '../arguments/values.js';
import { BrokerError, printable, usageError } from '../errors.js';
import type { Attr } from './attr.js';
import { declareDefault } from './attribute-writing.js';
import { Element, isElement } from './element.js';
import { checkCharacters } from './escape.js';
import { mayKeepName } from './cache-limits.js';
import { type KnownAttribute, knownAttribute } from './known-attribute.js';
import { badName, QName, splitName, unprefixed, XMLNS } from './qname.js';
import { NS } from './namespaces.js';

/** Values of attributes: `undefined` and `null` leave the attribute out. */
export type XmlAttributes = Readonly<Record<string, string | number | boolean | Address | null | undefined>>;

/** What can stand for an address as the value of an attribute: a `JID`. */
interface Address {
  readonly local: string | null;
  readonly domain: string;
  readonly resource: string | null;
  bare(): Address;
  toString(): string;
}

/** What {@link xml} takes as content: `null`, `undefined` and `false` are nothing, so conditions can stand in place. */
export type XmlChild = Element | string | number | null | undefined | false | readonly XmlChild[];

/**
 * Builds an element: `xml('message', { to, type: 'chat' }, xml('body', {}, text))`.
 *
 * The attribute `xmlns` gives the namespace. Without it the element takes the namespace of the element it is put into,
 * and a stanza that of the stream it is sent on; `xmlns: ''` says "no namespace". A prefix must be declared in the same
 * attributes (`'xmlns:p'`), `xml:` always is. A child that is part of another element is copied, not moved.
 *
 * Nothing has to be escaped, and nothing can break out: names and characters are checked here.
 * @throws BrokerError `XML_BAD_NAME` for a name that is none or has an undeclared prefix, `XML_UNSERIALIZABLE` for a
 * character no XML document can hold (control characters, lone surrogates), `USAGE_XML` for other kinds of values
 */
export function xml(name: string, attributes?: XmlAttributes | null, ...children: XmlChild[]): Element {
  if (typeof name !== 'string') throw badName(name);
  try {
    checkAttributes(attributes);
    const known = knownElements.get(name) ?? elementName(name, attributes);
    const element = new Element(known.qname);
    if (attributes !== undefined && attributes !== null) setAttributes(element, attributes, known.usual);
    for (const child of children) append(element, child, 0);
    return element;
  } catch (error) {
    if (error instanceof BrokerError) throw error;
    const what = `xml("${printable(name, 64)}") was given attributes or a child that throw when they are read`;
    throw usageError('USAGE_XML', what, { cause: error });
  }
}

/** What a date, a map or an element has for properties is not meant as attributes. */
function checkAttributes(attributes: unknown): void {
  if (attributes === undefined || attributes === null) return;
  if (isRecord(attributes) && !isElement(attributes)) return;
  throw usageError(
    'USAGE_XML',
    `the second argument of xml() is the attributes: give an object, or {} before children, not ${kind(attributes)}`,
  );
}

/** Programs use few names: so many are kept. */
const NAMES_KEPT = 1024;
/** Names of elements without prefix that programs use, in whatever namespace they are put. */
const knownElements = new Map<string, KnownElement>();

interface KnownElement {
  readonly qname: QName;
  /** The attributes that an element of that name had last, in order: mostly the next one has the same. */
  readonly usual: KnownAttribute[];
}

function elementName(name: string, attributes: XmlAttributes | null | undefined): KnownElement {
  if (name.includes(':')) return { qname: prefixedName(name, attributes), usual: [] };
  const known = { qname: unprefixed(name, undefined), usual: [] };
  if (!mayKeepName(name)) return known;
  if (knownElements.size >= NAMES_KEPT) knownElements.clear();
  knownElements.set(name, known);
  return known;
}

function prefixedName(name: string, attributes: XmlAttributes | null | undefined): QName {
  const { prefix, localName } = splitName(name) as { prefix: string; localName: string };
  const uri = prefix === 'xml' ? NS.XML : own(attributes, `xmlns:${prefix}`);
  if (uri === undefined || prefix === 'xmlns') {
    throw badName(name, `prefix "${prefix}" is not declared; give its namespace as attribute "xmlns:${prefix}"`);
  }
  return new QName(prefix, localName, uri);
}

function own(attributes: XmlAttributes | null | undefined, name: string): string | undefined {
  if (typeof attributes !== 'object' || attributes === null || !Object.hasOwn(attributes, name)) return undefined;
  const value = attributes[name];
  return value === undefined || value === null ? undefined : String(value);
}

/** So many places of attributes are remembered for an element. */
const USUAL = 16;

function setAttributes(element: Element, attributes: XmlAttributes, usual: KnownAttribute[]): void {
  let last: Attr | null = null;
  let place = 0;
  let prefixed = false;
  // Cheaper than Object.keys(), which makes an array.
  for (const name in attributes) {
    if (!Object.prototype.hasOwnProperty.call(attributes, name)) continue;
    const value = text(name, attributes[name]);
    if (value === null) {
      if (name === 'xmlns' && attributes[name] === undefined) throw undefinedNamespace(element);
      continue;
    }
    let known = usual[place];
    if (known?.name !== name) {
      if (name.includes(':')) {
        prefixed = true;
        continue;
      }
      known = knownAttribute(name);
      if (place < USUAL && mayKeepName(name)) usual[place] = known;
    }
    place += 1;
    if (known.qname === XMLNS) {
      checkCharacters(value);
      declareDefault(element, value);
    }
    // The names of an object differ, and no child is there yet: nothing has to be looked up.
    const attr = known.attr(value, element);
    if (last === null) element.firstAttribute = attr;
    else last.nextAttribute = attr;
    last = attr;
  }
  if (prefixed) setPrefixed(element, attributes);
}

/** Names with a prefix: the declarations first, whatever their order. */
function setPrefixed(element: Element, attributes: XmlAttributes): void {
  for (const declarations of [true, false]) {
    for (const name of Object.keys(attributes)) {
      if (!name.includes(':') || name.startsWith('xmlns:') !== declarations) continue;
      const value = text(name, attributes[name]);
      if (value !== null) element.setAttribute(name, value);
    }
  }
}

/** The value of an attribute as it is written, or null for none. */
function text(name: string, value: unknown): string | null {
  if (typeof value === 'string') return value;
  switch (typeof value) {
    case 'number':
    case 'boolean':
      return String(value);
    case 'undefined':
      return null;
    default:
      if (value === null) return null;
      if (isAddress(value)) return value.toString();
      throw usageError(
        'USAGE_XML',
        `attribute "${printable(name, 64)}" is ${kind(value)}: give a string, number, boolean or JID`,
      );
  }
}

/** A JID, which this room does not know: whatever has the parts of an address. */
function isAddress(value: unknown): value is Address {
  if (typeof value !== 'object' || value === null) return false;
  const { local, domain, resource, bare } = value as Record<string, unknown>;
  return typeof domain === 'string' && local !== undefined && resource !== undefined && typeof bare === 'function';
}

function undefinedNamespace(element: Element): BrokerError {
  const text = `the attribute xmlns of <${element.nodeName}> is undefined: is the constant spelt right? Leave it out to inherit`;
  return usageError('USAGE_XML', text);
}

/** Arrays may be nested as deep as elements may. */
const NESTING = 64;

function append(element: Element, child: unknown, nesting: number): void {
  if (typeof child === 'string') {
    element.appendText(child);
  } else if (child instanceof Element) {
    element.appendChild(child.parentElement === null ? child : child.clone());
  } else if (typeof child === 'number') {
    element.appendText(String(child));
  } else if (Array.isArray(child) && nesting < NESTING) {
    for (const one of child) append(element, one, nesting + 1);
  } else if (child !== undefined && child !== null && child !== false) {
    throw usageError(
      'USAGE_XML',
      `a child of <${element.qname.name}> is ${kind(child)}: give elements, strings, numbers or arrays of them`,
    );
  }
}

function kind(value: unknown): string {
  return isElement(value) ? 'an element' : kindOf(value);
}
