// A fleet: accounts over members that come and go, with a real NATS.
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { COMPONENT, xml, type Broker } from 'xmpp-broker';
import { LoopbackServer } from 'xmpp-broker/testing';
import { Fleet, type FleetOptions } from 'xmpp-broker/nats';
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

  function member(name: string, options: Partial<FleetOptions> = {}): Fleet {
    const fleet = new Fleet({
      connection: { servers: Nats.url(nats) },
      name,
      shards: 8,
      ttlMs: 1_500,
      list: () => accounts(40),
      broker: (account) => ({
        connectionType: COMPONENT,
        host: '127.0.0.1',
        port: server.ports.component,
        domain: account,
        password: 'secret',
        logger: false,
        queue: { onReady: 'send' },
      }),
      ...options,
    });
    fleets.push(fleet);
    fleet.subscribe('fail', (error) => {
      console.log(error.code, error.message);
    });
    return fleet;
  }
  const fresh = (): string => `fleet-${String((count += 1))}`;
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
});
