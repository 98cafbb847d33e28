import { kindOf, reasonOf } from '../arguments/values.js';
import { usageError } from '../errors.js';
import type { JID } from '../jid/jid.js';
import { fromDom } from '../xml/dom.js';
import { isElement, type Element } from '../xml/element.js';
import { parseInScope } from '../xml/tokenizer/parse.js';

/**
 * What a caller wants sent, as one element: an element, an element of another DOM, or a string that holds exactly one.
 * A string without xmlns means the stream's content namespace.
 * @throws BrokerError `USAGE_NOT_ONE_STANZA` naming what was given; nothing was accepted
 */
export function asStanza(node: unknown, xmlns: string): Element {
  if (isElement(node)) return node;
  if (typeof node === 'string') {
    try {
      return parseInScope(node, xmlns);
    } catch (cause) {
      throw usageError(
        'USAGE_NOT_ONE_STANZA',
        `the string is not exactly one well-formed element: ${reasonOf(cause)}`,
        { cause },
      );
    }
  }
  if (typeof node === 'object' && node !== null) {
    try {
      if ('nodeType' in node) return fromDom(node as Parameters<typeof fromDom>[0]);
    } catch (cause) {
      throw usageError('USAGE_NOT_ONE_STANZA', `the DOM element cannot be sent: ${reasonOf(cause)}`, { cause });
    }
  }
  throw usageError(
    'USAGE_NOT_ONE_STANZA',
    `${kindOf(node)} was given where an element, a DOM element or a string with one element belongs`,
  );
}

/**
 * The stanza of an account without its full address as the sender: the server puts that there (RFC 6120 §8.1.2.1). A
 * stanza that is held may go out in another session, with another resource, and there the old address is fatal.
 */
export function withoutOwnSender(stanza: Element, account: JID | null): Element {
  if (account === null) return stanza;
  const from = stanza.getAttribute('from');
  if (from === null || !from.startsWith(`${account.toString()}/`)) return stanza;
  // The caller's node stays as it is.
  const copy = stanza.clone();
  copy.removeAttribute('from');
  return copy;
}

/**
 * Rules of RFC 6120 §8.2.3 for what a program sends.
 * @throws BrokerError `USAGE_IQ`
 */
export function checkStanza(stanza: Element): void {
  if (stanza.localName !== 'iq') return;
  const id = stanza.getAttribute('id');
  const type = stanza.getAttribute('type');
  if (id === null || id === '')
    throw usageError('USAGE_IQ', 'an <iq/> needs an id attribute (RFC 6120 §8.1.3); use request() to have one made');
  if (type !== 'get' && type !== 'set' && type !== 'result' && type !== 'error') {
    throw usageError(
      'USAGE_IQ',
      `the <iq/> ${JSON.stringify(id)} has the type ${JSON.stringify(type)}; it must be get, set, result or error`,
    );
  }
  if ((type === 'get' || type === 'set') && stanza.children.length !== 1) {
    throw usageError(
      'USAGE_IQ',
      `the <iq/> ${JSON.stringify(id)} of type ${type} has ${String(stanza.children.length)} child elements; it must have exactly one`,
    );
  }
}
