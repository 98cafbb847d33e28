import { BrokerError, printable } from '../errors.js';
import { isNCName } from './characters.js';
import { NS } from './namespaces.js';

/**
 * The name of an element or attribute, resolved against the namespaces in scope (Namespaces in XML 1.0 §4).
 * Immutable and shared: the tokenizer hands the same object to every node of that name, so equal names are usually,
 * but not always, the same object. Compare `localName` and `namespaceURI`, never a joined string.
 */
export class QName {
  /** The qualified name as written, `prefix:local` or `local`. */
  readonly name: string;
  private valid: boolean | undefined = undefined;

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
  }

  /** Whether both have the same expanded name (namespace and local part); the prefix does not count. */
  equals(other: QName): boolean {
    return this === other || (this.localName === other.localName && this.namespaceURI === other.namespaceURI);
  }

  /** Whether it can be written: both parts are names, and a prefix stands for a namespace. */
  get writable(): boolean {
    this.valid ??=
      isNCName(this.localName) &&
      (this.prefix === null || (isNCName(this.prefix) && this.namespaceURI !== null && this.namespaceURI !== '')) &&
      (this.prefix === 'xml') === (this.namespaceURI === NS.XML);
    return this.valid;
  }
}

/** Names that programs write are few: this many are kept. */
const KEPT = 1024;
const kept = new Map<string, QName>();

/**
 * A name without prefix. `undefined` as its namespace: it {@link QName.inherits}.
 * @throws BrokerError `XML_BAD_NAME`
 */
export function unprefixed(localName: string, namespaceURI: string | null | undefined): QName {
  const found = kept.get(localName);
  if (found !== undefined) {
    if (namespaceURI === undefined ? found.inherits : !found.inherits && found.namespaceURI === namespaceURI)
      return found;
  } else if (!isNCName(localName)) {
    throw badName(localName);
  }
  const made = new QName(null, localName, namespaceURI ?? null, namespaceURI === undefined);
  if (kept.size >= KEPT) kept.clear();
  kept.set(localName, made);
  return made;
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
