// XEP-0114: Jabber Component Protocol, as spoken by jabberd14, Prosody, ejabberd and the jabberd2 router.
import { createHash } from 'node:crypto';
import { flag, listOf } from '../arguments/checks.js';
import { readOptions, type OptionTable } from '../arguments/options.js';
import { BrokerError, usageError } from '../errors.js';
import { domain as domainCheck, preparedDomain } from '../jid/checks.js';
import { JID } from '../jid/jid.js';
import { xml } from '../xml/builder.js';
import type { Element } from '../xml/element.js';
import { CONTENT_NAMESPACES, NS } from '../xml/namespaces.js';
import { componentProbe, isForeignProbe, sentOn } from './component-probe.js';
import type { Dialect, DialectLink, Established, Negotiation } from './dialect.js';

/** Options of the component dialect, given with {@link ComponentDialect.with}. */
export interface ComponentOptions {
  /** Further names that the server sends to this connection, such as the hosts of one ejabberd listener. Default none. */
  names?: readonly string[] | undefined;
  /** Delivers what is for other domains, too, instead of reporting it. Default false. */
  deliverForeign?: boolean | undefined;
  /** Sends from other domains, too, for servers that allow it. Others close the stream for it. Default false. */
  sendForeign?: boolean | undefined;
}

const OPTIONS: OptionTable<ComponentOptions> = {
  checks: { names: listOf('domain names', domainCheck), deliverForeign: flag, sendForeign: flag },
};

/** The component dialect. */
export interface ComponentDialect extends Dialect {
  /** The same dialect with other options. @throws BrokerError `USAGE_COMPONENT_OPTIONS` */
  with(options: ComponentOptions): ComponentDialect;
}

/**
 * A component of a server: a name of its own below the server, connected with a shared secret (XEP-0114).
 *
 * `domain` is the component's name and `password` the secret; there is no default port. TLS is not part of the
 * protocol: on this machine the stream is in clear, elsewhere `tls: { policy: 'direct' }` or `'disabled'` must be said.
 *
 * A stanza without `from` gets the component's name. One that arrives for another domain is reported as PCJ_PROTOCOLERROR and not
 * delivered. `<log/>`, `<route/>` and `<xdb/>`, which jabberd14 knows beside stanzas, arrive as PCJ_ROUTE.
 *
 * More than one connection for a name: ejabberd (without `domain_balancing`) gives each stanza to any of them, jabberd2 chooses by
 * the sender's bare address, and in both the others take everything when one leaves. Prosody refuses the second with
 * `conflict`, or with `component_conflict_resolve = "kick_old"` ends the first, as jabberd14 does. A conflict while connecting may
 * come from a lost link of our own and is retried by reconnecting; on a ready link it is final.
 */
export const JABBERD14_COMPONENT: ComponentDialect = dialect({});

function dialect(options: ComponentOptions): ComponentDialect {
  return Object.freeze<ComponentDialect>({
    name: 'JABBERD14_COMPONENT',
    xmlns: NS.COMPONENT_ACCEPT,
    usualPort: 5347,
    needs: ['password', 'port'],
    defaultTls: 'loopback',
    tlsPolicies: ['direct', 'disabled'],
    addressing: 'domain',
    // There are few, and a server waits for each.
    firstDelayMs: 1_000,
    probe: (id, { config }) => componentProbe(id, config.domain),
    negotiate,
    prepare: (stanza, { domain }) => prepare(stanza, domain, options),
    unwrap: (element, link) => unwrap(element, link, options),
    with: (more) => {
      const given = readOptions('USAGE_COMPONENT_OPTIONS', 'JABBERD14_COMPONENT.with()', more, OPTIONS);
      const names = Object.freeze((given.names ?? options.names ?? []).map(preparedDomain));
      return dialect({ ...options, ...given, names });
    },
  });
}

async function negotiate(session: Negotiation): Promise<Established> {
  try {
    return await shakeHands(session);
  } catch (error) {
    // Our own lost link may hold the name until the server finds out.
    if (error instanceof BrokerError && error.condition === 'conflict') throw error.with({ retryable: true });
    throw error;
  }
}

async function shakeHands(session: Negotiation): Promise<Established> {
  const header = await session.open();
  // A server that does not know the name answers with an empty id, then says so. Nothing is ever hashed with it.
  if (header.id === null || header.id === '') {
    const element = await session.next();
    throw new BrokerError('STREAM_NO_ID', `the server sent no stream id but <${element.nodeName}/>`, {
      layer: 'stream',
      origin: 'peer',
      sentCondition: 'invalid-id',
    });
  }
  const secret = await session.password();
  session.publish('PCJ_AUTHNEGOTIATE', { mechanism: 'handshake' });
  const digest = createHash('sha1').update(header.id, 'utf8').update(secret, 'utf8').digest('hex');
  session.send(xml('handshake', { xmlns: NS.COMPONENT_ACCEPT }, digest), { secret: true });
  // jabberd2 announces its features first when asked with a version; the handshake follows all the same.
  await session.next((element) => element.is('handshake', NS.COMPONENT_ACCEPT));
  session.publish('PCJ_AUTHSUCCESS', { mechanism: 'handshake' });
  return { jid: JID.parse(session.config.domain), sid: header.id };
}

/** Fills in a missing `from` with our name and refuses what servers close the stream for (XEP-0114 §3). */
function prepare(stanza: Element, domain: string, options: ComponentOptions): Element {
  if (stanza.getAttribute('to') === null && !(isPacket(stanza) && stanza.localName === 'log')) {
    throw usageError(
      'USAGE_COMPONENT_ADDRESS',
      `<${stanza.nodeName}/> has no 'to' attribute; a component has no account or server of its own to send to`,
    );
  }
  const from = stanza.getAttribute('from');
  if (from === null) return withFrom(stanza, domain);
  if (isPlainlyOurs(from, domain)) return stanza;
  const sender = JID.parse(from);
  if (isOurs(sender.domain, domain, options)) {
    // Prosody closes the stream for another spelling of our name.
    return domainAsWritten(from) === sender.domain ? stanza : withFrom(stanza, sender.toString());
  }
  if (options.sendForeign === true) return stanza;
  const ours = [domain, ...(options.names ?? [])].join(', ');
  throw usageError(
    'USAGE_COMPONENT_ADDRESS',
    `<${stanza.nodeName}/> has the 'from' ${sender.toString()}, but this component may only send from ${ours}; servers close the stream for that`,
  );
}

function unwrap(element: Element, link: DialectLink, options: ComponentOptions): Element | undefined {
  if (isPacket(element)) {
    const type = element.localName === 'route' ? (element.getAttribute('type') ?? 'route') : element.localName;
    link.publish('PCJ_ROUTE', { type, route: element, stanza: element.firstElementChild });
    return undefined;
  }
  if (element.localName === 'iq' && isForeignProbe(element, (from) => isFor(from, link.config.domain, options))) {
    const probe = sentOn(element, link.config.domain);
    if (probe !== null) link.send(probe);
    return undefined;
  }
  const to = element.getAttribute('to');
  if (to === null || options.deliverForeign === true || isFor(to, link.config.domain, options)) return element;
  if (!CONTENT_NAMESPACES.includes(element.namespaceURI ?? '')) return element;
  // The jabberd2 router returns what it cannot deliver with the addresses as they were sent.
  const from = element.getAttribute('from');
  const bounced = element.getAttribute('type') === 'error' && from !== null && isFor(from, link.config.domain, options);
  if (bounced) return element;
  throw new BrokerError(
    'COMPONENT_NOT_OURS',
    `<${element.nodeName}/> for ${JSON.stringify(to)} is not for this component and was not delivered; JABBERD14_COMPONENT.with({ deliverForeign: true }) delivers it`,
    { layer: 'stream', origin: 'peer', phase: 'ready' },
  );
}

/** Whether an element is one of those that jabberd14 has beside stanzas. */
function isPacket({ localName, namespaceURI, qname }: Element): boolean {
  if (localName !== 'log' && localName !== 'route' && localName !== 'xdb') return false;
  return namespaceURI === NS.COMPONENT_ACCEPT || qname.inherits;
}

/** Characters of an address that no preparation changes. */
const PLAIN_ADDRESS = /^[a-z0-9._@/-]+$/;

/** Whether an address is of our name beyond doubt, without reading it as a JID: most are, and each stanza has one. */
function isPlainlyOurs(from: string, domain: string): boolean {
  if (from === domain) return true;
  const at = from.indexOf('@');
  const slash = from.indexOf('/');
  const end = slash === -1 ? from.length : slash;
  if (at < 1 || at > end || slash === from.length - 1) return false;
  return (
    end - at - 1 === domain.length && from.startsWith(domain, at + 1) && from.length < 256 && PLAIN_ADDRESS.test(from)
  );
}

function withFrom(stanza: Element, from: string): Element {
  const copy = stanza.clone();
  copy.setAttribute('from', from);
  return copy;
}

/** Whether an address belongs to one of our names. */
function isFor(address: string, domain: string, options: ComponentOptions): boolean {
  // As written first: most senders write our name as we do, and preparing an address costs more than reading it.
  if (domainAsWritten(address) === domain) return true;
  try {
    return isOurs(JID.parse(address).domain, domain, options);
  } catch {
    return false;
  }
}

function domainAsWritten(address: string): string {
  const slash = address.indexOf('/');
  const bare = slash < 0 ? address : address.slice(0, slash);
  return bare.slice(bare.indexOf('@') + 1);
}

function isOurs(name: string, domain: string, options: ComponentOptions): boolean {
  return name === domain || (options.names?.includes(name) ?? false);
}
