import type { Element } from '../xml/element.js';
import { NS } from '../xml/namespaces.js';
import { Text } from '../xml/text.js';

const SASL_CONTENT = new Set(['auth', 'response', 'challenge', 'success']);
const PASSWORD_QUERIES = new Set<string | null>([NS.IQ_AUTH, NS.IQ_AUTH_0K, NS.IQ_REGISTER]);
const PASSWORD_FIELDS = new Set(['password', 'digest', 'hash', 'token']);

/** Elements of SASL2 that have children; the content of its others is data of the exchange (XEP-0388 §2). */
const SASL2_FRAMES = new Set(['authenticate', 'success', 'continue', 'failure']);
/** What those say that is no secret. */
const SASL2_SHOWN = new Set(['user-agent', 'authorization-identifier', 'tasks', 'text']);
/** What is asked for and answered with the sign-in: nothing of it is secret but tokens (XEP-0484). */
const INLINE = new Set<string | null>([NS.SM, NS.BIND2, NS.FAST, NS.SASL]);

/** Stands where a credential was. */
const HIDDEN = '[redacted]';

/** Whether an element carries credentials by the rules of the known protocols. */
function carriesCredentials(element: Element): boolean {
  if (element.namespaceURI === NS.SASL) return SASL_CONTENT.has(element.localName);
  if (element.namespaceURI === NS.SASL2) return true;
  if (element.localName === 'handshake') return true;
  if (element.localName === 'presence') return roomPassword(element) !== null;
  if (element.localName !== 'iq') return false;
  const query = element.firstElementChild;
  return query !== null && PASSWORD_QUERIES.has(query.namespaceURI);
}

/** The password that lets somebody into a room (XEP-0045 §7.2.6). */
function roomPassword(presence: Element): Element | null {
  return presence.getChild('x', NS.MUC)?.getChild('password') ?? null;
}

/**
 * The element as events and logs may show it: itself, or a copy without credentials (exchanges of SASL and SASL2 with their
 * tokens, handshakes, password fields of jabber:iq:auth and jabber:iq:register, passwords of rooms).
 */
export function redacted(element: Element, secret = false): Element {
  if (!secret && !carriesCredentials(element)) return element;
  const copy = element.clone();
  if (copy.namespaceURI === NS.SASL2 && SASL2_FRAMES.has(copy.localName)) {
    for (const child of copy.children) hideInFrame(child);
  } else if (copy.localName === 'presence' && !secret) {
    const password = roomPassword(copy);
    if (password !== null) hide(password);
  } else if (copy.localName === 'iq') {
    const query = copy.firstElementChild;
    for (const field of query === null ? [] : query.children) {
      if ((secret || PASSWORD_FIELDS.has(field.localName)) && field.firstChild !== null) hide(field);
    }
  } else if (copy.firstChild !== null) {
    hide(copy);
  }
  return copy;
}

function hideInFrame(child: Element): void {
  const { namespaceURI, localName } = child;
  if (namespaceURI === NS.SASL2 ? SASL2_SHOWN.has(localName) : INLINE.has(namespaceURI)) {
    if (child.hasAttribute('token')) child.setAttribute('token', HIDDEN);
  } else if (child.firstChild !== null) {
    hide(child);
  }
}

function hide(element: Element): void {
  while (element.firstChild !== null) element.removeChild(element.firstChild);
  element.appendChild(new Text(HIDDEN));
}
