import { once } from 'node:events';
import { get } from 'node:https';
import { text } from 'node:stream/consumers';
import type { IncomingMessage } from 'node:http';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { Broker, LEGACY, NS, XMPP, xml, type BrokerOptions } from 'xmpp-broker';
import { LoopbackServer, type LoopbackOptions } from 'xmpp-broker/testing';
import { client as xmppClient } from '@xmpp/client';
import { trace } from '../../support/trace.js';

const brokers: Broker[] = [];
let server: LoopbackServer;

const start = (options: LoopbackOptions = {}) =>
  LoopbackServer.start({ accounts: { juliet: 'r0m30', romeo: 'j0l13t' }, websocket: true, ...options });

beforeEach(async () => {
  server = await start();
});
afterEach(async () => {
  for (const broker of brokers.splice(0)) broker.halt();
  await server.stop();
});

function client(options: Partial<BrokerOptions> = {}) {
  const broker = new Broker({
    connectionType: XMPP,
    websocket: `wss://localhost:${String(server.ports.websocketTls)}/xmpp-websocket`,
    domain: 'localhost',
    username: 'juliet',
    password: 'r0m30',
    tls: { ca: server.ca },
    reconnect: { resumeDelayMs: 1 },
    logger: false,
    ...options,
  });
  brokers.push(broker);
  return { broker, recorded: trace(broker) };
}

const clear = (): Partial<BrokerOptions> => ({
  websocket: `ws://localhost:${String(server.ports.websocket)}/`,
  tls: { policy: 'disabled' },
});

describe('modern 5: the loopback server speaks WebSocket', () => {
  test.each([
    ['wss', {}, true],
    ['ws', null, false],
  ] as const)('over %s: a client signs in, and stanzas go to clients over TCP and back', async (_, options, secure) => {
    const { broker } = client(options ?? clear());
    const { broker: other } = client({
      websocket: undefined,
      host: '127.0.0.1',
      port: server.ports.client,
      username: 'romeo',
      password: 'j0l13t',
    });
    await Promise.all([broker.connect(), other.connect()]);
    expect(server.find('juliet@localhost')[0]).toMatchObject({ secure, side: secure ? 'websocketTls' : 'websocket' });
    const arrived = other.events.once('PCJ_NODERECEIVED');
    broker.output(xml('message', { to: other.jid?.toString() }, xml('body', {}, 'hëllo')));
    expect((await arrived).getChildText('body')).toBe('hëllo');
    const back = broker.events.once('PCJ_NODERECEIVED');
    other.output(xml('message', { to: broker.jid?.toString() }, xml('body', {}, 'x'.repeat(200_000))));
    expect((await back).getChildText('body')).toHaveLength(200_000);
  });

  test('with channel binding: the XMPP server itself ends TLS', async () => {
    const { broker, recorded } = client({ connectionType: XMPP.with({ mechanisms: ['SCRAM-SHA-256-PLUS'] }) });
    await broker.connect();
    expect(recorded.last('PCJ_AUTHSUCCESS')).toMatchObject({ mechanism: 'SCRAM-SHA-256-PLUS' });
  });

  test('LEGACY', async () => {
    const { broker } = client({ connectionType: LEGACY.with({ insist: true }), resource: 'balcony' });
    await broker.connect();
    expect(broker.jid?.toString()).toBe('juliet@localhost/balcony');
  });

  test('modern 3: SASL2, and a session that is resumed with the sign-in', async () => {
    await server.stop();
    server = await start({ sasl2: {} });
    const { broker, recorded } = client();
    await broker.connect();
    expect(recorded.last('PCJ_AUTHSUCCESS')).toMatchObject({ profile: 'sasl2' });
    const ready = broker.events.once('PCJ_READY');
    server.cutAll();
    expect(await ready).toMatchObject({ resumed: true });
  });

  test('a session goes on over another WebSocket, and nothing is lost', async () => {
    const { broker } = client({ resource: 'balcony' });
    const { broker: other } = client({ username: 'romeo', password: 'j0l13t' });
    await Promise.all([broker.connect(), other.connect()]);
    const ready = broker.events.once('PCJ_READY');
    server.cut('juliet@localhost/balcony');
    await broker.events.once('PCJ_SOCKETDISCONNECT');
    const arrived = broker.events.once('PCJ_NODERECEIVED');
    other.output(xml('message', { to: 'juliet@localhost/balcony', id: 'm' }));
    expect((await ready).resumed).toBe(true);
    expect((await arrived).getAttribute('id')).toBe('m');
  });

  test('a kick, and the end of the server, are told in order', async () => {
    const { broker, recorded } = client({ reconnect: false });
    await broker.connect();
    const lost = broker.events.once('PCJ_SOCKETFAIL');
    server.kick('juliet@localhost', 'policy-violation');
    expect(await lost).toMatchObject({ condition: 'policy-violation' });
    await broker.closed;
    await broker.connect();
    recorded.clear();
    const gone = broker.events.once('PCJ_SOCKETFAIL');
    await server.stop();
    expect(await gone).toMatchObject({ condition: 'system-shutdown' });
  });

  test('a clean end', async () => {
    const { broker, recorded } = client();
    await broker.connect();
    const closed = server.events.once('closed');
    await broker.shutdown();
    expect(recorded.last('PCJ_SOCKETDISCONNECT')).toEqual({ clean: true });
    expect(await closed).toMatchObject({ fault: null, error: null });
  });

  test('@xmpp/client signs in', async () => {
    const globals = globalThis as { WebSocket?: unknown };
    const before = globals.WebSocket;
    globals.WebSocket = WebSocket;
    const xmpp = xmppClient({
      service: `ws://127.0.0.1:${String(server.ports.websocket)}/`,
      domain: 'localhost',
      username: 'juliet',
      password: 'r0m30',
    });
    xmpp.on('error', () => undefined);
    try {
      const jid = await xmpp.start();
      expect(String(jid)).toMatch(/^juliet@localhost\//);
    } finally {
      await xmpp.stop();
      globals.WebSocket = before;
    }
  });

  test.each([
    ['no subprotocol', []],
    ['another', ['foo']],
  ])('a request with %s is refused', async (_, protocols) => {
    const ws = new WebSocket(`ws://127.0.0.1:${String(server.ports.websocket)}/`, protocols);
    const [error] = (await once(ws, 'error')) as [Error];
    expect(error.message).toContain('400');
  });

  test.each([
    ['two stanzas in one message', `<message/><message/>`],
    ['a binary message', Buffer.from('<message/>')],
    ['a message without end', '<message>'],
    ['a header of TCP', "<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>"],
  ])('%s in place of <open/> ends the stream', async (_, data) => {
    const ws = new WebSocket(`ws://127.0.0.1:${String(server.ports.websocket)}/`, ['xmpp']);
    ws.on('error', () => undefined);
    await once(ws, 'open');
    const closed = server.events.once('closed');
    ws.send(data);
    await closed;
    ws.terminate();
  });

  test('what is no request, or one for something else, ends the connection', async () => {
    const json = await new Promise<IncomingMessage>((resolve, reject) => {
      const url = `https://localhost:${String(server.ports.websocketTls)}/.well-known/host-meta.json`;
      get(url, { ca: server.ca, servername: 'localhost' }, resolve).on('error', reject);
    });
    expect(json.statusCode).toBe(200);
    expect(JSON.parse(await text(json))).toEqual({
      links: [
        {
          rel: 'urn:xmpp:alt-connections:websocket',
          href: `wss://localhost:${String(server.ports.websocketTls)}/xmpp-websocket`,
        },
      ],
    });
    await expect.poll(() => server.connections.length).toBe(0);
  });

  test('without the option there is no such port', async () => {
    await using other = await LoopbackServer.start({ accounts: { juliet: 'r0m30' } });
    expect(() => other.ports.websocket).toThrow('the options accounts and websocket');
    expect(Object.keys(other.ports)).not.toContain('websocket');
  });

  test('pings, and what is injected, are messages of their own', async () => {
    const { broker } = client();
    await broker.connect();
    const arrived = broker.events.once('PCJ_NODERECEIVED');
    server.inject('juliet@localhost', `<message id='a'/>`);
    expect((await arrived).getAttribute('id')).toBe('a');
    await broker.request(xml('iq', { type: 'get', to: 'localhost' }, xml('ping', { xmlns: NS.PING })));
  });
});
