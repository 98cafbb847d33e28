// NATS goes away, is full, or refuses, while stanzas arrive and workers work.
import { connect } from '@nats-io/transport-node';
import { expect, it } from 'vitest';
import { NS, type BrokerError } from 'xmpp-broker';
import { fanOut, prepareNats, Worker } from 'xmpp-broker/nats';
import { CLIENT, JID } from '../../wire/support/client.js';
import { COMPONENT, DOMAIN } from '../../wire/support/component.js';
import type { Conversation } from '../../wire/support/conversation.js';
import { useRig } from '../../wire/support/index.js';
import { describeServer, Nats, type NatsOptions, type NatsServer } from '../harness/index.js';
import { useCrew } from './support/crew.js';
import { note, portion } from '../../support/evidence.js';
import { useNothingThrown } from '../../support/nothing-thrown.js';

const QUEUE = 'alice@localhost';
const LIMITS = { stanzaBytes: 256 * 1024 };
const OPTIONS = { acknowledge: 'settled', limits: LIMITS, reconnect: false } as const;

const messages = (from: number, count: number, to = JID, body = 'b'): string =>
  Array.from(
    { length: count },
    (_, n) => `<message from='bob${n % 7}@localhost/x' to='${to}' id='${from + n}'><body>${body}</body></message>`,
  ).join('');
const ids = (count: number): string[] => Array.from({ length: count }, (_, n) => String(n + 1));

const asked = async (server: Conversation) => {
  await server.send(`<r xmlns='${NS.SM}'/>`);
  return Number((await server.match(/<a [^>]*h='(\d+)'[^>]*\/>/))[1]);
};

describeServer('nats', 'fanOut and Worker in bad times', () => {
  const crew = useCrew();
  const rig = useRig(CLIENT);
  const components = useRig(COMPONENT);

  useNothingThrown();

  const nats = async (options: NatsOptions = {}): Promise<NatsServer> => crew.add(await Nats.start(options));

  /** Collects what a worker of everything sees. */
  function collect(server: NatsServer, queue = QUEUE) {
    const seen: string[] = [];
    const worker = crew.worker(server, {
      queue,
      group: 'all',
      concurrency: 50,
      handler: ({ node }) => void seen.push(node.getAttribute('id') ?? ''),
    });
    const told: string[] = [];
    worker.subscribe('fail', ({ code }) => told.push(code));
    return { seen, worker, told, distinct: () => [...new Set(seen)].sort((a, b) => Number(a) - Number(b)) };
  }

  it.each(['killed', 'frozen'])(
    'I-2: NATS is %s under load: reading is paused, nothing is told that is not stored, nothing is lost',
    async (how) => {
      const server = await nats();
      const { broker, server: peer, recorded } = await rig.ready({ ...OPTIONS, limits: { ...LIMITS, unsettled: 100 } });
      const fan = await crew.fanOut(server, broker, { groups: { all: 'all' } });
      const told: string[] = [];
      fan.subscribe('fail', ({ code }) => told.push(code));
      fan.subscribe('ready', () => told.push('ready'));
      await peer.send(messages(1, 50));
      await expect.poll(() => asked(peer)).toBe(50);
      if (how === 'killed') await server.kill();
      else server.freeze();
      const paused = broker.events.once('PCJ_INTAKE');
      // At full size a thousand each second, for as long as NATS is away.
      const began = process.uptime();
      const given = portion(1_450);
      const total = 50 + given.size;
      for (let sent = 50; sent < total; sent += 1_450) {
        if (sent > 50) await new Promise((resolve) => setTimeout(resolve, 1_450));
        void peer.send(messages(sent + 1, Math.min(1_450, total - sent)));
      }
      expect(await paused).toMatchObject({ paused: true });
      await expect.poll(() => told[0], { timeout: 15_000 }).toBe('NATS_UNREACHABLE');
      // What is kept is bounded.
      expect(fan.pending).toBe(101);
      if (how === 'killed') await server.start();
      else server.thaw();
      const { worker, distinct } = collect(server);
      await worker.ready;
      const patience = { timeout: 20_000 + given.size * 5 };
      await expect.poll(() => distinct().length, patience).toBe(total);
      expect(distinct()).toEqual(ids(total));
      await expect.poll(() => fan.pending).toBe(0);
      expect([told[0], told.at(-1)]).toEqual(['NATS_UNREACHABLE', 'ready']);
      expect(recorded.last('PCJ_INTAKE')).toMatchObject({ paused: false });
      await expect.poll(() => asked(peer)).toBe(total);
      note(`I-2 ${how}`, given, began, { of: null, counts: { stored: total, arrived: distinct().length }, wrong: [] });
    },
    600_000,
  );

  it('J-2: a stream that is full stops the intake, and says who is behind', async () => {
    const server = await nats();
    const { broker, server: peer } = await rig.ready({ ...OPTIONS, limits: { ...LIMITS, unsettled: 20 } });
    const fan = await crew.fanOut(server, broker, { groups: { all: 'all' } });
    const manager = await crew.manager(server);
    const stream = `${crew.prefix.toUpperCase()}_IN`;
    await manager.streams.update(stream, { max_bytes: 20_000 });
    const failed = new Promise<BrokerError>((resolve) => fan.subscribe('fail', resolve, { once: true }));
    const ready = new Promise((resolve) => fan.subscribe('ready', resolve, { once: true }));
    const paused = broker.events.once('PCJ_INTAKE');
    await peer.send(messages(1, 300));
    expect(await failed).toMatchObject({
      code: 'QUEUE_FULL',
      message: expect.stringMatching(/most waits for alice=40localhost=_all=_PCJ_NODERECEIVED: \d+/) as string,
    });
    await paused;
    const { distinct } = collect(server);
    await ready;
    await expect.poll(() => distinct().length, { timeout: 20_000 }).toBe(300);
  });

  it('J-2: a permission that is missing is told with its subject, and what arrived waits for it', async () => {
    const user = { user: 'u', password: 'p' };
    const server = await nats({ users: [user] });
    await prepareNats({ servers: Nats.url(server), user: 'u', pass: 'p' });
    const { broker, server: peer } = await rig.ready(OPTIONS);
    const fan = crew.add(
      await fanOut(broker, { connection: { servers: Nats.url(server), user: 'u', pass: 'p' }, groups: { all: 'all' } }),
    );
    Nats.reconfigure(server, { users: [{ ...user, publish: ['$JS.API.>'] }] });
    const failed = new Promise<BrokerError>((resolve) => {
      fan.subscribe('fail', (error) => {
        if (error.code === 'NATS_DENIED') resolve(error);
      });
    });
    let sent = 0;
    const timer = setInterval(() => void peer.send(messages((sent += 1), 1)), 100);
    expect(await failed).toMatchObject({ message: expect.stringContaining('"xmpp.in.alice=40localhost') as string });
    clearInterval(timer);
    Nats.reconfigure(server, { users: [user] });
    await expect.poll(() => fan.pending, { timeout: 15_000 }).toBe(0);
  }, 30_000);

  it('J-2: a stream that is deleted is told, and made again with what stands for the groups', async () => {
    const server = await nats();
    const { broker, server: peer } = await rig.ready(OPTIONS);
    const fan = await crew.fanOut(server, broker, { groups: { all: 'all' } });
    const told: string[] = [];
    fan.subscribe('fail', ({ code }) => told.push(code));
    fan.subscribe('ready', () => told.push('ready'));
    const { worker, distinct } = collect(server);
    await worker.ready;
    const manager = await crew.manager(server);
    await manager.streams.delete(`${crew.prefix.toUpperCase()}_IN`);
    await peer.send(messages(1, 20));
    await expect.poll(() => told).toEqual(['NATS_NO_STREAM', 'ready']);
    await expect.poll(() => distinct().length, { timeout: 15_000 }).toBe(20);
  }, 20_000);

  it('a connection of the program that it closes: told, and nothing hangs', async () => {
    const server = await nats();
    const connection = await connect({ servers: Nats.url(server) });
    const { broker, server: peer } = await rig.ready(OPTIONS);
    const fan = crew.add(await fanOut(broker, { connection, groups: { all: 'all' } }));
    let begun = 0;
    const worker = crew.add(
      new Worker({
        connection,
        queue: QUEUE,
        group: 'all',
        handler: () => {
          begun += 1;
          return new Promise(() => undefined);
        },
      }),
    );
    worker.subscribe('fail', () => undefined);
    await worker.ready;
    const told: string[] = [];
    fan.subscribe('fail', ({ code }) => told.push(code));
    await peer.send(messages(1, 3));
    await expect.poll(() => begun).toBe(3);
    await expect.poll(() => fan.pending).toBe(0);
    await connection.close();
    await expect.poll(() => told).toEqual(['NATS_UNREACHABLE']);
    expect(await worker.closed).toMatchObject({ clean: false, error: { code: 'NATS_UNREACHABLE' } });
    await peer.send(messages(4, 3));
    await expect.poll(() => fan.pending).toBe(3);
    expect(await asked(peer)).toBe(3);
    await broker.shutdown({ timeoutMs: 400 });
    await fan.close();
    expect(fan.pending).toBe(0);
  }, 20_000);

  it('without stream management no more is kept of lost links than of one, and that is told', async () => {
    const server = await nats();
    const {
      broker,
      server: first,
      peer,
    } = await components.ready({
      ...OPTIONS,
      limits: { ...LIMITS, unsettled: 10 },
      reconnect: { firstDelayMs: 1, maxDelayMs: 1 },
    });
    const fan = await crew.fanOut(server, broker, { groups: { all: 'all' } });
    const told: BrokerError[] = [];
    fan.subscribe('fail', (error) => told.push(error));
    await server.kill();
    const paused = broker.events.once('PCJ_INTAKE');
    await first.send(messages(1, 30, DOMAIN));
    await paused;
    expect(fan.pending).toBe(11);
    const again = peer.accept();
    first.reset();
    await components.dialect.letIn(await again);
    await expect.poll(() => told.map(({ code }) => code)).toContain('WORK_LOST');
    expect(fan.pending).toBe(10);
    await server.start();
    const { distinct } = collect(server, DOMAIN);
    await expect.poll(() => distinct().length, { timeout: 15_000 }).toBe(10);
    // The oldest was given up.
    expect(distinct()).not.toContain('1');
  }, 30_000);

  it('a stanza that grows beyond what NATS takes is told, and holds nobody up', async () => {
    const server = await nats({ maxPayload: 300 * 1024 });
    const { broker, server: peer } = await rig.ready(OPTIONS);
    const fan = await crew.fanOut(server, broker, { groups: { all: 'all' } });
    const told: BrokerError[] = [];
    fan.subscribe('fail', (error) => told.push(error));
    const { distinct } = collect(server);
    const body = `<![CDATA[${'<'.repeat(100 * 1024)}]]>`;
    await peer.send(messages(1, 1, JID, body) + messages(2, 1));
    await expect.poll(() => told).toMatchObject([{ code: 'NATS_TOO_BIG' }]);
    await expect.poll(distinct).toEqual(['2']);
    await expect.poll(() => asked(peer)).toBe(2);
  });

  it('halting the broker closes it; closing it hands nothing on any more', async () => {
    const server = await nats();
    const { broker, server: peer } = await rig.ready(OPTIONS);
    const fan = await crew.fanOut(server, broker, { groups: { all: 'all' } });
    const { seen, worker } = collect(server);
    await worker.ready;
    await peer.send(messages(1, 1));
    await expect.poll(() => seen).toEqual(['1']);
    broker.halt();
    await fan.closed;
    const { broker: second, server: other } = await rig.ready(OPTIONS);
    const another = await crew.fanOut(server, second, { groups: { all: 'all' } });
    await another.close();
    await other.send(messages(2, 1));
    expect(await asked(other)).toBe(1);
    expect(seen).toEqual(['1']);
  });

  it('NATS dies under a worker: it goes on when NATS is back, and what comes again is flagged', async () => {
    const server = await nats();
    const { broker, server: peer } = await rig.ready(OPTIONS);
    await crew.fanOut(server, broker, { groups: { all: 'all' } });
    const seen: [string | null, boolean][] = [];
    const worker = crew.worker(server, {
      queue: QUEUE,
      group: 'all',
      handler: async ({ node, possibleDuplicate }) => {
        seen.push([node.getAttribute('id'), possibleDuplicate]);
        if (seen.length === 1) await server.kill();
      },
    });
    worker.subscribe('fail', () => undefined);
    await worker.ready;
    await peer.send(messages(1, 1));
    await expect.poll(() => server.running).toBe(false);
    await server.start();
    await peer.send(messages(2, 1));
    // Its ack was lost with the server, or was said again: both are at least once.
    await expect.poll(() => seen.some(([id]) => id === '2'), { timeout: 20_000 }).toBe(true);
    const again = seen.filter(([id]) => id === '1').slice(1);
    expect(again.every(([, flagged]) => flagged)).toBe(true);
  }, 40_000);

  it.each(['frozen', 'killed'])(
    'everything can be closed while NATS is %s, with its handlers running',
    async (how) => {
      const server = await nats();
      const { broker, server: peer } = await rig.ready(OPTIONS);
      const fan = await crew.fanOut(server, broker, { groups: { all: 'all' } });
      fan.subscribe('fail', () => undefined);
      let begun = 0;
      const worker = crew.worker(server, {
        queue: QUEUE,
        group: 'all',
        handler: ({ output }) => {
          begun += 1;
          expect(output).toBeDefined();
          return new Promise(() => undefined);
        },
      });
      worker.subscribe('fail', () => undefined);
      await worker.ready;
      await peer.send(messages(1, 2));
      await expect.poll(() => begun).toBe(2);
      if (how === 'frozen') server.freeze();
      else await server.kill();
      await peer.send(messages(3, 2));
      await expect.poll(() => fan.pending).toBe(2);
      await worker.close({ timeoutMs: 50 });
      expect(await worker.closed).toEqual({ clean: true });
      broker.halt();
      await fan.closed;
      expect(fan.pending).toBe(0);
    },
    20_000,
  );

  it('what was closed leaves nothing behind on a connection of the program', async () => {
    const server = await nats();
    const connection = crew.add(await connect({ servers: Nats.url(server) }));
    const { subscriptions } = (connection as unknown as { protocol: { subscriptions: { size(): number } } }).protocol;
    const { broker, server: peer } = await rig.ready(OPTIONS);
    const life = async (id: number): Promise<void> => {
      const fan = await fanOut(broker, { connection, groups: { all: 'all' } });
      let replied = false;
      const worker = new Worker({
        connection,
        queue: QUEUE,
        group: 'all',
        handler: async (work) => {
          await work.reply().stored;
          replied = true;
        },
      });
      await worker.ready;
      await peer.send(messages(id, 1));
      await expect.poll(() => replied).toBe(true);
      await worker.close();
      await fan.close();
    };
    // What the client keeps for itself is there from the first time on.
    await life(1);
    const before = subscriptions.size();
    await life(2);
    expect(subscriptions.size()).toBe(before);
    expect(connection.isClosed()).toBe(false);
  });

  it('a worker that is closed in its handler leaves the stanza to another, at once', async () => {
    const server = await nats();
    const { broker, server: peer } = await rig.ready(OPTIONS);
    await crew.fanOut(server, broker, { groups: { all: 'all' } });
    let aborted = false;
    const begun = new Promise<void>((begin) => {
      const slow = crew.worker(server, {
        queue: QUEUE,
        group: 'all',
        concurrency: 1,
        handler: ({ signal }) => {
          begin();
          return new Promise<void>((_, reject) => {
            signal.addEventListener('abort', () => {
              aborted = true;
              reject(signal.reason as Error);
            });
          });
        },
      });
      void slow.ready.then(() => peer.send(messages(1, 1)));
      void beganThenClosed(slow);
    });
    async function beganThenClosed(slow: Worker) {
      await slow.ready;
      await begun;
      await slow.close({ timeoutMs: 10 });
    }
    await begun;
    const { seen } = collect(server);
    const start = performance.now();
    await expect.poll(() => seen, { timeout: 9_000 }).toEqual(['1']);
    expect(performance.now() - start).toBeLessThan(9_000);
    expect(aborted).toBe(true);
  }, 20_000);
});
