import { XmlDocument, type XmlNode, type XmlXPath } from 'libxml2-wasm';
import type { Element, Node } from '../../src/xml/element.js';
import { CONTENT_NAMESPACES, NS } from '../../src/xml/namespaces.js';
import { Text } from '../../src/xml/text.js';
import type { MatchedNode } from '../../src/filters/xpath/node.js';

/** What an expression gives: for a node-set the places of its nodes in document order. */
export type Result = number[] | string | number | boolean;

const escape = (text: string) => text.replace(/[&<>"\t\r\n]/g, (c) => `&#${c.charCodeAt(0)};`);

const isContent = (uri: string | null) => uri === null || CONTENT_NAMESPACES.includes(uri);

/** A stanza as another engine sees it: names in content namespaces are in none, and so are not prefixed. */
export function view(element: Element, outer = ''): string {
  const { qname } = element;
  const content = isContent(qname.namespaceURI);
  const name = content ? qname.localName : qname.name;
  let defaultNamespace = content ? '' : qname.prefix === null ? qname.namespaceURI! : outer;
  let attributes = '';
  for (const attr of element.attributes) {
    if (attr.qname.namespaceURI === NS.XMLNS) {
      if (attr.qname.prefix !== null) {
        if (!CONTENT_NAMESPACES.includes(attr.value)) attributes += ` ${attr.name}="${escape(attr.value)}"`;
      } else if (qname.prefix !== null && !content) {
        defaultNamespace = CONTENT_NAMESPACES.includes(attr.value) ? '' : attr.value;
      }
    } else attributes += ` ${isContent(attr.namespaceURI) ? attr.localName : attr.name}="${escape(attr.value)}"`;
  }
  if (defaultNamespace !== outer) attributes = ` xmlns="${escape(defaultNamespace)}"${attributes}`;
  let inside = '';
  for (const child of element.childNodes) {
    inside += child instanceof Text ? escape(child.data) : view(child, defaultNamespace);
  }
  return `<${name}${attributes}>${inside}</${name}>`;
}

/** libxml2 on one stanza. */
export class Oracle {
  readonly #document: XmlDocument;
  readonly #places = new Map<number, number>();

  /** What it was given. */
  readonly source: string;

  constructor(stanza: Element) {
    this.source = view(stanza);
    this.#document = XmlDocument.fromString(this.source);
    for (const [place, node] of this.#document.root.find('/ | //node() | //@*').entries()) {
      this.#places.set(pointer(node), place);
    }
  }

  evaluate(expression: XmlXPath): Result {
    const result = this.#document.root.eval(expression);
    return Array.isArray(result) ? result.map((node) => this.#places.get(pointer(node)) ?? -1) : result;
  }

  dispose(): void {
    this.#document.dispose();
  }
}

const pointer = (node: XmlNode) => (node as unknown as { _nodePtr: number })._nodePtr;

/** The place of each node of a stanza in document order, counted as the oracle counts. */
export function places(stanza: Element): Map<unknown, number> {
  const found = new Map<unknown, number>();
  const add = (node: MatchedNode) => found.set(node, found.size);
  add(stanza.ownerDocument);
  const walk = (node: Node) => {
    add(node);
    if (node instanceof Text) return;
    for (const attr of node.attributes) if (attr.qname.namespaceURI !== NS.XMLNS) add(attr);
    for (const child of node.childNodes) walk(child);
  };
  walk(stanza);
  return found;
}
