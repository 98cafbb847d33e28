import { Element, following } from '../../xml/element.js';
import { Attr } from '../../xml/attr.js';
import { Document } from '../../xml/document.js';
import { Text } from '../../xml/text.js';
import { namespacesInScope, ROOT, type MatchedNode, type NamespaceNode, type XNode } from './node.js';
import { toNumber } from './values.js';

/** Thrown inside an evaluation when the budget is used up. Never leaves the filter set. */
export class BudgetExceeded extends Error {}

/** As a power of two: how many UTF-16 code units of text cost as much as visiting one node. */
const TEXT_PER_VISIT = 5;

/**
 * One stanza under evaluation: its root, the budget that is left, and what only makes sense while an expression runs.
 * Evaluations never call user code and never nest, so a filter set needs only one of these.
 */
export class Run {
  root!: Element;
  /** Node visits left; see {@link charge}. */
  left = 0;

  /** Context position and size of the predicate being evaluated (§1). */
  position = 1;
  size = 1;
  /** Where the path that is being collected puts its nodes; null until it finds one. */
  out: XNode[] | null = null;
  /** The node on which a search for one node ended. */
  found: XNode | null = null;
  /** Counts down to the node that a numeric predicate asks for. */
  countdown = 0;
  /** Nodes already met, one set for each place in the expression that may meet a node twice. */
  readonly seen: (Set<XNode> | null)[] = [];
  /** For each place that leaves out what is below a node: that node, and the node met last. */
  readonly covers: (XNode | null)[] = [];
  readonly met: (XNode | null)[] = [];

  #namespaces: Map<Element, NamespaceNode[]> | null = null;
  readonly #isContent: (uri: string) => boolean;

  constructor(contentNamespaces: readonly string[]) {
    this.#isContent = (uri) => contentNamespaces.includes(uri);
  }

  /** Prepares the evaluation of one expression. */
  begin(root: Element, budget: number): void {
    if (this.root !== root) {
      this.root = root;
      this.#namespaces = null;
    }
    this.left = budget;
    this.position = 1;
    this.size = 1;
    this.out = null;
    this.found = null;
    this.#forgetAll();
  }

  /** Forgets the stanza. */
  end(): void {
    this.root = undefined as unknown as Element;
    this.#namespaces = null;
    this.out = null;
    this.found = null;
    this.#forgetAll();
  }

  /** Makes the place with that number in the expression forget the nodes it met. */
  forget(place: number): void {
    this.seen[place] = null;
    this.covers[place] = null;
    this.met[place] = null;
  }

  #forgetAll(): void {
    if (this.seen.length === 0) return;
    this.seen.length = this.covers.length = this.met.length = 0;
  }

  /** Takes visits from the budget. */
  charge(visits: number): void {
    this.left -= visits;
    if (this.left < 0) throw new BudgetExceeded();
  }

  /** Takes from the budget what handling that much text costs. */
  chargeText(length: number): void {
    this.left -= length >> TEXT_PER_VISIT;
    if (this.left < 0) throw new BudgetExceeded();
  }

  /** §4.4 `number()` of a text. */
  toNumber(text: string): number {
    this.charge(1);
    this.chargeText(text.length);
    return toNumber(text);
  }

  /** The string-value of a node (§5). */
  stringValue(node: XNode): string {
    if (node instanceof Attr) return node.value;
    if (node instanceof Text) return node.data;
    if (node instanceof Element) return this.#text(node);
    return node === ROOT ? this.#text(this.root) : (node as NamespaceNode).namespaceURI;
  }

  #text(element: Element): string {
    const first = element.firstChild;
    if (first === null) return '';
    let text = '';
    if (first === element.lastChild && first instanceof Text) text = first.data;
    else {
      for (let node: Element | Text | null = first; node !== null; node = following(node, element)) {
        this.charge(1);
        if (node instanceof Text) text += node.data;
      }
    }
    this.chargeText(text.length);
    return text;
  }

  /** The namespace nodes of an element; the same objects during one stanza. */
  namespacesOf(element: Element): readonly NamespaceNode[] {
    this.#namespaces ??= new Map();
    let nodes = this.#namespaces.get(element);
    if (nodes === undefined) {
      nodes = namespacesInScope(element, this.root, this.#isContent, (visits) => this.charge(visits));
      this.#namespaces.set(element, nodes);
    }
    return nodes;
  }

  /** Nodes without duplicates, in document order (§5): an element before its namespaces, its attributes, its children. */
  inDocumentOrder(nodes: readonly XNode[]): XNode[] {
    this.charge(nodes.length);
    const wanted = new Set(nodes);
    if (wanted.size <= 1) return [...wanted];
    const ordered: XNode[] = [];
    const take = (node: XNode): void => {
      this.charge(2);
      if (wanted.has(node)) ordered.push(node);
    };
    take(ROOT);
    for (let node: Element | Text | null = this.root; node !== null; node = following(node, this.root)) {
      take(node);
      if (node instanceof Element) {
        this.#namespaces?.get(node)?.forEach(take);
        for (let attr = node.firstAttribute; attr !== null; attr = attr.nextAttribute) take(attr);
      }
      if (ordered.length === wanted.size) break;
    }
    return ordered;
  }

  /** What the user gets to see of a node. */
  exposed(node: XNode): MatchedNode {
    if (node !== ROOT) return node as MatchedNode;
    return this.root.parentElement === null ? this.root.ownerDocument : new Document(this.root);
  }
}
