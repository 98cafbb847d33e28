// Packets of the jabberd2 router: <route/> around a stanza of a client.
import { BrokerError, usageError } from '../../errors.js';
import { JID } from '../../jid/jid.js';
import { xml } from '../../xml/builder.js';
import { Element } from '../../xml/element.js';
import { NS } from '../../xml/namespaces.js';
import type { StanzaErrorCondition } from '../../stanza/conditions.js';
import { inClientNamespace } from '../../stanza/client-namespace.js';
import { isStanzaKind } from '../../stanza/kinds.js';
import { errorReply } from '../../stanza/replies.js';

/** Namespaces that a stanza for the router may be written in; it leaves as one of `jabber:client`. */
const OUTBOUND = new Set<string | null>([null, NS.JABBERD2_COMPONENT, NS.CLIENT, NS.SERVER, NS.COMPONENT_ACCEPT]);

/** Namespaces of stanzas that are taken from the router. */
const INBOUND = new Set<string | null>([NS.CLIENT, NS.SERVER]);

const envelopes = new WeakMap<Element, Element>();

/**
 * The `<route/>` a stanza came in, without the stanza: its addresses and whatever else it says. Undefined for a stanza that did
 * not come over a jabberd2 router.
 */
export function routeOf(stanza: Element): Element | undefined {
  return envelopes.get(stanza);
}

/** Whether an element is one that the router itself takes. */
export function isRouterElement(element: Element): boolean {
  const { namespaceURI, qname } = element;
  if (namespaceURI !== NS.JABBERD2_COMPONENT && !qname.inherits) return false;
  return ['route', 'bind', 'unbind', 'throttle'].includes(element.localName);
}

/**
 * A stanza as it leaves: in `jabber:client`, with a `from`. The router drops what has another namespace.
 * @throws BrokerError `USAGE_ROUTE` for what is no stanza, `USAGE_COMPONENT_ADDRESS` without `to`, `USAGE_JID`
 */
export function asClientStanza(stanza: Element, name: string): Element {
  if (!isStanzaKind(stanza.localName) || !OUTBOUND.has(stanza.namespaceURI)) {
    throw usageError(
      'USAGE_ROUTE',
      `<${stanza.nodeName}/> is neither a message, presence or iq nor an element of the router's own namespace`,
    );
  }
  const to = stanza.getAttribute('to');
  if (to === null) {
    throw usageError(
      'USAGE_COMPONENT_ADDRESS',
      `<${stanza.nodeName}/> has no 'to' attribute; the router would drop it without a word`,
    );
  }
  JID.parse(to);
  const from = stanza.getAttribute('from');
  if (from !== null) JID.parse(from);
  if (from !== null && stanza.namespaceURI === NS.CLIENT && stanza.prefix === null) return stanza;
  const copy = inClientNamespace(stanza, NS.JABBERD2_COMPONENT);
  if (from === null) copy.setAttribute('from', name);
  return copy;
}

/** The packet around a stanza. */
export function envelope(stanza: Element, from: string): Element {
  const to = JID.parse(stanza.getAttribute('to') as string).domain;
  return xml('route', { xmlns: NS.JABBERD2_COMPONENT, from, to }, stanza.clone());
}

/**
 * Takes the stanza out of a packet for us.
 * @param isOurs whether we receive what is sent to that domain
 * @throws BrokerError `ROUTE_REFUSED` for a packet that is not for us, or holds anything but one stanza of a client
 */
export function takeStanza(route: Element, isOurs: (domain: string) => boolean): Element {
  const [stanza, ...more] = route.children;
  if (stanza === undefined || more.length > 0) throw refusal(`it holds ${String(route.children.length)} elements`);
  if (!INBOUND.has(stanza.namespaceURI) || !isStanzaKind(stanza.localName)) {
    throw refusal(`it holds <${stanza.nodeName}/> in the namespace ${JSON.stringify(stanza.namespaceURI)}`);
  }
  const domain = domainOf(route.getAttribute('to'));
  if (domain === null || !isOurs(domain)) {
    throw refusal(`it is for ${JSON.stringify(route.getAttribute('to'))}, which is not bound here`);
  }
  const to = stanza.getAttribute('to');
  if (to !== null && domainOf(to) !== domain) {
    throw refusal(`it is for ${domain}, but the stanza in it is for ${JSON.stringify(to)}`);
  }
  route.removeChild(stanza);
  envelopes.set(stanza, route);
  return stanza;
}

function refusal(why: string): BrokerError {
  return new BrokerError('ROUTE_REFUSED', `a packet of the router was not delivered: ${why}`, {
    layer: 'stream',
    origin: 'peer',
    phase: 'ready',
  });
}

const CONDITIONS: Readonly<Record<string, StanzaErrorCondition>> = {
  400: 'bad-request',
  401: 'not-authorized',
  404: 'item-not-found',
};

/**
 * What a bounced packet means for the stanza in it: the error that its receiver would have answered with, or null when the stanza
 * itself was an answer. It repeats nothing of the stanza, so that no filter takes it for a new one.
 */
export function bounceOf(route: Element, stanza: Element, code: string): Element | null {
  const type = stanza.getAttribute('type');
  const answerable = isStanzaKind(stanza.localName) && type !== 'error' && type !== 'result';
  if (!answerable) return null;
  const error = errorReply(stanza, CONDITIONS[code] ?? 'undefined-condition', {
    text: `the router could not deliver it: error ${code}`,
  });
  envelopes.set(error, route);
  return error;
}

/** The prepared domain of an address, or null for what is none. */
export function domainOf(address: string | null): string | null {
  if (address === null) return null;
  try {
    return JID.parse(address).domain;
  } catch {
    return null;
  }
}
