import { isNCName } from './characters.js';
import { malformed, shown } from './fault.js';
import { NS } from './namespaces.js';
import { QName } from './qname.js';
import { NO_NAMESPACE, type Namespace } from './scope.js';

/** What kind of attribute a name makes. */
export const ORDINARY = 0;
export const PREFIXED = 1;
export const DEFAULT_DECLARATION = 2;
export const PREFIX_DECLARATION = 3;

/** A name as written in a tag, with what the tokenizer has learnt about it. */
export class Name {
  readonly prefix: string | null;
  readonly localName: string;
  /** Kind of attribute with this name. */
  readonly attributeKind: number;
  /** The resolved name of such an attribute; a {@link PREFIXED} one is resolved in its element's scope instead. */
  readonly attributeName: QName;
  private namespace: Namespace;
  private elementName: QName;
  private otherNamespace: Namespace;
  private otherElementName: QName;

  /** @throws Fault if the text is not a qualified name (Namespaces in XML 1.0 §4) */
  constructor(
    readonly text: string,
    /** The name in UTF-8. */
    readonly bytes: Uint8Array,
    readonly hash: number,
  ) {
    const colon = text.indexOf(':');
    this.prefix = colon < 0 ? null : text.slice(0, colon);
    this.localName = text.slice(colon + 1);
    if (!isNCName(this.localName) || (this.prefix !== null && !isNCName(this.prefix))) {
      throw malformed(`${shown(text)} is not a name`);
    }
    this.attributeKind = attributeKind(this);
    const known = this.prefix === null ? null : this.prefix === 'xml' ? NS.XML : NS.XMLNS;
    this.attributeName = new QName(
      this.prefix,
      this.localName,
      this.attributeKind === DEFAULT_DECLARATION ? NS.XMLNS : this.attributeKind === PREFIXED ? null : known,
    );
    this.namespace = this.otherNamespace = NO_NAMESPACE;
    this.elementName = this.otherElementName = new QName(this.prefix, this.localName, null);
  }

  /** The name of an element in that namespace. The last two are remembered. */
  inNamespace(namespace: Namespace): QName {
    if (this.namespace === namespace) return this.elementName;
    const { namespace: lastNamespace, elementName: lastName } = this;
    if (this.otherNamespace === namespace) {
      this.elementName = this.otherElementName;
    } else {
      this.elementName = new QName(this.prefix, this.localName, namespace.uri, namespace.inherits);
    }
    this.namespace = namespace;
    this.otherNamespace = lastNamespace;
    this.otherElementName = lastName;
    return this.elementName;
  }
}

function attributeKind(name: Name): number {
  if (name.prefix === null) return name.localName === 'xmlns' ? DEFAULT_DECLARATION : ORDINARY;
  if (name.prefix === 'xmlns') return PREFIX_DECLARATION;
  return name.prefix === 'xml' ? ORDINARY : PREFIXED;
}

/** How many names are kept. A cache with one place for each hash: a peer that makes up names only costs itself time. */
const SLOTS = 4096;
const LONGEST_KEPT = 64;
const cache: (Name | undefined)[] = Array.from({ length: SLOTS }, () => undefined);

/** Continues the hash of a name with its next byte. */
export function hashByte(hash: number, byte: number): number {
  return (Math.imul(hash, 31) + byte) | 0;
}

/** The name in `bytes[start, end)`, whose hash is known. */
export function nameAt(bytes: Buffer, start: number, end: number, hash: number): Name {
  const slot = (hash ^ (hash >>> 12)) & (SLOTS - 1);
  const kept = cache[slot];
  if (kept?.hash === hash && matches(kept.bytes, bytes, start, end)) return kept;
  const own = new Uint8Array(bytes.subarray(start, end));
  const name = new Name(bytes.toString('utf8', start, end), own, hash);
  if (end - start <= LONGEST_KEPT) cache[slot] = name;
  return name;
}

function matches(name: Uint8Array, bytes: Uint8Array, start: number, end: number): boolean {
  const length = end - start;
  if (name.length !== length) return false;
  let k = 0;
  while (k < length && name[k] === bytes[start + k]) k++;
  return k === length;
}
