// J-1 to J-3: what kills and outages of NATS do to a queue that several processes share.
import { execFileSync } from 'node:child_process';
import { renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { jetstream, jetstreamManager } from '@nats-io/jetstream';
import { Kvm } from '@nats-io/kv';
import { connect } from '@nats-io/transport-node';
import { expect, it } from 'vitest';
import type { Broker, Ticket } from 'xmpp-broker';
import { prepareNats, subjectToken, type RemoteTicket, type StanzaPublisher } from 'xmpp-broker/nats';
import { describeServer, Nats, NatsCluster, type NatsServer } from '../harness/index.js';
import {
  account,
  component,
  message,
  QUEUE,
  quiet,
  useEndings,
  useNats,
  useNatsServers,
  Xmpp,
} from './support/queue-world.js';
import { useNothingThrown } from '../../support/nothing-thrown.js';

const atEnd = useEndings();
const start = useNatsServers(atEnd);
const { holder, publisher } = useNats(atEnd);

useNothingThrown();

function say(producer: StanzaPublisher, tickets: Map<string, RemoteTicket>, count: number): void {
  for (let i = 0; i < count; i += 1) {
    const body = String(tickets.size + 1);
    tickets.set(body, producer.output(message(body)));
  }
}

/** All arrived, in order, and twice only with a flag; and each ticket tells. */
async function complete(xmpp: Xmpp, tickets: ReadonlyMap<string, RemoteTicket>): Promise<void> {
  await Promise.all([...tickets.values()].map(({ sent }) => sent));
  await expect.poll(() => [...tickets.keys()].filter((body) => !xmpp.bodies.includes(body)), WAIT).toEqual([]);
  const { bodies } = xmpp;
  const first = bodies.filter((body, at) => bodies.indexOf(body) === at);
  expect(first).toEqual([...tickets.keys()]);
  const twice = [...tickets].filter(([body]) => bodies.indexOf(body) !== bodies.lastIndexOf(body));
  expect(twice.filter(([, { possibleDuplicate }]) => !possibleDuplicate).map(([body]) => body)).toEqual([]);
}

const WAIT = { timeout: 30_000 };

describeServer('nats', 'J-1: kills', () => {
  it('nats-server is killed again and again under traffic: nothing is lost, or out of order', async () => {
    const nats = await start();
    const xmpp = await Xmpp.start(atEnd);
    const broker = holder(nats, account(xmpp.server), { ttlMs: 3_000 });
    await broker.connect();
    const producer = quiet(publisher(nats, { queue: 'juliet@localhost' }));
    const tickets = new Map<string, RemoteTicket>();
    for (let round = 0; round < 3; round += 1) {
      say(producer, tickets, 40);
      await tickets.get(String(tickets.size - 39))?.stored;
      await nats.kill();
      say(producer, tickets, 40);
      await nats.start();
    }
    say(producer, tickets, 40);
    await complete(xmpp, tickets);
  });

  it.each([
    ['the holder sees it when it comes back', 1],
    ['others are there when the holder comes back', 1_000],
  ])('stanzas that nats-server lost hide none of those that get their places: %s', async (_, holderMs) => {
    const nats = await start();
    const xmpp = await Xmpp.start(atEnd);
    const connection = { servers: Nats.url(nats), reconnectTimeWait: holderMs, reconnectJitter: 0 };
    const broker = holder(nats, component(xmpp.server, QUEUE), { connection, ttlMs: 30_000 });
    await broker.connect();
    const tickets = new Map<string, RemoteTicket>();
    const some = publisher(nats);
    say(some, tickets, 1);
    await tickets.get('1')?.sent;
    await nats.kill();
    const stream = join(nats.directory, 'jetstream/jetstream/$G/streams/XMPP_OUT');
    const before = join(nats.directory, 'before');
    execFileSync('cp', ['-a', stream, before]);
    await nats.start();
    say(some, tickets, 3);
    await Promise.all([...tickets.values()].map(({ sent }) => sent));
    await some.close();
    // As a power cut leaves it.
    await nats.kill();
    rmSync(stream, { recursive: true });
    renameSync(before, stream);
    const back = broker.events.once('PCJ_STOREREADY');
    await nats.start();
    if (holderMs === 1) await back;
    const others = publisher(nats);
    const later = new Map([...tickets].slice(0, 4));
    say(others, later, 3);
    await Promise.all([...later.values()].map(({ sent }) => sent));
    await expect.poll(() => xmpp.bodies, WAIT).toEqual([...later.keys()]);
  });

  // nats-server confirms what is done with at once, and writes down some seconds later that it is out of the stream.
  it('what nats-server has again though it was done with goes out with a flag only', async () => {
    const nats = await start();
    const xmpp = await Xmpp.start(atEnd);
    const producer = publisher(nats);
    const first = holder(nats, component(xmpp.server, QUEUE));
    await first.connect();
    // What is in the midst of others comes back.
    await producer.output(message('before'), { queue: 'another' }).stored;
    const tickets = [1, 2, 3].map((body) => producer.output(message(String(body))));
    await Promise.all(tickets.map(({ sent }) => sent));
    await producer.output(message('behind'), { queue: 'another' }).stored;
    await producer.close();
    await first.shutdown();
    await nats.kill();
    await nats.start();
    const onReady = ({ possibleDuplicate }: Ticket): 'hold' | 'send' => (possibleDuplicate ? 'hold' : 'send');
    const next = holder(nats, { ...component(xmpp.server, QUEUE), queue: { onReady } });
    await next.connect();
    const last = publisher(nats);
    await last.output(message('4')).sent;
    await expect.poll(() => xmpp.bodies, WAIT).toContain('4');
    expect(xmpp.bodies).toEqual(['1', '2', '3', '4']);
  });

  it('a node of three is killed: it goes on', async () => {
    const cluster = await NatsCluster.start();
    atEnd(() => cluster[Symbol.asyncDispose]());
    const [nats] = cluster.nodes as [NatsServer];
    const xmpp = await Xmpp.start(atEnd);
    const connection = { servers: cluster.urls };
    await prepareNats(connection, { replicas: 3 });
    const broker = holder(nats, component(xmpp.server, QUEUE), { connection, ttlMs: 10_000 });
    await broker.connect();
    const producer = quiet(publisher(nats, { connection }));
    const tickets = new Map<string, RemoteTicket>();
    for (const node of cluster.nodes.slice(0, 1)) {
      say(producer, tickets, 20);
      await node.kill();
      say(producer, tickets, 20);
      await tickets.get(String(tickets.size))?.stored;
      await node.start();
    }
    await Promise.all([...tickets.values()].map(({ sent }) => sent));
    await expect.poll(() => [...tickets.keys()].filter((body) => !xmpp.bodies.includes(body)), WAIT).toEqual([]);
  });
});

describeServer('nats', 'J-2: outages, and what they are called', () => {
  /** A holder and a producer that work. */
  async function working(
    nats: NatsServer,
    connection: object = {},
  ): Promise<{ xmpp: Xmpp; broker: Broker; producer: StanzaPublisher; tickets: Map<string, RemoteTicket> }> {
    const xmpp = await Xmpp.start(atEnd);
    const at = { connection: { servers: Nats.url(nats), pingInterval: 500, maxPingOut: 2, ...connection } };
    const broker = holder(nats, component(xmpp.server, QUEUE), { ...at, ttlMs: 1_500 });
    await broker.connect();
    const producer = quiet(publisher(nats, at));
    const tickets = new Map<string, RemoteTicket>();
    say(producer, tickets, 1);
    await tickets.get('1')?.sent;
    return { xmpp, broker, producer, tickets };
  }

  it.each(['kill', 'freeze'] as const)(
    '%s: the holder lets go of its link, and goes on when NATS is back',
    async (how) => {
      const nats = await start();
      const { xmpp, broker, producer, tickets } = await working(nats);
      const events = ['PCJ_STOREFAIL', 'PCJ_FENCED', 'PCJ_SOCKETDISCONNECT'] as const;
      const told = Promise.all(events.map((event) => broker.events.once(event)));
      const failed = new Promise<unknown>((resolve) => producer.subscribe('fail', resolve));
      if (how === 'kill') await nats.kill();
      else nats.freeze();
      say(producer, tickets, 20);
      const [fail, fenced] = await told;
      expect([fail, fenced]).toMatchObject([
        { code: expect.stringMatching(/^(NATS_UNREACHABLE|QUEUE_STORE_FAILED)$/) as string },
        { code: 'QUEUE_FENCED' },
      ]);
      expect(await failed).toMatchObject({ code: 'NATS_UNREACHABLE' });
      const ready = broker.events.once('PCJ_READY');
      if (how === 'kill') await nats.start();
      else nats.thaw();
      await ready;
      await complete(xmpp, tickets);
    },
  );

  it('a holder that is fenced while it stores something opens the queue again', async () => {
    const nats = await start();
    const xmpp = await Xmpp.start(atEnd);
    const broker = holder(nats, { ...component(xmpp.server, QUEUE), reconnect: { firstDelayMs: 1, initial: true } });
    await broker.connect();
    const fenced = broker.events.once('PCJ_FENCED');
    nats.freeze();
    // Its commit is under way for longer than the holder may be silent.
    broker.output(message('own'));
    await fenced;
    const ready = broker.events.once('PCJ_READY');
    const closed = broker.closed;
    nats.thaw();
    expect(await Promise.race([ready, closed])).toMatchObject({ resumed: false });
  });

  it('ttlMs Infinity: the link stays while NATS is away; what must be stored waits', async () => {
    const nats = await start();
    const xmpp = await Xmpp.start(atEnd);
    const broker = holder(nats, component(xmpp.server, QUEUE), { ttlMs: Number.POSITIVE_INFINITY });
    await broker.connect();
    const failed = broker.events.once('PCJ_STOREFAIL');
    await nats.kill();
    await failed;
    const ticket = broker.output(message('1'));
    expect(broker.state).toBe('ready');
    const back = broker.events.once('PCJ_STOREREADY');
    await nats.start();
    await back;
    await ticket.sent;
    await ticket.stored;
    expect(broker.state).toBe('ready');
  });

  it('a login that is taken away and given back', async () => {
    const users = [{ user: 'all', password: 'x' }];
    const nats = await start({ users });
    const { xmpp, broker, producer, tickets } = await working(nats, { user: 'all', pass: 'x' });
    const fenced = broker.events.once('PCJ_FENCED');
    Nats.reconfigure(nats, { users: [{ user: 'all', password: 'another' }] });
    say(producer, tickets, 5);
    await fenced;
    const ready = broker.events.once('PCJ_READY');
    Nats.reconfigure(nats, { users });
    await ready;
    await complete(xmpp, tickets);
  });

  it('the stream takes no more of this queue: it waits, in order, and output throws at the bound', async () => {
    const nats = await start();
    await prepareNats({ servers: Nats.url(nats) }, { maxStanzas: 10 });
    const producer = publisher(nats, { maxStanzas: 20 });
    const failed = new Promise<unknown>((resolve) => producer.subscribe('fail', resolve));
    const tickets = new Map<string, RemoteTicket>();
    say(producer, tickets, 20);
    expect(await failed).toMatchObject({ code: 'QUEUE_FULL' });
    await expect
      .poll(() => {
        try {
          say(producer, tickets, 1);
          return null;
        } catch (error) {
          return (error as { code: string }).code;
        }
      }, WAIT)
      .toBe('QUEUE_FULL');
    const xmpp = await Xmpp.start(atEnd);
    const broker = holder(nats, component(xmpp.server, QUEUE));
    await broker.connect();
    await Promise.all([...tickets.values()].map(({ sent }) => sent));
    await expect.poll(() => xmpp.bodies.length, WAIT).toBe(tickets.size);
  });

  it('a queue that is full holds up no other', async () => {
    const nats = await start();
    await prepareNats({ servers: Nats.url(nats) }, { maxStanzas: 10 });
    const producer = publisher(nats);
    const failed = new Promise<unknown>((resolve) => producer.subscribe('fail', resolve));
    const works: unknown[] = [];
    producer.subscribe('ready', (event) => works.push(event));
    const tickets = new Map<string, RemoteTicket>();
    say(producer, tickets, 300);
    expect(await failed).toMatchObject({ code: 'QUEUE_FULL' });
    const others = Array.from({ length: 30 }, (_, at) =>
      producer.output(message(String(at)), { queue: `other${at % 3}.localhost` }),
    );
    await Promise.all(others.map(({ stored }) => stored));
    expect([tickets.get('300')?.state, works]).toEqual(['queued', []]);
  });

  it('the stream is deleted: what is output says so and waits, and goes on when it is there again', async () => {
    const nats = await start();
    const { xmpp, broker, producer, tickets } = await working(nats);
    const failed = new Promise<unknown>((resolve) => producer.subscribe('fail', resolve));
    const connection = await connect({ servers: Nats.url(nats) });
    atEnd(() => connection.close());
    const manager = await jetstreamManager(connection);
    await manager.streams.delete('XMPP_OUT');
    say(producer, tickets, 3);
    expect(await failed).toMatchObject({ code: 'NATS_NO_STREAM' });
    await prepareNats(connection);
    await complete(xmpp, tickets);
    expect(broker.state).toBe('ready');
  });
});

describeServer('nats', 'J-2: what somebody takes out of the stream', () => {
  it('what is here goes out, what comes later, too, and nothing is kept of what is gone', async () => {
    const nats = await start();
    const xmpp = await Xmpp.start(atEnd);
    const broker = holder(nats, component(xmpp.server, QUEUE));
    await broker.openQueue();
    const own = ['1', '2', '3'].map((body) => broker.output(message(body)));
    await Promise.all(own.map(({ stored }) => stored));
    const connection = await connect({ servers: Nats.url(nats) });
    atEnd(() => connection.close());
    const manager = await jetstreamManager(connection);
    await manager.streams.purge('XMPP_OUT');
    await broker.connect();
    await Promise.all(own.map(({ sent }) => sent));
    const producer = publisher(nats);
    const later = ['4', '5', '6'].map((body) => producer.output(message(body)));
    await Promise.all(later.map(({ sent }) => sent));
    await expect.poll(() => xmpp.bodies, WAIT).toEqual(['1', '2', '3', '4', '5', '6']);
    const kv = await new Kvm(jetstream(connection)).open('XMPP_HOLD');
    const marks = async () => (await kv.get(subjectToken(QUEUE)))?.json<{ body: { marks: unknown[] } }>().body.marks;
    await broker.shutdown();
    await expect.poll(marks, WAIT).toEqual([]);
  });
});

describeServer('nats', 'J-3: the window of ids', () => {
  it('what could not be stored for longer than the window is flagged', async () => {
    const nats = await start();
    await prepareNats({ servers: Nats.url(nats) }, { dedupMs: 200 });
    // No ping tells that it stands still: then nothing would be published.
    const connection = { servers: Nats.url(nats), pingInterval: 60_000 };
    const producer = quiet(publisher(nats, { dedupMs: 200, connection }));
    await producer.output(message('before')).stored;
    nats.freeze();
    const late = producer.output(message('late'));
    // It was published once more, and it is not known what became of the first time.
    await expect.poll(() => late.possibleDuplicate, WAIT).toBe(true);
    await nats.kill();
    await nats.start();
    await late.stored;
    const xmpp = await Xmpp.start(atEnd);
    const broker = holder(nats, { ...component(xmpp.server, QUEUE), queue: { onReady: 'hold' } });
    await broker.connect();
    const held = [...broker.queue].map(({ node, possibleDuplicate }) => [node.getChildText('body'), possibleDuplicate]);
    expect(held).toContainEqual(['before', false]);
    expect(held.at(-1)).toEqual(['late', true]);
  });
});
