import { Attr } from './attr.js';
import type { Element } from './element.js';
import { checkedPlainValue } from './escape.js';
import { mayKeepName } from './cache-limits.js';
import { Piece, type AttributeMarkup, type KnownMarkup } from './piece.js';
import { type QName, unprefixed, XMLNS } from './qname.js';

/** Longest value that is kept, in UTF-16 code units. */
const LONGEST_VALUE = 64;
/** Keeping a value costs, and ids never come again: one of so many new values is kept. */
const KEPT_ONCE_IN = 8;

/** An attribute without prefix that programs give, with one of its values: addresses and types come again and again. */
export class KnownAttribute {
  readonly qname: QName;
  /** The value that is kept, and how it is written. */
  private value: string | null = null;
  private markup: KnownMarkup | null = null;
  private misses = 0;

  constructor(readonly name: string) {
    this.qname = name === 'xmlns' ? XMLNS : unprefixed(name, null);
  }

  /** An attribute of that name. @throws BrokerError `XML_UNSERIALIZABLE` */
  attr(value: string, owner: Element): Attr {
    const attr = new Attr(this.qname, value, owner);
    if (value === this.value) attr.writing = this.markup ??= this.written(value);
    else if (checkedPlainValue(value)) {
      attr.writing = value;
      if (this.misses++ % KEPT_ONCE_IN === 0) this.keep(value);
    }
    return attr;
  }

  private keep(value: string): void {
    if (value.length > LONGEST_VALUE) return;
    this.value = value;
    this.markup = null;
  }

  private written(value: string): KnownMarkup {
    const { first, next } = this.qname.markup as AttributeMarkup;
    return { value, first: new Piece(first.text + value), next: new Piece(next.text + value) };
  }
}

/** Programs use few names: so many are kept. */
const NAMES_KEPT = 1024;
const known = new Map<string, KnownAttribute>();

/** @throws BrokerError `XML_BAD_NAME` */
export function knownAttribute(name: string): KnownAttribute {
  let found = known.get(name);
  if (found === undefined) {
    found = new KnownAttribute(name);
    if (!mayKeepName(name)) return found;
    if (known.size >= NAMES_KEPT) known.clear();
    known.set(name, found);
  }
  return found;
}
