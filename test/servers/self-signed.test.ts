import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { XMPP, type TlsOptions } from 'xmpp-broker';
import { describeServer, Ejabberd, Prosody, type TestServer } from './harness/index.js';
import type { SiteCertificate } from './harness/site.js';
import { failure } from '../support/failure.js';
import { Clients, type ClientPort } from './support/client-site.js';

/** The certificates that come with the servers, or with their tools. */
const SITES: readonly {
  name: 'prosody' | 'ejabberd';
  start: (certificate: SiteCertificate) => Promise<TestServer<ClientPort>>;
  certificate: SiteCertificate;
  /** The name by which it can be trusted as tls.ca; null when it has none. */
  verifiedBy: string | null;
}[] = [
  {
    // prosodyctl cert generate
    name: 'prosody',
    start: (certificate) => Prosody.start({ certificate }),
    certificate: {
      commonName: 'localhost',
      names: [
        { srv: '_xmpp-client.localhost' },
        { srv: '_xmpp-server.localhost' },
        { xmpp: 'localhost' },
        { dns: 'localhost' },
      ],
    },
    verifiedBy: 'SRV:_xmpp-client.localhost',
  },
  {
    // Debian's package makes it for a common name alone.
    name: 'ejabberd',
    start: (certificate) => Ejabberd.start({ certificate }),
    certificate: { commonName: 'ejabberd', names: [] },
    verifiedBy: null,
  },
];

for (const { name, start, certificate, verifiedBy } of SITES) {
  describeServer(name, 'faults E1: a self-signed certificate with CA:TRUE', () => {
    let server: TestServer<ClientPort>;
    const clients = new Clients();

    beforeAll(async () => {
      server = await start({ ...certificate, selfSigned: true, ca: true, usages: null, key: 'rsa' });
    });
    afterEach(async () => {
      await clients[Symbol.asyncDispose]();
    });
    afterAll(async () => {
      await server.dispose();
    });

    const connect = (tls: TlsOptions) =>
      clients.ready(server, { connectionType: XMPP.with({ mechanisms: ['PLAIN'] }), tls });

    test('signs in as the error says', async () => {
      const { message, code } = await failure(connect({ ca: undefined }));
      expect(code).toBe('TLS_CERT_SELF_SIGNED');
      const [, pin = ''] = /pin: '([^']+)', pinOnly: true/.exec(message) ?? [];
      const { recorded } = await connect({ ca: undefined, pin, pinOnly: true });
      expect(recorded.last('PCJ_SSLSUCCESS')).toMatchObject({ verified: true, verifiedBy: `PIN:${pin}` });
      expect(message.includes('give it as tls.ca')).toBe(verifiedBy !== null);
    });

    test('as tls.ca it is trusted, its name is checked all the same', async () => {
      if (verifiedBy === null) {
        const error = await failure(connect({ ca: server.ca }));
        expect(error.code).toBe('TLS_CERT_HOST_MISMATCH');
        expect(error.message).toContain('pinOnly');
        return;
      }
      const { recorded } = await connect({ ca: server.ca });
      expect(recorded.last('PCJ_SSLSUCCESS')).toMatchObject({ verified: true, verifiedBy });
    });
  });
}
