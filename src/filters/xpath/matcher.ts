import { Compiler } from './compile.js';
import { isNodeSet, type Expr, type NameTest } from './expression.js';
import { ROOT, type MatchedNode } from './node.js';
import type { Run } from './run.js';

/** Evaluates a filter for the stanza of a run: the nodes it matches, none for a result that is no node-set; null: no match. */
export type Matcher = (run: Run) => readonly MatchedNode[] | null;

const NO_NODES: readonly MatchedNode[] = Object.freeze([]);

/** The matcher of an expression: XPath's `boolean()` of it, with the stanza as the context node. */
export function compileMatcher(expr: Expr, contentNamespaces: readonly string[]): Matcher {
  const compiler = new Compiler(contentNamespaces);
  if (!isNodeSet(expr)) {
    const test = compiler.boolean(expr);
    return (run) => (test(run.root, run) ? NO_NODES : null);
  }
  const collect = compiler.paths.collect(expr, true);
  return (run) => {
    const nodes = collect(run.root, run);
    if (nodes.length === 0) return null;
    return nodes.includes(ROOT) ? nodes.map((node) => run.exposed(node)) : (nodes as readonly MatchedNode[]);
  };
}

/** The matcher of an expression that matches whenever the stanza has that name. */
export function nameMatcher(name: NameTest, contentNamespaces: readonly string[]): Matcher {
  const accepts = new Compiler(contentNamespaces).paths.nameTest(name);
  return ({ root }) => (accepts(root.qname) ? [root] : null);
}
