// XPath 1.0 §5: the data model, on the light element tree.
import { Attr } from '../../xml/attr.js';
import type { Document } from '../../xml/document.js';
import { Element } from '../../xml/element.js';
import { NS } from '../../xml/namespaces.js';
import { Text } from '../../xml/text.js';

/** A namespace in scope for an element (§5.4). They exist only where an expression asks for the `namespace` axis. */
export class NamespaceNode {
  constructor(
    /** `null` for the default namespace. */
    readonly prefix: string | null,
    readonly namespaceURI: string,
    readonly ownerElement: Element,
  ) {}

  get nodeType(): 13 {
    return 13;
  }
  get nodeName(): string {
    return this.prefix ?? '';
  }
  get localName(): string {
    return this.prefix ?? '';
  }
  get nodeValue(): string {
    return this.namespaceURI;
  }
  get textContent(): string {
    return this.namespaceURI;
  }
}

/** A node that a filter can select. */
export type MatchedNode = Document | Element | Text | Attr | NamespaceNode;

/** The document root during an evaluation, whatever the stanza: spares making a {@link Document} for each. */
class RootNode {
  readonly kind = 'root';
}
export const ROOT = new RootNode();

/** A node during an evaluation. */
export type XNode = RootNode | Element | Text | Attr | NamespaceNode;

/** The element a node belongs to: what is its parent in §5. `root` is the stanza. */
export function parentOf(node: XNode, root: Element): XNode | null {
  if (node instanceof Element) return node === root ? ROOT : node.parentElement;
  if (node instanceof Text) return node.parentElement;
  return node instanceof RootNode ? null : node.ownerElement;
}

/** How many visits it costs to begin a list of namespaces. */
const SCOPE_VISITS = 16;

/** Whether an attribute is one to XPath: namespace declarations are not (§5.3). */
export function isDeclaration(attr: Attr): boolean {
  return attr.qname.namespaceURI === NS.XMLNS;
}

/**
 * The namespaces in scope for an element (§5.4) within the stanza: `xml`, what it and its ancestors declare, and what
 * their names use. Content namespaces are no namespaces to a filter, so they are left out.
 */
export function namespacesInScope(
  element: Element,
  root: Element,
  isContent: (uri: string) => boolean,
  charge: (visits: number) => void,
): NamespaceNode[] {
  charge(SCOPE_VISITS);
  const scope = new Map<string | null, string>([['xml', NS.XML]]);
  const bind = (prefix: string | null, uri: string): void => {
    if (!scope.has(prefix)) scope.set(prefix, uri);
  };
  for (
    let current: Element | null = element;
    current !== null;
    current = current === root ? null : current.parentElement
  ) {
    charge(2);
    const { prefix, namespaceURI } = current.qname;
    if (namespaceURI === null || isContent(namespaceURI)) bind(null, '');
    else bind(prefix, namespaceURI);
    for (let attr = current.firstAttribute; attr !== null; attr = attr.nextAttribute) {
      charge(1);
      const name = attr.qname;
      if (isDeclaration(attr)) bind(name.prefix === null ? null : name.localName, attr.value);
      else if (name.prefix !== null && name.namespaceURI !== null) bind(name.prefix, name.namespaceURI);
    }
  }
  const nodes: NamespaceNode[] = [];
  for (const [prefix, uri] of scope) {
    if (uri !== '' && !isContent(uri)) nodes.push(new NamespaceNode(prefix, uri, element));
  }
  return nodes;
}
