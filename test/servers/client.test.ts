import { inspect } from 'node:util';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import {
  BrokerError,
  NS,
  PCJ_NODERECEIVED,
  XMPP,
  xml,
  type Broker,
  type BrokerOptions,
  type Element,
  type TlsFacts,
} from 'xmpp-broker';
import { describeServer, Prosody, TestAuthority, type TestServer } from './harness/index.js';
import { failure } from '../support/failure.js';
import { CLIENT_SITES, Clients, lastAttempt, shown, type ClientPort, type Subject } from './support/client-site.js';
import { Client, foreign } from './support/foreign-client.js';

const OPEN = ['STREAMSTART', 'NODESENT(stream)'];
const BEFORE = ['CONNECT', 'CONNECTING', 'CONNECTED'];
const STARTTLS = [...OPEN, 'SSLNEGOTIATE', 'NODESENT(starttls)', 'SSLSUCCESS'];
const DIRECT = ['SSLNEGOTIATE', 'SSLSUCCESS'];
const SCRAM = ['AUTHNEGOTIATE', 'NODESENT(auth)', 'NODESENT(response)'];
const BIND = ['BINDNEGOTIATE', 'RTS_START', 'NODESENT(iq)', 'BINDSUCCESS'];
const TAIL = ['STREAMEND', 'SHUTDOWN_START', 'SOCKETDISCONNECT', 'SHUTDOWN_FINISH'];

const message = (to: string, id: string): Element => xml('message', { to, id, type: 'chat' }, xml('body', {}, id));

/** The first stanza from now on that fits. */
function next(broker: Broker, fits: (stanza: Element) => boolean): Promise<Element> {
  return new Promise((resolve) => {
    const subscription = broker.subscribe(PCJ_NODERECEIVED, (stanza) => {
      if (!fits(stanza)) return;
      subscription[Symbol.dispose]();
      resolve(stanza);
    });
  });
}

/** Whatever the sign-in was, the link carries stanzas both ways. */
async function useful({ broker }: Subject): Promise<void> {
  const to = broker.jid?.toString() ?? '';
  const arrived = next(broker, (stanza) => stanza.getAttribute('id') === 'useful');
  broker.output(message(to, 'useful'));
  expect((await arrived).getAttribute('from')).toBe(to);
}

for (const site of CLIENT_SITES) {
  describeServer(site.name, 'a client', () => {
    let server: TestServer<ClientPort>;
    let clients: Clients;

    beforeAll(async () => {
      server = await site.start();
      clients = new Clients();
    });
    afterEach(async () => {
      await clients[Symbol.asyncDispose]();
    });
    afterAll(async () => {
      await server.dispose();
    });

    const direct = (): Partial<BrokerOptions> => ({
      port: server.ports.directTls,
      tls: { policy: 'direct', ca: server.ca },
    });
    const managed = site.managed ? ['NODESENT(enable)', 'SM_ENABLED'] : [];
    const signedIn = (auth: readonly string[] = SCRAM) => [
      ...OPEN,
      ...auth,
      'AUTHSUCCESS',
      ...OPEN,
      ...BIND,
      ...managed,
      'READY',
    ];

    describe('signs in', () => {
      test('golden order with STARTTLS, and of a shutdown', async () => {
        const subject = await clients.ready(server);
        const { broker, recorded } = subject;
        expect(lastAttempt(recorded)).toEqual([...BEFORE, ...STARTTLS, ...signedIn()]);
        expect(recorded.last('PCJ_AUTHSUCCESS')).toEqual({ mechanism: site.mechanisms[0], profile: 'sasl' });
        expect(recorded.last('PCJ_READY')).toEqual({ jid: broker.jid, resumed: false });
        await useful(subject);
        recorded.clear();
        await broker.shutdown();
        expect(recorded.short.filter((name) => name !== 'SM_ACK')).toEqual(TAIL);
        expect(recorded.last('PCJ_SOCKETDISCONNECT')).toEqual({ clean: true });
        expect(broker.queue.size).toBe(0);
        expect(broker.state).toBe('idle');
      });

      test('golden order with direct TLS', async () => {
        const { recorded } = await clients.ready(server, direct());
        expect(lastAttempt(recorded)).toEqual([...BEFORE, ...DIRECT, ...signedIn()]);
      });

      test('golden order without TLS, where the options allow it', async () => {
        const { recorded } = await clients.ready(server, { tls: { policy: 'disabled' } });
        expect(lastAttempt(recorded)).toEqual([...BEFORE, ...signedIn()]);
      });

      test.each([
        ['STARTTLS', 'TLSv1.2'],
        ['STARTTLS', 'TLSv1.3'],
        ['direct TLS', 'TLSv1.2'],
        ['direct TLS', 'TLSv1.3'],
      ] as const)('S-TLS-14: %s with %s, and its facts', async (how, version) => {
        const options = how === 'STARTTLS' ? {} : direct();
        const tls = { ca: server.ca, ...options.tls, minVersion: version, maxVersion: version };
        const subject = await clients.ready(server, { ...options, tls });
        const facts = subject.recorded.last('PCJ_SSLSUCCESS') as TlsFacts;
        expect(facts).toMatchObject({ version, verified: true, verifiedBy: 'DNS:localhost' });
        expect(facts.fingerprint256).toMatch(/^([0-9A-F]{2}:){31}[0-9A-F]{2}$/);
        await useful(subject);
      });

      test.each(site.mechanisms)('with %s', async (mechanism) => {
        const connectionType = XMPP.with({ mechanisms: [mechanism] });
        const subject = await clients.ready(server, { connectionType });
        expect(subject.recorded.last('PCJ_AUTHSUCCESS')).toEqual({ mechanism, profile: 'sasl' });
        expect(shown(subject.recorded)).not.toContain('secret');
        await useful(subject);
      });

      test.each(site.mechanisms)('with %s: letters of all kinds, and more than a line of base64', async (mechanism) => {
        const username = `walther-${mechanism.toLowerCase()}`;
        const password = `pässwörd \u65e5\u672c ${'x'.repeat(100)}`;
        await server.addUser(username, password);
        const connectionType = XMPP.with({ mechanisms: [mechanism] });
        const { broker } = await clients.ready(server, { connectionType, username, password });
        expect(broker.jid?.local).toBe(username);
      });

      if (site.rspauth !== null) {
        test(`S-SASL-6: the final proof of DIGEST-MD5 in the ${site.rspauth}`, async () => {
          const connectionType = XMPP.with({ mechanisms: ['DIGEST-MD5'] });
          const { recorded } = await clients.ready(server, { connectionType });
          // A proof in a challenge is answered, one in the success is not.
          const digest = site.rspauth === 'challenge' ? [...SCRAM, 'NODESENT(response)'] : SCRAM;
          expect(lastAttempt(recorded)).toEqual([...BEFORE, ...STARTTLS, ...signedIn(digest)]);
        });
      }

      const bound = site.bound.flatMap(
        (mechanism) =>
          [
            [mechanism, 'STARTTLS'],
            [mechanism, 'direct TLS'],
          ] as const,
      );
      if (bound.length > 0) {
        test.each(bound)('S-CB-2: with %s bound to %s by tls-unique', async (mechanism, how) => {
          const connectionType = XMPP.with({ mechanisms: [mechanism], channelBinding: 'tls-unique' });
          const options = how === 'STARTTLS' ? {} : direct();
          const tls = { ca: server.ca, ...options.tls, maxVersion: 'TLSv1.2' } as const;
          const subject = await clients.ready(server, { ...options, tls, connectionType });
          expect(subject.recorded.last('PCJ_AUTHSUCCESS')).toEqual({ mechanism, profile: 'sasl' });
          await useful(subject);
        });
      }

      test('S-SASL-2: PLAIN is not used in clear', async () => {
        const connectionType = XMPP.with({ mechanisms: ['PLAIN'] });
        const { broker, recorded } = clients.client(server, { connectionType, tls: { policy: 'disabled' } });
        expect(await failure(broker.connect())).toMatchObject({
          code: 'SASL_NO_ACCEPTABLE_MECHANISM',
          retryable: false,
        });
        expect(recorded.short).not.toContain('NODESENT(auth)');
      });

      test('S-SASL-2: PLAIN is not used over TLS that was not checked', async () => {
        const connectionType = XMPP.with({ mechanisms: ['PLAIN'] });
        const { broker } = clients.client(server, { connectionType, tls: { insecureSkipVerify: true } });
        expect(await failure(broker.connect())).toMatchObject({ code: 'SASL_NO_ACCEPTABLE_MECHANISM' });
      });

      test('a password from a function, and a resource of its own', async () => {
        const password = () => Promise.resolve('secret');
        const { broker } = await clients.ready(server, { password, resource: 'Orchard' });
        expect(broker.jid?.toString()).toBe('alice@localhost/Orchard');
      });

      test('S-BIND-2: without a resource the server assigns one', async () => {
        const { broker, recorded } = await clients.ready(server);
        expect(broker.jid?.bare().toString()).toBe('alice@localhost');
        expect(broker.jid?.resource).toMatch(/./);
        expect(recorded.last('PCJ_BINDSUCCESS')).toEqual({ jid: broker.jid });
      });

      test('where nothing but STARTTLS is taken before TLS', async () => {
        const { port, domain } = site.strict(server);
        const subject = await clients.ready(server, { port, domain });
        expect(lastAttempt(subject.recorded)).toEqual([...BEFORE, ...STARTTLS, ...signedIn()]);
        await useful(subject);
      });

      test('S-TLS-2: where TLS is required and the options forbid it', async () => {
        const { port, domain } = site.strict(server);
        const { broker, recorded } = clients.client(server, { port, domain, tls: { policy: 'disabled' } });
        const error = await failure(broker.connect());
        expect(['TLS_REQUIRED', 'SASL_NO_ACCEPTABLE_MECHANISM']).toContain(error.code);
        expect(error.retryable).toBe(false);
        expect(recorded.short).not.toContain('NODESENT(auth)');
      });
    });

    describe('is refused', () => {
      test.each([
        ['a wrong password', { password: 'wr0ng-s3cret' }],
        ['an unknown user', { username: 'nobody-here' }],
      ])('S-CONN-9: for %s: AUTHFAIL and the tail, and nothing is tried again', async (_, options) => {
        const { broker, recorded } = clients.client(server, {
          ...options,
          reconnect: { initial: true, firstDelayMs: 200, maxAttempts: 20 },
        });
        const error = await failure(broker.connect());
        expect(error).toMatchObject({
          code: 'SASL_FAILURE',
          condition: 'not-authorized',
          phase: 'auth',
          origin: 'peer',
          retryable: false,
        });
        const auth = recorded.short.includes('NODESENT(response)') ? SCRAM : SCRAM.slice(0, -1);
        expect(lastAttempt(recorded)).toEqual([...BEFORE, ...STARTTLS, ...OPEN, ...auth, 'AUTHFAIL', ...TAIL]);
        expect(broker.state).toBe('disconnected');
        expect(shown(recorded) + inspect(error, { depth: 6 })).not.toContain('wr0ng-s3cret');
      });

      test.each(site.mechanisms)('S-SASL-8: a wrong password with %s', async (mechanism) => {
        const connectionType = XMPP.with({ mechanisms: [mechanism] });
        const { broker, recorded } = clients.client(server, { connectionType, password: 'wr0ng-s3cret' });
        const error = await failure(broker.connect());
        expect(error).toMatchObject({ code: 'SASL_FAILURE', condition: 'not-authorized', retryable: false });
        expect(recorded.short.slice(-5)).toEqual(['AUTHFAIL', ...TAIL]);
        expect(shown(recorded) + inspect(error, { depth: 6 })).not.toContain('wr0ng-s3cret');
      });

      test('S-CERT-2: an authority that is not trusted', async () => {
        const { ca } = await TestAuthority.create();
        for (const options of [{}, direct()]) {
          const { broker, recorded } = clients.client(server, { ...options, tls: { ...options.tls, ca } });
          expect(await failure(broker.connect())).toMatchObject({ code: 'TLS_CERT_UNTRUSTED', retryable: false });
          const head = options.tls === undefined ? STARTTLS.slice(0, -1) : ['SSLNEGOTIATE'];
          expect(lastAttempt(recorded)).toEqual([...BEFORE, ...head, 'SSLFAIL', ...TAIL.slice(1)]);
        }
      });

      test('S-CERT-3: a certificate for another name', async () => {
        const tls = { ca: server.ca, servername: 'elsewhere.test' };
        const { broker, recorded } = clients.client(server, { tls });
        expect(await failure(broker.connect())).toMatchObject({ code: 'TLS_CERT_HOST_MISMATCH', retryable: false });
        expect(recorded.short).not.toContain('AUTHNEGOTIATE');
      });

      test('S-CERT-12: a key that is not the pinned one', async () => {
        const pin = `${'A'.repeat(43)}=`;
        const { broker } = clients.client(server, { tls: { ca: server.ca, pin } });
        expect(await failure(broker.connect())).toMatchObject({ code: 'TLS_PIN_MISMATCH', retryable: false });
      });

      test('a domain that the server does not have', async () => {
        const options = { domain: 'nowhere.test', tls: { ca: server.ca, servername: 'localhost' } };
        const { broker, recorded } = clients.client(server, options);
        expect(await failure(broker.connect())).toMatchObject({
          code: 'STREAM_ERROR',
          condition: 'host-unknown',
          retryable: false,
        });
        expect(recorded.short).not.toContain('AUTHNEGOTIATE');
      });
    });

    describe('is a good citizen', () => {
      test('S-STZ-1 S-PING-1: pings and unknown requests are answered exactly once', async () => {
        const { broker } = await clients.ready(server);
        const answers: string[] = [];
        broker.subscribe('PCJ_NODESENT', (node) => {
          if (node.localName === 'iq')
            answers.push(`${node.getAttribute('id') ?? ''}:${node.getAttribute('type') ?? ''}`);
        });
        await using bob = await Client.online(server, 'bob');
        const ask = (id: string, name: string, xmlns: string) =>
          bob.entity.iqCaller
            .request(foreign('iq', { type: 'get', to: broker.jid?.toString() ?? '', id }, foreign(name, { xmlns })))
            .then(
              (answer) => answer.attrs['type'],
              (error: unknown) => (error as { condition: string }).condition,
            );
        expect(await ask('p1', 'ping', NS.PING)).toBe('result');
        const unknown = await Promise.all(
          Array.from({ length: 20 }, (__, n) => ask(`u${String(n)}`, 'x', 'urn:example:unknown')),
        );
        expect(new Set(unknown)).toEqual(new Set(['service-unavailable']));
        expect(answers).toEqual(['p1:result', ...Array.from({ length: 20 }, (__, n) => `u${String(n)}:error`)]);
      });

      test('a handler that answers later is the only one who answers', async () => {
        const { broker } = await clients.ready(server);
        broker.filters.add('sum', '/iq/s:sum', { namespaces: { s: 'urn:example:sum' } });
        broker.subscribe('sum', async (match) => {
          await new Promise((resolve) => setImmediate(resolve));
          const { node } = match as { node: Element };
          broker.output(
            xml(
              'iq',
              { type: 'result', id: node.getAttribute('id'), to: node.getAttribute('from') },
              xml('sum', { xmlns: 'urn:example:sum' }, '7'),
            ),
          );
        });
        await using bob = await Client.online(server, 'bob');
        const answer = await bob.entity.iqCaller.request(
          foreign(
            'iq',
            { type: 'get', to: broker.jid?.toString() ?? '', id: 's1' },
            foreign('sum', { xmlns: 'urn:example:sum' }),
          ),
        );
        expect(answer.getChildText('sum')).toBe('7');
      });

      test('the server answers requests, and refuses others', async () => {
        const { broker } = await clients.ready(server);
        const ping = await broker.request(xml('iq', { type: 'get', to: 'localhost' }, xml('ping', { xmlns: NS.PING })));
        expect(ping.getAttribute('from')).toBe('localhost');
        const roster = await broker.request(xml('iq', { type: 'get' }, xml('query', { xmlns: NS.IQ_ROSTER })));
        expect(roster.getChild('query', NS.IQ_ROSTER)).not.toBeNull();
        const unknown = xml('iq', { type: 'get', to: 'localhost' }, xml('x', { xmlns: 'urn:example:unknown' }));
        expect(await failure(broker.request(unknown))).toMatchObject({ code: 'STANZA_ERROR', layer: 'stanza' });
      });
    });

    describe('loses its link', () => {
      test('S-CONN-10: the same resource elsewhere: the conflict is final, nobody fights', async () => {
        const first = await clients.ready(server, { resource: 'same' });
        const closed = first.broker.closed;
        first.recorded.clear();
        await clients.ready(server, { resource: 'same' });
        await closed;
        expect(first.recorded.last('PCJ_PROTOCOLERROR')).toMatchObject({ code: 'STREAM_ERROR', condition: 'conflict' });
        expect(first.recorded.short).toEqual(['PROTOCOLERROR', 'SOCKETFAIL', 'SOCKETDISCONNECT']);
        expect(first.broker.state).toBe('disconnected');
      });

      test('a restart of the server: a new session, held stanzas go out on purge', async () => {
        const { broker, recorded } = await clients.ready(server, { resource: 'back' });
        const { sid } = broker;
        recorded.clear();
        const lost = broker.events.once('PCJ_SOCKETDISCONNECT');
        await server.stop();
        const end = await lost;
        expect(end.error).toMatchObject({ retryable: true });
        const ticket = broker.output(message('alice@localhost/back', 'held'));
        expect(ticket.state).toBe('queued');
        const back = broker.events.once('PCJ_READY');
        await server.start();
        expect(await back).toMatchObject({ resumed: false });
        expect(broker.sid).not.toBe(sid);
        expect([...broker.queue]).toEqual([ticket]);
        const arrived = next(broker, (stanza) => stanza.getAttribute('id') === 'held');
        expect(broker.purgeQueue()).toEqual([ticket]);
        await arrived;
        expect(ticket.possibleDuplicate).toBe(false);
      });
    });
  });
}

describeServer('prosody', 'a certificate for another server', () => {
  test('S-CERT-3: nothing is said inside TLS', async () => {
    await using server = await Prosody.start({ certificate: { names: [{ dns: 'elsewhere.test' }] } });
    await using clients = new Clients();
    const { broker, recorded } = clients.client(server);
    const error = await failure(broker.connect());
    expect(error).toMatchObject({ code: 'TLS_CERT_HOST_MISMATCH', text: 'DNS:elsewhere.test', retryable: false });
    expect(recorded.short.slice(-4)).toEqual(['SSLFAIL', ...TAIL.slice(1)]);
    expect(server.logTail(200)).not.toMatch(/Authenticated/);
  });
});

describeServer('prosody', 'a guest', () => {
  test('ANONYMOUS: no name, no password, an address of the server', async () => {
    await using server = await Prosody.start({
      extra: 'VirtualHost "guests.broker.test"\n  authentication = "anonymous"',
    });
    await using clients = new Clients();
    const { broker, recorded } = await clients.ready(server, {
      connectionType: XMPP.with({ mechanisms: ['ANONYMOUS'] }),
      domain: 'guests.broker.test',
      username: undefined,
      password: undefined,
    });
    expect(recorded.last('PCJ_AUTHSUCCESS')).toEqual({ mechanism: 'ANONYMOUS', profile: 'sasl' });
    expect(recorded.last('PCJ_SSLSUCCESS')).toMatchObject({ verifiedBy: 'DNS:*.broker.test' });
    expect(broker.jid?.domain).toBe('guests.broker.test');
    expect(broker.jid?.local).toMatch(/./);
    expect(recorded.short).not.toContain('PROTOCOLERROR');
  });
});

describeServer('jabberd2', 'a client that comes back too soon', () => {
  test('internal-server-error at the first try is retried until it works', async () => {
    await using server = await CLIENT_SITES[2]!.start();
    await using clients = new Clients();
    let greeted = 0;
    for (let round = 0; round < 200 && greeted < 2; round++) {
      const { broker, recorded } = clients.client(server, {
        tls: { policy: 'disabled' },
        reconnect: { initial: true, firstDelayMs: 100, maxDelayMs: 100, maxAttempts: 20 },
      });
      await broker.connect();
      const errors = recorded.payloads.filter((payload) => payload instanceof BrokerError);
      for (const error of errors) expect(error).toMatchObject({ condition: 'internal-server-error', retryable: true });
      greeted += errors.length;
      broker.halt();
    }
    expect(greeted).toBeGreaterThan(0);
  });
});
