import { BYTE_CLASS, ENDS_NAME, isNCName } from './characters.js';
import { malformed, shown } from './fault.js';
import { mayKeepName } from './keeping.js';
import { NS } from './namespaces.js';
import { Packed } from './packed.js';
import { QName } from './qname.js';
import type { Namespace } from './scope.js';
import { bytes as windowBytes } from './window.js';

// Constants of this module: where the functions below are inlined, the engine takes them for what they are.
const bytes = windowBytes;
const classes = BYTE_CLASS;
const endsName = ENDS_NAME;

/** What kind of attribute a name makes. */
export const ORDINARY = 0;
export const PREFIXED = 1;
export const DEFAULT_DECLARATION = 2;
export const PREFIX_DECLARATION = 3;

/** A name as written in a tag, with what the tokenizer has learnt about it. */
export class Name {
  readonly prefix: string | null;
  readonly localName: string;
  readonly packed: Packed;
  /** Kind of attribute with this name. */
  readonly attributeKind: number;
  /** The resolved name of such an attribute; a {@link PREFIXED} one is resolved in its element's scope instead. */
  readonly attributeName: QName;
  /** One bit of the hash: names of different bits are different. */
  readonly bit: number;

  /** Whether it is in the table. A name that is not learns nothing: names that a peer makes up would keep each other. */
  private isKept = false;

  // What came the last time, tried first. Each has to be compared with what is there.
  private readonly declared: Namespace[] = [];
  private readonly followers: Name[] = [];
  /** Two for each place: a tag often has one attribute more or less in front. */
  private readonly attributes: Name[] = [];

  /** Names of elements, by the namespaces at the same places. */
  private readonly elementNames: QName[] = [];
  private readonly namespaces: Namespace[] = [];

  /** @throws Fault if the text is not a qualified name (Namespaces in XML 1.0 §4) */
  constructor(
    readonly text: string,
    private readonly hash: number,
  ) {
    const colon = text.indexOf(':');
    this.prefix = colon < 0 ? null : text.slice(0, colon);
    this.localName = text.slice(colon + 1);
    if (!isNCName(this.localName) || (this.prefix !== null && !isNCName(this.prefix))) {
      throw malformed(`${shown(text)} is not a name`);
    }
    this.packed = new Packed(Buffer.from(text));
    this.attributeKind = attributeKind(this);
    const known = this.prefix === null ? null : this.prefix === 'xml' ? NS.XML : NS.XMLNS;
    this.attributeName = new QName(
      this.prefix,
      this.localName,
      this.attributeKind === DEFAULT_DECLARATION ? NS.XMLNS : this.attributeKind === PREFIXED ? null : known,
    );
    this.bit = 1 << (hash & 31);
  }

  /** Whether it is the name in `source[start, end)`, whose hash is known. */
  isIn(source: Buffer, start: number, end: number, hash: number): boolean {
    const { text } = this;
    const length = end - start;
    if (this.hash !== hash || this.packed.length !== length) return false;
    if (text.length !== length) return text === source.toString('utf8', start, end);
    let k = 0;
    while (k < length && text.charCodeAt(k) === source[start + k]) k++;
    return k === length;
  }

  /** The name of the start tag in the window at `i`, if it is one that came behind a tag of this name before. */
  likelyElement(i: number): Name | null {
    const { followers } = this;
    for (let k = 0; k < followers.length; k++) {
      const name = followers[k] as Name;
      // One that has left the table has a successor there, which knows more.
      if (name.isWholeAt(i) && name.isKept) return name;
    }
    return null;
  }

  rememberElement(name: Name): void {
    if (!this.isKept || !name.isKept || this.followers.includes(name)) return;
    if (this.followers.length === FOLLOWERS_KEPT) this.followers.shift();
    this.followers.push(name);
  }

  /** The name of the attribute in the window at `i`, if tags of this name had it at this place before. */
  likelyAttribute(place: number, i: number): Name | null {
    const { attributes } = this;
    const at = 2 * place;
    if (at >= attributes.length) return null;
    const newest = attributes[at] as Name;
    if (newest.isWholeAt(i)) return newest;
    const other = attributes[at + 1] as Name;
    return other.isWholeAt(i) ? other : null;
  }

  rememberAttribute(place: number, name: Name): void {
    const { attributes } = this;
    const at = 2 * place;
    if (!this.isKept || !name.isKept || place >= ATTRIBUTES_KEPT || at > attributes.length) return;
    if (attributes[at] === name) return;
    attributes[at + 1] = attributes[at] ?? name;
    attributes[at] = name;
  }

  /** The namespace whose name is in the window at `i` in front of `quote`, if a tag of this name declared it before. */
  likelyNamespace(i: number, quote: number): Namespace | null {
    const { declared } = this;
    for (let k = 0; k < declared.length; k++) {
      const namespace = declared[k] as Namespace;
      const { packed } = namespace;
      if (packed?.isAt(i) === true && bytes[i + packed.length] === quote) return namespace;
    }
    return null;
  }

  rememberNamespace(namespace: Namespace): void {
    if (!this.isKept || namespace.packed === null || this.declared.some(({ uri }) => uri === namespace.uri)) return;
    if (this.declared.length === NAMESPACES_KEPT) this.declared.shift();
    this.declared.push(namespace);
  }

  /** It is in the table now. */
  keep(): void {
    this.isKept = true;
  }

  /** It has left the table: what it has learnt is forgotten. */
  forget(): void {
    this.isKept = false;
    const { declared, followers, attributes, elementNames, namespaces } = this;
    declared.length = followers.length = attributes.length = elementNames.length = namespaces.length = 0;
  }

  /** Whether this name is in the window at `i`, and what stands behind it ends it. */
  private isWholeAt(i: number): boolean {
    const { packed } = this;
    return packed.isAt(i) && ((classes[bytes[i + packed.length] as number] as number) & endsName) !== 0;
  }

  /** The name of an element in that namespace. */
  inNamespace(namespace: Namespace): QName {
    const { namespaces, elementNames } = this;
    for (let k = 0; k < namespaces.length; k++) if (namespaces[k] === namespace) return elementNames[k] as QName;
    const made = new QName(this.prefix, this.localName, namespace.uri, namespace.inherits);
    if (!this.isKept || !namespace.isKept) return made;
    if (namespaces.length === NAMESPACES_KEPT) {
      namespaces.shift();
      elementNames.shift();
    }
    namespaces.push(namespace);
    elementNames.push(made);
    return made;
  }
}

function attributeKind(name: Name): number {
  if (name.prefix === null) return name.localName === 'xmlns' ? DEFAULT_DECLARATION : ORDINARY;
  if (name.prefix === 'xmlns') return PREFIX_DECLARATION;
  return name.prefix === 'xml' ? ORDINARY : PREFIXED;
}

/**
 * How many names are kept: a cache with two places for each, so a peer that makes up names only costs itself time.
 * Names that are longer than this are not kept.
 */
const SLOTS = 1024;
const ATTRIBUTES_KEPT = 8;
const FOLLOWERS_KEPT = 8;
const NAMESPACES_KEPT = 6;
const cache: (Name | undefined)[] = Array.from({ length: SLOTS }, () => undefined);

/** The name in `source[start, end)`. @throws Fault if it is none */
export function nameAt(source: Buffer, start: number, end: number): Name {
  let hash = 0;
  for (let k = start; k < end; k++) hash = (Math.imul(hash, 31) + (source[k] as number)) | 0;
  const slot = (hash ^ (hash >>> 10)) & (SLOTS - 1);
  const first = cache[slot];
  if (first !== undefined && first.isIn(source, start, end, hash)) return first;
  const second = cache[slot ^ 1];
  if (second !== undefined && second.isIn(source, start, end, hash)) return second;
  const name = new Name(source.toString('utf8', start, end), hash);
  if (!mayKeepName(name.text)) return name;
  if (first !== undefined) {
    second?.forget();
    cache[slot ^ 1] = first;
  }
  cache[slot] = name;
  name.keep();
  return name;
}
