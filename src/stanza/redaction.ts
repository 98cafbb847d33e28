import type { Element } from '../xml/element.js';
import { NS } from '../xml/namespaces.js';
import { Text } from '../xml/text.js';

const SASL_CONTENT = new Set(['auth', 'response', 'challenge', 'success']);
const PASSWORD_QUERIES = new Set<string | null>([NS.IQ_AUTH, NS.IQ_AUTH_0K, NS.IQ_REGISTER]);
const PASSWORD_FIELDS = new Set(['password', 'digest', 'hash', 'token']);

/** Stands where a credential was. */
const HIDDEN = '[redacted]';

/** Whether an element carries credentials by the rules of the known protocols. */
function carriesCredentials(element: Element): boolean {
  if (element.namespaceURI === NS.SASL) return SASL_CONTENT.has(element.localName);
  if (element.localName === 'handshake') return true;
  if (element.localName !== 'iq') return false;
  const query = element.firstElementChild;
  return query !== null && PASSWORD_QUERIES.has(query.namespaceURI);
}

/**
 * The element as events and logs may show it: itself, or a copy without credentials (SASL exchanges, handshakes,
 * password fields of jabber:iq:auth and jabber:iq:register).
 */
export function redacted(element: Element, secret = false): Element {
  if (!secret && !carriesCredentials(element)) return element;
  const copy = element.clone();
  if (copy.localName === 'iq') {
    const query = copy.firstElementChild;
    for (const field of query === null ? [] : query.children) {
      if ((secret || PASSWORD_FIELDS.has(field.localName)) && field.firstChild !== null) hide(field);
    }
  } else if (copy.firstChild !== null) {
    hide(copy);
  }
  return copy;
}

function hide(element: Element): void {
  while (element.firstChild !== null) element.removeChild(element.firstChild);
  element.appendChild(new Text(HIDDEN));
}
