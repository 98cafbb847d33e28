import type { Attr } from './attr.js';
import type { Element } from './element.js';

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
