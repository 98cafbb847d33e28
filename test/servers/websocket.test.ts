import { connect, type Socket } from 'node:net';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { LEGACY, NS, XMPP, xml, type BrokerOptions, type Element } from 'xmpp-broker';
import { failure } from '../support/failure.js';
import { describeServer, type TestServer } from './harness/index.js';
import { CLIENT_SITES, Clients, type ClientPort, type Subject } from './support/client-site.js';

const PATHS = { prosody: '/xmpp-websocket', ejabberd: '/xmpp-websocket', jabberd2: '/' } as const;

const OPENED = ['STREAMSTART', 'NODESENT(open)'];

for (const site of CLIENT_SITES) {
  describeServer(site.name, 'modern 5: WebSocket', () => {
    let server: TestServer<ClientPort>;
    const clients = new Clients();

    beforeAll(async () => {
      server = await site.start();
    });
    afterEach(() => clients[Symbol.asyncDispose]());
    afterAll(() => server.dispose());

    const port = (name: string): number => (server.ports as Readonly<Record<string, number>>)[name] ?? 0;

    /** Options for a WebSocket in clear; it is for this machine only. */
    const plain = (): Partial<BrokerOptions> => ({
      connectionType: XMPP,
      host: undefined,
      port: undefined,
      websocket: `ws://localhost:${String(port('http') || port('starttls'))}${PATHS[site.name]}`,
      tls: { policy: 'disabled' },
      ...(site.managed ? { reconnect: false } : {}), // jabberd2 greets some with internal-server-error
    });

    const ping = () => xml('iq', { type: 'get', to: 'localhost' }, xml('ping', { xmlns: NS.PING }));

    /** Stanzas go both ways, in order, large ones too. */
    async function useful({ broker }: Subject): Promise<void> {
      const to = broker.jid?.toString();
      const bodies = ['hällo 🙂', 'x'.repeat(100_000), ...Array.from({ length: 100 }, (_, i) => String(i))];
      const received: string[] = [];
      const all = new Promise<void>((resolve) => {
        broker.subscribe('PCJ_NODERECEIVED', (stanza: Element) => {
          if (stanza.localName !== 'message') return;
          received.push(stanza.getChildText('body') ?? '');
          if (received.length === bodies.length) resolve();
        });
      });
      for (const body of bodies) broker.output(xml('message', { to, type: 'chat' }, xml('body', {}, body)));
      await all;
      expect(received).toEqual(bodies);
      expect((await broker.request(ping())).getAttribute('type')).toBe('result');
    }

    test('golden order, stanzas both ways, and a clean end', async () => {
      const subject = clients.client(server, plain());
      const { broker, recorded } = subject;
      await broker.connect();
      const names = recorded.short.slice(recorded.short.lastIndexOf('CONNECT'));
      const signedIn = names.filter((name) => !name.startsWith('NODESENT(response)') && name !== 'PROTOCOLERROR');
      expect(signedIn).toEqual([
        ...['CONNECT', 'CONNECTING', 'CONNECTED'],
        ...OPENED,
        ...['AUTHNEGOTIATE', 'NODESENT(auth)', 'AUTHSUCCESS'],
        ...OPENED,
        ...['BINDNEGOTIATE', 'RTS_START', 'NODESENT(iq)', 'BINDSUCCESS'],
        ...(site.managed ? ['NODESENT(enable)', 'SM_ENABLED'] : []),
        'READY',
      ]);
      await useful(subject);
      recorded.clear();
      await broker.shutdown();
      expect(recorded.last('PCJ_SOCKETDISCONNECT')).toEqual({ clean: true });
      expect(recorded.short).not.toContain('SOCKETFAIL');
    });

    test('a wrong password', async () => {
      const { broker } = clients.client(server, { ...plain(), password: 'wrong' });
      expect(await failure(broker.connect())).toMatchObject({ layer: 'sasl' });
    });

    test('LEGACY', async () => {
      const connectionType = LEGACY.with({ insist: true, allowPlaintextPassword: 'over-unverified-link' });
      const subject = clients.client(server, { ...plain(), connectionType, resource: 'legacy' });
      await subject.broker.connect();
      await useful(subject);
    });

    test('silence: the server is asked in a way that it understands', async () => {
      const { broker, recorded } = clients.client(server, {
        ...plain(),
        liveness: { intervalMs: 100, timeoutMs: 20_000 },
      });
      await broker.connect();
      recorded.clear();
      broker.output(xml('message', { to: broker.jid?.toString() }));
      await expect.poll(() => recorded.short, { timeout: 20_000 }).toContain(site.managed ? 'SM_ACK' : 'NODESENT(iq)');
      expect((await broker.request(ping())).getAttribute('type')).toBe('result');
      expect(recorded.short).not.toContain('SOCKETFAIL');
    });

    test('modern 5.12: a server takes what is not protected, so it is the program that has to say so', async () => {
      // Prosody and ejabberd let nobody in here without TLS, but for a WebSocket.
      const domain = site.name === 'jabberd2' ? 'localhost' : 'broker.test';
      expect(() => clients.client(server, { ...plain(), domain, tls: {} })).toThrow(/ws: URL has no TLS/);
      const { broker } = clients.client(server, { ...plain(), domain });
      await broker.connect();
      expect(broker.jid?.domain).toBe(domain);
    });

    test.skipIf(site.name !== 'prosody')('modern 5.4: what is too large ends the link, and only that', async () => {
      const again = { reconnect: { resumeDelayMs: 1, firstDelayMs: 1 } };
      const { broker } = clients.client(server, { ...plain(), ...again });
      await broker.connect();
      const lost = broker.events.once('PCJ_SOCKETFAIL');
      const large = broker.output(
        xml('message', { to: broker.jid?.toString() }, xml('body', {}, 'x'.repeat(300 * 1_024))),
      );
      expect(await lost).toMatchObject({ retryable: true });
      do await broker.events.once('PCJ_READY');
      while (large.state !== 'queued');
      expect(large.possibleDuplicate).toBe(true);
      expect((await broker.request(ping())).getAttribute('type')).toBe('result');
    });

    test.skipIf(site.name === 'jabberd2')('another path is refused, and what that means is said', async () => {
      const url = `ws://localhost:${String(port('http'))}/nothing`;
      const { broker } = clients.client(server, { ...plain(), reconnect: false, websocket: url });
      expect(await failure(broker.connect())).toMatchObject({ code: 'WS_REFUSED', retryable: false });
    });

    describe.skipIf(site.name === 'jabberd2')('inside TLS', () => {
      const secure = (domain = 'localhost'): Partial<BrokerOptions> => ({
        ...plain(),
        domain,
        websocket: `wss://localhost:${String(port('https'))}${PATHS[site.name]}`,
        tls: { ca: server.ca },
      });

      test.each(['localhost', 'broker.test'])(
        'modern 5.7 5.8: the certificate is that of the host, whatever the domain: %s',
        async (domain) => {
          const subject = clients.client(server, secure(domain));
          await subject.broker.connect();
          expect(subject.recorded.last('PCJ_SSLSUCCESS')).toMatchObject({
            verified: true,
            verifiedBy: 'DNS:localhost',
          });
          // modern 5.8: neither server binds SASL to TLS that may end at somebody else's.
          expect(JSON.stringify(subject.recorded.last('PCJ_AUTHNEGOTIATE'))).not.toContain('PLUS');
          await useful(subject);
        },
      );

      test('a server whose certificate nobody vouches for gets nothing', async () => {
        const { broker, recorded } = clients.client(server, { ...secure(), tls: {} });
        expect(await failure(broker.connect())).toMatchObject({ layer: 'tls' });
        expect(recorded.short).toContain('SSLFAIL');
        expect(recorded.short).not.toContain('STREAMSTART');
      });

      // Prosody 0.12 goes on in the old framing: the session proves itself in no time, and another one begins.
      test.skipIf(site.name === 'prosody')(
        'modern 5.11: a session of one transport is resumed over the other',
        async () => {
          let tcp = false;
          const links: Socket[] = [];
          const { broker, recorded } = clients.client(server, {
            ...secure(),
            websocket: 'discover',
            connector: ({ port: wanted }, { signal }) => {
              if (wanted === 5222 && !tcp) throw new Error('nobody listens there');
              const known = wanted === 5222 ? port('starttls') : wanted === 443 ? port('https') : wanted;
              const link = connect({ port: known, host: '127.0.0.1', signal });
              links.push(link);
              return link;
            },
            reconnect: { resumeDelayMs: 1 },
            tls: { ca: server.ca },
          });
          await broker.connect();
          for (const next of [true, false]) {
            tcp = next;
            const ready = broker.events.once('PCJ_READY');
            links.at(-1)?.destroy();
            expect(await ready).toMatchObject({ resumed: true });
            expect(recorded.last('PCJ_STREAMSTART')).toHaveProperty('localName', next ? 'stream' : 'open');
            expect((await broker.request(ping())).getAttribute('type')).toBe('result');
          }
        },
      );

      test('modern 5.11: the session of a server that was killed is given up, and another one begins', async () => {
        const subject = clients.client(server, { ...secure(), reconnect: { resumeDelayMs: 1, firstDelayMs: 1 } });
        const { broker } = subject;
        await broker.connect();
        const before = broker.jid?.toString();
        const ready = broker.events.once('PCJ_READY');
        // The link is cut below the WebSocket.
        await server.kill();
        await server.start();
        await ready;
        expect(broker.jid?.bare().toString()).toBe('alice@localhost');
        expect(before).toContain('alice@localhost/');
        await useful(subject);
      });
    });
  });
}
