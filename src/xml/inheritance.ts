// Namespaces in XML 1.0 §5, §6: what is in scope at an element of a tree.
import { Element } from './element.js';
import { NS } from './namespaces.js';
import { unprefixed } from './qname.js';

/** The default namespace of what is in an element; `undefined` if that is not settled. */
export function defaultNamespace(element: Element): string | null | undefined {
  for (let outer: Element | null = element; outer !== null; outer = outer.parentElement) {
    if (outer.qname.prefix === null) return outer.qname.inherits ? undefined : outer.qname.namespaceURI;
    const own = outer.getAttribute('xmlns');
    if (own !== null) return own || null;
  }
  return undefined;
}

/** Gives a namespace to those in a subtree that were waiting for one. */
export function inherit(top: Element, namespaceURI: string | null | undefined): void {
  if (namespaceURI === undefined) return;
  const waiting = [top];
  for (let element = waiting.pop(); element !== undefined; element = waiting.pop()) {
    // What has a namespace has passed it on, unless it has a prefix and says nothing of the default namespace.
    if (element.qname.inherits) element.qname = unprefixed(element.qname.localName, namespaceURI);
    else if (element.qname.prefix === null || element.hasAttribute('xmlns')) continue;
    for (let child = element.firstChild; child !== null; child = child.nextSibling) {
      if (child instanceof Element && (child.qname.inherits || child.qname.prefix !== null)) waiting.push(child);
    }
  }
}

/** The namespace bound to a prefix at an element (`null`: the default namespace), or null. */
export function lookup(inner: Element, prefix: string | null): string | null {
  if (prefix === 'xml') return NS.XML;
  if (prefix === 'xmlns') return NS.XMLNS;
  for (let element: Element | null = inner; element !== null; element = element.parentElement) {
    if (element.qname.prefix === prefix && element.qname.namespaceURI !== null) return element.qname.namespaceURI;
    for (let attr = element.firstAttribute; attr !== null; attr = attr.nextAttribute) {
      if (attr.qname.namespaceURI !== NS.XMLNS) continue;
      const declared = attr.qname.prefix === null ? null : attr.qname.localName;
      if (declared === prefix) return attr.value || null;
    }
  }
  return null;
}
