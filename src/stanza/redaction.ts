import type { Element } from '../xml/element.js';
import { isStanzaKind } from './kinds.js';
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

/**
 * Passwords stand in these: of rooms (XEP-0045 §7.2.6, §7.8, §10.9; XEP-0249), and in bookmarks of them (XEP-0048, XEP-0402); of accounts,
 * in commands of administrators (XEP-0133); of relays (XEP-0215). Headers of uploads stand in for one (XEP-0363 §4).
 */
const PLACES = new Set<string | null>([
  NS.MUC,
  NS.MUC_USER,
  NS.MUC_OWNER,
  'jabber:x:conference',
  'storage:bookmarks',
  'urn:xmpp:bookmarks:1',
  'http://jabber.org/protocol/commands',
  'urn:xmpp:extdisco:1',
  'urn:xmpp:extdisco:2',
  'urn:xmpp:http:upload',
  NS.HTTP_UPLOAD,
]);
/** Headers that let somebody in, of those that a slot for an upload may have (XEP-0363 §4); HTTP makes no difference of case. */
const SECRET_HEADER = /^\s*(?:authorization|cookie)\s*$/i;
/** Fields of forms that hold passwords without saying so by their type, such as `muc#roomconfig_roomsecret`. */
const SECRET_FIELD = /(?:password(?:-verify)?|secret)$/i;

/** Whether an element carries credentials by the rules of the known protocols. */
function carriesCredentials(element: Element): boolean {
  if (element.namespaceURI === NS.SASL) return SASL_CONTENT.has(element.localName);
  if (element.namespaceURI === NS.SASL2) return true;
  if (element.localName === 'handshake') return true;
  if (passwordsInside(element).length > 0) return true;
  if (element.localName !== 'iq') return false;
  const query = element.firstElementChild;
  return query !== null && PASSWORD_QUERIES.has(query.namespaceURI);
}

/** Stanzas inside of an element: in a packet of jabberd2's router, or passed on (XEP-0297), as carbons and archives do. */
function stanzasIn({ children }: Element): Element[] {
  return children.flatMap((child) => (isStanzaKind(child.localName) ? [child] : stanzasIn(child)));
}

/** Whether an element carries credentials, or a stanza inside of it does. */
function holdsCredentials(element: Element): boolean {
  return carriesCredentials(element) || stanzasIn(element).some(holdsCredentials);
}

/** Whatever of a stanza holds such a password, but for the stanzas inside of it. */
function passwordsInside({ children }: Element): Element[] {
  return children.flatMap((child) => {
    if (PLACES.has(child.namespaceURI)) return passwordsIn(child);
    return isStanzaKind(child.localName) ? [] : passwordsInside(child);
  });
}

/** The element, or what is in it: whatever has a password. */
function passwordsIn(element: Element): Element[] {
  const { localName, namespaceURI } = element;
  const isField = localName === 'field' && namespaceURI === NS.DATA_FORMS;
  const isOne = isField
    ? element.getAttribute('type') === 'text-private' || SECRET_FIELD.test(element.getAttribute('var') ?? '')
    : localName === 'password' || element.hasAttribute('password') || isSecretHeader(element);
  return isOne ? [element] : element.children.flatMap(passwordsIn);
}

function isSecretHeader(element: Element): boolean {
  return element.localName === 'header' && SECRET_HEADER.test(element.getAttribute('name') ?? '');
}

/**
 * The element as events and logs may show it: itself, or a copy without credentials (exchanges of SASL and SASL2 with their
 * tokens, handshakes, password fields of jabber:iq:auth and jabber:iq:register, passwords of rooms, headers of uploads), also of stanzas inside it.
 */
export function redacted(element: Element, secret = false): Element {
  if (!secret && !holdsCredentials(element)) return element;
  const copy = element.clone();
  hideCredentials(copy, secret);
  return copy;
}

/** Hides them in a copy, and in the stanzas inside of it. */
function hideCredentials(copy: Element, secret: boolean): void {
  for (const inner of stanzasIn(copy)) hideCredentials(inner, false);
  if (!secret && !carriesCredentials(copy)) return;
  for (const holder of passwordsInside(copy)) hidePassword(holder);
  if (copy.namespaceURI === NS.SASL2 && SASL2_FRAMES.has(copy.localName)) {
    for (const child of copy.children) hideInFrame(child);
  } else if (copy.localName === 'iq') {
    const query = copy.firstElementChild;
    for (const field of query === null ? [] : query.children) hideField(field, secret);
  } else if (secret || !isStanzaKind(copy.localName)) {
    hide(copy);
  }
}

/** A field of a query, or a form with fields. */
function hideField(field: Element, secret: boolean): void {
  if (secret || PASSWORD_FIELDS.has(field.localName)) hide(field);
  else for (const holder of passwordsIn(field)) hidePassword(holder);
}

function hidePassword(holder: Element): void {
  if (holder.hasAttribute('password')) holder.setAttribute('password', HIDDEN);
  else hide(holder);
}

function hideInFrame(child: Element): void {
  const { namespaceURI, localName } = child;
  if (namespaceURI === NS.SASL2 ? SASL2_SHOWN.has(localName) : INLINE.has(namespaceURI)) {
    if (child.hasAttribute('token')) child.setAttribute('token', HIDDEN);
  } else {
    hide(child);
  }
}

function hide(element: Element): void {
  if (element.childNodes.length === 0) return;
  while (element.firstChild !== null) element.removeChild(element.firstChild);
  element.appendChild(new Text(HIDDEN));
}
