import type { Element } from './element.js';

/**
 * The document whose root is one element (DOM `Document`, read side). Every element without a parent is the root of
 * its own document, so `/message` means the same on a received stanza, a parsed string and a built element.
 */
export class Document {
  constructor(readonly documentElement: Element) {}

  get nodeType(): 9 {
    return 9;
  }
  get nodeName(): '#document' {
    return '#document';
  }
  get nodeValue(): null {
    return null;
  }
  get localName(): null {
    return null;
  }
  get prefix(): null {
    return null;
  }
  get namespaceURI(): null {
    return null;
  }
  get ownerDocument(): null {
    return null;
  }
  get parentNode(): null {
    return null;
  }
  get nextSibling(): null {
    return null;
  }
  get previousSibling(): null {
    return null;
  }
  get firstChild(): Element {
    return this.documentElement;
  }
  get lastChild(): Element {
    return this.documentElement;
  }
  get childNodes(): readonly Element[] {
    return [this.documentElement];
  }
  /** `null`, as the DOM has it for documents; ask the root element. */
  get textContent(): null {
    return null;
  }
  hasChildNodes(): true {
    return true;
  }
  getElementsByTagName(name: string): Element[] {
    const root = this.documentElement;
    const found = root.getElementsByTagName(name);
    return name === '*' || root.nodeName === name ? [root, ...found] : found;
  }
  getElementsByTagNameNS(namespaceURI: string | null, localName: string): Element[] {
    const root = this.documentElement;
    const found = root.getElementsByTagNameNS(namespaceURI, localName);
    return root.is(localName, namespaceURI) ? [root, ...found] : found;
  }
}
