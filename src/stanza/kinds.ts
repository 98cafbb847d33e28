// The three kinds of stanza: RFC 6120 §8.1, §8.2.
import type { Element } from '../xml/element.js';
import { CONTENT_NAMESPACES } from '../xml/namespaces.js';

/** What a stanza can be (RFC 6120 §8). */
export type StanzaKind = 'message' | 'presence' | 'iq';

const KINDS: ReadonlySet<string> = new Set<StanzaKind>(['message', 'presence', 'iq']);

/** Whether that is the name of a stanza. */
export function isStanzaKind(localName: string): localName is StanzaKind {
  return KINDS.has(localName);
}

/** Whether an element is a stanza on a stream of any of the standard content namespaces (RFC 6120 §4.8.2). */
export function isStanza(element: Element): boolean {
  return isStanzaKind(element.localName) && CONTENT_NAMESPACES.includes(element.namespaceURI ?? '');
}
