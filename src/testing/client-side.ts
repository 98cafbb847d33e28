// The client side of the server: RFC 6120 §4 to §7, XEP-0368 (direct TLS), XEP-0078, XEP-0198, XEP-0388.
import type { JID } from '../jid/jid.js';
import { xml } from '../xml/builder.js';
import type { Element } from '../xml/element.js';
import { NS } from '../xml/namespaces.js';
import { errorReply, reply } from '../stanza/replies.js';
import { featuresFor, laterFeatures, offerTo, type ClientOffer } from './client-offer.js';
import { ClientSession } from './client-session.js';
import type { Connection } from './connection.js';
import { signInInline, type SignedIn } from './inline.js';
import { authenticate } from './sasl/exchange.js';
import { SASL } from './sasl/profile.js';
import { resourceFor, resumableSession } from './session-start.js';
import type { RefusalStage, Site } from './site.js';
import { jidOf } from './stanza.js';
import { StreamFault, StreamOver } from './stream-fault.js';
import { failed } from './stream-management.js';
import { isModern, secure, streamId, wrongHeader } from './stream-opening.js';

/** Serves one client from its first byte to its last. */
export async function serveClient(connection: Connection, site: Site): Promise<void> {
  const { stream } = connection;
  let username: string | null = null;
  let session: ClientSession | null = null;
  while (session === null) {
    const { id, modern, named } = await open(connection, site, username !== null);
    if (username === null) {
      const offer = offerTo(connection, site, named);
      if (modern) stream.send(featuresFor(site, offer));
      const outcome: ClientSession | string | null = await signIn(connection, site, id, offer);
      if (outcome instanceof ClientSession) session = outcome;
      else username = outcome;
    } else {
      stream.send(laterFeatures(site, false));
      session = await bind(connection, site, username);
    }
  }
  let orderly = true;
  try {
    const bound = session;
    await stream.flow((element) => bound.handle(element));
    orderly = stream.endedByPeer;
  } finally {
    session.leave(connection, orderly);
  }
}

/** Reads the client's header and answers it with ours (RFC 6120 §4.7). */
async function open(
  { stream, secure }: Connection,
  site: Site,
  authenticated: boolean,
): Promise<{ id: string; modern: boolean; named: boolean }> {
  const { domain } = site.settings;
  const header = await stream.header();
  const id = streamId();
  const modern = isModern(header);
  const to = header.getAttribute('from') ?? undefined;
  stream.open(NS.CLIENT, { id, from: domain, to, version: modern ? '1.0' : undefined, 'xml:lang': 'en' });
  const fault = wrongHeader(header, NS.CLIENT, domain, stream.framing.name === 'websocket');
  if (fault !== null) throw fault;
  const stage: RefusalStage = authenticated ? 'authenticated' : secure ? 'tls' : 'open';
  if (site.refusal?.stage === stage) throw site.refusal.fault;
  return { id, modern, named: jidOf(to ?? null)?.local != null };
}

/**
 * Waits until the client has signed in.
 * @returns its user name, and the client opens the next stream; null when TLS was started and it does so as well; or a
 * session when it has signed in and bound a resource on one stream (XEP-0078, XEP-0388)
 */
async function signIn(
  connection: Connection,
  site: Site,
  id: string,
  offer: ClientOffer,
): Promise<ClientSession | string | null> {
  const { stream } = connection;
  for (let failures = 0; failures < site.settings.sasl.tries;) {
    const element = await stream.next();
    if (element.is('starttls', NS.TLS)) {
      if (offer.starttls === 'off') {
        stream.send(xml('failure', { xmlns: NS.TLS }));
        throw new StreamOver('the peer ended the stream');
      }
      stream.send(xml('proceed', { xmlns: NS.TLS }));
      await secure(connection, site, null);
      return null;
    }
    if (element.is('auth', NS.SASL)) {
      if (offer.starttls === 'required') {
        stream.send(xml('failure', { xmlns: NS.SASL }, xml('encryption-required')));
        failures++;
        continue;
      }
      const grant = await authenticate(stream, SASL, element, offer);
      if (grant !== null) {
        site.publish('authenticated', { connection, username: grant.username, mechanism: grant.mechanism });
        stream.restart();
        return grant.username;
      }
      failures++;
    } else if (element.is('authenticate', NS.SASL2) && offer.sasl2) {
      const signedIn = await signInInline(connection, site, element, offer);
      if (signedIn !== null) return goOn(connection, site, signedIn);
      failures++;
    } else if (element.is('iq', NS.CLIENT) && element.getChild('query', NS.IQ_AUTH) !== null) {
      const session = legacySignIn(connection, site, element, id);
      if (session !== null) return session;
      if (element.getAttribute('type') === 'set') failures++;
    } else {
      throw new StreamFault('not-authorized');
    }
  }
  throw new StreamFault('policy-violation', { text: 'too many failed attempts' });
}

/** What follows success of SASL2, on the same stream: features, unless a session was resumed, then binding if it is still due. */
async function goOn(
  connection: Connection,
  site: Site,
  { username, session, resumed }: SignedIn,
): Promise<ClientSession> {
  if (!resumed) connection.stream.send(laterFeatures(site, session !== null));
  return session ?? bind(connection, site, username);
}

/** Answers one request of XEP-0078; returns the session when that signed the client in. */
function legacySignIn(connection: Connection, site: Site, iq: Element, id: string): ClientSession | null {
  const { stream } = connection;
  const { legacy, settings } = site;
  const query = iq.getChild('query', NS.IQ_AUTH);
  const type = iq.getAttribute('type');
  if (query === null || (type !== 'get' && type !== 'set')) throw new StreamFault('not-authorized');
  if (legacy === null) {
    stream.send(errorReply(iq, 'service-unavailable'));
  } else if (type === 'get') {
    stream.send(legacy.fields(iq, query));
  } else if (settings.tls?.starttls === 'required' && !connection.secure) {
    stream.send(legacy.error(iq, 'not-acceptable'));
  } else {
    const request = legacy.check(query, id);
    const jid = 'refused' in request ? null : resourceFor(site, request.username, request.resource);
    if ('refused' in request) {
      stream.send(legacy.error(iq, request.refused));
    } else if (jid === null || typeof jid === 'string') {
      stream.send(legacy.error(iq, jid === 'conflict' ? 'conflict' : 'not-acceptable'));
    } else {
      site.publish('authenticated', { connection, username: request.username, mechanism: request.method });
      stream.send(reply(iq));
      return bound(connection, site, jid);
    }
  }
  return null;
}

/** Waits until the client has bound a resource (RFC 6120 §7), or goes on with an earlier session (XEP-0198 §5). */
async function bind(connection: Connection, site: Site, username: string): Promise<ClientSession> {
  const { stream } = connection;
  for (;;) {
    const element = await stream.next();
    if (element.is('resume', NS.SM)) {
      const session = resume(connection, site, username, element);
      if (session !== null) return session;
      continue;
    }
    if (element.is('enable', NS.SM)) {
      stream.send(failed('unexpected-request'));
      continue;
    }
    const request = element.is('iq', NS.CLIENT) ? element.getChild('bind', NS.BIND) : null;
    if (request === null || element.getAttribute('type') !== 'set') {
      throw new StreamFault('not-authorized', { text: 'a resource has to be bound first' });
    }
    const jid = resourceFor(site, username, request.getChildText('resource') ?? '');
    if (typeof jid === 'string') {
      stream.send(errorReply(element, jid));
    } else {
      stream.send(reply(element, xml('bind', { xmlns: NS.BIND }, xml('jid', {}, jid.toString()))));
      return bound(connection, site, jid);
    }
  }
}

function bound(connection: Connection, site: Site, jid: JID): ClientSession {
  const session = new ClientSession(site, jid, connection);
  site.publish('session', { connection, jid, resumed: false });
  return session;
}

function resume(connection: Connection, site: Site, username: string, element: Element): ClientSession | null {
  const found = resumableSession(site, username, element);
  if (!(found instanceof ClientSession)) {
    connection.stream.send(found);
    return null;
  }
  found.resume(connection, element);
  site.publish('session', { connection, jid: found.jid, resumed: true });
  return found;
}
