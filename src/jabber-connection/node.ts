import { isA, kindOf } from '../arguments/values.js';
import { usageError } from '../errors.js';
import { xml } from '../xml/builder.js';
import { Element } from '../xml/element.js';
import { escapeText } from '../xml/escape.js';
import { parse } from '../xml/tokenizer/parse.js';
import { Text } from '../xml/text.js';

const wrappers = new WeakMap<Element, JabberNode>();

/**
 * A short way to read and build XML, in the manner of Jabber::NodeFactory. It is a view of an {@link Element}: two nodes of the
 * same element are the same object, and what one changes the other shows.
 */
export class JabberNode {
  readonly element: Element;

  private constructor(element: Element) {
    this.element = element;
  }

  /** The node of an element. @throws BrokerError `USAGE_ELEMENT` */
  static of(element: Element): JabberNode {
    if (!isA(element, Element)) {
      throw usageError('USAGE_ELEMENT', `JabberNode.of() wants an Element, not ${kindOf(element)}`);
    }
    let node = wrappers.get(element);
    if (node === undefined) {
      node = new JabberNode(element);
      wrappers.set(element, node);
    }
    return node;
  }

  /** The name as written, with its prefix. */
  name(): string {
    return this.element.nodeName;
  }

  /** The node that this one is in. */
  parent(): JabberNode | undefined {
    const { parentElement } = this.element;
    return parentElement === null ? undefined : JabberNode.of(parentElement);
  }

  /** The value of an attribute, or undefined. */
  attr(name: string): string | undefined;
  /** Sets an attribute and returns its value; the empty string removes it. */
  attr(name: string, value: string | number): string;
  attr(name: string, value?: string | number): string | undefined {
    if (value === undefined) return this.element.getAttribute(name) ?? undefined;
    const text = asText('the value of an attribute', value);
    if (text === '') this.element.removeAttribute(name);
    else this.element.setAttribute(name, text);
    return text;
  }

  /**
   * The text of this node itself, without that of its children. Given a text, it becomes that, in front of the
   * children; nothing has to be escaped.
   */
  data(text?: string | number): string {
    if (text === undefined) return this.#texts().reduce((all, node) => all + node.data, '');
    const data = asText('the text of a node', text);
    this.#replaceText([new Text(data)]);
    return data;
  }

  /**
   * The text of this node itself as it is written in XML, with its escapes. Given XML, the text becomes that: escapes
   * are read, and elements in it become the first children.
   * @throws BrokerError of the parser when it is not well-formed
   */
  rawdata(source?: string): string {
    if (source === undefined) return escapeText(this.data());
    if (typeof source !== 'string') throw usageError('USAGE_XML', `rawdata() takes a string, not ${kindOf(source)}`);
    this.#replaceText([...parse(`<x>${source}</x>`).childNodes]);
    return source;
  }

  /** Adds a child with that name, in that namespace or in this node's, and returns it. */
  insertTag(name: string, namespace?: string): JabberNode;
  /** Adds a node, taking it out of where it was, and returns it. */
  insertTag(node: JabberNode | Element): JabberNode;
  insertTag(tag: string | JabberNode | Element, namespace?: string): JabberNode {
    if (typeof tag === 'string') {
      return JabberNode.of(this.element.appendChild(namedNode(tag, namespace)));
    }
    return JabberNode.of(this.element.appendChild(elementOf(tag)));
  }

  /** The first child with that name (`''`: any) and, if given, that namespace. */
  getTag(name: string, namespace?: string): JabberNode | undefined {
    return this.getTags(name, namespace)[0];
  }

  /** All children that {@link getTag} means. */
  getTags(name: string, namespace?: string): JabberNode[] {
    return this.getChildren().filter(
      ({ element }) =>
        (name === '' || element.nodeName === name) &&
        (namespace === undefined || element.namespaceURI === (namespace || null)),
    );
  }

  getChildren(): JabberNode[] {
    return this.element.children.map((child) => JabberNode.of(child));
  }

  /** Takes this node out of the one it is in. Of a node that is in none, nothing happens. */
  hide(): void {
    this.element.parentElement?.removeChild(this.element);
  }

  /** A deep copy that is in no node. */
  clone(): JabberNode {
    return JabberNode.of(this.element.clone());
  }

  /** The node as XML. Errors as of `serialize()`. */
  toStr(): string {
    return this.element.toString();
  }

  toString(): string {
    return this.toStr();
  }

  #texts(): Text[] {
    return this.element.childNodes.filter((node) => node instanceof Text);
  }

  #replaceText(nodes: readonly (Text | Element)[]): void {
    const children = this.element.children;
    for (const node of this.element.childNodes) this.element.removeChild(node);
    for (const node of nodes) {
      if (node instanceof Text) this.element.appendText(node.data);
      else this.element.appendChild(node);
    }
    for (const child of children) this.element.appendChild(child);
  }
}

/** The element of a node. @throws BrokerError `USAGE_ELEMENT` */
export function elementOf(node: JabberNode | Element): Element {
  if (isA(node, JabberNode)) return node.element;
  if (isA(node, Element)) return node;
  throw usageError('USAGE_ELEMENT', `a JabberNode or an Element is wanted, not ${kindOf(node)}`);
}

/** An element with that name, in that namespace or in that of wherever it is put. @throws BrokerError `USAGE_XML` */
export function namedNode(name: string, namespace: string | undefined): Element {
  if (namespace === undefined) return xml(name);
  if (typeof namespace === 'string') return xml(name, { xmlns: namespace });
  throw usageError('USAGE_XML', `the namespace of a node is a string, not ${kindOf(namespace)}`);
}

function asText(what: string, value: unknown): string {
  if (typeof value === 'string' || typeof value === 'number') return String(value);
  throw usageError('USAGE_XML', `${what} is a string or a number, not ${kindOf(value)}`);
}
