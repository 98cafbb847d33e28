// XPath 1.0 §2.2: the axes. No loop recurses by the depth of the tree, and each node met takes at least one
// visit of the budget.
import { Attr } from '../../xml/attr.js';
import { Element, following, type Node } from '../../xml/element.js';
import { Text } from '../../xml/text.js';
import type { Axis } from './expression.js';
import { isDeclaration, parentOf, ROOT, type XNode } from './node.js';
import type { Run } from './run.js';

/** A question about a node. As what an axis hands its nodes to: true ends the walk. */
export type Test = (node: XNode, run: Run) => boolean;

/** Walks along an axis in its own order and tells whether `accept` ended it. */
type Walk = (accept: Test) => Test;

const child: Walk = (accept) => (node, run) => {
  if (node instanceof Element) {
    for (let at = node.firstChild; at !== null; at = at.nextSibling) {
      run.charge(1);
      if (accept(at, run)) return true;
    }
    return false;
  }
  return node === ROOT && accept(run.root, run);
};

const attribute: Walk = (accept) => (node, run) => {
  if (!(node instanceof Element)) return false;
  for (let attr = node.firstAttribute; attr !== null; attr = attr.nextAttribute) {
    run.charge(1);
    if (!isDeclaration(attr) && accept(attr, run)) return true;
  }
  return false;
};

const namespace: Walk = (accept) => (node, run) =>
  node instanceof Element && run.namespacesOf(node).some((each) => accept(each, run));

const self: Walk = (accept) => (node, run) => {
  run.charge(1);
  return accept(node, run);
};

const parent: Walk = (accept) => (node, run) => {
  run.charge(1);
  const above = parentOf(node, run.root);
  return above !== null && accept(above, run);
};

const ancestor: Walk = (accept) => (node, run) => {
  for (let at = parentOf(node, run.root); at !== null; at = parentOf(at, run.root)) {
    run.charge(1);
    if (accept(at, run)) return true;
  }
  return false;
};

const descendant: Walk = (accept) => (node, run) => {
  let top: Element;
  if (node instanceof Element) top = node;
  else if (node === ROOT) {
    top = run.root;
    if (accept(top, run)) return true;
  } else return false;
  for (let at = top.firstChild; at !== null; at = following(at, top)) {
    run.charge(1);
    if (accept(at, run)) return true;
  }
  return false;
};

const followingSibling: Walk = (accept) => (node, run) => {
  if (node === run.root || !(node instanceof Element || node instanceof Text)) return false;
  for (let at = node.nextSibling; at !== null; at = at.nextSibling) {
    run.charge(1);
    if (accept(at, run)) return true;
  }
  return false;
};

const precedingSibling: Walk = (accept) => (node, run) => {
  if (node === run.root || !(node instanceof Element || node instanceof Text)) return false;
  for (let at = node.previousSibling; at !== null; at = at.previousSibling) {
    run.charge(1);
    if (accept(at, run)) return true;
  }
  return false;
};

/** Behind the node and not below it. What is below an attribute's element is behind the attribute. */
const followingNodes: Walk = (accept) => (node, run) => {
  if (node === ROOT) return false;
  let at: Node | null;
  if (node instanceof Element || node instanceof Text) at = behind(node, run);
  else at = following((node as Attr).ownerElement as Element, run.root);
  for (; at !== null; at = following(at, run.root)) {
    run.charge(1);
    if (accept(at, run)) return true;
  }
  return false;
};

/** The first node behind everything below `node`. */
function behind(node: Node, run: Run): Node | null {
  for (let at: Node | null = node; at !== null && at !== run.root; at = at.parentElement) {
    run.charge(1);
    if (at.nextSibling !== null) return at.nextSibling;
  }
  return null;
}

/** Before the node and not above it, backwards. */
const preceding: Walk = (accept) => (node, run) => {
  if (node === ROOT) return false;
  let at: Node | null = node instanceof Element || node instanceof Text ? node : (node as Attr).ownerElement;
  for (; at !== null && at !== run.root; at = at.parentElement) {
    for (let top = at.previousSibling; top !== null; top = top.previousSibling) {
      let below = lastBelow(top, run);
      for (;;) {
        run.charge(1);
        if (accept(below, run)) return true;
        if (below === top) break;
        below =
          below.previousSibling === null ? (below.parentElement as Element) : lastBelow(below.previousSibling, run);
      }
    }
  }
  return false;
};

/** The last node of the subtree in document order. */
function lastBelow(node: Node, run: Run): Node {
  let at = node;
  while (at instanceof Element && at.lastChild !== null) {
    run.charge(1);
    at = at.lastChild;
  }
  return at;
}

/** The node itself, then what the axis reaches. */
const withSelf =
  (walk: Walk): Walk =>
  (accept) => {
    const others = walk(accept);
    return (node, run) => accept(node, run) || others(node, run);
  };

export const AXES: Readonly<Record<Axis, Walk>> = {
  ancestor,
  'ancestor-or-self': withSelf(ancestor),
  attribute,
  child,
  descendant,
  'descendant-or-self': withSelf(descendant),
  following: followingNodes,
  'following-sibling': followingSibling,
  namespace,
  parent,
  preceding,
  'preceding-sibling': precedingSibling,
  self,
};
