// What the server checks and changes in stanzas: RFC 6120 §8.
import { JID } from '../jid/jid.js';
import type { Element } from '../xml/element.js';
import { unprefixed } from '../xml/qname.js';
import type { StanzaErrorCondition } from '../stanza/conditions.js';
import { isStanzaKind } from '../stanza/kinds.js';

const IQ_TYPES: ReadonlySet<string | null> = new Set(['get', 'set', 'result', 'error']);
const PRESENCE_TYPES: ReadonlySet<string | null> = new Set([
  null,
  'unavailable',
  'subscribe',
  'subscribed',
  'unsubscribe',
  'unsubscribed',
  'probe',
  'error',
]);

/** Whether an element is a stanza of a stream with this content namespace. */
export function isStanza(element: Element, contentNamespace: string): boolean {
  return isStanzaKind(element.localName) && (element.namespaceURI === contentNamespace || element.qname.inherits);
}

/** What is wrong with a stanza (RFC 6120 §8.2), or null. */
export function problemOf(stanza: Element): StanzaErrorCondition | null {
  const type = stanza.getAttribute('type');
  if (stanza.localName === 'presence') return PRESENCE_TYPES.has(type) ? null : 'bad-request';
  if (stanza.localName === 'message') return null;
  if (!IQ_TYPES.has(type) || (stanza.getAttribute('id') ?? '') === '') return 'bad-request';
  const request = type === 'get' || type === 'set';
  return request && stanza.children.length !== 1 ? 'bad-request' : null;
}

/** A copy with another sender. */
export function withFrom(stanza: Element, from: string): Element {
  const copy = stanza.clone();
  copy.setAttribute('from', from);
  return copy;
}

/**
 * Moves a stanza, and what in it is in the same namespace, into another content namespace. Stanzas that are inside of
 * other namespaces, such as forwarded ones, stay as they are.
 */
export function moveInto(contentNamespace: string, stanza: Element): Element {
  const old = stanza.namespaceURI;
  const moved = [stanza];
  for (let element = moved.pop(); element !== undefined; element = moved.pop()) {
    if (element.namespaceURI !== old || element.prefix !== null) continue;
    element.qname = unprefixed(element.localName, contentNamespace);
    element.removeAttribute('xmlns');
    moved.push(...element.children);
  }
  return stanza;
}

/** The account of an address; empty where it is that of a domain, which is nobody's. */
export function accountOf({ local }: JID): string {
  return local ?? '';
}

/** An address of the wire, or null for what is none. */
export function jidOf(text: string | null): JID | null {
  if (text === null) return null;
  try {
    return JID.parse(text);
  } catch {
    return null;
  }
}
