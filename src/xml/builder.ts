import { isA, isRecord, kindOf } from '../arguments.js';
import { BrokerError, printable, usageError } from '../errors.js';
import { Element } from './element.js';
import { badName, QName, splitName, unprefixed } from './qname.js';
import { NS } from './namespaces.js';

/** Values of attributes: `undefined` and `null` leave the attribute out. */
export type XmlAttributes = Readonly<Record<string, string | number | boolean | null | undefined>>;

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
    const element = new Element(elementName(name, attributes));
    if (attributes !== undefined && attributes !== null) setAttributes(element, attributes);
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
  if (typeof attributes === 'object') {
    const prototype: unknown = Object.getPrototypeOf(attributes);
    if (prototype === Object.prototype || (isRecord(attributes) && !isA(attributes, Element))) return;
  }
  throw usageError(
    'USAGE_XML',
    `the second argument of xml() is the attributes: give an object, or {} before children, not ${kind(attributes)}`,
  );
}

function elementName(name: string, attributes: XmlAttributes | null | undefined): QName {
  if (!name.includes(':')) {
    const uri = own(attributes, 'xmlns');
    return unprefixed(name, uri === undefined ? undefined : uri || null);
  }
  const { prefix, localName } = splitName(name);
  const uri = prefix === 'xml' ? NS.XML : own(attributes, `xmlns:${prefix ?? ''}`);
  if (uri === undefined || prefix === 'xmlns') {
    throw badName(
      name,
      `prefix "${prefix ?? ''}" is not declared; give its namespace as attribute "xmlns:${prefix ?? ''}"`,
    );
  }
  return new QName(prefix, localName, uri);
}

function own(attributes: XmlAttributes | null | undefined, name: string): string | undefined {
  if (typeof attributes !== 'object' || attributes === null || !Object.hasOwn(attributes, name)) return undefined;
  const value = attributes[name];
  return value === undefined || value === null ? undefined : String(value);
}

function setAttributes(element: Element, attributes: XmlAttributes): void {
  let prefixed = false;
  for (const name in attributes) {
    if (!Object.hasOwn(attributes, name)) continue;
    if (name.includes(':') && !name.startsWith('xmlns:')) prefixed = true;
    else set(element, name, attributes[name]);
  }
  if (!prefixed) return;
  for (const name in attributes) {
    if (Object.hasOwn(attributes, name) && name.includes(':') && !name.startsWith('xmlns:'))
      set(element, name, attributes[name]);
  }
}

function set(element: Element, name: string, value: unknown): void {
  switch (typeof value) {
    case 'string':
      element.setAttribute(name, value);
      return;
    case 'number':
    case 'boolean':
      element.setAttribute(name, String(value));
      return;
    case 'undefined':
      return;
    default:
      if (value === null) return;
      throw usageError(
        'USAGE_XML',
        `attribute "${printable(name, 64)}" is ${kind(value)}: give a string, number or boolean (for a JID its toString())`,
      );
  }
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
  return isA(value, Element) ? 'an element' : kindOf(value);
}
