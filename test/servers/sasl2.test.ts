import { expect, test } from 'vitest';
import {
  BrokerError,
  PCJ_NODERECEIVED,
  PCJ_READY,
  xml,
  XMPP,
  type Broker,
  type BrokerOptions,
  type FastToken,
  type TokenStore,
} from 'xmpp-broker';
import { failure } from '../support/failure.js';
import { describeServer, Prosody, Proxy, SASL2_DOMAIN, sharedServer, type TestServer } from './harness/index.js';
import { Clients, lastAttempt, shown, type ClientPort, type Subject } from './support/client-site.js';

const QUICK = { resumeDelayMs: 5, firstDelayMs: 5, maxDelayMs: 5 };

describeServer('prosody', 'SASL2', () => {
  const shared = sharedServer(() => Prosody.start({ sasl2: {} }));

  const client = (clients: Clients, server: TestServer<ClientPort>, options: Partial<BrokerOptions> = {}): Subject =>
    clients.client(server, { domain: SASL2_DOMAIN, resource: 'desk', reconnect: QUICK, ...options });

  /** A client whose link can be cut. */
  async function behindProxy(clients: Clients, server: TestServer<ClientPort>, options: Partial<BrokerOptions> = {}) {
    const proxy = await Proxy.listen(server.ports.starttls);
    return { proxy, ...client(clients, server, { port: proxy.port, ...options }) };
  }

  /** Cuts the link, and waits until another one is ready. */
  async function cut(broker: Broker, proxy: Proxy): Promise<{ resumed: boolean }> {
    const ready = broker.events.once(PCJ_READY);
    proxy.openLinks.at(-1)?.cut('reset');
    return ready;
  }

  test('modern 1: signs in, and stream features follow without another header', async () => {
    await using clients = new Clients();
    const { broker, recorded } = client(clients, await shared());
    await broker.connect();
    expect(broker.jid?.toString()).toBe(`alice@${SASL2_DOMAIN}/desk`);
    expect(recorded.last('PCJ_AUTHSUCCESS')).toEqual({ mechanism: 'SCRAM-SHA-256-PLUS', profile: 'sasl2' });
    expect(recorded.short.slice(recorded.short.indexOf('SSLSUCCESS') + 1)).toEqual(
      'STREAMSTART NODESENT(stream) AUTHNEGOTIATE NODESENT(authenticate) NODESENT(response) AUTHSUCCESS BINDNEGOTIATE RTS_START NODESENT(iq) BINDSUCCESS NODESENT(enable) SM_ENABLED READY'.split(
        ' ',
      ),
    );
    expect(shown(recorded)).not.toContain('initial-response>bi');
  });

  test.each([
    ['tls-exporter', 'TLSv1.3'],
    ['tls-server-end-point', 'TLSv1.3'],
    ['tls-server-end-point', 'TLSv1.2'],
    ['tls-unique', 'TLSv1.2'],
  ] as const)('S-CB-1: binds with %s over %s', async (channelBinding, maxVersion) => {
    await using clients = new Clients();
    const server = await shared();
    const connectionType = XMPP.with({ channelBinding, sasl2: 'required', mechanisms: ['SCRAM-SHA-256-PLUS'] });
    const { broker } = client(clients, server, { connectionType, tls: { ca: server.ca, maxVersion } });
    await broker.connect();
    expect(broker.state).toBe('ready');
  });

  test('S-CB-6: without the list of channel bindings the sign-in ends, and goes on when told to', async () => {
    await using clients = new Clients();
    await using server = await Prosody.start({ sasl2: { listsBindings: false } });
    const { broker } = client(clients, server);
    expect(await failure(broker.connect())).toMatchObject({ code: 'SASL_DOWNGRADE' });
    const told = client(clients, server, { connectionType: XMPP.with({ channelBinding: 'none' }) });
    await told.broker.connect();
    expect(told.recorded.last('PCJ_AUTHSUCCESS')).toEqual({ mechanism: 'SCRAM-SHA-256', profile: 'sasl2' });
  });

  test('modern 1.3: a wrong password ends the connection, and the right one is tried on another', async () => {
    await using clients = new Clients();
    let asked = 0;
    const { broker, recorded } = client(clients, await shared(), {
      password: () => (++asked === 1 ? 'wrong' : 'secret'),
    });
    expect(await failure(broker.connect())).toMatchObject({ code: 'SASL_FAILURE', condition: 'not-authorized' });
    await broker.connect();
    expect(recorded.short.filter((name) => name === 'NODESENT(authenticate)')).toHaveLength(2);
    expect(recorded.short.filter((name) => name === 'CONNECTED')).toHaveLength(2);
  });

  test('modern 1.1, 3: resumes a session with the sign-in, and does not trip over features behind stanzas', async () => {
    await using clients = new Clients();
    const { broker, recorded, proxy } = await behindProxy(clients, await shared());
    await broker.connect();
    const held = broker.output(
      xml('message', { to: `alice@${SASL2_DOMAIN}/desk`, id: 'to-myself' }, xml('body', {}, 'x')),
    );
    await held.sent;
    const got = broker.events.once(PCJ_NODERECEIVED);
    expect(await cut(broker, proxy)).toMatchObject({ resumed: true });
    await got;
    const order = lastAttempt(recorded);
    expect(order.slice(order.indexOf('SSLSUCCESS') + 1, order.indexOf('READY') + 1)).toEqual(
      'STREAMSTART NODESENT(stream) AUTHNEGOTIATE NODESENT(authenticate) NODESENT(response) AUTHSUCCESS SM_RESUMED READY'
        .split(' ')
        .flatMap((name) => (name === 'SM_RESUMED' && order.includes('SM_ACK') ? ['SM_ACK', name] : [name])),
    );
    // Prosody sends features behind the stanzas that it sends again.
    await broker.request(xml('iq', { type: 'get', to: SASL2_DOMAIN }, xml('ping', { xmlns: 'urn:xmpp:ping' })));
    expect(recorded.names).not.toContain('PCJ_PROTOCOLERROR');
    await proxy.close();
  });

  test('modern 3: a session that is over is followed by binding', async () => {
    await using clients = new Clients();
    await using server = await Prosody.start({ sasl2: {} });
    const { broker, recorded } = client(clients, server);
    await broker.connect();
    const ready = broker.events.once(PCJ_READY);
    await server.kill();
    await server.start();
    expect(await ready).toMatchObject({ resumed: false });
    const order = lastAttempt(recorded);
    expect(order.slice(order.indexOf('AUTHSUCCESS'), order.indexOf('BINDSUCCESS') + 1)).toEqual(
      expect.arrayContaining(['AUTHSUCCESS', 'SM_FAILED', 'BINDNEGOTIATE', 'BINDSUCCESS']),
    );
    expect(recorded.last('PCJ_SM_FAILED')).toMatchObject({ code: 'SM_FAILED', condition: 'item-not-found' });
  });

  test('S-S2-5: two brokers of one account are two user agents, and leave each other alone', async () => {
    await using clients = new Clients();
    const server = await shared();
    const connectionType = XMPP.with({ bind2: 'on', sasl2: 'required' });
    const both = [0, 1].map(() => client(clients, server, { connectionType, resource: undefined }));
    for (const { broker } of both) await broker.connect();
    const [one, two] = both.map(({ broker }) => broker.jid?.toString());
    expect(one).toMatch(/^alice@sasl2\.broker\.test\/xmpp-broker~/);
    expect(one).not.toBe(two);
    for (const { broker } of both) {
      await broker.request(xml('iq', { type: 'get', to: SASL2_DOMAIN }, xml('ping', { xmlns: 'urn:xmpp:ping' })));
    }
  });

  test('modern 1.2, 2: Bind 2 binds and enables with the sign-in; what features offer once more is left alone', async () => {
    await using clients = new Clients();
    const connectionType = XMPP.with({ bind2: 'on', tag: 'desk' });
    const { broker, recorded, proxy } = await behindProxy(clients, await shared(), {
      connectionType,
      resource: undefined,
    });
    await broker.connect();
    const order = lastAttempt(recorded);
    expect(order.slice(order.indexOf('AUTHNEGOTIATE'))).toEqual(
      'AUTHNEGOTIATE NODESENT(authenticate) NODESENT(response) AUTHSUCCESS BINDNEGOTIATE BINDSUCCESS SM_ENABLED READY'.split(
        ' ',
      ),
    );
    const resource = broker.jid?.resource;
    expect(resource).toMatch(/^desk~/);
    expect(await cut(broker, proxy)).toMatchObject({ resumed: true });
    expect(broker.jid?.resource).toBe(resource);
    await proxy.close();
  });

  test('modern 1.8: 10 000 stanzas behind an inline resumption are counted right', { timeout: 120_000 }, async () => {
    await using clients = new Clients();
    const connectionType = XMPP.with({ bind2: 'on' });
    const { broker, recorded, proxy } = await behindProxy(clients, await shared(), {
      connectionType,
      resource: undefined,
    });
    await broker.connect();
    await cut(broker, proxy);
    const to = broker.jid?.toString() ?? '';
    const hint = () => xml('no-store', { xmlns: 'urn:xmpp:hints' });
    let seen = 0;
    broker.subscribe(PCJ_NODERECEIVED, () => void (seen += 1));
    const tickets = Array.from({ length: 10_000 }, (_, n) =>
      broker.output(xml('message', { to, id: String(n), type: 'chat' }, xml('body', {}, 'x'), hint())),
    );
    await Promise.all(tickets.map(({ acked }) => acked));
    await expect.poll(() => seen, { timeout: 60_000 }).toBe(10_000);
    expect(await cut(broker, proxy)).toMatchObject({ resumed: true });
    const errors = recorded.payloads.filter((payload) => payload instanceof BrokerError && payload.layer !== 'tcp');
    expect(errors).toEqual([]);
    await proxy.close();
  });

  /** A store in memory. */
  function inMemory(): TokenStore & { kept: FastToken | null } {
    const store = {
      kept: null as FastToken | null,
      load: () => store.kept,
      save: (_: string, token: FastToken | null) => {
        store.kept = token;
      },
    };
    return store;
  }

  const told = ({ names, payloads }: Subject['recorded']) =>
    payloads.filter((_, at) => names[at] === 'PCJ_TOKEN').map((payload) => (payload as { what: string }).what);

  test.each([
    ['HT-SHA-256-EXPR', 'TLSv1.3'],
    ['HT-SHA-256-UNIQ', 'TLSv1.2'],
    ['HT-SHA-256-NONE', 'TLSv1.3'],
  ] as const)('modern 4: a token for %s over %s signs in, resumes, and is forgotten', async (mechanism, maxVersion) => {
    await using clients = new Clients();
    const server = await shared();
    const store = inMemory();
    let asked = 0;
    const options: Partial<BrokerOptions> = {
      connectionType: XMPP.with({ fast: { store, mechanisms: [mechanism] }, channelBinding: 'none' }),
      // An account that had a bound token gets none without binding.
      username: mechanism === 'HT-SHA-256-NONE' ? 'alice' : 'bob',
      password: () => {
        asked += 1;
        return 'secret';
      },
      tls: { ca: server.ca, maxVersion },
    };
    const first = client(clients, server, options);
    await first.broker.connect();
    expect(told(first.recorded)).toEqual(['issued']);
    expect(store.kept).toMatchObject({ mechanism });
    await first.broker.shutdown();
    const { broker, recorded, proxy } = await behindProxy(clients, server, options);
    await broker.connect();
    expect(recorded.last('PCJ_AUTHSUCCESS')).toEqual({ mechanism, profile: 'sasl2' });
    expect(await cut(broker, proxy)).toMatchObject({ resumed: true });
    expect(asked).toBe(1);
    const before = store.kept;
    await broker.forgetToken();
    expect(store.kept).toBeNull();
    store.kept = before;
    // The server does not know it any more: the password is used.
    await broker.shutdown();
    await broker.connect();
    expect(told(recorded).slice(-3)).toEqual(['forgotten', 'refused', 'issued']);
    expect(asked).toBe(2);
    for (const secret of [before?.token ?? '', 'secret-token:']) expect(shown(recorded)).not.toContain(secret);
    await proxy.close();
  });

  test('modern 4.1, 4.2: tokens are rotated, and expire', { timeout: 30_000 }, async () => {
    await using clients = new Clients();
    await using server = await Prosody.start({ sasl2: { rotateSeconds: 0, tokenSeconds: 90 } });
    const store = inMemory();
    const connectionType = XMPP.with({ fast: { store } });
    const { broker, recorded } = client(clients, server, { connectionType });
    const seen = new Set<string>();
    for (let times = 0; times < 3; times++) {
      await broker.connect();
      seen.add(store.kept?.token ?? '');
      await broker.shutdown();
    }
    expect(told(recorded)).toEqual(['issued', 'used', 'issued', 'used', 'issued']);
    expect(seen.size).toBe(3);
    if (store.kept !== null) store.kept = { ...store.kept, expiry: new Date(Date.now() + 30_000).toISOString() };
    await broker.connect();
    expect(told(recorded).slice(5)).toEqual(['expired', 'issued']);
  });
});
