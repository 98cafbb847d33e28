import { Attr } from '../attr.js';
import { Element } from '../element.js';
import { malformed, shown, tooMuch } from './fault.js';
import type { XmlLimits } from './limits.js';
import { DEFAULT_DECLARATION, type Name, ORDINARY, PREFIXED } from './name.js';
import { link } from '../order.js';
import { QName } from '../qname.js';
import { declarationMistake } from '../declaration.js';
import { Binding, declareTheSame, lookup, type Namespace, namespaceOf, NO_NAMESPACE } from './namespace-scope.js';
import { Text } from '../text.js';

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

/** Room for so many open elements is kept between stanzas. */
const USUAL_DEPTH = 8;

/** What a stream has between stanzas: its root, which is open. */
export interface Root {
  /** None for a root that is only thought of. */
  readonly name: Name | undefined;
  readonly defaultNamespace: Namespace;
  readonly binding: Binding | null;
}

const NO_ROOT: Root = { name: undefined, defaultNamespace: NO_NAMESPACE, binding: null };

/** The root that was left last. Streams to servers of one kind have the same, and there may be ten thousand that are quiet. */
let lastRoot = NO_ROOT;

/** Up to so many attributes are looked through one by one. */
const FEW = 64;

/** Builds elements from tokens: namespaces, duplicate attributes, and the limits that count things. */
export class Tree {
  /** The innermost open element; null between stanzas. The stream's root is nobody's parent. */
  element: Element | null = null;
  /** The last attribute of the tag that is being read. */
  lastAttribute: Attr | null = null;
  /** Name of the start tag that is being read, or was read last. */
  tag: Name | null = null;
  /** Open elements, the root included. */
  depth = 0;
  /** Names of the open elements; none for a root that is only thought of. */
  private readonly names: (Name | undefined)[] = [undefined];
  /** Default namespace and prefixes in the content of each open element. */
  private readonly defaults: Namespace[] = [NO_NAMESPACE];
  private readonly bindings: (Binding | null)[] = [null];
  /** The same in the tag that is being read, as far as it was read. */
  private defaultNamespace: Namespace = NO_NAMESPACE;
  private binding: Binding | null = null;
  /** Attributes of that tag so far, and the bits of their names. */
  attributes = 0;
  attributeBits = 0;
  private hasPrefixed = false;
  /** Whether something of a namespace is here that nobody else keeps. */
  private holdsUnkept = false;
  private nodes = 0;
  private declarations = 0;

  constructor(private readonly limits: XmlLimits) {}

  /** Name of the innermost open element. */
  get openName(): Name | undefined {
    return this.names[this.depth - 1];
  }

  /** Goes into a root, so that the next element is a stanza. */
  enterRoot({ name, defaultNamespace, binding }: Root): void {
    this.names[0] = name;
    this.defaults[0] = defaultNamespace;
    this.bindings[0] = binding;
    this.depth = 1;
  }

  /** Between stanzas: gives the root that is open, and forgets it. */
  leaveRoot(): Root {
    const name = this.names[0];
    const defaultNamespace = this.defaults[0] as Namespace;
    const binding = this.bindings[0] as Binding | null;
    const { name: lastName, defaultNamespace: lastDefault, binding: lastBinding } = lastRoot;
    if (name !== lastName || defaultNamespace !== lastDefault || !declareTheSame(binding, lastBinding)) {
      lastRoot = { name, defaultNamespace, binding };
    }
    this.enterRoot(NO_ROOT);
    this.defaultNamespace = NO_NAMESPACE;
    this.binding = null;
    return lastRoot;
  }

  /** A start tag begins. */
  open(name: Name): void {
    this.tag = name;
    this.element = this.make(name, this.element);
    this.attributes = this.attributeBits = 0;
    this.lastAttribute = null;
  }

  /** Makes an element in another one. */
  make(name: Name, parent: Element | null): Element {
    const { depth, limits } = this;
    if (depth > limits.depth) throw tooMuch('LIMIT_DEPTH', 'levels of elements', limits.depth);
    if (depth <= 1) this.nodes = this.declarations = 0;
    if (++this.nodes > limits.nodes) throw tooMuch('LIMIT_NODES', 'nodes in a stanza', limits.nodes);
    if (depth > 0) {
      this.defaultNamespace = this.defaults[depth - 1] as Namespace;
      this.binding = this.bindings[depth - 1] as Binding | null;
    }
    this.hasPrefixed = false;
    // Which namespace the name is in is known when all attributes are: until then it has none.
    const element = new Element(name.attributeName);
    if (parent !== null) link(parent, element);
    return element;
  }

  /** An attribute's name was read: refused before its value if there is one of that name. */
  attributeName(name: Name): void {
    if ((this.attributeBits & name.bit) !== 0 || this.attributes >= this.limits.attributes) {
      this.checkAttribute(name, this.element as Element, this.attributes);
    }
    this.attributes++;
    this.attributeBits |= name.bit;
  }

  /** @throws Fault if an element cannot have an attribute of that name, or not one more */
  checkAttribute(name: Name, element: Element, count: number): void {
    const isThere = count <= FEW ? element.hasAttribute(name.text) : manyNames(element).has(name.text);
    if (isThere) throw malformed(`attribute ${shown(name.text)} is there twice`);
    if (count >= this.limits.attributes) throw tooMuch('LIMIT_ATTRIBUTES', 'attributes in an element', count);
  }

  /** An attribute is complete. */
  attribute(name: Name, value: string): void {
    if (name.attributeKind !== ORDINARY) this.special(name, value, this.tag as Name);
    const attr = new Attr(name.attributeName, value, this.element);
    if (this.lastAttribute === null) (this.element as Element).firstAttribute = attr;
    else this.lastAttribute.nextAttribute = attr;
    this.lastAttribute = attr;
  }

  /** An attribute of a tag that is not an ordinary one. */
  special(name: Name, value: string, tag: Name): void {
    if (name.attributeKind === PREFIXED) {
      this.hasPrefixed = true;
    } else if (name.attributeKind === DEFAULT_DECLARATION) {
      const mistake = declarationMistake(null, value);
      if (mistake !== null) throw malformed(mistake);
      const namespace = this.namespace(value);
      this.declareDefault(namespace);
      tag.rememberNamespace(namespace);
    } else {
      const mistake = declarationMistake(name.localName, value);
      if (mistake !== null) throw malformed(mistake);
      this.countDeclaration();
      this.binding = new Binding(name.localName, this.namespace(value), this.binding);
    }
  }

  /** `xmlns` with the name of a namespace that was checked. */
  declareDefault(namespace: Namespace): void {
    this.countDeclaration();
    this.defaultNamespace = namespace;
  }

  /** The start tag is complete: its element is open. */
  opened(): void {
    this.settle(this.element as Element, this.tag as Name);
    this.enter(this.tag as Name);
  }

  /** Gives an element and its attributes their namespaces. */
  settle(element: Element, name: Name): void {
    const { prefix } = name;
    element.qname = name.inNamespace(prefix === null ? this.defaultNamespace : resolve(this.binding, prefix));
    if (this.hasPrefixed) this.resolveAttributes(element);
  }

  /** What comes next is in an element of that name. */
  enter(name: Name): void {
    const { depth } = this;
    this.names[depth] = name;
    this.defaults[depth] = this.defaultNamespace;
    this.bindings[depth] = this.binding;
    this.depth = depth + 1;
  }

  /** An element is complete. Gives it, or null for the root. */
  close(): Element | null {
    this.depth--;
    const { element } = this;
    if (element !== null) this.element = element.parentElement;
    return element;
  }

  text(data: string, parent: Element): void {
    if (++this.nodes > this.limits.nodes) throw tooMuch('LIMIT_NODES', 'nodes in a stanza', this.limits.nodes);
    link(parent, new Text(data));
  }

  /** The header or a stanza is complete: nothing here keeps what nobody else keeps. */
  rest(): void {
    this.lastAttribute = null;
    if (this.names.length <= USUAL_DEPTH && !this.holdsUnkept) return;
    this.names.length = this.defaults.length = this.bindings.length = Math.max(1, this.depth);
    this.defaultNamespace = NO_NAMESPACE;
    this.binding = null;
    this.holdsUnkept = false;
  }

  /** Forgets what is open. */
  drop(): void {
    this.element = this.lastAttribute = null;
    this.names.length = this.defaults.length = this.bindings.length = 0;
    this.binding = null;
  }

  /** The record of a namespace name. */
  private namespace(uri: string): Namespace {
    const namespace = namespaceOf(uri);
    if (!namespace.isKept) this.holdsUnkept = true;
    return namespace;
  }

  private countDeclaration(): void {
    if (++this.declarations <= this.limits.namespaceDeclarations) return;
    throw tooMuch('LIMIT_NS', 'namespace declarations in a stanza', this.limits.namespaceDeclarations);
  }

  /** Gives prefixed attributes their namespaces: declarations may have come behind them. */
  private resolveAttributes(element: Element): void {
    let count = 0;
    let many: Set<string> | null = null;
    for (let attr = element.firstAttribute; attr !== null; attr = attr.nextAttribute) {
      const { prefix, localName, namespaceURI } = attr.qname;
      if (prefix === null || namespaceURI !== null) continue;
      const { uri } = resolve(this.binding, prefix);
      if (++count === FEW) many = expandedNames(element);
      if (many === null ? element.hasAttributeNS(uri, localName) : many.has(expandedName(uri, localName))) {
        throw malformed(`attribute ${shown(localName)} of namespace ${shown(uri as string)} is there twice`);
      }
      (attr as Mutable<Attr>).qname = new QName(prefix, localName, uri);
      many?.add(expandedName(uri, localName));
    }
  }
}

/** Names of the attributes of an element that has many: to look through all of them for each one takes the square of their number. */
const named = new WeakMap<Element, { last: Attr | null; readonly names: Set<string> }>();

function manyNames(element: Element): Set<string> {
  let seen = named.get(element);
  if (seen === undefined) named.set(element, (seen = { last: null, names: new Set() }));
  const { names } = seen;
  let attr = seen.last === null ? element.firstAttribute : seen.last.nextAttribute;
  for (; attr !== null; attr = attr.nextAttribute) {
    names.add(attr.name);
    seen.last = attr;
  }
  return names;
}

/** Those that have a namespace. */
function expandedNames(element: Element): Set<string> {
  const names = new Set<string>();
  for (let attr = element.firstAttribute; attr !== null; attr = attr.nextAttribute) {
    const { localName, namespaceURI } = attr.qname;
    if (namespaceURI !== null) names.add(expandedName(namespaceURI, localName));
  }
  return names;
}

/** There is no space in a local name. */
const expandedName = (uri: string | null, localName: string): string => `${localName} ${uri}`;

function resolve(bindings: Binding | null, prefix: string): Namespace {
  const namespace = lookup(bindings, prefix);
  if (namespace === null) throw malformed(`prefix ${shown(prefix)} is not declared`);
  return namespace;
}
