import { once } from 'node:events';
import { connect } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { expect, test } from 'vitest';
import {
  BrokerError,
  NS,
  PCJ_NODERECEIVED,
  PCJ_NODESENT,
  PCJ_READY,
  xml,
  type Broker,
  type Element,
  type Ticket,
} from 'xmpp-broker';
import { generator, type Random } from '../support/random.js';
import { ALL_EVENTS } from '../support/trace.js';
import { describeServer, Ejabberd, Prosody, Proxy, type TestServer } from './harness/index.js';
import { Clients, type ClientPort } from './support/client-site.js';

/** Messages of one of the two that have not arrived, at most: below what the servers keep for a session that is away. */
const WINDOW = 150;

/** Without a message for that long, something is stuck, in milliseconds. */
const STUCK_MS = 30_000;

interface Course {
  /** Messages that each of the two sends. */
  readonly each: number;
  /** Cuts of the link of each of the two. */
  readonly cuts: number;
  /** How long a link is dead before it is cut, at least, and how long a new one takes, in milliseconds. */
  readonly deadMs: number;
  readonly lagMs: number;
  /** Whether the server has read everything from a link that is to be cut; what is sent from then on is lost. */
  readonly wholeElements: boolean;
  /** Whether nobody sends to a session that is being resumed. Then only one of the two is cut. */
  readonly calm: boolean;
}

/** Messages of each of the two. */
const EACH = Number(process.env['XMPP_BROKER_MESSAGES'] ?? 2_000);

/** Random moments, and much under way at each. */
const ROUGH: Course = {
  each: EACH,
  cuts: Math.ceil(EACH / 100),
  deadMs: 5,
  lagMs: 0,
  wholeElements: false,
  calm: false,
};

interface ResumingSite {
  readonly name: 'prosody' | 'ejabberd';
  start(): Promise<TestServer<ClientPort>>;
  readonly rough: Course;
  /** Whether stanzas for a session that is being resumed stay in order. */
  readonly keepsOrder: boolean;
}

const SITES: readonly ResumingSite[] = [
  {
    name: 'prosody',
    start: () => Prosody.start(),
    // A resumed session goes on in the middle of what was read from the old link.
    rough: { ...ROUGH, wholeElements: true },
    keepsOrder: true,
  },
  {
    name: 'ejabberd',
    start: () => Ejabberd.start(),
    // What was not read yet from the old link is handled beside what is sent again, so there is time to read; and what
    // comes for a session while it is resumed may pass what came before, or come back to its sender as an error.
    rough: { ...ROUGH, deadMs: 20, lagMs: 50 },
    keepsOrder: false,
  },
];

/** One of the two: sends numbers to the other, and writes down those that arrive. */
class Correspondent {
  readonly tickets: Ticket[] = [];
  readonly seen: number[] = [];
  /** Numbers that came back: the server told that it could not deliver them. */
  readonly bounced = new Set<number>();
  /** Numbers handed to each link, in order. */
  readonly written: number[][] = [[]];
  /** How many links went on with the session, and how many began a new one. */
  resumed = 0;
  begun = 0;
  cuts = 0;
  silent = false;
  /** The last status events but for stanzas, and errors. */
  readonly last: string[] = [];

  constructor(
    readonly broker: Broker,
    readonly proxy: Proxy,
    readonly address: string,
    readonly course: Course,
  ) {
    broker.subscribe(PCJ_NODERECEIVED, (node) => {
      if (node.localName !== 'message') return;
      if (node.getAttribute('type') === 'error') this.#sendAgain(node);
      else this.seen.push(Number(node.getAttribute('id')));
    });
    broker.subscribe(PCJ_NODESENT, (node) => {
      if (node.localName === 'stream') this.written.push([]);
      const id = Number(node.getAttribute('id'));
      if (node.localName === 'message' && !this.bounced.has(id)) this.written.at(-1)?.push(id);
    });
    for (const name of ALL_EVENTS) {
      if (name === 'PCJ_NODESENT' || name === 'PCJ_NODERECEIVED' || name === 'PCJ_SM_ACK') continue;
      broker.subscribe(name, (payload) => {
        this.last.push(payload instanceof BrokerError ? `${name}(${payload.code} ${payload.condition ?? ''})` : name);
        if (this.last.length > 40) this.last.shift();
      });
    }
    broker.subscribe(PCJ_READY, ({ resumed }) => {
      if (resumed) this.resumed += 1;
      else this.begun += 1;
    });
  }

  /** Sends the next numbers to the other, as many as the window and the cuts so far allow. */
  write(other: Correspondent, most: number): void {
    const { each, cuts, calm } = this.course;
    const last = Math.min(
      each,
      ((calm ? Math.max(this.cuts, other.cuts) : Math.min(this.cuts, other.cuts)) + 1) * Math.ceil(each / cuts),
      other.seen.length + WINDOW,
    );
    for (let n = 0; n < most && this.tickets.length < last && !this.silent; n++) {
      const id = String(this.tickets.length);
      const body = xml('body', {}, `number ${id}`);
      // An archive of ten thousand messages is slow to add to.
      const hint = xml('no-store', { xmlns: 'urn:xmpp:hints' });
      this.tickets.push(this.broker.output(xml('message', { to: other.address, id, type: 'chat' }, body, hint)));
    }
  }

  /** Cuts the link again and again, at random moments: once while each part of the numbers arrives. */
  async sabotage(other: Correspondent, random: Random): Promise<void> {
    const { each, cuts, deadMs, wholeElements, calm } = this.course;
    for (; this.cuts < cuts; this.cuts++) {
      const due = Math.floor(((this.cuts + random.below(1_000) / 1_000) * each) / cuts);
      while (this.seen.length < due || this.broker.state !== 'ready') await moment();
      if (calm) await other.quiet();
      if (wholeElements) await this.quiet();
      const link = this.proxy.openLinks.at(-1);
      const lost = this.broker.events.once('PCJ_SOCKETDISCONNECT');
      // What is written from now on is lost on the way.
      link?.stall('toServer');
      this.silent = false;
      await pause(deadMs + random.below(deadMs));
      link?.cut(random.below(2) === 0 ? 'reset' : 'end');
      await lost;
      if (!calm) continue;
      await this.broker.events.once(PCJ_READY);
      other.silent = false;
    }
  }

  /** What came back as an error was not delivered, and its sender knows: it is sent once more. */
  #sendAgain(error: Element): void {
    const id = error.getAttribute('id') ?? '';
    expect(this.bounced.has(Number(id)), `${id} came back twice`).toBe(false);
    this.bounced.add(Number(id));
    const hint = xml('no-store', { xmlns: 'urn:xmpp:hints' });
    this.broker.output(
      xml('message', { to: error.getAttribute('from'), id, type: 'chat' }, xml('body', {}, `number ${id}`), hint),
    );
  }

  /** How things stand, for a message. */
  toString(): string {
    const { state, queue } = this.broker;
    const open = this.proxy.openLinks.length;
    return `${this.address} is ${state}, cut ${this.cuts} times, ${open} links open, ${queue.size} held, sent ${this.tickets.length}, saw ${this.seen.length}; ${this.last.join(' ')}`;
  }

  /** Sends nothing more until told, and waits until the server has read everything. */
  async quiet(): Promise<void> {
    this.silent = true;
    const ping = () => xml('iq', { type: 'get', to: 'localhost' }, xml('ping', { xmlns: NS.PING }));
    await this.broker.request(ping());
  }
}

/** A moment for what comes: links, proxies and servers need the processor more than these loops do. */
const moment = () => pause(1);

const isRising = (numbers: readonly number[]) => numbers.every((number, at) => number > (numbers[at - 1] ?? -1));

/** Every number of the writer's has arrived; what was not flagged, once. */
function verify(reader: Correspondent, writer: Correspondent, inOrder: boolean): void {
  expect(new Set(reader.seen).size).toBe(writer.tickets.length);
  const certain = reader.seen.filter((number) => writer.tickets[number]?.possibleDuplicate !== true);
  expect(new Set(certain).size).toBe(certain.length);
  if (inOrder) expect(certain).toEqual(certain.toSorted((a, b) => a - b));
  // Whatever the server does with them: each link got them in order, without a gap to the one before.
  expect(writer.written.every(isRising)).toBe(true);
  let next = 0;
  for (const link of writer.written.filter(({ length }) => length > 0)) {
    expect(link[0]).toBeLessThanOrEqual(next);
    next = Math.max(next, (link.at(-1) ?? 0) + 1);
  }
  expect(next).toBe(writer.tickets.length);
}

async function exchange(server: TestServer<ClientPort>, course: Course, inOrder: boolean): Promise<void> {
  await using clients = new Clients();
  const random = generator(0x5eed);
  const make = async (username: string) => {
    const proxy = await Proxy.listen(server.ports.starttls);
    const { broker } = clients.client(server, {
      username,
      resource: 'desk',
      connector: async (_, { signal }) => {
        await pause(course.lagMs, undefined, { signal });
        const socket = connect(proxy.port, proxy.host);
        await once(socket, 'connect', { signal });
        return socket;
      },
      queue: { purgeOnReady: true },
      reconnect: { resumeDelayMs: 5 },
    });
    await broker.connect();
    return new Correspondent(broker, proxy, `${username}@localhost/desk`, course);
  };
  const alice = await make('alice');
  const bob = await make('bob');
  const sabotage = course.calm
    ? alice.sabotage(bob, random)
    : Promise.all([alice.sabotage(bob, random), bob.sabotage(alice, random)]);
  let arrived = 0;
  let progress = performance.now();
  while (alice.seen.length < course.each || bob.seen.length < course.each) {
    alice.write(bob, 1 + random.below(40));
    bob.write(alice, 1 + random.below(40));
    await moment();
    const now = performance.now();
    if (alice.seen.length + bob.seen.length > arrived) progress = now;
    else if (now - progress > STUCK_MS) throw new Error(`nothing arrives: ${alice.toString()}; ${bob.toString()}`);
    arrived = alice.seen.length + bob.seen.length;
  }
  await sabotage;
  verify(bob, alice, inOrder);
  verify(alice, bob, inOrder);
  // The servers gave no session up, and each cut but perhaps the last was followed by a resumption.
  for (const { begun, resumed, cuts } of [alice, bob]) {
    expect(begun).toBe(0);
    expect(resumed).toBeGreaterThanOrEqual(cuts - 1);
  }
  await Promise.all([alice.proxy.close(), bob.proxy.close()]);
}

for (const site of SITES) {
  describeServer(site.name, 'resuming', () => {
    const { each, cuts } = site.rough;
    const much = `${String(2 * each)} messages over ${String(2 * cuts)} cut links`;
    test(`S-SM-8 A-FLOW-7: ${much} arrive once`, { timeout: 180_000 }, async () => {
      await using server = await site.start();
      await exchange(server, site.rough, site.keepsOrder);
    });

    if (!site.keepsOrder) {
      test('S-SM-8: in order, when nothing comes while a session is resumed', { timeout: 60_000 }, async () => {
        await using server = await site.start();
        await exchange(server, { ...site.rough, each: 500, cuts: 5, wholeElements: true, calm: true }, true);
      });
    }
  });
}
