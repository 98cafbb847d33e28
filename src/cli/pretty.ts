import { Element } from '../xml/element.js';
import { Text } from '../xml/text.js';
import { written } from '../xml/serializer.js';

/** An element over several lines, for people: blanks are added, so it is not the same XML. */
export function pretty(element: Element, depth = 0, xmlns?: string): string {
  const scope = xmlns === undefined ? undefined : { defaultNamespace: xmlns };
  const indent = '  '.repeat(depth);
  const { children, namespaceURI } = element;
  const hasText = element.childNodes.some((node) => node instanceof Text && node.data.trim() !== '');
  if (children.length === 0 || hasText) return indent + written(element, scope);
  const copy = element.clone();
  for (const child of copy.childNodes) copy.removeChild(child);
  const tag = written(copy, scope).replace(/\/>$/, '>');
  const inner = children.map((child) => pretty(child, depth + 1, namespaceURI ?? undefined));
  return [`${indent}${tag}`, ...inner, `${indent}</${element.nodeName}>`].join('\n');
}
