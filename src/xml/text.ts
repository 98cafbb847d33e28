import { kindOf } from '../arguments/values.js';
import { usageError } from '../errors.js';
import type { Document } from './document.js';
import type { Element } from './element.js';
import { escapeText } from './escape.js';

/** Character data (DOM `Text`). CDATA sections are merged into it; neighbours of one run are always one node. */
export class Text {
  parentElement: Element | null = null;
  previousSibling: Element | Text | null = null;
  nextSibling: Element | Text | null = null;
  /** @internal the data, if it was found to be written as it is. Not for programs: then it is not looked through again. */
  plain: string | null = null;

  /** @throws BrokerError `USAGE_XML` if the data is no string */
  constructor(public data: string) {
    if (typeof data !== 'string') throw usageError('USAGE_XML', `the data of a Text is a string, not ${kindOf(data)}`);
  }

  /** @internal the data as it is written between tags */
  get escaped(): string {
    return this.plain === this.data ? this.data : escapeText(this.data);
  }
  get nodeType(): 3 {
    return 3;
  }
  get nodeName(): '#text' {
    return '#text';
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
  get nodeValue(): string {
    return this.data;
  }
  get textContent(): string {
    return this.data;
  }
  /** Length in UTF-16 code units. */
  get length(): number {
    return this.data.length;
  }
  get parentNode(): Element | null {
    return this.parentElement;
  }
  get ownerDocument(): Document | null {
    return this.parentElement === null ? null : this.parentElement.ownerDocument;
  }
  get firstChild(): null {
    return null;
  }
  get lastChild(): null {
    return null;
  }
  get childNodes(): readonly never[] {
    return [];
  }
  hasChildNodes(): false {
    return false;
  }
}
