// I-1 and J-2 to J-4 at any size: only `npm run evidence -- --only scale` runs them. What `npm test` runs of them is in the
// files of what they are about.
import { setTimeout as pause } from 'node:timers/promises';
import { jetstream, jetstreamManager } from '@nats-io/jetstream';
import { connect } from '@nats-io/transport-node';
import { expect, it } from 'vitest';
import { prepareNats, Worker, type RemoteTicket } from 'xmpp-broker/nats';
import { note, partsOf, portion } from '../../support/evidence.js';
import { generator } from '../../support/random.js';
import { useNothingThrown } from '../../support/nothing-thrown.js';
import { CLIENT, JID } from '../../wire/support/client.js';
import { useRig } from '../../wire/support/index.js';
import { describeServer, Nats, Proxy } from '../harness/index.js';
import { useCrew } from './support/crew.js';
import { component, message, QUEUE, quiet, useEndings, useNats, useNatsServers, Xmpp } from './support/queue-world.js';

const GIVEN = portion(0);
const PARTS = GIVEN.size === 0 ? [] : partsOf(['I-1', 'J-2', 'J-3', 'J-4']);
const LONG = 1_800_000;
const WAIT = { timeout: 120_000, interval: 50 };

const atEnd = useEndings();
const start = useNatsServers(atEnd);
const { holder, publisher } = useNats(atEnd);
useNothingThrown();

/** Whether a list is as it stands, however often each of it comes behind its first time. */
const firsts = (list: readonly string[]): string[] => list.filter((one, at) => list.indexOf(one) === at);

describeServer('nats', 'at size', () => {
  const crew = useCrew();
  const rig = useRig(CLIENT);

  it.runIf(PARTS.includes('I-1'))(
    'I-1: workers are killed in their handlers: each group gets everything, in order where asked, and twice only flagged',
    async () => {
      const began = process.uptime();
      const { below } = generator(GIVEN.seed);
      const server = await start();
      const { broker, server: peer } = await rig.ready({
        acknowledge: 'settled',
        limits: { stanzaBytes: 256 * 1024 },
        reconnect: false,
      });
      await crew.fanOut(server, broker, {
        groups: { one: { events: 'all', ordered: true }, many: 'all' },
        partitions: 4,
      });
      const wrong: string[] = [];
      const seen = { one: new Map<string, string[]>(), many: new Map<string, string[]>() };
      const counted = { handled: 0, repeated: 0, killed: 0 };
      const member = async (group: 'one' | 'many'): Promise<{ kill(): Promise<void> }> => {
        const connection = await crew.connection(server);
        let isDead = false;
        const worker = new Worker({
          prefix: crew.prefix,
          queue: QUEUE_OF_ALICE,
          group,
          ordered: group === 'one',
          concurrency: 20,
          connection,
          handler: async ({ node, possibleDuplicate }) => {
            await pause(below(3));
            // What a dead one does nobody sees.
            if (isDead) return new Promise<never>(() => undefined);
            const [from, id] = [node.getAttribute('from') ?? '', node.getAttribute('id') ?? ''];
            const list = seen[group].get(from) ?? [];
            if (list.includes(id)) {
              counted.repeated += 1;
              if (!possibleDuplicate) wrong.push(`${group}: ${from} ${id} came twice without a flag`);
            }
            seen[group].set(from, [...list, id]);
            counted.handled += 1;
            return undefined;
          },
        });
        crew.add(worker).subscribe('fail', () => undefined);
        await worker.ready;
        return {
          async kill() {
            isDead = true;
            counted.killed += 1;
            await connection.close();
          },
        };
      };
      const members = {
        one: [await member('one'), await member('one')],
        many: [await member('many'), await member('many')],
      };
      const SENDERS = 50;
      const rounds = Math.ceil(GIVEN.size / SENDERS);
      const killings = 4;
      for (let id = 1; id <= rounds; id += 1) {
        await peer.send(
          Array.from(
            { length: SENDERS },
            (_, n) => `<message from='bob${n}@localhost/x' to='${JID}' id='${id}'><body>b</body></message>`,
          ).join(''),
        );
        if (id % Math.ceil(rounds / killings) !== 0) continue;
        for (const group of ['one', 'many'] as const) {
          await expect.poll(() => seen[group].size, WAIT).toBeGreaterThan(0);
          await members[group].shift()?.kill();
          members[group].push(await member(group));
        }
      }
      const expected = Array.from({ length: rounds }, (_, n) => String(n + 1));
      for (const group of ['one', 'many'] as const) {
        const missing = (): number =>
          SENDERS * rounds - [...seen[group].values()].reduce((sum, list) => sum + new Set(list).size, 0);
        await expect.poll(missing, { timeout: 600_000, interval: 500 }).toBe(0);
        if (group === 'many') continue;
        for (const [from, list] of seen.one) {
          if (firsts(list).join() !== expected.join()) wrong.push(`one: what ${from} sent is out of order`);
        }
      }
      note('I-1', GIVEN, began, { of: null, counts: counted, wrong });
      expect(wrong).toEqual([]);
    },
    LONG,
  );

  it.runIf(PARTS.includes('J-2'))(
    'J-2: NATS is killed, frozen, refuses the login, or has no stream, again and again: all goes out, memory is bounded',
    async () => {
      const began = process.uptime();
      const { below } = generator(GIVEN.seed);
      const users = [{ user: 'all', password: 'x' }];
      const nats = await start({ users });
      const xmpp = await Xmpp.start(atEnd);
      const connection = {
        servers: Nats.url(nats),
        pingInterval: 500,
        maxPingOut: 2,
        reconnectTimeWait: 100,
        user: 'all',
        pass: 'x',
      };
      const broker = holder(nats, component(xmpp.server, QUEUE), { connection, ttlMs: 1_500 });
      await broker.connect();
      const producer = quiet(publisher(nats, { connection }));
      const tickets = new Map<string, RemoteTicket>();
      const say = (count: number): void => {
        for (let i = 0; i < count; i += 1) {
          const body = String(tickets.size + 1);
          tickets.set(body, producer.output(message(body)));
        }
      };
      const counts: Record<string, number> = { killed: 0, frozen: 0, refused: 0, 'without stream': 0 };
      const outages = {
        killed: async () => {
          await nats.kill();
          say(50);
          await nats.start();
        },
        frozen: async () => {
          nats.freeze();
          say(50);
          await pause(500 + below(2_500));
          nats.thaw();
        },
        refused: async () => {
          const down = broker.events.once('PCJ_STOREFAIL');
          Nats.reconfigure(nats, { users: [{ user: 'all', password: 'another' }] });
          say(50);
          await down;
          Nats.reconfigure(nats, { users });
        },
        'without stream': async () => {
          await Promise.all([...tickets.values()].map(({ sent }) => sent));
          const own = await connect({ servers: Nats.url(nats), user: 'all', pass: 'x' });
          await (await jetstreamManager(own)).streams.delete('XMPP_OUT');
          say(50);
          await pause(below(1_000));
          await prepareNats(own);
          await own.close();
        },
      };
      const names = Object.keys(outages) as (keyof typeof outages)[];
      let heap = 0;
      for (let round = 0; round < GIVEN.size; round += 1) {
        const name = names[below(names.length)] ?? 'killed';
        say(50);
        await outages[name]();
        counts[name] = (counts[name] ?? 0) + 1;
        say(50);
        await Promise.all([...tickets.values()].map(({ sent }) => sent));
        if (round === Math.floor(GIVEN.size / 2)) heap = heapNow();
      }
      const arrived = () => [...tickets.keys()].filter((body) => !new Set(xmpp.bodies).has(body));
      await expect.poll(arrived, WAIT).toEqual([]);
      const { bodies } = xmpp;
      const flagged = (body: string): boolean => tickets.get(body)?.possibleDuplicate === true;
      const wrong = bodies
        .filter((body, at) => bodies.indexOf(body) !== at && !flagged(body))
        .map((body) => `${body} came twice without a flag`);
      if (firsts(bodies).join() !== [...tickets.keys()].join()) wrong.push('out of order');
      counts['stored'] = tickets.size;
      counts['KiB of heap more than at half of it'] = Math.max(0, Math.round((heapNow() - heap) / 1_024));
      note('J-2', GIVEN, began, { of: null, counts, wrong });
      expect(wrong).toEqual([]);
    },
    LONG,
  );

  it.runIf(PARTS.includes('J-3'))(
    'J-3: what is tried again behind the window of ids is in the stream twice, and flagged but for once',
    async () => {
      const began = process.uptime();
      const nats = await start();
      await prepareNats({ servers: Nats.url(nats) }, { dedupMs: 200 });
      const proxy = await Proxy.listen(nats.ports.client);
      atEnd(() => proxy.close());
      const connection = { servers: `nats://127.0.0.1:${proxy.port}`, pingInterval: 60_000 };
      const producer = quiet(publisher(nats, { dedupMs: 200, connection }));
      const tickets: RemoteTicket[] = [];
      let rounds = 0;
      while (tickets.length < GIVEN.size) {
        rounds += 1;
        const some = Array.from({ length: 100 }, (_, at) => producer.output(message(String(tickets.length + at))));
        tickets.push(...some);
        await some[0]?.stored;
        // What is published arrives, and its answers do not.
        for (const link of proxy.openLinks) link.stall('toClient');
        const late = Array.from({ length: 100 }, (_, at) => producer.output(message(String(tickets.length + at))));
        tickets.push(...late);
        // The first that is not stored was published once more.
        await expect.poll(() => [...some, ...late].some((one) => one.possibleDuplicate), WAIT).toBe(true);
        for (const link of proxy.openLinks) link.resume('toClient');
        await Promise.all(late.map(({ stored }) => stored));
      }
      const own = await connect({ servers: Nats.url(nats) });
      atEnd(() => own.close());
      const consumer = await jetstream(own).consumers.get('XMPP_OUT', await reader(own));
      const { num_pending: total } = await consumer.info();
      const copies = new Map<string, boolean[]>();
      let read = 0;
      for await (const one of await consumer.consume()) {
        const body = />(\d+)</.exec(one.string())?.[1] ?? '';
        copies.set(body, [...(copies.get(body) ?? []), one.headers?.get('Xmpp-Duplicate') === '1']);
        if ((read += 1) === total) break;
      }
      const twice = [...copies].filter(([, flags]) => flags.length > 1);
      const wrong = [...copies]
        .filter(([, flags]) => flags.filter((isFlagged) => !isFlagged).length > 1)
        .map(([body]) => `${body} is there twice without a flag`);
      for (const at of tickets.keys()) if (!copies.has(String(at))) wrong.push(`${at} is missing`);
      note('J-3', GIVEN, began, {
        of: null,
        counts: { stored: tickets.length, 'times without answers': rounds, 'there twice': twice.length },
        wrong,
      });
      expect(wrong).toEqual([]);
    },
    LONG,
  );

  it.runIf(PARTS.includes('J-4'))(
    'J-4: purges and drops of another process do to the queue what they would do here; who may not is refused',
    async () => {
      const began = process.uptime();
      const { below } = generator(GIVEN.seed);
      const nats = await start({
        users: [
          { user: 'holder', password: 'x' },
          { user: 'producer', password: 'x', publish: ['*.out.>', '*.ask.>'], subscribe: ['*.ticket.>', '_INBOX.>'] },
          { user: 'operator', password: 'x', publish: ['*.cmd.>'], subscribe: ['*.ticket.>', '_INBOX.>'] },
        ],
      });
      const as = (user: string) => ({ connection: { servers: Nats.url(nats), user, pass: 'x' } });
      const xmpp = await Xmpp.start(atEnd);
      const queue = { onReady: 'hold' as const, remotePurge: (_: object, by: string) => by === 'ops' };
      const broker = holder(nats, { ...component(xmpp.server, QUEUE), queue }, as('holder'));
      await broker.openQueue();
      // What a plain list says that it has to be.
      const model = Array.from({ length: GIVEN.size * 10 }, (_, at) => ({ key: String(at), to: at % 3 }));
      for (const { key, to } of model) broker.output(message(key, `x${to}@sink.localhost`), { key });
      await broker.connect();
      const operator = publisher(nats, { ...as('operator'), name: 'ops' });
      const stranger = publisher(nats, { ...as('operator'), name: 'stranger' });
      const producer = publisher(nats, as('producer'));
      const sent: string[] = [];
      const wrong: string[] = [];
      const counts = { purges: 0, drops: 0, picked: 0, refused: 0 };
      for (let round = 0; round < GIVEN.size && model.length > 0; round += 1) {
        const limit = 1 + below(20);
        const to = below(3);
        const keys = model.filter(() => below(100) === 0).map(({ key }) => key);
        const selection = [{ limit }, { to: `x${to}@sink.localhost`, limit }, { keys }, { names: ['iq' as const] }][
          below(4)
        ] ?? { limit };
        const picked = model
          .filter((one) => (selection.keys?.includes(one.key) ?? true) && (selection.to === undefined || one.to === to))
          .slice(0, 'names' in selection ? 0 : (selection.limit ?? Infinity));
        const isDrop = below(10) < 3;
        const count = await (isDrop ? operator.drop(QUEUE, selection) : operator.purge(QUEUE, selection));
        if (count !== picked.length) wrong.push(`round ${round}: ${count} were picked, not ${picked.length}`);
        counts[isDrop ? 'drops' : 'purges'] += 1;
        counts.picked += picked.length;
        if (!isDrop) sent.push(...picked.map(({ key }) => key));
        for (const one of picked) model.splice(model.indexOf(one), 1);
        const refusals = await Promise.allSettled([stranger.purge(QUEUE), producer.drop(QUEUE, {})]);
        const codes = refusals.map((one) =>
          one.status === 'rejected' ? (one.reason as { code: string }).code : 'let in',
        );
        if (codes.join() !== 'QUEUE_PURGE_REFUSED,NATS_DENIED') wrong.push(`round ${round}: ${codes.join()}`);
        counts.refused += 2;
      }
      await expect.poll(() => xmpp.bodies.length, WAIT).toBe(sent.length);
      if (xmpp.bodies.join() !== sent.join()) wrong.push('what was purged went out in another order');
      const held = [...broker.queue].map(({ key }) => key);
      if (held.join() !== model.map(({ key }) => key).join()) wrong.push('what is held is not what should be');
      note('J-4', GIVEN, began, { of: null, counts, wrong });
      expect(wrong).toEqual([]);
    },
    LONG,
  );
});

const QUEUE_OF_ALICE = 'alice@localhost';

function heapNow(): number {
  globalThis.gc?.();
  return process.memoryUsage().heapUsed;
}

/** A consumer of everything in the stream. */
async function reader(connection: Awaited<ReturnType<typeof connect>>): Promise<string> {
  const manager = await jetstreamManager(connection);
  const { name } = await manager.consumers.add('XMPP_OUT', {
    durable_name: 'reader',
    ack_policy: 'explicit',
    // Nothing comes a second time while it is read.
    ack_wait: 3_600 * 1_000_000_000,
    max_ack_pending: -1,
  });
  return name;
}
