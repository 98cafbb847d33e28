// A fleet: accounts over members that come and go, with a real NATS.
import { crc32 } from 'node:zlib';
import { jetstream } from '@nats-io/jetstream';
import { connect } from '@nats-io/transport-node';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { COMPONENT, xml, type Broker, type BrokerOptions } from 'xmpp-broker';
import { LoopbackServer } from 'xmpp-broker/testing';
import { Fleet, StanzaPublisher, subjectToken, type FleetOptions } from 'xmpp-broker/nats';
import { describeServer, Nats, type NatsServer } from '../harness/index.js';

const fleets: Fleet[] = [];
let server: LoopbackServer;
let count = 0;

const accounts = (many: number): string[] => Array.from({ length: many }, (_, i) => `c${String(i)}.example.org`);

beforeAll(async () => {
  const components = Object.fromEntries(accounts(200).map((name) => [name, 'secret']));
  server = await LoopbackServer.start({ domain: 'example.org', components, timeouts: { close: 200 } });
});
afterEach(async () => {
  await Promise.all(fleets.splice(0).map((fleet) => fleet.close()));
});
afterAll(async () => {
  await server.stop({ abrupt: true });
});

describeServer('nats', 'a fleet', () => {
  let nats: NatsServer;
  beforeAll(async () => {
    nats = await Nats.start();
  });
  afterAll(async () => {
    await nats.dispose();
  });

  const broker = (account: string): BrokerOptions => ({
    connectionType: COMPONENT,
    host: '127.0.0.1',
    port: server.ports.component,
    domain: account,
    password: 'secret',
    logger: false,
    queue: { onReady: 'send' },
  });

  function member(name: string, options: Partial<FleetOptions> = {}): Fleet {
    const fleet = new Fleet({
      connection: { servers: Nats.url(nats) },
      name,
      shards: 8,
      ttlMs: 1_500,
      list: () => accounts(40),
      broker,
      ...options,
    });
    fleets.push(fleet);
    return fleet;
  }
  const fresh = (): string => `fleet-${String((count += 1))}`;

  test('leaves nothing behind on a connection of the program', async () => {
    await using connection = await connect({ servers: Nats.url(nats) });
    const { subscriptions } = (connection as unknown as { protocol: { subscriptions: { size(): number } } }).protocol;
    const sizes: number[] = [];
    for (let life = 0; life < 2; life += 1) {
      const fleet = member(fresh(), { connection });
      await fleet.start();
      await fleet.close();
      sizes.push(subscriptions.size());
    }
    // What the client keeps for itself is there from the first time on.
    expect(sizes[1]).toBe(sizes[0]);
    expect(connection.isClosed()).toBe(false);
  });
  const ready = (fleet: Fleet): string[] =>
    [...fleet].filter(([, broker]: [string, Broker]) => broker.state === 'ready').map(([account]) => account);

  test('F-1 one member has every account; a second one gets half of the shards; when it leaves, the first has all again', async () => {
    const name = fresh();
    const first = member(name);
    await first.start();
    await expect.poll(() => ready(first).length, { timeout: 20_000 }).toBe(40);
    expect(first.shards).toHaveLength(8);
    const second = member(name);
    await second.start();
    await expect.poll(() => [first.shards.length, second.shards.length], { timeout: 20_000 }).toEqual([4, 4]);
    await expect.poll(() => ready(first).length + ready(second).length, { timeout: 20_000 }).toBe(40);
    expect([...ready(first), ...ready(second)].sort()).toEqual(accounts(40).sort());
    await second.close();
    await expect.poll(() => ready(first).length, { timeout: 20_000 }).toBe(40);
  }, 60_000);

  test('F-1 what is output goes out, and is gone from NATS', async () => {
    const fleet = member(fresh());
    await fleet.start();
    await expect.poll(() => ready(fleet).length, { timeout: 20_000 }).toBe(40);
    const one = fleet.get('c0.example.org');
    const other = fleet.get('c1.example.org');
    const got = other?.events.once('PCJ_NODERECEIVED');
    const ticket = one?.output(xml('message', { to: 'x@c1.example.org' }, xml('body', {}, 'hello')));
    await ticket?.stored;
    expect((await got)?.getChildText('body')).toBe('hello');
  }, 30_000);

  test(
    'F-1 what waits for accounts is held when they connect, all of it and in order',
    { timeout: 40_000 },
    async () => {
      const name = fresh();
      const hold = (account: string): BrokerOptions => ({ ...broker(account), queue: { onReady: 'hold' } });
      const first = member(name, { list: () => [] });
      await first.start();
      const connection = await connect({ servers: Nats.url(nats) });
      const js = jetstream(connection);
      const names = accounts(20);
      for (let i = 0; i < 200; i += 1) {
        const account = names[i % 20] ?? '';
        const shard = crc32(account) % 8;
        const xml = `<message xmlns='jabber:component:accept' to='c0.example.org' id='${String(i)}'/>`;
        await js.publish(`xmpp.out.${name}.${String(shard)}.${subjectToken(account)}`, xml);
      }
      await connection.close();
      await first.close();
      const second = member(name, { list: () => names, broker: hold });
      await second.start();
      await expect.poll(() => ready(second).length, { timeout: 20_000 }).toBe(20);
      for (const [i, account] of names.entries()) {
        const queue = second.get(account)?.queue;
        const ids = [...(queue ?? [])].map(({ node }) => Number(node.getAttribute('id')));
        expect(ids).toEqual(Array.from({ length: 10 }, (_, round) => round * 20 + i));
      }
    },
  );

  test('F-1 a producer outputs for an account, and hears what became of it', { timeout: 40_000 }, async () => {
    const name = fresh();
    await using publisher = new StanzaPublisher({ connection: { servers: Nats.url(nats) }, fleet: name });
    const failed = new Promise<string>((resolve) => {
      publisher.subscribe('fail', ({ code }) => resolve(code));
    });
    const early = publisher.output(xml('message', { to: 'c1.example.org', id: 'early' }), { queue: 'c0.example.org' });
    expect(await failed).toBe('NATS_SETUP');
    const fleet = member(name);
    await fleet.start();
    await expect.poll(() => ready(fleet).length, { timeout: 20_000 }).toBe(40);
    await early.sent;
    const late = publisher.output(xml('message', { to: 'c1.example.org', id: 'late' }), { queue: 'c2.example.org' });
    await late.sent;
    expect(await publisher.status('c2.example.org')).toMatchObject({ held: 0 });
  });

  test('another number of shards is told, with both numbers', async () => {
    const name = fresh();
    await member(name).start();
    const other = member(name, { shards: 9 });
    await expect(other.start()).rejects.toMatchObject({
      code: 'NATS_SETUP',
      message: expect.stringMatching(/has 8 shards.*given 9/) as string,
    });
  });

  test(
    'F-1 what a member held whose NATS is gone is with the next one, under its key',
    { timeout: 40_000 },
    async () => {
      const name = fresh();
      const connection = await connect({ servers: Nats.url(nats) });
      const hold = (account: string): BrokerOptions => ({ ...broker(account), queue: { onReady: 'hold' } });
      const first = member(name, { connection, broker: hold, list: () => ['c0.example.org'] });
      const told: string[] = [];
      for (const event of ['fail', 'lost'] as const) first.subscribe(event, () => told.push(event));
      const stored: Promise<void>[] = [];
      first.subscribe('account', ({ broker }) => {
        const ticket = broker.output(xml('message', { to: 'c1.example.org' }, xml('body', {}, 'x')), { key: 'k' });
        stored.push(ticket.stored);
        ticket.sent.catch(() => undefined);
        ticket.acked.catch(() => undefined);
      });
      await first.start();
      await expect.poll(() => ready(first), { timeout: 20_000 }).toEqual(['c0.example.org']);
      await Promise.all(stored);
      const old = first.get('c0.example.org');
      const second = member(name, { broker: hold, list: () => ['c0.example.org'] });
      await connection.close();
      await expect.poll(() => [first.shards, old?.state], { timeout: 20_000 }).toEqual([[], 'halted']);
      await second.start();
      await expect.poll(() => ready(second), { timeout: 20_000 }).toEqual(['c0.example.org']);
      const queue = second.get('c0.example.org')?.queue;
      expect([...(queue ?? [])].map(({ key, possibleDuplicate }) => [key, possibleDuplicate])).toEqual([['k', false]]);
      queue?.send();
      await expect.poll(() => queue?.size).toBe(0);
    },
  );

  test('F-1 refresh() connects accounts that are new in the list, and closes those that are not in it any more', async () => {
    let listed = accounts(3);
    const fleet = member(fresh(), { list: () => listed });
    await fleet.start();
    await expect.poll(() => ready(fleet).sort(), { timeout: 20_000 }).toEqual(listed);
    const gone = fleet.get('c0.example.org');
    listed = accounts(4).slice(1);
    await fleet.refresh();
    await expect.poll(() => ready(fleet).sort(), { timeout: 20_000 }).toEqual(listed);
    await expect.poll(() => gone?.state).toBe('idle');
  });

  test('F-1 accounts that fail, and a list that fails, are told; the others go on', { timeout: 40_000 }, async () => {
    let calls = 0;
    const fleet = member(fresh(), {
      *list() {
        if ((calls += 1) === 1) throw new Error('the database is away');
        yield* accounts(5);
      },
      broker(account) {
        if (account === 'c0.example.org') throw new Error('no such account');
        return { ...broker(account), ...(account === 'c1.example.org' && { password: 'wrong' }) };
      },
    });
    const told: string[] = [];
    fleet.subscribe('fail', ({ code, message }) => {
      told.push(`${code} ${/c\d\.example\.org|database/.exec(message)?.[0] ?? message}`);
    });
    await fleet.start();
    await expect.poll(() => ready(fleet).sort(), { timeout: 20_000 }).toEqual(accounts(5).slice(2));
    await expect
      .poll(() => [...new Set(told)].sort(), { timeout: 20_000 })
      .toEqual([
        'FLEET_ACCOUNT_FAILED c0.example.org',
        'FLEET_ACCOUNT_FAILED c1.example.org',
        'FLEET_LIST_FAILED database',
      ]);
  });

  test('F-1 no more links are made at a time than maxConnecting', { timeout: 40_000 }, async () => {
    const fleet = member(fresh(), { maxConnecting: 3 });
    let making = 0;
    let most = 0;
    fleet.subscribe('account', ({ broker }) => {
      broker.subscribe('PCJ_CONNECT', () => {
        most = Math.max(most, (making += 1));
      });
      broker.subscribe('PCJ_READY', () => {
        making -= 1;
      });
    });
    await fleet.start();
    await expect.poll(() => ready(fleet).length, { timeout: 20_000 }).toBe(40);
    expect(most).toBe(3);
  });

  test(
    'F-1 a fleet that is closed while it starts, or while accounts connect, leaves nothing',
    { timeout: 40_000 },
    async () => {
      const name = fresh();
      const one = member(name);
      const starting = one.start();
      await one.close();
      await starting.catch(() => undefined);
      const two = member(name);
      await two.start();
      await expect.poll(() => ready(two).length, { timeout: 20_000 }).toBeGreaterThan(0);
      await two.close();
      expect([one.size, two.size, one.shards, two.shards]).toEqual([0, 0, [], []]);
      await expect.poll(() => server.connections.length).toBe(0);
      const three = member(name);
      await three.start();
      await expect.poll(() => ready(three).length, { timeout: 20_000 }).toBe(40);
    },
  );
});
