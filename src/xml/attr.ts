import type { Document } from './document.js';
import type { Element } from './element.js';
import { escapeValue } from './escape.js';
import type { KnownMarkup } from './piece.js';
import type { QName } from './qname.js';

/** An attribute (DOM `Attr`). Namespace declarations are attributes in the namespace `NS.XMLNS`. */
export class Attr {
  /** The next attribute of the same element, in document order. */
  nextAttribute: Attr | null = null;
  /**
   * @internal what is known of how the value is written: nothing; the value, if it is written as it is; how it is written
   * with the name. Not for programs: what this says is not looked through again.
   */
  writing: string | KnownMarkup | null = null;

  constructor(
    readonly qname: QName,
    public value: string,
    public ownerElement: Element | null,
  ) {}

  /** @internal how name and value are written, if they come again and again */
  get known(): KnownMarkup | null {
    const { writing } = this;
    return typeof writing === 'object' && writing !== null && writing.value === this.value ? writing : null;
  }
  /** @internal the value as it is written between single quotes */
  get escaped(): string {
    return this.writing === this.value ? this.value : escapeValue(this.value);
  }
  get nodeType(): 2 {
    return 2;
  }
  get nodeName(): string {
    return this.qname.name;
  }
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
  get nodeValue(): string {
    return this.value;
  }
  get textContent(): string {
    return this.value;
  }
  get specified(): true {
    return true;
  }
  get ownerDocument(): Document | null {
    return this.ownerElement === null ? null : this.ownerElement.ownerDocument;
  }
  /** An attribute has no parent in the DOM; its element is {@link ownerElement}. */
  get parentNode(): null {
    return null;
  }
  get firstChild(): null {
    return null;
  }
  get lastChild(): null {
    return null;
  }
  get nextSibling(): null {
    return null;
  }
  get previousSibling(): null {
    return null;
  }
  get childNodes(): readonly never[] {
    return [];
  }
}
