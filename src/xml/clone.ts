import { Attr } from './attr.js';
import { Element, type Node } from './element.js';
import { link } from './order.js';
import { Text } from './text.js';

/** As {@link Element.clone}, without recursion. */
export function cloneOf(element: Element): Element {
  const copy = copyOf(element);
  let target = copy;
  let node: Node | null = element.firstChild;
  while (node !== null) {
    const made: Node = node instanceof Element ? copyOf(node) : new Text(node.data);
    link(target, made);
    if (node instanceof Element && made instanceof Element && node.firstChild !== null) {
      target = made;
      node = node.firstChild;
      continue;
    }
    while (node !== null && node.nextSibling === null) {
      node = node.parentElement === element ? null : node.parentElement;
      target = target.parentElement ?? copy;
    }
    node = node === null ? null : node.nextSibling;
  }
  return copy;
}

function copyOf(element: Element): Element {
  const copy = new Element(element.qname);
  let last: Attr | null = null;
  for (let attr = element.firstAttribute; attr !== null; attr = attr.nextAttribute) {
    const made = new Attr(attr.qname, attr.value, copy);
    if (last === null) copy.firstAttribute = made;
    else last.nextAttribute = made;
    last = made;
  }
  return copy;
}
