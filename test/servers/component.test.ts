import { once } from 'node:events';
import { createServer } from 'node:net';
import { inspect } from 'node:util';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import {
  NS,
  PCJ_NODERECEIVED,
  reply,
  StanzaError,
  xml,
  type Broker,
  type BrokerOptions,
  type Element,
  type FilterMatch,
} from 'xmpp-broker';
import { trace } from '../support/trace.js';
import { describeServer, type TestServer } from './harness/index.js';
import { Brokers, SITES } from './support/component-site.js';
import { Client, foreign } from './support/foreign-client.js';

const SUCCESS = [
  'CONNECT',
  'CONNECTING',
  'CONNECTED',
  'STREAMSTART',
  'NODESENT(stream)',
  'AUTHNEGOTIATE',
  'NODESENT(handshake)',
  'AUTHSUCCESS',
  'READY',
];
/** Up to the refusal of the secret. */
const ATTEMPT = SUCCESS.slice(0, -2);
const TAIL = ['STREAMEND', 'SHUTDOWN_START', 'SOCKETDISCONNECT', 'SHUTDOWN_FINISH'];

const message = (to: string, id: string, body = id): Element => xml('message', { to, id }, xml('body', {}, body));

/** What the server sends on its own after the handshake. */
async function greetings(broker: Broker, count: number): Promise<void> {
  if (count === 0) return;
  let seen = 0;
  await new Promise<void>((resolve) => {
    const subscription = broker.subscribe(PCJ_NODERECEIVED, () => {
      seen += 1;
      if (seen < count) return;
      subscription.cancel();
      resolve();
    });
  });
}

const idOf = (stanza: Element): string => stanza.getAttribute('id') ?? '';

for (const site of SITES) {
  describeServer(site.name, 'a component', () => {
    let server: TestServer<'starttls'>;
    let port: number;
    let brokers: Brokers;

    beforeAll(async () => {
      server = await site.start();
      port = site.port(server);
      brokers = new Brokers();
    });
    afterEach(async () => {
      await brokers[Symbol.asyncDispose]();
    });
    afterAll(async () => {
      await server.dispose();
    });

    const component = (options?: Partial<BrokerOptions>) => brokers.component(port, options);
    const ready = (options?: Partial<BrokerOptions>) => brokers.ready(port, options);

    describe('connects and closes', () => {
      test('golden order of a success and a shutdown', async () => {
        const broker = component();
        const recorded = trace(broker);
        await broker.connect();
        expect(recorded.short).toEqual(SUCCESS);
        expect(broker.state).toBe('ready');
        expect(broker.jid?.toString()).toBe('comp.localhost');
        expect(broker.sid).toMatch(/./);
        expect(recorded.last('PCJ_READY')).toEqual({ jid: broker.jid, resumed: false });
        await greetings(broker, site.greetings);
        recorded.clear();
        const closed = broker.closed;
        await broker.shutdown();
        expect(recorded.short).toEqual(TAIL);
        expect(recorded.last('PCJ_SOCKETDISCONNECT')).toEqual({ clean: true });
        expect(await closed).toEqual({ clean: true });
        expect(broker.state).toBe('idle');
      });

      test('the secret may come from a function', async () => {
        const broker = await ready({ password: () => Promise.resolve('secret') });
        expect(broker.state).toBe('ready');
      });

      test('S-COMP-3: a bad secret: AUTHFAIL with the condition, then the tail, and no retry', async () => {
        const broker = component({ password: 'wrong', reconnect: { initial: true, firstDelayMs: 1 } });
        const recorded = trace(broker);
        await expect(broker.connect()).rejects.toMatchObject({
          code: 'STREAM_ERROR',
          condition: 'not-authorized',
          phase: 'auth',
          origin: 'peer',
          retryable: false,
        });
        expect(recorded.short).toEqual([...ATTEMPT, 'AUTHFAIL', ...TAIL]);
        expect(broker.state).toBe('disconnected');
        expect(inspect(recorded.payloads, { depth: 10 })).not.toContain('wrong');
      });

      test('a name that the server does not know', async () => {
        const broker = component({ domain: 'nosuch.localhost' });
        const recorded = trace(broker);
        if (site.unknownName === null) {
          await broker.connect();
          expect(broker.jid?.toString()).toBe('nosuch.localhost');
          return;
        }
        const { condition, event } = site.unknownName;
        await expect(broker.connect()).rejects.toMatchObject({ code: 'STREAM_ERROR', condition });
        const head = event === 'AUTHFAIL' ? ATTEMPT : SUCCESS.slice(0, 5);
        expect(recorded.short).toEqual([...head, event, ...TAIL]);
      });

      test('refused TCP: CONNECT CONNECTING CONNECTFAIL and nothing else', async () => {
        const listener = createServer().listen(0, '127.0.0.1');
        await once(listener, 'listening');
        const { port: closedPort } = listener.address() as { port: number };
        listener.close();
        await once(listener, 'close');
        const broker = component();
        const recorded = trace(broker);
        await expect(broker.connect({ port: closedPort })).rejects.toMatchObject({ code: 'TCP_REFUSED' });
        expect(recorded.short).toEqual(['CONNECT', 'CONNECTING', 'CONNECTFAIL']);
        await broker.connect({ port });
        expect(recorded.short.slice(3)).toEqual(SUCCESS);
      });

      test('a second connection of the same name', async () => {
        const first = await ready();
        const second = component();
        const recorded = trace(second);
        if (site.shares) {
          await second.connect();
          expect(first.state).toBe('ready');
          return;
        }
        await expect(second.connect()).rejects.toMatchObject({ code: 'STREAM_ERROR', condition: 'conflict' });
        expect(recorded.short).toEqual([...ATTEMPT, 'AUTHFAIL', ...TAIL]);
        expect(first.state).toBe('ready');
      });

      test('row 9: reconnect while ready leaves the link in order and negotiates from zero', async () => {
        const broker = await ready();
        await greetings(broker, site.greetings);
        const { sid } = broker;
        const recorded = trace(broker);
        await broker.reconnect();
        // jabberd2 tells of components, and asks each what it is, when it gets to it: also those of the tests before.
        const received = recorded.payloads.filter((_, at) => recorded.short[at] === 'NODERECEIVED') as Element[];
        const greets = (stanza: Element) =>
          site.greetings > 0 && (stanza.is('presence') || stanza.getChild('query', NS.DISCO_INFO) !== null);
        expect(received.filter((stanza) => !greets(stanza)).map(String)).toEqual([]);
        const events = recorded.short.filter((name) => name !== 'NODERECEIVED');
        expect(events).toEqual(['SOCKETDISCONNECT', ...SUCCESS]);
        expect(recorded.payloads[recorded.short.indexOf('SOCKETDISCONNECT')]).toEqual({ clean: true });
        expect(broker.sid).not.toBe(sid);
      });
    });

    describe('exchanges stanzas', () => {
      test('with a client of another library: filters with and without a namespace, and an echo', async () => {
        const broker = await ready();
        const bodies: FilterMatch[] = [];
        const delayed: FilterMatch[] = [];
        const order: string[] = [];
        broker.filters.add('body', '/message/body');
        broker.filters.add('delayed', '/message[d:delay]', { namespaces: { d: NS.DELAY } });
        broker.subscribe('body', (match) => {
          bodies.push(match as FilterMatch);
          const { node } = match as FilterMatch;
          order.push(`body:${idOf(node)}`);
          broker.output(reply(node, xml('body', {}, `echo ${node.getChildText('body') ?? ''}`)));
        });
        broker.subscribe('delayed', (match) => {
          delayed.push(match as FilterMatch);
          order.push(`delayed:${idOf((match as FilterMatch).node)}`);
        });
        broker.subscribe(PCJ_NODERECEIVED, (node) => {
          if (node.localName === 'message') order.push(`received:${idOf(node)}`);
        });
        await using alice = await Client.online(server, 'alice');
        const to = 'echo@comp.localhost';
        await alice.send(foreign('message', { to, id: 'm1' }, foreign('body', {}, 'grüße & <söhne>')));
        await alice.send(
          foreign(
            'message',
            { to, id: 'm2' },
            foreign('body', {}, 'two'),
            foreign('delay', { xmlns: NS.DELAY, stamp: '2020-01-01T00:00:00Z' }),
          ),
        );
        const second = await alice.received((stanza) => stanza.attrs['id'] === 'm2');
        expect(second.getChildText('body')).toBe('echo two');
        const [first] = alice.stanzas.filter((stanza) => stanza.attrs['id'] === 'm1');
        expect(first?.getChildText('body')).toBe('echo grüße & <söhne>');
        expect(first?.attrs['from']).toBe(to);
        expect(order).toEqual(['body:m1', 'received:m1', 'body:m2', 'delayed:m2', 'received:m2']);
        expect(bodies.map(({ nodes }) => (nodes[0] as Element).textContent)).toEqual(['grüße & <söhne>', 'two']);
        expect(delayed.map(({ node, expression }) => [idOf(node), expression])).toEqual([['m2', '/message[d:delay]']]);
        // The content namespace differs from server to server; no filter sees that.
        const namespace = site.name === 'jabberd2' ? NS.CLIENT : NS.COMPONENT_ACCEPT;
        expect(bodies[0]?.node.namespaceURI).toBe(namespace);
      });

      test('5,000 messages to itself arrive once and in order', { timeout: 120_000 }, async () => {
        const broker = await ready();
        const total = 5_000;
        const seen: string[] = [];
        const done = new Promise<void>((resolve) => {
          broker.subscribe(PCJ_NODERECEIVED, (node) => {
            if (node.localName !== 'message') return;
            seen.push(idOf(node));
            if (seen.length === total) resolve();
          });
        });
        const ids = Array.from({ length: total }, (_, index) => String(index));
        const tickets = ids.map((id) => broker.output(message('self@comp.localhost', id)));
        await done;
        expect(seen).toEqual(ids);
        expect(tickets.every(({ state }) => state === 'sent')).toBe(true);
      });

      test('a foreign from is refused before anything is written, and the link stays', async () => {
        const broker = await ready();
        const foreignSender = xml('message', { to: 'x@comp.localhost', from: 'x@elsewhere.test' });
        expect(() => broker.output(foreignSender)).toThrow(
          expect.objectContaining({ code: 'USAGE_COMPONENT_ADDRESS' }),
        );
        const received = broker.events.once(PCJ_NODERECEIVED);
        broker.output(message('x@comp.localhost', 'after'));
        await received;
        expect(broker.state).toBe('ready');
      });

      test('DECISIONS 23: every spelling of its own name may be in from', async () => {
        const broker = await ready({ domain: 'COMP.localhost' });
        const seen: (string | null)[] = [];
        const done = new Promise<void>((resolve) => {
          broker.subscribe(PCJ_NODERECEIVED, (node) => {
            if (node.localName !== 'message') return;
            seen.push(node.getAttribute('from'));
            if (seen.length === 3) resolve();
          });
        });
        for (const from of [undefined, 'x@COMP.localhost', 'comp.LOCALHOST/r']) {
          broker.output(xml('message', { to: 'x@comp.localhost', from }));
        }
        const lost = broker.closed.then(({ error }) => Promise.reject(error ?? new Error('closed')));
        await Promise.race([done, lost]);
        expect(seen).toEqual(['comp.localhost', 'x@comp.localhost', 'comp.localhost/r']);
      });
    });

    describe('asks and answers', () => {
      const info = (to: string) => xml('iq', { type: 'get', to }, xml('query', { xmlns: NS.DISCO_INFO }));

      test('a request is answered with a result; an error rejects', async () => {
        const broker = await ready();
        const recorded = trace(broker);
        const result = await broker.request(info('localhost'));
        expect(result.getAttribute('type')).toBe('result');
        expect(result.children[0]?.namespaceURI).toBe(NS.DISCO_INFO);
        const error: unknown = await broker
          .request(info('nobody@nowhere.localhost'))
          .catch((caught: unknown) => caught);
        expect(error).toBeInstanceOf(StanzaError);
        expect((error as StanzaError).condition).not.toBe('undefined-condition');
        expect(recorded.short.filter((name) => name.startsWith('RTS'))).toEqual([
          'RTS_START',
          'RTS_FINISH',
          'RTS_START',
          'RTS_FINISH',
        ]);
        expect(broker.pending.size).toBe(0);
      });

      test('returnToSender publishes the answer once under its event', async () => {
        const broker = await ready();
        const answers: unknown[] = [];
        const received: Element[] = [];
        broker.subscribe('disco', (node) => answers.push(node));
        broker.subscribe(PCJ_NODERECEIVED, (node) => received.push(node));
        const finished = broker.events.once('PCJ_RTS_FINISH');
        const ticket = broker.returnToSender('disco', info('localhost'));
        const answer = await finished;
        expect(answers).toEqual([answer]);
        expect(answer.getAttribute('id')).toBe(ticket.node.getAttribute('id'));
        expect(ticket.state).toBe('acked');
        expect(received).not.toContain(answer);
        expect(broker.events.listing().find(({ event }) => event === 'disco')?.published).toBe(false);
      });

      test('a client of another library answers, and refuses', async () => {
        const broker = await ready();
        await using bob = await Client.online(server, 'bob');
        bob.entity.iqCallee.get('urn:example:sum', 'sum', () => foreign('sum', { xmlns: 'urn:example:sum' }, '7'));
        await bob.send(foreign('presence'));
        const sum = await broker.request(
          xml(
            'iq',
            { type: 'get', to: bob.jid, from: 'calc@comp.localhost' },
            xml('sum', { xmlns: 'urn:example:sum' }),
          ),
        );
        expect(sum.children[0]?.textContent).toBe('7');
        expect(sum.getAttribute('from')).toBe(bob.jid);
        const unknown = xml('iq', { type: 'get', to: bob.jid }, xml('x', { xmlns: 'urn:example:unknown' }));
        await expect(broker.request(unknown)).rejects.toMatchObject({ condition: 'service-unavailable' });
      });

      test('a request that nobody answers fails at its time limit', async () => {
        const broker = await ready();
        await ready({ domain: 'comp2.localhost' });
        await expect(broker.request(info('comp2.localhost'), { timeout: 100 })).rejects.toMatchObject({
          code: 'RTS_TIMEOUT',
          sent: 'maybe',
        });
        expect(broker.pending.size).toBe(0);
        expect(broker.state).toBe('ready');
      });

      test('S-STZ-1: answerRequests answers what nobody answered, once', async () => {
        const asking = await ready();
        const answering = await ready({ domain: 'comp2.localhost', answerRequests: true });
        const sent: string[] = [];
        answering.subscribe('PCJ_NODESENT', (node) => {
          if (node.getAttribute('to') === 'comp.localhost') sent.push(node.getAttribute('type') ?? '');
        });
        answering.filters.add('disco', '/iq[@type="get"]/q:query', { namespaces: { q: NS.DISCO_INFO } });
        answering.subscribe('disco', async (match) => {
          await Promise.resolve();
          const { node } = match as FilterMatch;
          if (node.getAttribute('from') !== 'comp.localhost') return;
          answering.output(reply(node, xml('query', { xmlns: NS.DISCO_INFO })));
        });
        expect((await asking.request(info('comp2.localhost'))).getAttribute('type')).toBe('result');
        const unknown = xml('iq', { type: 'set', to: 'comp2.localhost' }, xml('x', { xmlns: 'urn:example:x' }));
        await expect(asking.request(unknown)).rejects.toMatchObject({ condition: 'service-unavailable' });
        expect(sent).toEqual(['result', 'error']);
      });
    });
  });
}

describeServer('prosody', 'component names with rules of their own', () => {
  let server: TestServer<'starttls'>;
  let port: number;
  let brokers: Brokers;

  beforeAll(async () => {
    server = await SITES[0]!.start();
    port = SITES[0]!.port(server);
    brokers = new Brokers();
  });
  afterEach(async () => {
    await brokers[Symbol.asyncDispose]();
  });
  afterAll(async () => {
    await server.dispose();
  });

  test('DECISIONS 25: a conflict while connecting is retried until the name is free', async () => {
    const first = await brokers.ready(port);
    const second = brokers.component(port, { reconnect: { initial: true, firstDelayMs: 20, maxDelayMs: 20 } });
    const retrying = second.events.once('PCJ_RECONNECTING');
    const connected = second.connect();
    expect((await retrying).error).toMatchObject({ condition: 'conflict' });
    await first.shutdown();
    await connected;
    expect(second.state).toBe('ready');
  });

  test('DECISIONS 25: a conflict once ready is final: the one who was replaced stays away', async () => {
    const domain = 'kickold.localhost';
    const first = await brokers.ready(port, { domain, reconnect: { firstDelayMs: 1, maxDelayMs: 1 } });
    const recorded = trace(first);
    const closed = first.closed;
    const second = await brokers.ready(port, { domain });
    expect(await closed).toMatchObject({ clean: false, error: { condition: 'conflict', phase: 'ready' } });
    expect(recorded.short).toEqual(['PROTOCOLERROR', 'SOCKETFAIL', 'SOCKETDISCONNECT']);
    expect(first.state).toBe('disconnected');
    expect(second.state).toBe('ready');
  });
});
