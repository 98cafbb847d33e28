// The router side of the server: the component protocol of jabberd2's router.
import { xml } from '../xml/builder.js';
import { NS } from '../xml/namespaces.js';
import type { Connection } from './connection.js';
import { RouterLink } from './router-link.js';
import { authenticate } from './sasl/exchange.js';
import type { SaslContext } from './sasl/mechanism.js';
import { SASL } from './sasl/profile.js';
import type { Site } from './site.js';
import { StreamFault, StreamOver } from './stream-fault.js';
import { isModern, secure, streamId, wrongHeader } from './stream-opening.js';

/** Serves one link to the router from its first byte to its last. */
export async function serveRouter(connection: Connection, site: Site): Promise<void> {
  const { stream } = connection;
  let username: string | null = null;
  while (username === null) {
    await open(connection);
    const starttls = !connection.secure && site.tls !== null && site.settings.tls?.routerStarttls === 'optional';
    stream.send(
      xml(
        'stream:features',
        { 'xmlns:stream': NS.STREAM },
        starttls && xml('starttls', { xmlns: NS.TLS }),
        xml('mechanisms', { xmlns: NS.SASL }, xml('mechanism', {}, 'DIGEST-MD5')),
      ),
    );
    username = await signIn(connection, site, starttls);
  }
  await open(connection);
  // Empty features: it is time to bind.
  stream.send(xml('stream:features', { 'xmlns:stream': NS.STREAM }));
  connection.negotiated();
  const link = new RouterLink(connection, site, username);
  try {
    await stream.flow((element) => link.handle(element));
  } finally {
    link.leave();
  }
}

/** Reads the peer's header and answers it with ours. */
async function open({ stream }: Connection): Promise<void> {
  const header = await stream.header();
  const from = header.getAttribute('to') ?? undefined;
  stream.open(NS.JABBERD2_COMPONENT, { from, version: '1.0', id: streamId() });
  const fault = wrongHeader(header, NS.JABBERD2_COMPONENT, null);
  if (fault !== null) throw fault;
  if (!isModern(header)) throw new StreamFault('unsupported-version');
}

/** Waits until the peer has signed in. Null when TLS was started; either way it opens the next stream. */
async function signIn(connection: Connection, site: Site, starttls: boolean): Promise<string | null> {
  const { stream } = connection;
  const context: SaslContext = {
    accounts: site.routerAccounts,
    realm: 'jabberd-router',
    certificate: null,
    mechanisms: ['DIGEST-MD5'],
    bindings: new Map(),
    tokens: null,
    bindingsListed: false,
    signOffer: false,
    finalData: 'success',
  };
  for (let failures = 0; failures < site.settings.sasl.tries; failures++) {
    const element = await stream.next();
    if (element.is('starttls', NS.TLS)) {
      if (!starttls) {
        stream.send(xml('failure', { xmlns: NS.TLS }));
        throw new StreamOver('the peer ended the stream');
      }
      stream.send(xml('proceed', { xmlns: NS.TLS }));
      await secure(connection, site, null);
      return null;
    }
    if (!element.is('auth', NS.SASL)) throw new StreamFault('not-authorized');
    const grant = await authenticate(stream, SASL, element, context);
    if (grant !== null) {
      site.publish('authenticated', { connection, username: grant.username, mechanism: grant.mechanism });
      stream.restart();
      return grant.username;
    }
  }
  throw new StreamFault('policy-violation', { text: 'too many failed attempts' });
}
