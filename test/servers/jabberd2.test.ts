import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import {
  Broker,
  JABBERD14_COMPONENT,
  JABBERD20_COMPONENT,
  LEGACY,
  NS,
  reply,
  routeOf,
  RouterControl,
  StanzaError,
  xml,
  type BrokerOptions,
  type Element,
  type FilterMatch,
  type RouterOptions,
} from 'xmpp-broker';
import { failure } from '../support/failure.js';
import { trace, type Trace } from '../support/trace.js';
import { describeServer, Jabberd2, type Jabberd2Port, type TestServer } from './harness/index.js';

const ROUTER = NS.JABBERD2_COMPONENT;

const OPEN = ['CONNECT', 'CONNECTING', 'CONNECTED', 'STREAMSTART', 'NODESENT(stream)'];
const STARTTLS = ['SSLNEGOTIATE', 'NODESENT(starttls)', 'SSLSUCCESS', 'STREAMSTART', 'NODESENT(stream)'];
const AUTH = ['AUTHNEGOTIATE', 'NODESENT(auth)', 'NODESENT(response)'];
const BIND = ['AUTHSUCCESS', 'STREAMSTART', 'NODESENT(stream)', 'BINDNEGOTIATE', 'RTS_START', 'NODESENT(bind)'];
const TAIL = ['STREAMEND', 'SHUTDOWN_START', 'SOCKETDISCONNECT', 'SHUTDOWN_FINISH'];

/** Without what the router tells on its own: who is there, and three questions for each name. */
const ours = ({ short }: Trace) => short.filter((name) => name !== 'DOMAIN' && name !== 'NODERECEIVED');

const upToReady = ({ short }: Trace) => short.slice(0, short.indexOf('READY') + 1);

/** Collects the bodies of messages, and tells when there are enough. */
function bodies(broker: Broker, count: number): { seen: string[]; enough: Promise<void> } {
  const seen: string[] = [];
  const enough = new Promise<void>((resolve) => {
    broker.subscribe('PCJ_NODERECEIVED', (node) => {
      const body = node.getChildText('body');
      if (body !== null && seen.push(body) === count) resolve();
    });
  });
  return { seen, enough };
}

describeServer('jabberd2', 'JABBERD20_COMPONENT', () => {
  let server: TestServer<Jabberd2Port>;
  let alice: Broker;
  const brokers: Broker[] = [];

  beforeAll(async () => {
    server = await Jabberd2.start();
    alice = await client('alice');
  });
  afterEach(async () => {
    await Promise.all(brokers.splice(0).map((broker) => broker.shutdown()));
  });
  afterAll(async () => {
    alice.halt();
    await server.dispose();
  });

  /** A client of the server. It stays connected over all tests: see the harness on clients that come and go. */
  async function client(username: string, at = server): Promise<Broker> {
    const broker = new Broker({
      connectionType: LEGACY,
      host: at.host,
      port: at.ports.starttls,
      domain: 'localhost',
      username,
      password: 'secret',
      resource: 'r1',
      tls: { ca: at.ca },
      reconnect: { initial: true, firstDelayMs: 300, maxAttempts: 20 },
      logger: false,
    });
    await broker.connect();
    broker.output(xml('presence'));
    return broker;
  }

  function service(domain: string, router: RouterOptions = {}, options: Partial<BrokerOptions> = {}): Broker {
    const broker = new Broker({
      connectionType: JABBERD20_COMPONENT.with(router),
      host: server.host,
      port: server.ports.router,
      domain,
      username: 'jabberd',
      password: 'secret',
      tls: { ca: server.ca, servername: 'localhost' },
      reconnect: false,
      logger: false,
      ...options,
    });
    brokers.push(broker);
    return broker;
  }

  async function ready(domain: string, router: RouterOptions = {}, options: Partial<BrokerOptions> = {}) {
    const broker = service(domain, router, options);
    await broker.connect();
    return broker;
  }

  describe('binds', () => {
    test('STARTTLS, DIGEST-MD5, a name: golden order, and that of a shutdown', async () => {
      const broker = service('one.localhost');
      const recorded = trace(broker);
      await broker.connect();
      expect(upToReady(recorded)).toEqual([...OPEN, ...STARTTLS, ...AUTH, ...BIND, 'BINDSUCCESS', 'READY']);
      expect(broker.jid?.toString()).toBe('one.localhost');
      expect(recorded.last('PCJ_SSLSUCCESS')).toMatchObject({ verified: true });
      await broker.shutdown();
      expect(ours(recorded).slice(-4)).toEqual(TAIL);
      expect(recorded.last('PCJ_SOCKETDISCONNECT')).toEqual({ clean: true });
    });

    test('in clear, when the policy says so', async () => {
      const broker = service('clear.localhost', {}, { tls: { policy: 'disabled' } });
      const recorded = trace(broker);
      await broker.connect();
      expect(upToReady(recorded)).toEqual([...OPEN, ...AUTH, ...BIND, 'BINDSUCCESS', 'READY']);
    });

    test('a router without TLS is refused, unless the policy says otherwise', async () => {
      await using clear = await Jabberd2.start({ routerTls: false });
      const at = { port: clear.ports.router };
      const broker = service('one.localhost', {}, at);
      const recorded = trace(broker);
      expect(await failure(broker.connect())).toMatchObject({ code: 'TLS_REQUIRED' });
      expect(recorded.short).toEqual([...OPEN, 'SSLFAIL', ...TAIL]);
      for (const policy of ['preferred', 'disabled'] as const) {
        await (await ready('one.localhost', {}, { ...at, tls: { policy } })).shutdown();
      }
    });

    test('a wrong password, an unknown user', async () => {
      for (const options of [{ password: 'wrong' }, { username: 'nobody' }]) {
        const broker = service('one.localhost', {}, options);
        const recorded = trace(broker);
        expect(await failure(broker.connect())).toMatchObject({ condition: 'not-authorized', retryable: false });
        expect(recorded.short).toEqual([...OPEN, ...STARTTLS, ...AUTH, 'AUTHFAIL', ...TAIL]);
      }
    });

    test('403 for a user who may bind only his own name, which he may', async () => {
      const broker = service('other.localhost', {}, { username: 'comp.localhost' });
      const recorded = trace(broker);
      expect(await failure(broker.connect())).toMatchObject({ code: 'BIND_FAILED', condition: 'forbidden' });
      expect(recorded.short).toEqual([...OPEN, ...STARTTLS, ...AUTH, ...BIND, 'BINDFAIL', ...TAIL]);
      await ready('comp.localhost', {}, { username: 'comp.localhost' });
    });

    test('409 for a name that is bound, also for one that others share', async () => {
      for (const [name, multi] of [
        ['taken.localhost', false],
        ['shared.localhost', true],
      ] as const) {
        await ready(name, { multi });
        expect(await failure(service(name).connect())).toMatchObject({
          code: 'BIND_FAILED',
          condition: 'conflict',
          retryable: true,
        });
      }
    });

    test('400 for no name, on a link in use', async () => {
      const broker = await ready('one.localhost');
      const named = broker.events.once('PCJ_NAME');
      broker.output(xml('bind', { xmlns: ROUTER }, xml('name', {}, 'x.localhost')));
      expect(await named).toMatchObject({ bound: true, error: { condition: 'bad-request' } });
    });
  });

  describe('carries stanzas', () => {
    test('both ways, with filters and requests', async () => {
      const broker = await ready('svc.localhost');
      broker.filters.add('chat', '/message[@type="chat" and body]');
      broker.subscribe('chat', (payload) => {
        const { node } = payload as FilterMatch;
        broker.output(reply(node, xml('body', {}, `echo: ${node.getChildText('body') ?? ''}`)));
      });
      broker.filters.add('version', '/iq[@type="get"]/v:query', { namespaces: { v: NS.IQ_VERSION } });
      broker.subscribe('version', (payload) => {
        const query = xml('query', { xmlns: NS.IQ_VERSION }, xml('name', {}, 'test'));
        broker.output(reply((payload as FilterMatch).node, query));
      });
      const { seen, enough } = bodies(alice, 1);
      alice.output(xml('message', { to: 'joe@svc.localhost/x', type: 'chat' }, xml('body', {}, 'a & <b>')));
      await enough;
      expect(seen).toEqual(['echo: a & <b>']);
      const asked = xml('iq', { type: 'get', to: 'svc.localhost' }, xml('query', { xmlns: NS.IQ_VERSION }));
      expect((await alice.request(asked)).firstElementChild?.getChildText('name')).toBe('test');
      // The other way round: the service asks the server, and the client's account.
      const ping = (to: string) => xml('iq', { type: 'get', to }, xml('ping', { xmlns: NS.PING }));
      const answer = await broker.request(ping('localhost'));
      expect(answer.getAttribute('type')).toBe('result');
      expect(routeOf(answer)?.getAttribute('from')).toBe('sm');
      await expect(broker.request(ping('alice@localhost/gone'))).rejects.toBeInstanceOf(StanzaError);
    });

    test('subscriptions and presence', async () => {
      const broker = await ready('pres.localhost');
      const asked = broker.events.once('subscribe') as Promise<FilterMatch>;
      broker.filters.add('subscribe', '/presence[@type="subscribe"]');
      alice.output(xml('presence', { to: 'joe@pres.localhost', type: 'subscribe' }));
      const { node } = await asked;
      expect(node.getAttribute('from')).toBe('alice@localhost');
      alice.filters.add('pres', '/presence[starts-with(@from, "joe@pres.localhost")]/status');
      const status = alice.events.once('pres') as Promise<FilterMatch>;
      broker.output(xml('presence', { to: 'alice@localhost', from: 'joe@pres.localhost', type: 'subscribed' }));
      broker.output(
        xml('presence', { to: 'alice@localhost', from: 'joe@pres.localhost/x' }, xml('status', {}, 'hello')),
      );
      expect((await status).nodes[0]?.textContent).toBe('hello');
    });

    test('an unknown target bounces to the request, and to nobody else', async () => {
      const broker = await ready('svc.localhost');
      const recorded = trace(broker);
      const error = await failure(
        broker.request(xml('iq', { type: 'get', to: 'nowhere.localhost' }, xml('ping', { xmlns: NS.PING }))),
      );
      expect(error).toBeInstanceOf(StanzaError);
      expect(error).toMatchObject({ condition: 'item-not-found' });
      expect(recorded.last('PCJ_ROUTEFAIL')).toMatchObject({ code: '404' });
      const failed = broker.events.once('PCJ_ROUTEFAIL');
      broker.output(xml('message', { to: 'x@nowhere.localhost', id: 'm' }, xml('body', {}, 'x')));
      expect((await failed).stanza?.getAttribute('id')).toBe('m');
    });

    test('a service that is gone: clients are told', async () => {
      const broker = await ready('short.localhost');
      await broker.shutdown();
      const error = await failure(
        alice.request(xml('iq', { type: 'get', to: 'short.localhost' }, xml('ping', { xmlns: NS.PING }))),
      );
      expect(error).toMatchObject({ condition: 'item-not-found' });
    });

    test('names that come and go are PCJ_DOMAIN', async () => {
      const watcher = await ready('watch.localhost');
      const seen: unknown[] = [];
      const gone = new Promise<void>((resolve) => {
        watcher.subscribe('PCJ_DOMAIN', (domain) => {
          if (domain.name !== 'guest.localhost') return;
          if (seen.push(domain) === 2) resolve();
        });
      });
      const guest = await ready('guest.localhost');
      await guest.shutdown();
      await gone;
      expect(seen).toEqual([
        { name: 'guest.localhost', online: true },
        { name: 'guest.localhost', online: false },
      ]);
    });

    test('raw mode: packets as they are', async () => {
      const broker = await ready('raw.localhost', { raw: true });
      broker.filters.add('packet', '/route/message[body]');
      const packet = broker.events.once('packet') as Promise<FilterMatch>;
      alice.output(xml('message', { to: 'x@raw.localhost' }, xml('body', {}, 'x')));
      expect((await packet).node.getAttribute('from')).toBe('sm');
      const { seen, enough } = bodies(alice, 1);
      broker.output(
        xml(
          'route',
          { from: 'raw.localhost', to: 'localhost' },
          xml('message', { xmlns: NS.CLIENT, from: 'x@raw.localhost', to: 'alice@localhost' }, xml('body', {}, 'back')),
        ),
      );
      await enough;
      expect(seen).toEqual(['back']);
    });
  });

  describe('options of a name', () => {
    test('default: what nobody has bound', async () => {
      const broker = await ready('all.localhost', { default: true });
      const { seen, enough } = bodies(broker, 1);
      alice.output(xml('message', { to: 'who@remote.example' }, xml('body', {}, 'far away')));
      await enough;
      expect(seen).toEqual(['far away']);
      const back = bodies(alice, 1);
      broker.output(xml('message', { to: 'alice@localhost', from: 'who@remote.example' }, xml('body', {}, 'answer')));
      await back.enough;
      expect(back.seen).toEqual(['answer']);
    });

    test('log: a copy of every packet', async () => {
      await ready('plain.localhost');
      const log = await ready('log.localhost', { log: true });
      const copy = new Promise<{ type: string; stanza: Element | null }>((resolve) => {
        log.subscribe('PCJ_ROUTE', (packet) => {
          if (packet.stanza?.getAttribute('id') === 'L1') resolve(packet);
        });
      });
      alice.output(xml('message', { to: 'joe@plain.localhost', id: 'L1' }, xml('body', {}, 'logged')));
      expect((await copy).type).toBe('log');
    });

    test('a broadcast reaches every other service', async () => {
      const [one, two] = [await ready('b1.localhost'), await ready('b2.localhost')];
      const heard = two.events.once('PCJ_ROUTE');
      one.output(xml('route', { from: 'b1.localhost', type: 'broadcast' }, xml('x', { xmlns: 'urn:test' })));
      const { type, stanza } = await heard;
      expect([type, stanza?.namespaceURI]).toEqual(['broadcast', 'urn:test']);
    });

    test('multi: two brokers share a name; one leaves, the other takes everything', async () => {
      const pair = [await ready('m.localhost', { multi: true }), await ready('m.localhost', { multi: true })];
      const got = pair.map(() => new Set<string>());
      const send = async (count: number) => {
        const all = new Promise<void>((resolve) => {
          pair.forEach((broker, index) => {
            const subscription = broker.subscribe('PCJ_NODERECEIVED', (node) => {
              const to = node.getAttribute('to') ?? '';
              if (node.localName !== 'message') return;
              got[index]!.add(to);
              if (got[0]!.size + got[1]!.size < count) return;
              subscription.cancel();
              resolve();
            });
          });
        });
        for (let n = 0; n < count; n += 1) {
          alice.output(xml('message', { to: `user${String(n)}@m.localhost` }, xml('body', {}, 'x')));
        }
        await all;
      };
      await send(40);
      // The share of each is decided by the receiver's bare address.
      expect([...got[0]!].some((to) => got[1]!.has(to))).toBe(false);
      expect(Math.min(got[0]!.size, got[1]!.size)).toBeGreaterThan(0);
      await pair[0]!.shutdown();
      for (const set of got) set.clear();
      await send(40);
      expect(got[1]!.size).toBe(40);
    });

    test('several names on one link, bound and unbound in use', async () => {
      const broker = await ready('first.localhost');
      const control = new RouterControl(broker);
      await control.bind('second.localhost');
      expect([...control.names]).toEqual(['second.localhost']);
      const { seen, enough } = bodies(broker, 1);
      alice.output(xml('message', { to: 'x@second.localhost' }, xml('body', {}, 'second')));
      await enough;
      expect(seen).toEqual(['second']);
      const back = bodies(alice, 1);
      broker.output(xml('message', { to: 'alice@localhost', from: 'x@second.localhost' }, xml('body', {}, 'back')));
      await back.enough;
      // The router takes what it gets in order: nobody has to wait for its answer.
      const early = bodies(alice, 1);
      const bound = control.bind('third.localhost');
      broker.output(xml('message', { to: 'alice@localhost', from: 'x@third.localhost' }, xml('body', {}, 'early')));
      await Promise.all([bound, early.enough]);
      expect(early.seen).toEqual(['early']);
      expect(await failure(control.bind('localhost'))).toMatchObject({ condition: 'conflict' });
      await control.unbind('second.localhost');
      expect(await failure(control.unbind('second.localhost'))).toMatchObject({ condition: 'item-not-found' });
      const gone = alice.request(xml('iq', { type: 'get', to: 'second.localhost' }, xml('ping', { xmlns: NS.PING })));
      expect(await failure(gone)).toMatchObject({ condition: 'item-not-found' });
    });

    test('throttle: the router holds what is for us until we want it', async () => {
      const broker = await ready('slow.localhost');
      const control = new RouterControl(broker);
      await control.throttle(true);
      const { seen, enough } = bodies(broker, 2);
      for (const body of ['1', '2']) alice.output(xml('message', { to: 'x@slow.localhost' }, xml('body', {}, body)));
      // The router takes what comes from us in order: when this has come back, the messages were held.
      await alice.request(xml('iq', { type: 'get', to: 'localhost' }, xml('ping', { xmlns: NS.PING })));
      expect(seen).toEqual([]);
      await control.throttle(false);
      await enough;
      expect(seen).toEqual(['1', '2']);
    });
  });

  describe('a router that is killed and comes back', () => {
    test('what was output meanwhile goes out on purge, in order, once; names are bound again', async () => {
      await using own = await Jabberd2.start();
      const at = { port: own.ports.router, tls: { ca: own.ca, servername: 'localhost' } };
      const broker = await ready(
        'keep.localhost',
        {},
        { ...at, reconnect: { firstDelayMs: 200, maxDelayMs: 400 }, queue: { maxStanzas: 100 } },
      );
      const control = new RouterControl(broker);
      await control.bind('more.localhost');
      const recorded = trace(broker);
      const lost = broker.events.once('PCJ_SOCKETDISCONNECT');
      await own.kill();
      expect((await lost).clean).toBe(false);
      const held = ['1', '2', '3'].map((body) =>
        broker.output(xml('message', { to: 'alice@localhost' }, xml('body', {}, body))),
      );
      expect(held.map(({ state }) => state)).toEqual(['queued', 'queued', 'queued']);
      const back = broker.events.once('PCJ_READY');
      const named = broker.events.once('PCJ_NAME');
      await own.start();
      await back;
      expect(await named).toEqual({ name: 'more.localhost', bound: true });
      const bob = await client('alice', own);
      const { seen, enough } = bodies(bob, 3);
      expect(broker.purgeQueue()).toEqual(held);
      await enough;
      expect(seen).toEqual(['1', '2', '3']);
      expect(recorded.short.filter((name) => name === 'READY')).toHaveLength(1);
      expect(ours(recorded).slice(0, 2)).toEqual(['SOCKETFAIL', 'SOCKETDISCONNECT']);
      await bob.shutdown();
    });
  });

  test('XEP-0114 at the same router: the other dialect still works beside it', async () => {
    const component = new Broker({
      connectionType: JABBERD14_COMPONENT,
      host: server.host,
      port: server.ports.router,
      domain: 'old.localhost',
      password: 'secret',
      reconnect: false,
      logger: false,
    });
    brokers.push(component);
    await component.connect();
    const broker = await ready('new.localhost');
    const { seen, enough } = bodies(component, 1);
    broker.output(xml('message', { to: 'x@old.localhost' }, xml('body', {}, 'across')));
    await enough;
    expect(seen).toEqual(['across']);
  });
});
