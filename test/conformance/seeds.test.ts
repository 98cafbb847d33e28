// The feature floor: what POE::Component::Jabber ("PCJ") and Jabber::Connection promised, one test for each row of the table
// of their features. Where a row is done otherwise on purpose, its test says so and why.
import { readdirSync, readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { once } from 'node:events';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import {
  Broker,
  BrokerError,
  Connection,
  errorReply,
  HANDLED,
  JABBER_NS,
  JABBERD14_COMPONENT,
  JABBERD20_COMPONENT,
  JID,
  LEGACY,
  NodeFactory,
  NS,
  parse,
  reply,
  routeOf,
  serialize,
  StanzaError,
  xml,
  XMPP,
  type BrokerOptions,
  type Dialect,
  type Element,
  type FilterMatch,
} from 'xmpp-broker';
import * as events from '../../src/events.js';
import { failure } from '../support/failure.js';
import { trace } from '../support/trace.js';
import { ScriptedPeer, streamHeader } from '../wire/support/index.js';
import { bodies, received, SeedsSite } from './seeds-site.js';

let site: SeedsSite;

beforeAll(async () => {
  site = await SeedsSite.start();
});
afterEach(async () => {
  await site.clear();
});
afterAll(async () => {
  await site[Symbol.asyncDispose]();
});

const say = (to: string, body: string, more: Record<string, string> = {}) =>
  xml('message', { to, ...more }, xml('body', {}, body));
const ping = (to: string, more: Record<string, string> = {}) =>
  xml('iq', { type: 'get', to, ...more }, xml('ping', { xmlns: NS.PING }));

/** A component that answers every request: pings with a result, everything else with an error. */
async function answerer(): Promise<Broker> {
  const peer = await site.ready(site.component('peer.localhost'));
  peer.subscribe('PCJ_NODERECEIVED', (node) => {
    if (node.localName !== 'iq') return;
    peer.output(node.getChild('ping', NS.PING) === null ? errorReply(node, 'item-not-found') : reply(node));
  });
  return peer;
}

/** A component and somebody to talk to. */
async function pair(): Promise<{ broker: Broker; peer: Broker }> {
  return { broker: await site.ready(site.component()), peer: await site.ready(site.component('peer.localhost')) };
}

const OPEN = ['CONNECT', 'CONNECTING', 'CONNECTED', 'STREAMSTART', 'NODESENT(stream)'];
const STARTTLS = ['SSLNEGOTIATE', 'NODESENT(starttls)', 'SSLSUCCESS', 'STREAMSTART', 'NODESENT(stream)'];
const HANDSHAKE = ['AUTHNEGOTIATE', 'NODESENT(handshake)', 'AUTHSUCCESS', 'READY'];
const TAIL = ['STREAMEND', 'SHUTDOWN_START', 'SOCKETDISCONNECT', 'SHUTDOWN_FINISH'];

describe('setting up', () => {
  test('row 1: the constructor names what is missing, all of it, and opens no socket', () => {
    expect(() => new Broker({} as BrokerOptions)).toThrow(/connectionType is missing[\s\S]*domain is missing/);
    const make = () => new Broker({ connectionType: LEGACY, domain: 'localhost' });
    expect(make).toThrow(/username is missing[\s\S]*password is missing[\s\S]*resource is missing/);
    expect(site.server.connections).toEqual([]);
  });

  test('row 2: host and port that are dialled are independent of the domain', async () => {
    const broker = await site.ready(site.component('comp.localhost'));
    expect([broker.config.host, broker.config.domain]).toEqual(['127.0.0.1', 'comp.localhost']);
    expect(broker.jid?.domain).toBe('comp.localhost');
  });

  test("row 3: defaults of port, version and namespace; the resource is the server's, not a random one of ours (RFC 6120 §7.6 lets it choose)", async () => {
    expect(new Connection({ server: 'localhost', logger: false }).broker.config.port).toBe(5222);
    const config = ({ config: { version, xmlns } }: Broker) => [version, xmlns];
    expect(config(site.client())).toEqual(['1.0', 'jabber:client']);
    expect(config(site.legacy())).toEqual([undefined, 'jabber:client']);
    expect(config(site.component())).toEqual([undefined, 'jabber:component:accept']);
    expect(config(site.service())).toEqual(['1.0', NS.JABBERD2_COMPONENT]);
    const broker = await site.ready(site.client());
    expect(broker.config.resource).toBeUndefined();
    expect(broker.jid?.resource).toMatch(/.+/);
  });

  test('row 4: one option picks the dialect', async () => {
    const brokers = [site.client(), site.legacy('bob'), site.component(), site.service()];
    await Promise.all(brokers.map((broker) => broker.connect()));
    expect(brokers.map(({ config }) => config.connectionType)).toEqual([
      XMPP,
      LEGACY,
      JABBERD14_COMPONENT,
      JABBERD20_COMPONENT,
    ]);
    expect(brokers.map(({ state }) => state)).toEqual(['ready', 'ready', 'ready', 'ready']);
  });

  test('row 5: version, namespace and stream namespace can be overridden; option names are exact, not case-insensitive (a mistyped one is an error with a hint)', async () => {
    expect(() => site.component('comp.localhost', { Password: 'x' } as Partial<BrokerOptions>)).toThrow(
      /Password is no option; did you mean password/,
    );
    const broker = site.component('comp.localhost', { version: '1.0' });
    const header = site.server.events.once('received');
    await broker.connect();
    expect((await header).element.getAttribute('version')).toBe('1.0');
    const { config } = site.component('comp.localhost', { xmlns: 'u:x', stream: 'u:s' });
    expect([config.xmlns, config.stream]).toEqual(['u:x', 'u:s']);
  });

  test('row 6: debug shows each element out and in with its direction, without credentials', async () => {
    const lines: { direction?: string; xml?: string }[] = [];
    const nothing = () => undefined;
    const logger = { debug: (facts: object) => void lines.push(facts), info: nothing, warn: nothing, error: nothing };
    const broker = await site.ready(site.component('comp.localhost', { debug: true, logger }));
    const echo = received(broker, 1);
    broker.output(say('comp.localhost', 'to myself'));
    await echo;
    const shown = (direction: string) => lines.filter((line) => line.direction === direction).map((line) => line.xml);
    expect(shown('out').join()).toContain('to myself');
    expect(shown('in').join()).toContain('to myself');
    expect(shown('out').join()).toMatch(/<handshake[^>]*>\[redacted\]/);
    expect(JSON.stringify(lines)).not.toMatch(/[0-9a-f]{40}/);
  });

  test('row 7: nothing happens on the wire before connect', async () => {
    const peer = await ScriptedPeer.listen();
    const broker = site.component('comp.localhost', { port: peer.port });
    broker.output(say('peer.localhost', 'held'));
    broker.filters.add('any', '/*');
    await new Promise((resolve) => setImmediate(resolve));
    expect(peer.conversations).toEqual([]);
    await peer.close();
  });

  test('row 8: connect(host, port) goes somewhere else, and stays there', async () => {
    const broker = site.component('comp.localhost', { host: '127.0.0.9', port: 1 });
    await broker.connect({ host: '127.0.0.1', port: site.server.ports.component });
    await broker.shutdown();
    await broker.reconnect();
    expect(broker.state).toBe('ready');
    expect(broker.config.host).toBe('127.0.0.9');
  });
});

describe('the life of a connection', () => {
  test('row 9: reconnect at any moment tears down and negotiates from zero', async () => {
    const broker = site.component();
    const first = failure(broker.connect());
    await broker.reconnect();
    expect(await first).toMatchObject({ code: 'CONNECT_SUPERSEDED' });
    const { sid } = broker;
    const recorded = trace(broker);
    await broker.reconnect();
    expect(broker.sid).not.toBe(sid);
    expect(recorded.short).toEqual(['SOCKETDISCONNECT', ...OPEN, ...HANDSHAKE]);
  });

  test('row 10: a refused connection is reported with operation, errno and text', async () => {
    const listener = createServer().listen(0, '127.0.0.1');
    await once(listener, 'listening');
    const { port } = listener.address() as { port: number };
    listener.close();
    await once(listener, 'close');
    const broker = site.component('comp.localhost', { port });
    const recorded = trace(broker);
    const error = await failure(broker.connect());
    expect(error).toMatchObject({ code: 'TCP_REFUSED', layer: 'tcp' });
    expect(error.message).toContain(`connect ECONNREFUSED 127.0.0.1:${String(port)}`);
    expect(recorded.short).toEqual(['CONNECT', 'CONNECTING', 'CONNECTFAIL']);
  });

  test('row 11: a lost link is reported; an end of file is told from a reset', async () => {
    const codes: string[] = [];
    for (const end of ['reset', 'end'] as const) {
      const peer = await ScriptedPeer.listen();
      const broker = site.component('comp.localhost', { port: peer.port });
      const connected = broker.connect();
      const server = await peer.accept();
      await server.expect(/<stream:stream[^>]*>/);
      await server.send(streamHeader({ xmlns: NS.COMPONENT_ACCEPT, id: 'S', from: 'comp.localhost', version: null }));
      await server.expect('</handshake>');
      await server.send('<handshake/>');
      await connected;
      const recorded = trace(broker);
      const lost = broker.events.once('PCJ_SOCKETDISCONNECT');
      server[end]();
      expect(await lost).toMatchObject({ clean: false });
      expect(recorded.short).toEqual(['SOCKETFAIL', 'SOCKETDISCONNECT']);
      codes.push((recorded.payloads[0] as BrokerError).code);
      await peer.close();
    }
    expect(codes).toEqual(['TCP_RESET', 'STREAM_CLOSED']);
  });

  test('row 12: shutdown sends the end of the stream, reports start and finish, and closes; twice is once', async () => {
    const broker = await site.ready(site.component());
    const recorded = trace(broker);
    const gone = site.server.events.once('closed');
    await Promise.all([broker.shutdown(), broker.shutdown()]);
    expect(await gone).toMatchObject({ fault: null, error: null });
    expect(recorded.short).toEqual(TAIL);
    await broker.shutdown();
    expect(recorded.short).toEqual(TAIL);
  });

  test('row 13: halt drops everything at once; later commands fail', async () => {
    const broker = await site.ready(site.component());
    const recorded = trace(broker);
    broker.halt();
    expect([broker.state, broker.jid, recorded.short]).toEqual(['halted', null, []]);
    expect(() => broker.output(say('a@b', 'x'))).toThrow(expect.objectContaining({ code: 'BROKER_HALTED' }));
    expect(() => broker.connect()).toThrow(expect.objectContaining({ code: 'BROKER_HALTED' }));
  });

  test('row 14: jid is the negotiated one when READY is seen, and gone with the link', async () => {
    const broker = site.client('alice', { resource: 'balcony' });
    const seen: unknown[] = [];
    broker.subscribe('PCJ_READY', ({ jid }) => seen.push(broker.jid, jid));
    await broker.connect();
    expect(seen.map(String)).toEqual(['alice@localhost/balcony', 'alice@localhost/balcony']);
    expect(broker.jid).toBeInstanceOf(JID);
    await broker.shutdown();
    expect(broker.jid).toBeNull();
  });

  test('row 15: stream id, configuration, queue and pending requests can be looked at', async () => {
    const broker = site.component();
    broker.output(say('peer.localhost', 'held'));
    expect([broker.queue.size, broker.sid]).toEqual([1, null]);
    await broker.connect();
    const asked = failure(broker.request(ping('third.localhost', { id: 'p' }), { timeout: 5_000 }));
    expect([...broker.pending.keys()]).toEqual(['p']);
    expect(broker.sid).toMatch(/.+/);
    expect(broker.config.domain).toBe('comp.localhost');
    expect(JSON.stringify(broker.config)).not.toContain('secret');
    await asked;
    expect(broker.pending.size).toBe(0);
  });

  test('row 16: each step of the life is an event of its own name, all 28 of them', () => {
    const names =
      'CONNECT CONNECTING CONNECTFAIL CONNECTED STREAMSTART SSLNEGOTIATE SSLSUCCESS SSLFAIL AUTHNEGOTIATE AUTHSUCCESS ' +
      'AUTHFAIL BINDNEGOTIATE BINDSUCCESS BINDFAIL SESSIONNEGOTIATE SESSIONSUCCESS SESSIONFAIL READY NODESENT NODEQUEUED ' +
      'NODERECEIVED RTS_START RTS_FINISH STREAMEND SHUTDOWN_START SOCKETDISCONNECT SHUTDOWN_FINISH SOCKETFAIL';
    const constants: Readonly<Record<string, unknown>> = events;
    expect(names.split(' ')).toHaveLength(28);
    for (const name of names.split(' ')) expect(constants[`PCJ_${name}`]).toBe(`PCJ_${name}`);
  });

  test.each<[string, () => Broker, string[]]>([
    [
      'XMPP',
      () => site.client('alice', { resource: 'r' }),
      [
        ...OPEN,
        ...STARTTLS,
        'AUTHNEGOTIATE',
        'NODESENT(auth)',
        'NODESENT(response)',
        'AUTHSUCCESS',
        'STREAMSTART',
        'NODESENT(stream)',
        'BINDNEGOTIATE',
        'RTS_START',
        'NODESENT(iq)',
        'BINDSUCCESS',
        'NODESENT(enable)',
        'SM_ENABLED',
        'READY',
      ],
    ],
    [
      'LEGACY',
      () => site.legacy(),
      [...OPEN, ...STARTTLS, 'AUTHNEGOTIATE', 'NODESENT(iq)', 'NODESENT(iq)', 'AUTHSUCCESS', 'READY'],
    ],
    ['JABBERD14_COMPONENT', () => site.component(), [...OPEN, ...HANDSHAKE]],
    [
      'JABBERD20_COMPONENT',
      () => site.service(),
      [
        ...OPEN,
        ...STARTTLS,
        'AUTHNEGOTIATE',
        'NODESENT(auth)',
        'NODESENT(response)',
        'AUTHSUCCESS',
        'STREAMSTART',
        'NODESENT(stream)',
        'BINDNEGOTIATE',
        'RTS_START',
        'NODESENT(bind)',
        'BINDSUCCESS',
        'READY',
      ],
    ],
  ])('row 17: the order of events is that of the old library: %s', async (_, make, order) => {
    const broker = make();
    const recorded = trace(broker);
    await broker.connect();
    expect(recorded.short.slice(0, recorded.short.indexOf('READY') + 1)).toEqual(order);
    await broker.shutdown();
    expect(recorded.short.filter((name) => name !== 'DOMAIN' && name !== 'NODERECEIVED').slice(-4)).toEqual(TAIL);
  });
});

describe('the bus', () => {
  test('row 18: subscribing before anybody publishes, or connects, works', async () => {
    const broker = site.component();
    const seen: unknown[] = [];
    broker.subscribe('later', (payload) => seen.push(payload));
    broker.subscribe('PCJ_READY', () => seen.push('ready'));
    broker.events.publish('later').fire('now');
    await broker.connect();
    expect(seen).toEqual(['now', 'ready']);
  });

  test('row 19: several subscribers get the same payload, and one that throws stops nobody', () => {
    const broker = site.component();
    const publication = broker.events.publish('mine');
    const payload = xml('x');
    const seen: unknown[] = [];
    const errors = vi.fn();
    broker.subscribe('PCJ_HANDLERERROR', errors);
    broker.subscribe('mine', () => {
      throw new Error('first');
    });
    broker.subscribe('mine', (given) => seen.push(given));
    broker.subscribe('mine', (given) => seen.push(given));
    publication.fire(payload);
    expect(seen).toEqual([payload, payload]);
    expect(errors).toHaveBeenCalledOnce();
  });

  test('row 20: cancel stops delivery to that subscriber only', () => {
    const broker = site.component();
    const publication = broker.events.publish('mine');
    const [one, two] = [vi.fn(), vi.fn()];
    const first = broker.subscribe('mine', one);
    broker.subscribe('mine', two);
    publication.fire(1);
    first.cancel();
    publication.fire(2);
    expect([one.mock.calls, two.mock.calls]).toEqual([[[1]], [[1], [2]]]);
  });

  test("row 21: only who published an event can fire it; status events are the broker's", () => {
    const broker = site.component();
    expect(() => broker.events.publish('PCJ_READY')).toThrow(expect.objectContaining({ code: 'USAGE_EVENT_RESERVED' }));
    broker.events.publish('mine');
    expect(() => broker.events.publish('mine')).toThrow(expect.objectContaining({ code: 'USAGE_EVENT_TAKEN' }));
    expect(Object.keys(broker.events)).not.toContain('emit');
  });

  test('row 22: the published events can be listed', () => {
    const broker = site.component();
    const publication = broker.events.publish('mine');
    broker.subscribe('wanted', () => undefined);
    expect(broker.events.listing()).toEqual(
      expect.arrayContaining([
        { event: 'mine', published: true, subscribers: 0 },
        { event: 'wanted', published: false, subscribers: 1 },
      ]),
    );
    publication.rescind();
    expect(broker.events.listing().map(({ event }) => event)).not.toContain('mine');
  });

  test('row 23: commands can be given by name', async () => {
    const broker = site.component();
    await answerer();
    expect(broker.post('output', say('comp.localhost', 'held')).state).toBe('queued');
    broker.post('xpath_filter', 'add', 'any', '/message');
    await broker.post('connect', '127.0.0.1', site.server.ports.component);
    const any = broker.events.once('any') as Promise<FilterMatch>;
    expect(broker.post('purge_queue')).toHaveLength(1);
    expect((await any).node.getChildText('body')).toBe('held');
    const answer = broker.events.once('answer');
    broker.post('return_to_sender', 'answer', ping('peer.localhost', { id: 'q' }));
    expect(await answer).toMatchObject({ localName: 'iq' });
    broker.post('xpath_filter', 'remove', 'any');
    expect(broker.filters.size).toBe(0);
    await broker.post('reconnect');
    await broker.post('shutdown');
    broker.post('halt');
    expect(broker.state).toBe('halted');
    expect(() => broker.post('nonsense' as 'halt')).toThrow(expect.objectContaining({ code: 'USAGE_POST' }));
  });
});

describe('sending', () => {
  test('row 24: READY comes exactly once, and it is safe to send in its handler', async () => {
    const broker = site.component();
    let ready = 0;
    broker.subscribe('PCJ_READY', () => {
      ready += 1;
      broker.output(say('comp.localhost', 'at once'));
    });
    const echo = received(broker, 1);
    await broker.connect();
    expect([ready, bodies(await echo)]).toEqual([1, ['at once']]);
  });

  test('row 25: NODESENT for each element written, NODERECEIVED for each one after READY that is no answer', async () => {
    await answerer();
    const broker = site.component();
    const sent: string[] = [];
    const got: string[] = [];
    broker.subscribe('PCJ_NODESENT', (node) => sent.push(node.localName));
    broker.subscribe('PCJ_NODERECEIVED', (node) => got.push(node.localName));
    await broker.connect();
    const echo = received(broker, 1);
    broker.output(say('comp.localhost', 'x'));
    await broker.request(ping('peer.localhost'));
    await echo;
    expect([sent, got]).toEqual([['stream', 'handshake', 'message', 'iq'], ['message']]);
  });

  test('row 26: what is output while ready keeps its order on the wire', async () => {
    const { broker, peer } = await pair();
    const arrived = received(peer, 2_000);
    const sent = Array.from({ length: 2_000 }, (_, n) => String(n));
    for (const body of sent) broker.output(say('peer.localhost', body));
    expect(bodies(await arrived)).toEqual(sent);
  });

  test('row 27: a string can be sent; it must hold exactly one element', async () => {
    const { broker, peer } = await pair();
    const arrived = received(peer, 1);
    broker.output("<message to='peer.localhost'><body>a &amp; b</body></message>");
    expect(bodies(await arrived)).toEqual(['a & b']);
    for (const bad of ['', 'text', '<a><b></a>', "<message to='x'/><message to='x'/>"]) {
      expect(() => broker.output(bad)).toThrow(expect.objectContaining({ code: 'USAGE_NOT_ONE_STANZA' }));
    }
  });

  test('row 28: what is output while not ready is held, and NODEQUEUED tells; nothing is lost silently', () => {
    const broker = site.component('comp.localhost', { queue: { maxStanzas: 2 } });
    const recorded = trace(broker);
    broker.output(say('a@b', '1'));
    broker.output(say('a@b', '2'));
    expect(() => broker.output(say('a@b', '3'))).toThrow(expect.objectContaining({ code: 'QUEUE_FULL' }));
    expect(recorded.short).toEqual(['NODEQUEUED', 'NODEQUEUED', 'QUEUEFAIL']);
    expect(broker.queue.size).toBe(2);
  });

  test('row 29: the queue survives disconnects and reconnects', async () => {
    const broker = site.component();
    const ticket = broker.output(say('peer.localhost', 'held'));
    await broker.connect();
    site.server.cut('comp.localhost');
    await broker.events.once('PCJ_SOCKETDISCONNECT');
    await broker.connect();
    expect([...broker.queue]).toEqual([ticket]);
  });

  test('row 30: held stanzas go out on purge only, oldest first, and nothing overtakes them', async () => {
    const peer = await site.ready(site.component('peer.localhost'));
    const arrived = received(peer, 4);
    const broker = site.component();
    for (const body of ['q1', 'q2']) broker.output(say('peer.localhost', body));
    await broker.connect();
    broker.output(say('peer.localhost', 'a1'));
    expect(broker.queue.size).toBe(2);
    broker.purgeQueue();
    broker.output(say('peer.localhost', 'a2'));
    expect(bodies(await arrived)).toEqual(['a1', 'q1', 'q2', 'a2']);
  });

  test('row 31: the queue can be looked at, index 0 is the oldest; and dropped', () => {
    const broker = site.component();
    for (const body of ['1', '2', '3']) broker.output(say('a@b', body));
    expect([...broker.queue].map(({ node }) => node.getChildText('body'))).toEqual(['1', '2', '3']);
    const dropped = broker.queue.drop(({ node }) => node.getChildText('body') === '2');
    expect(dropped.map(({ state }) => state)).toEqual(['dropped']);
    expect(broker.queue.size).toBe(2);
  });
});

describe('requests', () => {
  test('row 32: a request gets an id if it has none, and keeps its own; the element of the caller is not changed', async () => {
    await answerer();
    const broker = await site.ready(site.component());
    const without = ping('peer.localhost');
    const answer = await broker.request(without);
    expect(answer.getAttribute('id')).toMatch(/^[0-9a-f]{32}$/);
    expect(without.hasAttribute('id')).toBe(false);
    expect((await broker.request(ping('peer.localhost', { id: 'own' }))).getAttribute('id')).toBe('own');
  });

  test('row 33: an id that is pending is replaced, and both answers find their own caller', async () => {
    const { broker, peer } = await pair();
    const asked = received(peer, 2);
    const requests = ['1', '2'].map((n) =>
      broker.request(xml('iq', { type: 'get', to: 'peer.localhost', id: 'same' }, xml('q', { xmlns: 'u:q', n }))),
    );
    const iqs = await asked;
    expect(new Set(iqs.map((iq) => iq.getAttribute('id'))).size).toBe(2);
    for (const iq of iqs.toReversed()) peer.output(reply(iq, iq.firstElementChild!.clone()));
    const answers = await Promise.all(requests);
    expect(answers.map((answer) => answer.firstElementChild?.getAttribute('n'))).toEqual(['1', '2']);
  });

  test('row 34: the answer goes once to who asked, and to no filter and no NODERECEIVED', async () => {
    await answerer();
    const broker = await site.ready(site.component());
    const [answered, filtered, seen] = [vi.fn(), vi.fn(), vi.fn()];
    broker.subscribe('answer', answered);
    broker.subscribe('any', filtered);
    broker.subscribe('PCJ_NODERECEIVED', seen);
    broker.filters.add('any', '/iq');
    const finished = broker.events.once('PCJ_RTS_FINISH');
    broker.returnToSender('answer', ping('peer.localhost', { id: 'q' }));
    const answer = await finished;
    expect(answered.mock.calls).toEqual([[answer]]);
    expect([filtered.mock.calls, seen.mock.calls]).toEqual([[], []]);
    expect(broker.events.listing().map(({ event, published }) => (published ? event : ''))).not.toContain('answer');
  });

  test('row 35: start and finish of a request can be seen', async () => {
    await answerer();
    const broker = await site.ready(site.component());
    const recorded = trace(broker);
    await broker.request(ping('peer.localhost'));
    expect(recorded.short).toEqual(['RTS_START', 'NODESENT(iq)', 'RTS_FINISH']);
  });

  test('row 36: many requests may wait at once', async () => {
    await answerer();
    const broker = await site.ready(site.component());
    const answers = await Promise.all(Array.from({ length: 500 }, () => broker.request(ping('peer.localhost'))));
    expect(new Set(answers.map((answer) => answer.getAttribute('id'))).size).toBe(500);
  });

  test('row 37: ask() waits for the answer with the same id, whatever else arrives', async () => {
    const peer = await site.ready(site.component('peer.localhost'));
    peer.subscribe('PCJ_NODERECEIVED', (node) => {
      peer.output(say('comp.localhost', 'in between'));
      peer.output(reply(node));
    });
    const connection = await site.signedIn();
    const answer = await connection.ask(ping('peer.localhost', { id: 'mine' }));
    expect([answer.name(), answer.attr('id')]).toEqual(['iq', 'mine']);
  });

  test('row 38: error answers reach who asked', async () => {
    await answerer();
    const broker = await site.ready(site.component());
    const asked = xml('iq', { type: 'get', to: 'peer.localhost', id: 'e' }, xml('q', { xmlns: 'u:q' }));
    expect(await failure(broker.request(asked))).toBeInstanceOf(StanzaError);
    const answer = broker.events.once('answer');
    broker.returnToSender('answer', asked);
    expect(((await answer) as Element).getAttribute('type')).toBe('error');
    const connection = await site.signedIn('third.localhost');
    expect(await failure(connection.ask(asked))).toMatchObject({ condition: 'item-not-found' });
  });

  test('row 39: requests that wait when the link is lost are told so', async () => {
    const { broker } = await pair();
    const asked = failure(broker.request(ping('peer.localhost')));
    const failed = broker.events.once('PCJ_RTS_FAIL');
    broker.returnToSender('answer', ping('peer.localhost', { id: 'q' }));
    await Promise.all([...broker.pending.values()].map(({ ticket }) => ticket.sent));
    site.server.cut('comp.localhost');
    expect(await asked).toMatchObject({ code: 'RTS_DISCONNECTED', sent: 'maybe' });
    await failed;
    expect(broker.pending.size).toBe(0);
  });
});

describe('filters', () => {
  test('row 40: a filter is an expression that lasts; a bad one is an error when it is added', async () => {
    const { broker, peer } = await pair();
    broker.filters.add('chat', '/message[@type="chat"]/d:delay', { namespaces: { d: NS.DELAY } });
    const matches: FilterMatch[] = [];
    broker.subscribe('chat', (match) => matches.push(match as FilterMatch));
    const arrived = received(broker, 3);
    for (const type of ['chat', 'normal', 'chat']) {
      peer.output(xml('message', { to: 'comp.localhost', type }, xml('delay', { xmlns: NS.DELAY })));
    }
    await arrived;
    expect(matches).toHaveLength(2);
    for (const bad of ['/message[', 'x:y', '', 'message(']) {
      expect(() => broker.filters.add('bad', bad)).toThrow(BrokerError);
    }
  });

  test('row 41: a match carries the expression, the matched nodes and the whole stanza', async () => {
    const { broker, peer } = await pair();
    const match = broker.events.once('link') as Promise<FilterMatch>;
    broker.filters.add('link', '//url');
    peer.output(
      xml('message', { to: 'comp.localhost' }, xml('x', {}, xml('url', {}, '1')), xml('x', {}, xml('url', {}, '2'))),
    );
    const { expression, nodes, node } = await match;
    expect([expression, nodes.map((one) => one.textContent), node.localName]).toEqual(['//url', ['1', '2'], 'message']);
  });

  test('row 42: every filter sees every stanza, in the order added; overlaps and duplicates are allowed', async () => {
    const { broker, peer } = await pair();
    const seen: string[] = [];
    for (const name of ['one', 'two', 'three']) broker.subscribe(name, () => seen.push(name));
    broker.filters.add('one', '/message');
    broker.filters.add('two', '/*');
    broker.filters.add('one', '/message/body');
    broker.filters.add('three', '/presence');
    const arrived = received(broker, 1);
    peer.output(say('comp.localhost', 'x'));
    await arrived;
    expect(seen).toEqual(['one', 'two', 'one']);
  });

  test('row 43: a match suppresses nothing, and NODERECEIVED comes last', async () => {
    const { broker, peer } = await pair();
    const order: string[] = [];
    broker.subscribe('PCJ_NODERECEIVED', () => order.push('received'));
    broker.subscribe('first', () => order.push('first'));
    broker.subscribe('second', () => order.push('second'));
    broker.filters.add('first', '/message');
    broker.filters.add('second', '/message');
    const arrived = received(broker, 1);
    peer.output(say('comp.localhost', 'x'));
    await arrived;
    expect(order).toEqual(['first', 'second', 'received']);
  });

  test('row 44: remove takes every filter of that name, and no other', () => {
    const broker = site.component();
    broker.filters.add('gone', '/message');
    broker.filters.add('kept', '/message');
    broker.filters.add('gone', '/presence');
    broker.filters.remove('gone');
    broker.filters.remove('unknown');
    expect([...broker.filters].map(({ event }) => event)).toEqual(['kept']);
  });

  test('row 45: filters survive a reconnect', async () => {
    const { broker, peer } = await pair();
    broker.filters.add('chat', '/message');
    await broker.reconnect();
    const match = broker.events.once('chat');
    peer.output(say('comp.localhost', 'x'));
    await match;
  });
});

describe('the manner of Jabber::Connection', () => {
  /** A connection, and what to say to it. */
  async function served(): Promise<{ connection: Connection; peer: Broker }> {
    return {
      connection: await site.signedIn(),
      peer: await site.ready(site.component('peer.localhost')),
    };
  }

  test('row 46: handlers by element name, several, in the order of registration', async () => {
    const { connection, peer } = await served();
    const seen: string[] = [];
    connection.registerHandler('message', () => void seen.push('first'));
    connection.registerHandler('presence', () => void seen.push('presence'));
    connection.registerHandler('message', () => void seen.push('second'));
    peer.output(say('comp.localhost', 'x'));
    while (seen.length < 2) await connection.process(1);
    expect(seen).toEqual(['first', 'second']);
  });

  test('row 47: returning HANDLED stops the handlers behind', async () => {
    const { connection, peer } = await served();
    const [first, second] = [vi.fn(() => HANDLED), vi.fn()];
    connection.registerHandler('message', first);
    connection.registerHandler('message', second);
    peer.output(say('comp.localhost', 'x'));
    while (first.mock.calls.length === 0) await connection.process(1);
    expect(second).not.toHaveBeenCalled();
  });

  test('row 48: a parcel is handed from handler to handler; an empty return keeps it', async () => {
    const { connection, peer } = await served();
    const parcels: unknown[] = [];
    for (const returned of ['a', undefined, 'b', '']) {
      connection.registerHandler('message', (_, parcel) => {
        parcels.push(parcel);
        return returned;
      });
    }
    peer.output(say('comp.localhost', 'x'));
    while (parcels.length < 4) await connection.process(1);
    expect(parcels).toEqual([undefined, 'a', 'a', 'b']);
  });

  test('row 49: elements without a handler are dropped quietly; requests can be answered for them', async () => {
    const connection = await site.signedIn('comp.localhost', { answerRequests: true });
    const broker = await site.ready(site.component('peer.localhost'));
    const running = connection.start();
    broker.output(say('comp.localhost', 'nobody cares'));
    const asked = xml('iq', { type: 'get', to: 'comp.localhost' }, xml('q', { xmlns: 'u:q' }));
    expect(await failure(broker.request(asked))).toMatchObject({ condition: 'service-unavailable' });
    await connection.disconnect();
    await running;
    expect(connection.lastError).toBeNull();
  });

  test('row 50: periodic callbacks while running, exact and not in steps of five seconds', async () => {
    const connection = await site.signedIn();
    let beats = 0;
    connection.registerBeat(0.02, () => {
      beats += 1;
      if (beats === 3) void connection.disconnect();
    });
    await connection.start();
    expect(beats).toBeGreaterThanOrEqual(3);
  });

  test('row 51: process(t) waits for stanzas up to that time, and is false at the end', async () => {
    const { connection, peer } = await served();
    const seen = vi.fn();
    connection.registerHandler('message', seen);
    expect(await connection.process(0.01)).toBe(true);
    peer.output(say('comp.localhost', 'x'));
    while (seen.mock.calls.length === 0) expect(await connection.process(1)).toBe(true);
    await connection.disconnect();
    expect(await connection.process(1)).toBe(false);
  });

  test('row 52: start() runs until the server closes', async () => {
    const connection = await site.signedIn();
    const running = connection.start();
    site.server.kick('comp.localhost', 'system-shutdown');
    await expect(running).rejects.toMatchObject({ condition: 'system-shutdown' });
    expect(connection.connected).toBe(false);
    const again = await site.signedIn('peer.localhost');
    const quiet = again.start();
    site.server.cut('peer.localhost');
    await quiet;
  });

  test('row 53: lastError tells what went wrong', async () => {
    const connection = site.connection();
    await connection.connect();
    const error = await failure(connection.auth('wrong'));
    expect(error).toMatchObject({ condition: 'not-authorized' });
    expect(connection.lastError?.message).toBe(error.message);
  });
});

describe('signing in', () => {
  test('row 54: STARTTLS is used, the stream begins anew inside, and the certificate is checked', async () => {
    const broker = site.client();
    const recorded = trace(broker);
    await broker.connect();
    expect(recorded.last('PCJ_SSLSUCCESS')).toMatchObject({ verified: true });
    expect(recorded.short.filter((name) => name === 'STREAMSTART')).toHaveLength(3);
    const stranger = site.client('alice', { tls: {} });
    expect(await failure(stranger.connect())).toMatchObject({ layer: 'tls' });
  });

  test("row 55: PLAIN and DIGEST-MD5 work; the choice is ours and not the server's order, and DIGEST-MD5 has to be asked for (RFC 6331 retired it)", async () => {
    await using own = await SeedsSite.start({ mechanisms: ['DIGEST-MD5', 'PLAIN', 'SCRAM-SHA-256'] });
    const used = async (dialect: Dialect) => {
      const broker = own.client('alice', { connectionType: dialect });
      const recorded = trace(broker);
      await broker.connect();
      return recorded.last('PCJ_AUTHSUCCESS');
    };
    expect(await used(XMPP)).toEqual({ mechanism: 'SCRAM-SHA-256' });
    expect(await used(XMPP.with({ mechanisms: ['DIGEST-MD5'] }))).toEqual({ mechanism: 'DIGEST-MD5' });
    expect(await used(XMPP.with({ mechanisms: ['PLAIN'] }))).toEqual({ mechanism: 'PLAIN' });
  });

  test("row 56: a resource is bound, and the server's word on our address counts", async () => {
    await using own = await SeedsSite.start({ bind: { assigned: true } });
    const broker = await own.ready(own.client('alice', { resource: 'wanted' }));
    expect(broker.jid?.bare().toString()).toBe('alice@localhost');
    expect(broker.jid?.resource).not.toBe('wanted');
  });

  test("row 57: a taken resource is replaced; by the server's choice, a bounded number of times, and not by random ones without end", async () => {
    await using own = await SeedsSite.start({ bind: { conflict: 'refuse' } });
    const first = await own.ready(own.client('alice', { resource: 'taken' }));
    const second = await own.ready(own.client('alice', { resource: 'taken' }));
    expect(first.state).toBe('ready');
    expect(second.jid?.resource).not.toBe('taken');
  });

  test('row 58: a session is asked for if the server wants one', async () => {
    await using own = await SeedsSite.start({ bind: { session: 'required' } });
    const broker = own.client();
    const recorded = trace(broker);
    await broker.connect();
    expect(recorded.short).toContain('SESSIONNEGOTIATE');
    expect(recorded.short).toContain('SESSIONSUCCESS');
    expect(recorded.short.indexOf('SESSIONSUCCESS')).toBeLessThan(recorded.short.indexOf('READY'));
  });

  test('row 59: failures of TLS, authentication and binding are events of their own, with the reason, then an orderly close', async () => {
    const cases: [Broker, string, object][] = [
      [site.client('alice', { tls: {} }), 'SSLFAIL', { layer: 'tls' }],
      [site.client('alice', { password: 'wrong' }), 'AUTHFAIL', { condition: 'not-authorized' }],
      [site.legacy('alice', { password: 'wrong' }), 'AUTHFAIL', { condition: 'not-authorized' }],
      [site.component('comp.localhost', { password: 'wrong' }), 'AUTHFAIL', { condition: 'not-authorized' }],
    ];
    const holder = await site.ready(site.service('taken.localhost'));
    cases.push([site.service('taken.localhost'), 'BINDFAIL', { condition: 'conflict' }]);
    for (const [broker, event, facts] of cases) {
      const recorded = trace(broker);
      expect(await failure(broker.connect())).toMatchObject(facts);
      expect(recorded.short).toContain(event);
      // No XML goes out once a TLS handshake has begun, so there is no end of the stream then.
      const tail = event === 'SSLFAIL' ? TAIL.slice(1) : TAIL;
      expect(recorded.short.slice(recorded.short.indexOf(event) + 1)).toEqual(tail);
    }
    expect(holder.state).toBe('ready');
  });

  test('row 60: jabber:iq:auth with a digest; the password itself only over verified TLS, or when the option says so', async () => {
    const broker = site.legacy('alice', { connectionType: LEGACY.with({ methods: ['digest'] }) });
    const recorded = trace(broker);
    await broker.connect();
    expect(recorded.last('PCJ_AUTHSUCCESS')).toEqual({ mechanism: 'digest' });
    const plain = LEGACY.with({ methods: ['password'] });
    await site.ready(site.legacy('bob', { connectionType: plain }));
    const clear = site.legacy('bob', { connectionType: plain, tls: { policy: 'disabled' } });
    expect(await failure(clear.connect())).toMatchObject({ code: 'LEGACY_PLAINTEXT_REFUSED' });
    const allowed = plain.with({ allowPlaintextPassword: 'over-unverified-link' });
    await site.ready(site.legacy('bob', { connectionType: allowed, tls: { policy: 'disabled' } }));
  });

  test('row 61: the methods of jabber:iq:auth are asked for; zero-knowledge before digest before the password', async () => {
    const used: unknown[] = [];
    for (const methods of [['password', 'digest', '0k'], ['password', 'digest'], ['password']] as const) {
      await using own = await SeedsSite.start({ legacy: { methods } });
      const broker = own.legacy();
      const recorded = trace(broker);
      await broker.connect();
      used.push(recorded.last('PCJ_AUTHSUCCESS'));
    }
    expect(used).toEqual([{ mechanism: 'zero-k' }, { mechanism: 'digest' }, { mechanism: 'password' }]);
  });

  test('row 62: the handshake of a component; its address is its name, which is also the default sender', async () => {
    const { broker, peer } = await pair();
    expect(broker.jid?.toString()).toBe('comp.localhost');
    const arrived = received(peer, 1);
    broker.output(say('peer.localhost', 'x'));
    expect((await arrived)[0]?.getAttribute('from')).toBe('comp.localhost');
  });

  test('row 63: a service at the jabberd2 router: TLS, SASL, a name; stanzas arrive after that, and routes are made for them', async () => {
    const service = await site.ready(site.service());
    const peer = await site.ready(site.component('peer.localhost'));
    expect(service.jid?.toString()).toBe('svc.localhost');
    const [there, back] = [received(service, 1), received(peer, 1)];
    peer.output(say('svc.localhost', 'there'));
    service.output(say('peer.localhost', 'back'));
    const [stanza] = await there;
    expect([bodies(await there), bodies(await back)]).toEqual([['there'], ['back']]);
    expect(routeOf(stanza!)?.localName).toBe('route');
  });

  test('row 64: a dialect is a plug-in: namespace, version and one function', async () => {
    const noted: string[] = [];
    const mine: Dialect = {
      name: 'MINE',
      xmlns: NS.COMPONENT_ACCEPT,
      defaultTls: 'loopback',
      addressing: 'domain',
      negotiate: async (session) => {
        noted.push('mine');
        return JABBERD14_COMPONENT.negotiate(session);
      },
    };
    const broker = site.component('comp.localhost', { connectionType: mine });
    await broker.connect();
    await broker.reconnect();
    expect(noted).toEqual(['mine', 'mine']);
    expect(broker.state).toBe('ready');
  });
});

describe('the stream and its XML', () => {
  test('row 65: a stream error stops connecting, and is told when it comes later', async () => {
    site.server.refuse({ condition: 'policy-violation', text: 'not today' });
    const refused = failure(site.client().connect());
    expect(await refused).toMatchObject({ code: 'STREAM_ERROR', condition: 'policy-violation', text: 'not today' });
    site.server.refuse(null);
    const broker = await site.ready(site.component());
    const told = broker.events.once('PCJ_PROTOCOLERROR');
    site.server.kick('comp.localhost', 'policy-violation');
    expect(await told).toMatchObject({ code: 'STREAM_ERROR', condition: 'policy-violation', phase: 'ready' });
  });

  test('row 66: any chunking, entities, CDATA; white space between stanzas is ignored', async () => {
    const peer = await ScriptedPeer.listen();
    const broker = site.component('comp.localhost', { port: peer.port });
    const connected = broker.connect();
    const server = await peer.accept();
    await server.expect(/<stream:stream[^>]*>/);
    await server.sendSplit(
      streamHeader({ xmlns: NS.COMPONENT_ACCEPT, id: 'S', from: 'comp.localhost', version: null }),
      [1],
    );
    await server.expect('</handshake>');
    await server.send('<handshake/>');
    await connected;
    const arrived = received(broker, 2);
    await server.sendSplit(
      " \n<message to='comp.localhost'><body>0 &lt;&#x20AC;&amp;<![CDATA[<€>]]>\r\n</body></message> ",
      [1],
    );
    await server.send("<message to='comp.localhost'><body>0</body></message>");
    expect(bodies(await arrived)).toEqual(['0 <€&<€>\n', '0']);
    await peer.close();
  });

  test('row 67: building nodes: name, attributes, a child in a namespace, text, chaining', () => {
    const built = xml('iq', { type: 'get', to: 'a@b' }, xml('query', { xmlns: NS.IQ_VERSION }, xml('name', {}, '<&>')));
    const iq = new NodeFactory().newNode('iq');
    iq.attr('type', 'get');
    iq.attr('to', 'a@b');
    iq.insertTag('query', NS.IQ_VERSION).insertTag('name').data('<&>');
    expect(iq.toStr()).toBe(built.toString());
    expect(built.toString()).toBe(
      "<iq type='get' to='a@b'><query xmlns='jabber:iq:version'><name>&lt;&amp;&gt;</name></query></iq>",
    );
  });

  test('row 68: a node from a string, also after an error', () => {
    const factory = new NodeFactory();
    expect(() => factory.newNodeFromStr('<broken')).toThrow(BrokerError);
    expect(() => parse('<broken')).toThrow(BrokerError);
    expect(factory.newNodeFromStr('<a b="c"/>').attr('b')).toBe('c');
    expect(parse('<a/>').localName).toBe('a');
  });

  test('row 69: children by name, by namespace or both, one or all, and none is undefined', () => {
    const source = "<m><x xmlns='u:1' n='1'/><x xmlns='u:2' n='2'/><y/></m>";
    const node = new NodeFactory().newNodeFromStr(source);
    expect(node.getTag('x', 'u:2')?.attr('n')).toBe('2');
    expect(node.getTags('x').map((one) => one.attr('n'))).toEqual(['1', '2']);
    expect(node.getTags('')).toHaveLength(3);
    expect(node.getTag('z')).toBeUndefined();
    const element = parse(source);
    expect(element.getChild('x', 'u:2')?.getAttribute('n')).toBe('2');
    expect(element.getChildren('*', '*')).toHaveLength(3);
    expect(element.getChild('z')).toBeNull();
  });

  test('row 70: attributes and text are got, set and deleted with escaping; raw text can be set', () => {
    const node = new NodeFactory().newNode('a');
    node.attr('q', `'"<&>`);
    node.data('0');
    expect(parse(node.toStr()).getAttribute('q')).toBe(`'"<&>`);
    expect(parse(node.toStr()).textContent).toBe('0');
    node.attr('q', '');
    node.rawdata('&lt;<b/>');
    expect(node.toStr()).toBe('<a>&lt;<b/></a>');
    node.data('');
    expect(node.toStr()).toBe('<a><b/></a>');
  });

  test('row 71: children are removed, copied and listed; text and elements keep their order', () => {
    const node = new NodeFactory().newNodeFromStr('<a>1<b/>2<c/>3</a>');
    const copy = node.clone();
    expect(node.getChildren().map((child) => child.parent())).toEqual([node, node]);
    node.getTag('b')?.hide();
    expect([node.toStr(), copy.toStr()]).toEqual(['<a>12<c/>3</a>', '<a>1<b/>2<c/>3</a>']);
    expect(node.element.childNodes.map((child) => child.nodeName)).toEqual(['#text', '#text', 'c', '#text']);
  });

  test('row 72: serialisation keeps order and namespaces; a stream is opened and closed with its tags', async () => {
    const element = parse("<a z='1' b='2' xmlns:p='u:p' p:c='3'><p:d/><e xmlns='u:e'/></a>");
    expect(serialize(element)).toBe("<a z='1' b='2' xmlns:p='u:p' p:c='3'><p:d/><e xmlns='u:e'/></a>");
    const peer = await ScriptedPeer.listen();
    const broker = site.component('comp.localhost', { port: peer.port });
    const connected = broker.connect();
    const server = await peer.accept();
    expect(await server.expect(/<stream:stream[^>]*>/)).toMatch(/[^/]>$/);
    await server.send(streamHeader({ xmlns: NS.COMPONENT_ACCEPT, id: 'S', from: 'comp.localhost', version: null }));
    await server.expect('</handshake>');
    await server.send('<handshake/>');
    await connected;
    const closing = broker.shutdown();
    await server.expect('</stream:stream>');
    await server.send('</stream:stream>');
    server.end();
    await closing;
    await peer.close();
  });

  test('row 73: replies: addresses swapped, a result, stanza errors; errors of old servers are read', () => {
    const iq = parse("<iq type='get' id='1' from='a@b/c' to='d.e'><q xmlns='u:q'/></iq>");
    expect(reply(iq, xml('q', { xmlns: 'u:q' })).toString()).toBe(
      "<iq type='result' id='1' from='d.e' to='a@b/c'><q xmlns='u:q'/></iq>",
    );
    const error = errorReply(iq, 'item-not-found');
    expect([error.getAttribute('to'), error.getAttribute('type')]).toEqual(['a@b/c', 'error']);
    expect(new StanzaError(error)).toMatchObject({ condition: 'item-not-found', type: 'cancel' });
    expect(new StanzaError(parse("<iq type='error'><error code='401'/></iq>")).condition).toBe('not-authorized');
  });

  test('row 74: addresses: user, host, resource, bare, parts', () => {
    const jid = JID.parse('juliet@example.org/balcony');
    expect([jid.local, jid.domain, jid.resource, jid.bare().toString()]).toEqual([
      'juliet',
      'example.org',
      'balcony',
      'juliet@example.org',
    ]);
    const host = JID.parse('b');
    expect([host.local, host.domain, host.resource]).toEqual([null, 'b', null]);
  });

  test('row 75: constants for namespaces and iq types, in groups', () => {
    expect(JABBER_NS.iq.NS_ROSTER).toBe('jabber:iq:roster');
    expect(JABBER_NS.misc.IQ_RESULT).toBe('result');
    expect(JABBER_NS.all.NS_ACCEPT).toBe(NS.COMPONENT_ACCEPT);
    expect(
      [NS.TLS, NS.SASL, NS.BIND, NS.SESSION, NS.STREAMS, NS.STANZAS].every((uri) => uri.startsWith('urn:ietf')),
    ).toBe(true);
  });
});

describe('in general', () => {
  test('row 76: many connections in one process, none in the way of another', async () => {
    const brokers = [
      site.component(),
      site.component('peer.localhost'),
      site.client(),
      site.legacy('bob'),
      site.service(),
    ];
    await Promise.all(brokers.map((broker) => broker.connect()));
    const own = brokers.map((broker) => received(broker, 1));
    for (const broker of brokers) broker.output(say(broker.jid?.toString() ?? '', broker.config.alias));
    expect((await Promise.all(own)).flatMap(bodies)).toEqual(brokers.map(({ config }) => config.alias));
  });

  test('row 77: runnable examples, one for each dialect and more, each run by a test', () => {
    const examples = readdirSync(new URL('../../examples/', import.meta.url)).filter((name) => name.endsWith('.ts'));
    expect(examples).toEqual(
      expect.arrayContaining([
        'client.ts',
        'component.ts',
        'connection.ts',
        'legacy.ts',
        'own-dialect.ts',
        'router-service.ts',
      ]),
    );
    const root = new URL('../', import.meta.url);
    const tests = readdirSync(root, { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith('.test.ts'))
      .map((name) => readFileSync(new URL(name, root), 'utf8'))
      .join();
    for (const name of examples) expect(tests).toContain(`'${name}'`);
  });
});
