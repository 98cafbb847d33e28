import { printable } from '../errors.js';
import { NS } from './namespaces.js';

/** What is wrong with `xmlns='…'` or `xmlns:prefix='…'` (Namespaces in XML 1.0 §3), or null. */
export function declarationMistake(prefix: string | null, uri: string): string | null {
  if (prefix === 'xmlns') return 'prefix xmlns cannot be declared';
  if (uri === NS.XMLNS) return `nothing can be bound to ${NS.XMLNS}`;
  if ((prefix === 'xml') !== (uri === NS.XML)) return `prefix xml and ${NS.XML} belong together and to nothing else`;
  if (prefix !== null && uri === '') return `prefix "${printable(prefix, 64)}" is bound to nothing`;
  return null;
}
