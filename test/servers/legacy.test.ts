import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { Broker, LEGACY, NS, xml, type BrokerOptions, type LegacyOptions } from 'xmpp-broker';
import { failure } from '../support/failure.js';
import { trace, type Trace } from '../support/trace.js';
import { describeServer, Ejabberd, Jabberd2, Prosody, sharedServer, type TestServer } from './harness/index.js';

type Port = 'starttls' | 'directTls';

const brokers: Broker[] = [];

afterEach(async () => {
  for (const broker of brokers.splice(0)) await broker.shutdown();
});

/** A signed-out client of alice's, or of somebody else's. */
function client(
  server: TestServer<Port>,
  legacy: LegacyOptions,
  options: Partial<BrokerOptions> = {},
): { broker: Broker; recorded: Trace } {
  const broker = new Broker({
    connectionType: LEGACY.with(legacy),
    host: server.host,
    port: server.ports.starttls,
    domain: server.domain,
    username: 'alice',
    password: 'secret',
    resource: 'orchard',
    tls: { ca: server.ca },
    // jabberd2 greets a connection that comes soon after another one left with internal-server-error.
    reconnect: { initial: true, firstDelayMs: 300, maxAttempts: 20 },
    logger: false,
    ...options,
  });
  brokers.push(broker);
  return { broker, recorded: trace(broker) };
}

/** What the last attempt published. */
const lastAttempt = ({ short }: Trace) => short.slice(short.lastIndexOf('CONNECT'));

const BEFORE = ['CONNECT', 'CONNECTING', 'CONNECTED', 'STREAMSTART', 'NODESENT(stream)'];
const AUTH = ['AUTHNEGOTIATE', 'NODESENT(iq)', 'NODESENT(iq)', 'AUTHSUCCESS', 'READY'];
const STARTTLS = ['SSLNEGOTIATE', 'NODESENT(starttls)', 'SSLSUCCESS', 'STREAMSTART', 'NODESENT(stream)'];
const TAIL = ['STREAMEND', 'SHUTDOWN_START', 'SOCKETDISCONNECT', 'SHUTDOWN_FINISH'];

/** A message from the client to itself comes back through a filter, and the server answers a ping. */
async function useful(broker: Broker): Promise<void> {
  broker.filters.add('note', '/message[body]');
  const note = new Promise<string>((resolve) => {
    broker.subscribe('note', (match) => {
      resolve((match as { node: { getChildText(name: string): string | null } }).node.getChildText('body') ?? '');
    });
  });
  broker.output(xml('presence'));
  broker.output(xml('message', { to: broker.jid?.toString() }, xml('body', {}, 'to myself & <back>')));
  expect(await note).toBe('to myself & <back>');
  const answer = await broker.request(
    xml('iq', { type: 'get', to: broker.jid?.domain }, xml('ping', { xmlns: NS.PING })),
  );
  expect(answer.getAttribute('type')).toBe('result');
}

/** What ejabberd and jabberd2 have in common. */
function both(shared: () => Promise<TestServer<Port>>): void {
  let server: TestServer<Port>;
  beforeAll(async () => {
    server = await shared();
  });

  test('digest after STARTTLS: golden order, then ordinary work', async () => {
    const { broker, recorded } = client(server, {});
    await broker.connect();
    expect(lastAttempt(recorded)).toEqual([...BEFORE, ...STARTTLS, ...AUTH]);
    expect(recorded.last('PCJ_AUTHSUCCESS')).toEqual({ mechanism: 'digest' });
    expect(broker.jid?.toString()).toBe('alice@localhost/orchard');
    await useful(broker);
  });

  test('plain after STARTTLS', async () => {
    const { broker, recorded } = client(server, { methods: ['password'] });
    await broker.connect();
    expect(recorded.last('PCJ_AUTHSUCCESS')).toEqual({ mechanism: 'password' });
    await useful(broker);
  });

  test('digest on a stream in clear: the order of section C', async () => {
    const { broker, recorded } = client(server, {}, { tls: { policy: 'disabled' } });
    await broker.connect();
    expect(lastAttempt(recorded)).toEqual([...BEFORE, ...AUTH]);
    await useful(broker);
  });

  test('S-LEG-4: plain in clear is refused, unless the option says so', async () => {
    const tls = { policy: 'disabled' } as const;
    const refused = client(server, { methods: ['password'] }, { tls });
    expect(await failure(refused.broker.connect())).toMatchObject({ code: 'LEGACY_PLAINTEXT_REFUSED' });
    const { broker } = client(
      server,
      { methods: ['password'], allowPlaintextPassword: 'over-unverified-link' },
      { tls },
    );
    await broker.connect();
  });

  test('direct TLS', async () => {
    const { broker, recorded } = client(
      server,
      {},
      { port: server.ports.directTls, tls: { policy: 'direct', ca: server.ca } },
    );
    await broker.connect();
    expect(lastAttempt(recorded)).toEqual([
      ...BEFORE.slice(0, 3),
      'SSLNEGOTIATE',
      'SSLSUCCESS',
      ...BEFORE.slice(3),
      ...AUTH,
    ]);
    await useful(broker);
  });

  test.each([['digest'], ['password']] as const)('S-LEG-6: wrong password with %s', async (method) => {
    const { broker, recorded } = client(server, { methods: [method] }, { password: 'wrong' });
    expect(await failure(broker.connect())).toMatchObject({
      code: 'LEGACY_REFUSED',
      condition: 'not-authorized',
      retryable: false,
    });
    expect(lastAttempt(recorded)).toEqual([
      ...BEFORE,
      ...STARTTLS,
      'AUTHNEGOTIATE',
      'NODESENT(iq)',
      'NODESENT(iq)',
      'AUTHFAIL',
      ...TAIL,
    ]);
  });

  test('two clients talk to each other', async () => {
    const alice = client(server, {});
    const bob = client(server, {}, { username: 'bob' });
    await alice.broker.connect();
    await bob.broker.connect();
    bob.broker.filters.add('chat', '/message[@type="chat"]/body');
    const heard = new Promise((resolve) => void bob.broker.subscribe('chat', resolve));
    alice.broker.output(xml('message', { to: 'bob@localhost/orchard', type: 'chat' }, xml('body', {}, 'hi')));
    expect(await heard).toMatchObject({ node: { localName: 'message' } });
  });
}

describeServer('ejabberd', 'LEGACY', () => {
  both(sharedServer(() => Ejabberd.start()));
});

describeServer('jabberd2', 'LEGACY', () => {
  const shared = sharedServer(() => Jabberd2.start());
  both(shared);

  test("version '0.9' is refused by this server: the default leaves the version out", async () => {
    const { broker, recorded } = client(await shared(), {}, { version: '0.9' });
    // Its answer is a header without content namespace, and a stream error.
    expect(await failure(broker.connect())).toMatchObject({ layer: 'stream', origin: 'peer', retryable: false });
    expect(recorded.short).not.toContain('AUTHNEGOTIATE');
  });
});

describeServer('prosody', 'LEGACY', () => {
  let server: TestServer<Port>;
  beforeAll(async () => {
    server = await Prosody.start();
  });
  afterAll(async () => {
    await server.dispose();
  });

  test('S-LEG-1: is refused, because the server offers SASL', async () => {
    const { broker, recorded } = client(server, {}, { reconnect: false });
    expect(await failure(broker.connect())).toMatchObject({ code: 'LEGACY_SASL_OFFERED' });
    expect(lastAttempt(recorded)).toEqual([
      ...BEFORE,
      ...STARTTLS,
      'AUTHNEGOTIATE',
      'NODESENT(iq)',
      'AUTHFAIL',
      ...TAIL,
    ]);
  });

  test('plain when insisting: golden order, then ordinary work', async () => {
    const { broker, recorded } = client(server, { insist: true });
    await broker.connect();
    expect(lastAttempt(recorded)).toEqual([...BEFORE, ...STARTTLS, ...AUTH]);
    expect(recorded.last('PCJ_AUTHSUCCESS')).toEqual({ mechanism: 'password' });
    await useful(broker);
  });

  test('plain over direct TLS when insisting', async () => {
    const { broker } = client(
      server,
      { insist: true },
      { port: server.ports.directTls, tls: { policy: 'direct', ca: server.ca } },
    );
    await broker.connect();
    await useful(broker);
  });

  test('digest fails cleanly: the server has none', async () => {
    const { broker, recorded } = client(server, { insist: true, methods: ['digest'] }, { reconnect: false });
    expect(await failure(broker.connect())).toMatchObject({ code: 'LEGACY_NO_METHOD' });
    expect(recorded.short).not.toContain('READY');
  });

  test('wrong password', async () => {
    const { broker } = client(server, { insist: true }, { password: 'wrong', reconnect: false });
    expect(await failure(broker.connect())).toMatchObject({ code: 'LEGACY_REFUSED', condition: 'not-authorized' });
  });

  test('the strict domain: TLS first, then it works', async () => {
    const { broker } = client(server, { insist: true }, { domain: 'broker.test' });
    await broker.connect();
    expect(broker.jid?.toString()).toBe('alice@broker.test/orchard');
  });

  test('an unknown domain is told by the stream error behind the empty id', async () => {
    const { broker } = client(server, {}, { domain: 'nowhere.test', reconnect: false });
    expect(await failure(broker.connect())).toMatchObject({ code: 'STREAM_ERROR', condition: 'host-unknown' });
  });
});
