import { BrokerError, printable } from '../errors.js';
import { isNCName } from './characters.js';
import { isPlainValue } from './escape.js';
import { mayKeepName, mayKeepNamespace } from './cache-limits.js';
import { NS } from './namespaces.js';
import { Piece, type AttributeMarkup } from './piece.js';
import { declarationMistake } from './declaration.js';

/** How a name is written. */
interface Markup extends AttributeMarkup {
  /** `<name` */
  readonly start: Piece;
  /** `<name xmlns='…'`; null if it has a prefix, or a namespace that cannot be declared just so. */
  readonly declared: Piece | null;
  /** `</name>` */
  readonly end: Piece;
  /** Whether an attribute of that name is written as it is: it has no namespace, and declares none. */
  readonly attribute: boolean;
}

const MOST_PLACES = 0xffff;
/** Counts names. */
let made = 0;

/**
 * The name of an element or attribute, resolved against the namespaces in scope (Namespaces in XML 1.0 §4).
 * Immutable and shared: the tokenizer hands the same object to every node of that name, so equal names are usually,
 * but not always, the same object. Compare `localName` and `namespaceURI`, never a joined string.
 */
export class QName {
  /** The qualified name as written, `prefix:local` or `local`. */
  readonly name: string;
  /** @internal a number that few others have: where tables keep what they know of it */
  readonly place: number;
  private written: Markup | null | undefined = undefined;

  constructor(
    readonly prefix: string | null,
    readonly localName: string,
    readonly namespaceURI: string | null,
    /**
     * Whether this is the name of an element that was made without saying a namespace: it takes the default namespace
     * of the element it is put into, and a stanza that of the stream it is sent on. `xmlns=''` says "none" instead.
     */
    readonly inherits: boolean = false,
  ) {
    this.name = prefix === null ? localName : `${prefix}:${localName}`;
    this.place = made = (made + 1) & MOST_PLACES;
  }

  /** Whether both have the same expanded name (namespace and local part); the prefix does not count. */
  equals(other: QName): boolean {
    return this === other || (this.localName === other.localName && this.namespaceURI === other.namespaceURI);
  }

  /** The pieces of markup with this name, made once. Null if it cannot be written. */
  get markup(): Markup | null {
    if (this.written === undefined) this.written = markupOf(this);
    return this.written;
  }

  /** Whether it can be written: both parts are names, and a prefix stands for a namespace. */
  get writable(): boolean {
    return this.markup !== null;
  }
}

function markupOf({ name, prefix, localName, namespaceURI }: QName): Markup | null {
  const writable =
    isNCName(localName) &&
    (prefix === null || (isNCName(prefix) && namespaceURI !== null && namespaceURI !== '')) &&
    (prefix === 'xml') === (namespaceURI === NS.XML);
  if (!writable) return null;
  return {
    start: new Piece(`<${name}`),
    declared: prefix === null ? declared(name, namespaceURI ?? '') : null,
    end: new Piece(`</${name}>`),
    first: new Piece(` ${name}='`),
    next: new Piece(`' ${name}='`),
    attribute: prefix === null && namespaceURI === null && name !== 'xmlns',
  };
}

function declared(name: string, uri: string): Piece | null {
  if (declarationMistake(null, uri) !== null || !isPlainValue(uri)) return null;
  return new Piece(`<${name} xmlns='${uri}'`);
}

/** The name of the attribute `xmlns`. */
export const XMLNS = new QName(null, 'xmlns', NS.XMLNS);

/** Names that programs write are few: so many are kept, in as many namespaces. */
const NAMES_KEPT = 1024;
const NAMESPACES_KEPT = 8;
const kept = new Map<string, QName[]>();

/**
 * A name without prefix. `undefined` as its namespace: it {@link QName.inherits}.
 * @throws BrokerError `XML_BAD_NAME`
 */
export function unprefixed(localName: string, namespaceURI: string | null | undefined): QName {
  const uri = namespaceURI ?? null;
  const inherits = namespaceURI === undefined;
  const names = kept.get(localName) ?? [];
  for (const name of names) if (name.namespaceURI === uri && name.inherits === inherits) return name;
  if (names.length === 0 && !isNCName(localName)) throw badName(localName);
  const name = new QName(null, localName, uri, inherits);
  if (!mayKeepName(localName) || !mayKeepNamespace(uri)) return name;
  if (names.length === 0) {
    if (kept.size >= NAMES_KEPT) kept.clear();
    kept.set(localName, names);
  }
  if (names.length === NAMESPACES_KEPT) names.shift();
  names.push(name);
  return name;
}

/** Splits a qualified name. @throws BrokerError `XML_BAD_NAME` */
export function splitName(name: string): { prefix: string | null; localName: string } {
  if (typeof name !== 'string') throw badName(name);
  const colon = name.indexOf(':');
  const prefix = colon < 0 ? null : name.slice(0, colon);
  const localName = name.slice(colon + 1);
  if (!isNCName(localName) || (prefix !== null && !isNCName(prefix))) throw badName(name);
  return { prefix, localName };
}

export function badName(
  name: unknown,
  why = 'names are letters, digits, "_", "-", "." and begin with a letter or "_"',
): BrokerError {
  const shown = typeof name === 'string' ? `"${printable(name, 64)}"` : `a ${typeof name}`;
  return new BrokerError('XML_BAD_NAME', `${shown} cannot be the name of an element or attribute: ${why}`, {
    layer: 'xml',
  });
}
