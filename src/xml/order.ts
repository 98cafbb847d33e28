import { Element, type Node } from './element.js';

/** The node behind `node` in document order within `root`, descending into elements; null at the end. */
export function following(node: Node, root: Element): Node | null {
  if (node instanceof Element && node.firstChild !== null) return node.firstChild;
  let current: Node = node;
  while (current !== root) {
    if (current.nextSibling !== null) return current.nextSibling;
    if (current.parentElement === null) return null;
    current = current.parentElement;
  }
  return null;
}

/** The outermost element around an element, or itself. */
export function rootOf(element: Element): Element {
  let root = element;
  while (root.parentElement !== null) root = root.parentElement;
  return root;
}

/** Makes a new node the last child, as it is. */
export function link(parent: Element, node: Node): void {
  node.parentElement = parent;
  const last = parent.lastChild;
  node.previousSibling = last;
  if (last === null) parent.firstChild = node;
  else last.nextSibling = node;
  parent.lastChild = node;
}
