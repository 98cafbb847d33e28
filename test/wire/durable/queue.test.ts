import { beforeEach, describe, expect, it } from 'vitest';
import {
  BrokerError,
  xml,
  type Broker,
  type BrokerOptions,
  type QueueStore,
  type StoreOwner,
  type Ticket,
} from 'xmpp-broker';
import { MemoryStore } from 'xmpp-broker/testing';
import { REFUSALS_BEFORE_FINAL } from '../../../src/lifecycle/what-follows.js';
import { COMPONENT, DOMAIN, header } from '../support/component.js';
import { failure, stopClock, useRig, type Ready } from '../support/index.js';

const rig = useRig(COMPONENT);

let store: MemoryStore;

beforeEach(() => {
  store = new MemoryStore();
});

const options = (more: BrokerOptions['queue'] = {}): Partial<BrokerOptions> => ({ queue: { store, ...more } });

const send = (broker: Broker, id: string, key?: string): Ticket =>
  broker.output(
    xml('message', { to: 'bob@localhost', from: DOMAIN, id }, xml('body', {}, id)),
    key === undefined ? undefined : { key },
  );

const upTo = (server: Ready['server'], id: string) => server.expect(`<body>${id}</body></message>`);

const ids = () => store.held(DOMAIN).map(({ xml }) => / id="(.*?)"| id='(.*?)'/.exec(xml)?.slice(1).find(Boolean));

/** The process of a broker is gone: nothing that it does reaches the store any more. */
function kill(broker: Broker): void {
  store.kill();
  broker.halt();
}

describe('a queue with a store', () => {
  it('holds what was output before, in the next process', async () => {
    const peer = await rig.listen();
    const first = rig.broker(peer, options());
    expect(await first.broker.openQueue()).toEqual({ held: 0, possibleDuplicates: 0 });
    const tickets = ['1', '2', '3'].map((id) => send(first.broker, id));
    await Promise.all(tickets.map(({ stored }) => stored));
    kill(first.broker);

    const { broker, server } = await rig.ready(options());
    expect(broker.queue.size).toBe(3);
    broker.queue.send();
    await upTo(server, '3');
    await expect.poll(() => store.held(DOMAIN)).toEqual([]);
    const said = server.received.toString();
    expect(said.indexOf('<body>1')).toBeLessThan(said.indexOf('<body>2'));
  });

  it('marks before it writes, and ends what was written where nothing can acknowledge', async () => {
    const { broker, server } = await rig.ready(options());
    let go = (): void => undefined;
    store.hooks = { before: () => new Promise((resolve) => (go = resolve)) };
    const ticket = send(broker, '1');
    await new Promise(setImmediate);
    expect(server.received.toString()).not.toContain('<body>1');
    expect(ticket.state).toBe('queued');
    store.hooks = {};
    go();
    await upTo(server, '1');
    await ticket.stored;
    await expect.poll(() => store.held(DOMAIN)).toEqual([]);
    expect(ticket).toMatchObject({ state: 'sent', attempts: 1 });
  });

  it('S-Q-5: flags what was marked when the process died, in front of what was not', async () => {
    const first = await rig.ready(options());
    store.hooks = { after: () => new Promise(() => undefined) };
    send(first.broker, '1');
    await expect.poll(ids).toEqual(['1']);
    store.hooks = {};
    kill(first.broker);

    const { broker } = rig.broker(await rig.listen(), options());
    expect(await broker.openQueue()).toEqual({ held: 1, possibleDuplicates: 1 });
    expect(broker.queue.at(0)).toMatchObject({ possibleDuplicate: true, attempts: 1 });
    await expect.poll(() => store.held(DOMAIN)[0]).toMatchObject({ handed: null, possibleDuplicate: true });
  });

  it('fails no ticket that is stored when the broker is halted', async () => {
    const { broker } = rig.broker(await rig.listen(), options());
    const early = send(broker, 'early');
    await broker.openQueue();
    await early.stored;
    const late = send(broker, 'late');
    broker.halt();
    expect(await failure(early.sent)).toMatchObject({ code: 'QUEUE_KEPT' });
    expect(await failure(late.stored)).toMatchObject({ code: 'BROKER_HALTED' });
    expect(ids()).toEqual(['early']);
  });

  it('gives back the ticket of a key that is in it', async () => {
    const { broker } = rig.broker(await rig.listen(), options());
    const ticket = send(broker, '1', 'k');
    expect(send(broker, '1', 'k')).toBe(ticket);
    expect(ticket.key).toBe('k');
    await broker.openQueue();
    await ticket.stored;
    kill(broker);
    const next = rig.broker(await rig.listen(), options()).broker;
    const again = send(next, '1', 'k');
    await next.openQueue();
    await again.stored;
    expect(next.queue.size).toBe(1);
    expect(store.held(DOMAIN)).toHaveLength(1);
  });

  it('does not dial while somebody has it', async () => {
    const first = rig.broker(await rig.listen(), options());
    await first.broker.openQueue();
    const { broker, recorded } = rig.broker(await rig.listen(), options());
    expect(await failure(broker.connect())).toMatchObject({ code: 'QUEUE_LOCKED' });
    expect(recorded.short).toEqual(['STOREFAIL']);
    await first.broker.shutdown();
    await broker.openQueue();
  });

  it('goes on behind a shutdown', async () => {
    const peer = await rig.listen();
    const { broker } = rig.broker(peer, options());
    await broker.openQueue();
    const before = send(broker, '1');
    await before.stored;
    await broker.shutdown();
    const ticket = send(broker, '2');
    const connected = broker.connect();
    expect(broker.state).toBe('standby');
    const server = await peer.accept();
    await COMPONENT.letIn(server);
    await connected;
    await ticket.stored;
    broker.queue.send();
    await upTo(server, '2');
    await before.sent;
    await expect.poll(() => store.held(DOMAIN)).toEqual([]);
  });
});

it('does not hold again what ended while the store was away', async () => {
  const { broker } = rig.broker(await rig.listen(), { ...options(), timeouts: { close: 20 } });
  await broker.openQueue();
  const ticket = send(broker, '1', 'k');
  await ticket.stored;
  store.fail(new BrokerError('QUEUE_STORE_FAILED', 'away', { layer: 'queue', retryable: true }));
  broker.queue.drop();
  await broker.shutdown();
  const again = send(broker, '2', 'k');
  store.fail(null);
  expect(await broker.openQueue()).toEqual({ held: 1, possibleDuplicates: 0 });
  await again.stored;
  expect(ids()).toEqual(['2']);
});

it('lets go of everything when another process takes the queue, and waits for its turn', async () => {
  const { broker, server, peer, recorded } = await rig.ready({
    ...options({ onReady: 'send' }),
    reconnect: { firstDelayMs: 1, maxDelayMs: 1 },
  });
  await send(broker, '1').sent;
  let go = (): void => undefined;
  store.hooks = { before: () => new Promise((resolve) => (go = resolve)) };
  const ticket = send(broker, '2');
  await new Promise(setImmediate);
  store.fence(DOMAIN);
  store.hooks = {};
  go();
  expect(await failure(ticket.sent)).toMatchObject({ code: 'QUEUE_KEPT' });
  expect(recorded.short.slice(-4)).toEqual(['FENCED', 'SOCKETFAIL', 'SOCKETDISCONNECT', 'RECONNECTING']);
  expect(server.received.toString()).not.toContain('<body>2');
  const again = await peer.accept();
  await COMPONENT.letIn(again);
  await send(broker, '3').sent;
  await upTo(again, '3');
  expect(again.received.toString()).not.toContain('<body>2');
  expect(broker.queue.size).toBe(0);
});

it('begins anew when another process takes the queue while it signs in', async () => {
  const peer = await rig.listen();
  const { broker } = rig.broker(peer, { ...options(), reconnect: { firstDelayMs: 1, maxDelayMs: 1, initial: true } });
  const connected = broker.connect();
  await (await peer.accept()).expect('<stream:stream');
  const fenced = broker.events.once('PCJ_FENCED');
  store.fence(DOMAIN);
  await fenced;
  await COMPONENT.letIn(await peer.accept());
  await connected;
});

describe('a server that does not want us, perhaps since another process has the queue', () => {
  /** A store that is asked whether the queue is still ours, and answers when it is told to. */
  const asked = (answer: () => Promise<void>): QueueStore => ({
    name: 'one that others may have',
    open: async (owner, signal) => ({ ...(await store.open(owner, signal)), check: answer }),
  });
  const soon = { firstDelayMs: 1, maxDelayMs: 1 };
  const unwanted =
    (condition: string) =>
    (server: Ready['server']): Promise<void> =>
      server.send(
        `<stream:error><${condition} xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></stream:error></stream:stream>`,
      );

  it.each([
    ['conflict', unwanted('conflict')] as const,
    ['not-authorized', unwanted('not-authorized')] as const,
    [
      'a refusal behind a lost link',
      async (server: Ready['server'], peer: Ready['peer']) => {
        server.end();
        for (let refusals = 0; refusals <= REFUSALS_BEFORE_FINAL; refusals += 1) {
          const again = await peer.accept();
          await again.expect('<stream:stream');
          await again.send(header());
          await unwanted('host-unknown')(again);
        }
      },
    ] as const,
  ])('A1: %s: it waits until it has the queue again when another process had taken it', async (_, refuse) => {
    const fencing = asked(() => {
      store.fence(DOMAIN);
      return Promise.resolve();
    });
    const { broker, server, peer } = await rig.ready({ ...options(), queue: { store: fencing }, reconnect: soon });
    let isAtRest = false;
    void broker.closed.then(() => (isAtRest = true));
    const fenced = broker.events.once('PCJ_FENCED');
    const ready = broker.events.once('PCJ_READY');
    await refuse(server, peer);
    await fenced;
    await COMPONENT.letIn(await peer.accept());
    await ready;
    expect(isAtRest).toBe(false);
  });

  it('A1: it rests when the queue is still ours', async () => {
    let times = 0;
    const ours = asked(() => {
      times += 1;
      return Promise.resolve();
    });
    const { broker, server } = await rig.ready({ ...options(), queue: { store: ours }, reconnect: soon });
    await unwanted('conflict')(server);
    expect(await broker.closed).toMatchObject({ error: { code: 'STREAM_ERROR', condition: 'conflict' } });
    expect([broker.state, times]).toEqual(['disconnected', 1]);
  });

  it.each([
    ['rejects', () => Promise.reject(new Error('no'))] as const,
    [
      'throws',
      () => {
        throw new Error('no');
      },
    ] as const,
  ])('a store that %s in place of an answer is not waited for', async (_, answer) => {
    const { broker, server } = await rig.ready({ ...options(), queue: { store: asked(answer) }, reconnect: soon });
    await unwanted('conflict')(server);
    expect(await broker.closed).toMatchObject({ error: { condition: 'conflict' } });
  });

  it.each([
    ['shutdown()', (broker: Broker) => broker.shutdown(), 'idle'] as const,
    ['halt()', (broker: Broker) => broker.halt(), 'halted'] as const,
  ])('%s meanwhile ends it', async (_, command, state) => {
    let answer = (): void => undefined;
    const slow = asked(() => new Promise((resolve) => (answer = resolve)));
    const { broker, server } = await rig.ready({ ...options(), queue: { store: slow }, reconnect: soon });
    const { closed } = broker;
    await unwanted('conflict')(server);
    await expect.poll(() => broker.state).toBe('standby');
    await command(broker);
    await closed;
    answer();
    await new Promise(setImmediate);
    expect(broker.state).toBe(state);
  });

  it('connect() meanwhile begins anew', async () => {
    const slow = asked(() => new Promise(() => undefined));
    const { broker, server, peer } = await rig.ready({ ...options(), queue: { store: slow }, reconnect: soon });
    await unwanted('conflict')(server);
    await expect.poll(() => broker.state).toBe('standby');
    const connected = broker.connect();
    await COMPONENT.letIn(await peer.accept());
    await connected;
    expect(broker.state).toBe('ready');
  });
});

it('asks no more for a queue that it waited for when connect() is given up', async () => {
  let asked: AbortSignal | undefined;
  const waiting: QueueStore = {
    name: 'one that waits',
    open: (_, signal) => {
      asked = signal;
      return new Promise((_resolve, reject) => {
        signal.addEventListener('abort', () => {
          reject(signal.reason as Error);
        });
      });
    },
  };
  const { broker } = rig.broker(await rig.listen(), { queue: { store: waiting } });
  const controller = new AbortController();
  const connected = failure(broker.connect({ signal: controller.signal }));
  await expect.poll(() => asked).toBeDefined();
  expect(broker.state).toBe('standby');
  controller.abort();
  expect(await connected).toMatchObject({ code: 'CONNECT_ABORTED' });
  expect([asked?.aborted, broker.state]).toEqual([true, 'disconnected']);
});

it('keeps what was not stored yet when a commit tells that another process has the queue', async () => {
  const { broker, peer } = await rig.ready({
    ...options({ onReady: 'send' }),
    reconnect: { firstDelayMs: 1, maxDelayMs: 1 },
  });
  store.fail(new BrokerError('QUEUE_FENCED', 'another process has it', { layer: 'queue', retryable: true }));
  const ticket = send(broker, '1');
  await broker.events.once('PCJ_FENCED');
  store.fail(null);
  store.kill();
  const again = await peer.accept();
  await COMPONENT.letIn(again);
  await ticket.stored;
  await upTo(again, '1');
  expect(ticket.possibleDuplicate).toBe(false);
});

it('flags what another process had meanwhile', async () => {
  const { broker } = rig.broker(await rig.listen(), options());
  await broker.openQueue();
  const ticket = send(broker, '1', 'k');
  await ticket.stored;
  await broker.shutdown();
  // The other one marked it, and died.
  const other = await store.open(
    { queue: DOMAIN, xmlns: 'jabber:component:accept' } as StoreOwner,
    new AbortController().signal,
  );
  await other.commit([{ kind: 'hand', key: 'k', handed: { session: null, ordinal: null } }]);
  store.kill();
  await broker.openQueue();
  expect(broker.queue.at(0)).toBe(ticket);
  expect(ticket.possibleDuplicate).toBe(true);
});

it('drops tens of thousands that were not stored yet in no time', async () => {
  const { broker } = rig.broker(await rig.listen(), options({ maxStanzas: 50_000, maxBytes: 2 ** 30 }));
  for (let n = 0; n < 30_000; n += 1) send(broker, String(n));
  expect(broker.queue.drop()).toHaveLength(30_000);
  expect(await broker.openQueue()).toEqual({ held: 0, possibleDuplicates: 0 });
  await broker.shutdown();
  expect(ids()).toEqual([]);
});

it('with reconnect: false, rests when another process takes the queue', async () => {
  const { broker } = await rig.ready(options());
  store.fence(DOMAIN);
  expect(await broker.closed).toMatchObject({ error: { code: 'QUEUE_FENCED' } });
});

it('marks no more of a purge than can soon be written, and sends all of it in order', async () => {
  const { broker, server } = await rig.ready(options());
  await server.send('</stream:stream>');
  await broker.closed;
  const tickets = Array.from({ length: 1_000 }, (_, n) => send(broker, `n${String(n)}`));
  await tickets.at(-1)?.stored;
  const marks: number[] = [];
  store.hooks = {
    before: (changes) => {
      const { length } = changes.filter(({ kind }) => kind === 'hand');
      if (length > 0) marks.push(length);
    },
  };
  const peer = await rig.listen();
  const connected = broker.connect({ port: peer.port });
  const again = await peer.accept();
  await COMPONENT.letIn(again);
  await connected;
  broker.queue.send();
  await Promise.all(tickets.map(({ sent }) => sent));
  await upTo(again, 'n999');
  expect(Math.max(...marks)).toBeLessThanOrEqual(256);
  expect(marks.reduce((sum, count) => sum + count, 0)).toBe(1_000);
  const sent = [...again.received.toString().matchAll(/<body>n(\d+)/g)].map(([, n]) => Number(n));
  expect(sent).toEqual(sent.map((_, n) => n));
  expect(sent).toHaveLength(1_000);
});

it('what is output behind a purge comes behind it', async () => {
  const { broker, server } = await rig.ready(options({ onReady: 'hold' }));
  await server.send('</stream:stream>');
  await broker.closed;
  for (let n = 0; n < 600; n += 1) send(broker, `held${String(n)}`);
  const peer = await rig.listen();
  const connected = broker.connect({ port: peer.port });
  const again = await peer.accept();
  await COMPONENT.letIn(again);
  await connected;
  broker.queue.send();
  const live = send(broker, 'live');
  const question = xml('iq', { type: 'get', to: 'localhost', from: DOMAIN, id: 'q' }, xml('query', { xmlns: 'urn:x' }));
  void broker.request(question);
  await live.sent;
  await again.expect('</iq>');
  const text = again.received.toString();
  expect(text.indexOf('<body>held599')).toBeLessThan(text.indexOf('<body>live'));
  expect(text.indexOf('<body>live')).toBeLessThan(text.indexOf('<iq'));
});

describe('a store that fails', () => {
  const FULL = new BrokerError('QUEUE_STORE_FAILED', 'the disk is full', { layer: 'queue' });
  const AWAY = new BrokerError('QUEUE_STORE_FAILED', 'away', { layer: 'queue', retryable: true });

  it('for good: fails what it did not take, refuses more, and takes it when it works again', async () => {
    const { broker, server, recorded } = await rig.ready(options());
    store.fail(FULL);
    const lost = send(broker, 'lost');
    expect(await failure(lost.stored)).toMatchObject({ code: 'QUEUE_STORE_FAILED', sent: 'no' });
    expect(lost.state).toBe('failed');
    expect(() => send(broker, 'refused')).toThrow('the disk is full');
    expect(recorded.short).toContain('STOREFAIL');
    store.fail(null);
    await broker.events.once('PCJ_STOREREADY');
    await send(broker, '1').sent;
    await upTo(server, '1');
    expect(server.received.toString()).not.toContain('lost');
  });

  it('for a while: everything waits, in order', async () => {
    const { broker, server } = await rig.ready(options());
    store.fail(AWAY);
    const tickets = ['1', '2', '3'].map((id) => send(broker, id));
    await broker.events.once('PCJ_STOREFAIL');
    send(broker, '4');
    expect(server.received.toString()).not.toContain('<body>');
    store.fail(null);
    await upTo(server, '4');
    await Promise.all(tickets.map(({ stored }) => stored));
  });
});

it('the stanza of a request is never kept, and waits for its turn', async () => {
  const { broker, server } = await rig.ready(options());
  const ticket = send(broker, '1');
  const answer = broker.request(
    xml('iq', { type: 'get', to: 'localhost', from: DOMAIN, id: 'q' }, xml('query', { xmlns: 'urn:x' })),
  );
  await upTo(server, '1');
  await server.expect('</iq>');
  await server.send(`<iq type='result' id='q' from='localhost' to='${DOMAIN}'/>`);
  await answer;
  await ticket.sent;
  await expect.poll(() => store.held(DOMAIN)).toEqual([]);
});

it('a store that answers nothing any more keeps a shutdown for its time once', async () => {
  const clock = stopClock();
  const never = new Promise<void>(() => undefined);
  const deaf: QueueStore = {
    name: 'deaf',
    open: () => Promise.resolve({ epoch: 1, held: [], session: null, commit: () => never, close: () => never }),
  };
  const { broker } = rig.broker(await rig.listen(), { queue: { store: deaf } });
  await broker.openQueue();
  send(broker, '1');
  const begun = performance.now();
  await clock.until(broker.shutdown({ timeoutMs: 100 }));
  expect(performance.now() - begun).toBeLessThan(200);
});
