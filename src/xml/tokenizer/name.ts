import { isNCName } from '../characters.js';
import { malformed, shown } from './fault.js';
import { NS } from '../namespaces.js';
import { PackedBytes } from './packed-bytes.js';
import { QName } from '../qname.js';
import type { Namespace } from './namespace-scope.js';
import { bytes as windowBytes } from './window.js';

// A constant of this module: where likelyNamespace() is inlined, the engine takes it for one.
const bytes = windowBytes;

/** What kind of attribute a name makes. */
export const ORDINARY = 0;
export const PREFIXED = 1;
export const DEFAULT_DECLARATION = 2;
const PREFIX_DECLARATION = 3;

/** Namespaces that are remembered for each name. */
const NAMESPACES_KEPT = 6;

/** A name as written in a tag, with what the tokenizer has learnt about it. */
export class Name {
  readonly prefix: string | null;
  readonly localName: string;
  readonly packed: PackedBytes;
  /** Kind of attribute with this name. */
  readonly attributeKind: number;
  /** The resolved name of such an attribute; a {@link PREFIXED} one is resolved in its element's scope instead. */
  readonly attributeName: QName;
  /** One bit that its text chooses: names of different bits are different. */
  readonly bit: number;

  /** Its place in the table of names, where another one may have come since; -1 if it was never there. */
  number = -1;

  /** Namespaces that tags of this name declared, tried first. Each has to be compared with what is there. */
  private readonly declared: Namespace[] = [];

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
    this.packed = new PackedBytes(Buffer.from(text));
    this.attributeKind = attributeKind(this);
    const known = this.prefix === null ? null : this.prefix === 'xml' ? NS.XML : NS.XMLNS;
    this.attributeName = new QName(
      this.prefix,
      this.localName,
      this.attributeKind === DEFAULT_DECLARATION ? NS.XMLNS : this.attributeKind === PREFIXED ? null : known,
    );
    // These bits of the hash tell the names apart that stanzas have side by side.
    this.bit = 1 << ((hash >>> 4) & 31);
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
    if (namespace.packed === null || this.declared.some(({ uri }) => uri === namespace.uri)) return;
    if (this.declared.length === NAMESPACES_KEPT) this.declared.shift();
    this.declared.push(namespace);
  }

  /** The name of an element in that namespace. */
  inNamespace(namespace: Namespace): QName {
    const { namespaces, elementNames } = this;
    for (let k = 0; k < namespaces.length; k++) if (namespaces[k] === namespace) return elementNames[k] as QName;
    const made = new QName(this.prefix, this.localName, namespace.uri, namespace.inherits);
    if (!namespace.isKept) return made;
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
