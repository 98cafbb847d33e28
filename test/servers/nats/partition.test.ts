// L-1: networks that are cut. Between a holder and NATS by a proxy that swallows everything and tells nobody; between the nodes of
// a cluster by network namespaces, where the machine allows them: that takes long, and is done by `npm run evidence` only.
import { expect, it } from 'vitest';
import type { Broker, Ticket } from 'xmpp-broker';
import { prepareNats, type RemoteTicket } from 'xmpp-broker/nats';
import { note, partsOf, portion } from '../../support/evidence.js';
import { describeServer, Nats, Proxy, sharedServer } from '../harness/index.js';
import { Islands } from './support/islands.js';
import { component, message, QUEUE, useEndings, useNats, Xmpp } from './support/queue-world.js';
import { useNothingThrown } from '../../support/nothing-thrown.js';

const atEnd = useEndings();
const { holder, publisher } = useNats(atEnd);
useNothingThrown();

const WAIT = { timeout: 60_000 };

const PARTS = partsOf(['L-1 partition', 'L-1 cluster']);
const has = (part: (typeof PARTS)[number]): boolean => PARTS.includes(part);

/** What is told of who holds the queue, in the order of time, and what is written without it. */
class Watch {
  readonly told: string[] = [];
  /** Epochs, as they were taken. */
  readonly epochs: number[] = [];
  readonly #wrong: string[] = [];
  /** Bodies of what may arrive a second time. */
  readonly #flagged = new Set<string>();

  /** What is decided of held stanzas: they are sent. */
  readonly onReady = ({ node, possibleDuplicate }: Ticket): 'send' => {
    if (possibleDuplicate) this.#flagged.add(node.getChildText('body') ?? '');
    return 'send';
  };

  /** What must not be, once all has arrived: something came twice without a flag, or was written by who is no holder. */
  async wrong(xmpp: Xmpp, tickets: ReadonlyMap<string, RemoteTicket>): Promise<string[]> {
    await expect.poll(() => [...tickets.keys()].filter((body) => !xmpp.bodies.includes(body)), WAIT).toEqual([]);
    const { bodies } = xmpp;
    const twice = [...tickets].filter(([body]) => bodies.indexOf(body) !== bodies.lastIndexOf(body));
    const unflagged = twice.filter(([body, ticket]) => !ticket.possibleDuplicate && !this.#flagged.has(body));
    return [...this.#wrong, ...unflagged.map(([body]) => `${body} came twice, and was not flagged`)];
  }

  add(name: string, broker: Broker): void {
    let isHolder = false;
    broker.subscribe('PCJ_ACTIVE', ({ epoch }) => {
      isHolder = true;
      this.told.push(`${name} holds`);
      this.epochs.push(epoch);
    });
    broker.subscribe('PCJ_FENCED', () => {
      isHolder = false;
      this.told.push(`${name} lets go`);
    });
    broker.subscribe('PCJ_NODESENT', (node) => {
      if (node.localName === 'message' && !isHolder) this.#wrong.push(`${name} wrote ${String(node)}`);
    });
    broker.subscribe('PCJ_STOREFAIL', () => undefined);
  }

  /** Resolves when somebody tells so, from now on. */
  hears(text: string): Promise<void> {
    const from = this.told.length;
    return expect.poll(() => this.told.slice(from).includes(text), WAIT).toBe(true);
  }
}

describeServer('nats', 'L-1: a holder that is cut off from NATS', () => {
  const nats = sharedServer(() => Nats.start());

  it.runIf(has('L-1 partition'))(
    'lets go before another one takes over, and writes nothing behind that',
    async () => {
      const began = process.uptime();
      const given = portion(1);
      const server = await nats();
      const xmpp = await Xmpp.start(atEnd);
      const watch = new Watch();
      const sides: { name: string; proxy: Proxy; broker: Broker }[] = [];
      for (const name of ['first', 'second']) {
        const proxy = await Proxy.listen(server.ports.client);
        atEnd(() => proxy.close());
        const connection = { servers: `nats://127.0.0.1:${proxy.port}`, pingInterval: 500, maxPingOut: 2 };
        const broker = holder(
          server,
          {
            ...component(xmpp.server, QUEUE),
            reconnect: { firstDelayMs: 50, maxDelayMs: 500, initial: true },
            queue: { onReady: watch.onReady },
          },
          { connection },
        );
        watch.add(name, broker);
        sides.push({ name, proxy, broker });
      }
      const [first, second] = sides as [(typeof sides)[0], (typeof sides)[0]];
      await first.broker.connect();
      const standby = second.broker.events.once('PCJ_STANDBY');
      void second.broker.connect();
      await standby;
      const producer = publisher(server);
      const tickets = new Map<string, RemoteTicket>();
      const say = (count: number): void => {
        for (let i = 0; i < count; i += 1) {
          const body = String(tickets.size + 1);
          tickets.set(body, producer.output(message(body)));
        }
      };
      for (let round = 0; round < given.size; round += 1) {
        const [cut, next] = round % 2 === 0 ? [first, second] : [second, first];
        say(20);
        const told = watch.told.length;
        const takes = watch.hears(`${next.name} holds`);
        const ready = next.broker.events.once('PCJ_READY');
        cut.proxy.refuse();
        for (const link of cut.proxy.openLinks) link.lose();
        say(20);
        await takes;
        await ready;
        say(20);
        await Promise.all([...tickets.values()].slice(-20).map(({ stored }) => stored));
        expect(watch.told.slice(told)).toEqual([`${cut.name} lets go`, `${next.name} holds`]);
        await expect.poll(() => xmpp.bodies.includes(String(tickets.size)), WAIT).toBe(true);
        const waits = cut.broker.events.once('PCJ_STANDBY');
        for (const link of cut.proxy.openLinks) link.cut();
        await cut.proxy.accept();
        await waits;
      }
      const wrong = await watch.wrong(xmpp, tickets);
      const arrived = xmpp.bodies.length;
      note('L-1 partition', given, began, {
        of: null,
        counts: { cuts: given.size, stored: tickets.size, arrived },
        wrong,
      });
      expect(wrong).toEqual([]);
      expect(watch.epochs).toEqual(Array.from({ length: given.size + 1 }, (_, at) => at + 1));
    },
    1_800_000,
  );
});

describeServer('nats', 'L-1: a node of NATS that is cut off from the others', () => {
  it.skipIf(!Islands.isAllowed)(
    'its holder lets go, and who is on the other side takes over',
    async () => {
      const began = process.uptime();
      const islands = await Islands.open(3);
      atEnd(() => islands[Symbol.asyncDispose]());
      const [near, , far] = islands.urls as [string, string, string];
      await prepareNats({ servers: islands.urls }, { replicas: 3 });
      const xmpp = await Xmpp.start(atEnd);
      const watch = new Watch();
      const at = (servers: string) => ({
        connection: { servers, ignoreClusterUpdates: true, pingInterval: 500, maxPingOut: 2 },
      });
      const options = {
        ...component(xmpp.server, QUEUE),
        reconnect: { firstDelayMs: 50, maxDelayMs: 500, initial: true },
        queue: { onReady: watch.onReady },
      };
      const cutOff = holder(islands, options, { ...at(far), ttlMs: 4_000 });
      watch.add('far', cutOff);
      await cutOff.connect();
      const other = holder(islands, options, { ...at(near), ttlMs: 4_000 });
      watch.add('near', other);
      const standby = other.events.once('PCJ_STANDBY');
      void other.connect();
      await standby;
      const producers = { near: publisher(islands, at(near)), far: publisher(islands, at(far)) };
      const tickets = new Map<string, RemoteTicket>();
      const say = (where: 'near' | 'far'): RemoteTicket => {
        producers[where].subscribe('fail', () => undefined);
        const body = `${where} ${tickets.size}`;
        const ticket = producers[where].output(message(body));
        tickets.set(body, ticket);
        return ticket;
      };
      for (let i = 0; i < 10; i += 1) await Promise.all([say('near').stored, say('far').stored]);
      const takes = watch.hears('near holds');
      islands.cut(2);
      const waiting = Array.from({ length: 10 }, () => say('far'));
      const going = Array.from({ length: 10 }, () => say('near'));
      await takes;
      await Promise.all(going.map(({ stored }) => stored));
      await expect
        .poll(() => xmpp.bodies.some((body) => going.some((_, i) => body === `near ${i + 30}`)), WAIT)
        .toBe(true);
      expect([...new Set(waiting.map(({ state }) => state))]).toEqual(['queued']);
      islands.heal(2);
      await Promise.all(waiting.map(({ stored }) => stored));
      const wrong = await watch.wrong(xmpp, tickets);
      const counts = { cuts: 1, stored: tickets.size, arrived: xmpp.bodies.length };
      note('L-1 cluster', { ...portion(1), size: 1 }, began, { of: 1, counts, wrong });
      expect(wrong).toEqual([]);
      expect(watch.told.slice(0, 3)).toEqual(['far holds', 'far lets go', 'near holds']);
    },
    120_000,
  );
});
