import { afterEach, beforeAll, describe, expect, test } from 'vitest';
import {
  Connection,
  HANDLED,
  JABBER_NS,
  NodeFactory,
  XMPP,
  type BrokerError,
  type ConnectionOptions,
} from 'xmpp-broker';
import { describeServer, Ejabberd, Jabberd2, Prosody, sharedServer, type TestServer } from './harness/index.js';

const nodes = new NodeFactory();
const connections: Connection[] = [];

afterEach(async () => {
  await Promise.all(connections.splice(0).map((connection) => connection.disconnect()));
});

/** A connection that is signed in; jabberd2 greets some that come soon after another one left with an error. */
async function signedIn(
  options: ConnectionOptions,
  ...credentials: [string] | [string, string, string]
): Promise<Connection> {
  for (let tries = 1; ; tries += 1) {
    const connection = new Connection({ logger: false, ...options });
    connections.push(connection);
    try {
      await connection.connect();
      await connection.auth(...(credentials as [string]));
      return connection;
    } catch (error) {
      if ((error as BrokerError).condition !== 'internal-server-error' || tries === 20) throw error;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }
}

function message(to: string, text: string): ReturnType<NodeFactory['newNode']> {
  const node = nodes.newNode('message');
  node.attr('to', to);
  node.attr('type', 'chat');
  node.insertTag('body').data(text);
  return node;
}

/** Two clients talk, and one asks the server. */
async function talks(one: Connection, other: Connection): Promise<void> {
  const address = (connection: Connection) => connection.broker.jid?.toString() ?? '';
  for (const connection of [one, other]) if (address(connection).includes('@')) connection.send('<presence/>');
  const heard: string[] = [];
  other.registerHandler('message', (node) => node.getTag('body')?.data());
  other.registerHandler('message', (node, text) => {
    other.send(message(node.attr('from') ?? '', `heard: ${String(text)}`));
    return HANDLED;
  });
  one.registerHandler('message', (node) => {
    heard.push(node.getTag('body')?.data() ?? '');
    void other.disconnect();
  });
  one.send(message(address(other), 'a & <b>'));
  const running = other.start();
  while (heard.length === 0) expect(await one.process(10)).toBe(true);
  await running;
  expect(heard).toEqual(['heard: a & <b>']);
  const iq = nodes.newNode('iq');
  iq.attr('type', JABBER_NS.misc.IQ_GET);
  iq.attr('to', 'localhost');
  iq.insertTag('query', 'http://jabber.org/protocol/disco#info');
  const answer = await one.ask(iq);
  const identities = answer
    .getTag('query')
    ?.getTags('identity')
    .map((identity) => identity.attr('category'));
  expect(identities).toContain('server');
  await one.disconnect();
  expect([await one.process(), one.lastError]).toEqual([false, null]);
}

function suite(shared: () => Promise<TestServer<'starttls'>>, options: Partial<ConnectionOptions>): void {
  let server: TestServer<'starttls'>;
  beforeAll(async () => {
    server = await shared();
  });

  const client = (user: string, password = 'secret') =>
    signedIn(
      {
        server: `127.0.0.1:${String(server.ports.starttls)}`,
        localname: 'localhost',
        tls: { ca: server.ca },
        ...options,
      },
      user,
      password,
      'connection',
    );

  test('two clients talk, and one asks the server', async () => {
    await talks(await client('alice'), await client('bob'));
  });

  test('a wrong password', async () => {
    await expect(client('alice', 'wrong')).rejects.toMatchObject({ condition: 'not-authorized' });
  });
}

const prosody = sharedServer(() => Prosody.start());

describeServer('ejabberd', 'Connection with jabber:iq:auth', () =>
  suite(
    sharedServer(() => Ejabberd.start()),
    {},
  ),
);
describeServer('jabberd2', 'Connection with jabber:iq:auth', () =>
  suite(
    sharedServer(() => Jabberd2.start()),
    {},
  ),
);
describeServer('prosody', 'Connection with SASL', () => suite(prosody, { dialect: XMPP }));

describeServer('prosody', 'Connection of a component', () => {
  let server: TestServer<'component'>;
  beforeAll(async () => {
    server = await prosody();
  });

  const options = (localname: string): ConnectionOptions => ({
    server: `127.0.0.1:${String(server.ports.component)}`,
    ns: JABBER_NS.stream.NS_ACCEPT,
    localname,
  });

  test('two components talk, and one asks the server', async () => {
    await talks(
      await signedIn(options('comp.localhost'), 'secret'),
      await signedIn(options('comp2.localhost'), 'secret'),
    );
  });

  describe('what is wrong', () => {
    test('a name that the server does not know stops connect()', async () => {
      const connection = new Connection({ logger: false, ...options('unknown.localhost') });
      connections.push(connection);
      await connection.connect().catch(() => undefined);
      await expect(connection.auth('secret')).rejects.toMatchObject({ condition: 'host-unknown' });
      expect(connection.lastError).toMatchObject({ condition: 'host-unknown' });
    });

    test('a bad secret', async () => {
      await expect(signedIn(options('comp.localhost'), 'wrong')).rejects.toMatchObject({ condition: 'not-authorized' });
    });
  });
});
