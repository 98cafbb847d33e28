import { Attr } from './attr.js';
import { Element, link } from './element.js';
import { malformed, shown, tooMuch } from './fault.js';
import type { XmlLimits } from './limits.js';
import { DEFAULT_DECLARATION, ORDINARY, type Name, PREFIX_DECLARATION } from './names.js';
import { QName } from './qname.js';
import { declarationMistake, type Namespace, namespaceOf, type Scope } from './scope.js';
import { Text } from './text.js';

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

/**
 * Builds elements from the tokens of the scanner: namespaces, duplicate attributes and the limits that count things.
 * The root of a stream is never a parent: what is in it are stanzas, each the root of its own tree.
 */
export class Tree {
  /** Open elements, the root included. */
  depth = 0;
  /** Names of the open elements. */
  private readonly names: (Name | undefined)[] = [undefined];
  /** Scopes in which the content of each open element is. */
  private readonly scopes: (Scope | undefined)[] = [undefined];
  /** The element whose tag or content is being read; null outside stanzas. */
  private element: Element | null = null;
  /** What the tag being read declares so far. */
  private scope: Scope;
  private last: Attr | null = null;
  private readonly hashes: number[] = [];
  private attributes = 0;
  private hasPrefixed = false;
  private nodes = 0;
  private declarations = 0;

  constructor(
    private readonly limits: XmlLimits,
    private readonly outer: Scope,
  ) {
    this.scope = outer;
  }

  /** Name of the innermost open element. */
  get openName(): Name | undefined {
    return this.names[this.depth - 1];
  }

  /** Goes into a root that is only thought of, so that the first element is a stanza. */
  enterRoot(): void {
    this.scopes[0] = this.outer;
    this.depth = 1;
  }

  /** A start tag begins. */
  open(name: Name): void {
    const { depth, limits } = this;
    if (depth > limits.depth) throw tooMuch('LIMIT_DEPTH', 'levels of elements', limits.depth);
    if (depth <= 1) this.nodes = this.declarations = 0;
    if (++this.nodes > limits.nodes) throw tooMuch('LIMIT_NODES', 'nodes in a stanza', limits.nodes);
    const scope = depth === 0 ? this.outer : (this.scopes[depth - 1] ?? this.outer);
    // Which namespace the name is in is known when all attributes are: until then it has none.
    const element = new Element(name.attributeName);
    const parent = this.element;
    if (parent !== null) link(parent, element);
    this.element = element;
    this.scope = scope;
    this.last = null;
    this.attributes = 0;
    this.hasPrefixed = false;
    this.names[depth] = name;
    this.depth = depth + 1;
  }

  /** An attribute's name was read: refused before its value if there is one of that name. */
  attributeName(name: Name): void {
    const { hashes, attributes } = this;
    const hash = name.hash;
    for (let k = 0; k < attributes; k++) {
      if (hashes[k] === hash && this.element?.hasAttribute(name.text) === true) {
        throw malformed(`attribute ${shown(name.text)} is there twice`);
      }
    }
    if (attributes === this.limits.attributes) {
      throw tooMuch('LIMIT_ATTRIBUTES', 'attributes in an element', attributes);
    }
    hashes[attributes] = hash;
    this.attributes = attributes + 1;
  }

  attribute(name: Name, value: string): void {
    const attr = new Attr(name.attributeName, value, this.element);
    if (name.attributeKind !== ORDINARY) this.special(name, value);
    if (this.last === null) (this.element as Element).firstAttribute = attr;
    else this.last.nextAttribute = attr;
    this.last = attr;
  }

  /** The start tag is complete. */
  opened(): void {
    const { scope } = this;
    const depth = this.depth - 1;
    const name = this.names[depth] as Name;
    const element = this.element as Mutable<Element>;
    this.scopes[depth] = scope;
    element.qname = name.inNamespace(name.prefix === null ? scope.defaultNamespace : resolve(scope, name.prefix));
    if (this.hasPrefixed) this.resolveAttributes();
  }

  text(data: string): void {
    const parent = this.element;
    if (parent === null || data === '') return;
    if (++this.nodes > this.limits.nodes) throw tooMuch('LIMIT_NODES', 'nodes in a stanza', this.limits.nodes);
    link(parent, new Text(data));
  }

  /** The innermost element is complete. Gives it. */
  close(): Element | null {
    const closed = this.element;
    this.depth--;
    if (closed !== null) this.element = closed.parentElement;
    return closed;
  }

  /** The root's start tag is complete: from here on there are stanzas. */
  closeHeader(): Element {
    const header = this.element as Element;
    this.element = null;
    return header;
  }

  /** Forgets everything that was built. */
  drop(): void {
    this.element = this.last = null;
    this.names.length = this.scopes.length = 0;
  }

  private special(name: Name, value: string): void {
    if (name.attributeKind !== DEFAULT_DECLARATION && name.attributeKind !== PREFIX_DECLARATION) {
      this.hasPrefixed = true;
      return;
    }
    if (++this.declarations > this.limits.namespaceDeclarations) {
      throw tooMuch('LIMIT_NS', 'namespace declarations in a stanza', this.limits.namespaceDeclarations);
    }
    const prefix = name.attributeKind === DEFAULT_DECLARATION ? null : name.localName;
    const mistake = declarationMistake(prefix, value);
    if (mistake !== null) throw malformed(mistake);
    const namespace = namespaceOf(value);
    this.scope = prefix === null ? this.scope.withDefault(namespace) : this.scope.withPrefix(prefix, namespace);
  }

  /** Gives prefixed attributes their namespaces: declarations may have come behind them. */
  private resolveAttributes(): void {
    const element = this.element as Element;
    for (let attr = element.firstAttribute; attr !== null; attr = attr.nextAttribute) {
      const { prefix, localName, namespaceURI } = attr.qname;
      if (prefix === null || namespaceURI !== null) continue;
      const { uri } = resolve(this.scope, prefix);
      if (element.hasAttributeNS(uri, localName)) {
        throw malformed(`attribute ${shown(localName)} of namespace ${shown(uri ?? '')} is there twice`);
      }
      (attr as Mutable<Attr>).qname = new QName(prefix, localName, uri);
    }
  }
}

function resolve(scope: Scope, prefix: string): Namespace {
  const namespace = scope.lookup(prefix);
  if (namespace === null) throw malformed(`prefix ${shown(prefix)} is not declared`);
  return namespace;
}
