import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { XMPP } from 'xmpp-broker';
import { failure } from '../support/failure.js';
import { describeServer, Ejabberd, type TestServer } from './harness/index.js';
import type { EjabberdPort } from './harness/ejabberd.js';
import { Clients } from './support/client-site.js';

describeServer('ejabberd', 'modern 10.4: EXTERNAL', () => {
  let server: TestServer<EjabberdPort>;
  const clients = new Clients();

  beforeAll(async () => {
    server = await Ejabberd.start();
  });
  afterEach(async () => {
    await clients[Symbol.asyncDispose]();
  });
  afterAll(async () => {
    await server.dispose();
  });

  /** A client whose certificate names these addresses. */
  async function client(addresses: readonly string[], username: string | undefined = 'alice') {
    const own = await server.certify({ commonName: 'client', names: addresses.map((xmpp) => ({ xmpp })) });
    return clients.client(server, {
      connectionType: XMPP,
      port: server.ports.external,
      username,
      password: undefined,
      tls: { ca: server.ca, cert: own.cert, key: own.key },
    });
  }

  test.each([
    ['one address', ['alice@localhost']],
    ['several addresses', ['alice@localhost', 'bob@localhost']],
    ['several addresses, ours not first', ['bob@localhost', 'alice@localhost']],
    ['an address of each domain', ['alice@broker.test', 'alice@localhost']],
  ])('a certificate with %s', async (_, addresses) => {
    const { broker, recorded } = await client(addresses);
    await broker.connect();
    expect(recorded.last('PCJ_AUTHSUCCESS')).toEqual({ mechanism: 'EXTERNAL', profile: 'sasl' });
    expect(recorded.short).not.toContain('PROTOCOLERROR');
    expect(broker.jid?.bare().toString()).toBe('alice@localhost');
  });

  test('a certificate of somebody else: a warning before the try, and advice behind it', async () => {
    const { broker, recorded } = await client(['bob@localhost', 'carol@localhost']);
    const error = await failure(broker.connect());
    expect(error).toMatchObject({ code: 'SASL_FAILURE', condition: 'not-authorized' });
    expect(error.message).toContain('certificate');
    expect(error.message).not.toContain('password');
    expect(recorded.last('PCJ_PROTOCOLERROR')).toMatchObject({ code: 'TLS_CLIENT_CERT_NAMES' });
    expect(recorded.short.indexOf('PROTOCOLERROR')).toBeLessThan(recorded.short.indexOf('AUTHNEGOTIATE'));
  });
});
