// G13, in small: `npm run evidence -- --only soak --size 120` lives with each real server for 40 minutes.
import { setTimeout as pause } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { Broker, BrokerError, NS, xml, XMPP, type BrokerOptions } from 'xmpp-broker';
import { note, partsOf, portion } from '../support/evidence.js';
import { descriptors, keptMiB, rise, rounded } from '../support/kept.js';
import { generator, type Random } from '../support/random.js';
import { describeServer, Proxy, type TestServer } from './harness/index.js';
import { CLIENT_SITES, type ClientPort } from './support/client-site.js';
import { componentOptions, SITES } from './support/component-site.js';

/** By how much what is kept may rise over the last two thirds. */
const MIB_BOUND = 4;
const DESCRIPTORS_BOUND = 2;
/** Without progress for that long, something is stuck, in milliseconds. */
const STUCK_MS = 90_000;
/** A link of this kind is slow: every piece that small, and that late. */
const SLOW = { delayMs: 150, pieceBytes: 64 };

const cases = portion(1);
const isLong = cases.isWhole;
const timeout = isLong ? cases.size * 60_000 + 600_000 : 120_000;

const TROUBLES = ['cut', 'cut', 'cut within bytes', 'slow', 'slow', 'silence', 'frozen', 'restart', 'kill'] as const;
type Trouble = (typeof TROUBLES)[number];

const RETURN: Partial<BrokerOptions> = {
  reconnect: { initial: true, firstDelayMs: 200, maxDelayMs: 1_000, resumeDelayMs: 20 },
  queue: { purgeOnReady: true },
  liveness: { intervalMs: 5_000, timeoutMs: 5_000 },
  answerRequests: true,
  logger: false,
};

/** A broker, and what it has on its way. */
class Party {
  arrived = 0;
  unsettled = 0;
  refused = 0;
  readonly #last: string[] = [];

  constructor(
    readonly broker: Broker,
    readonly address: string,
    readonly wrong: string[],
  ) {
    broker.subscribe('PCJ_NODERECEIVED', ({ localName }) => void (this.arrived += localName === 'message' ? 1 : 0));
    for (const name of ['PCJ_SOCKETFAIL', 'PCJ_CONNECTFAIL', 'PCJ_AUTHFAIL', 'PCJ_BINDFAIL'] as const)
      broker.subscribe(name, ({ code, condition }) => {
        this.#last.push(`${name} ${code} ${condition ?? ''}`);
        this.#last.splice(0, this.#last.length - 5);
      });
    broker.subscribe('PCJ_HANDLERERROR', ({ error }) => wrong.push(String(error)));
  }

  /** A message that no server keeps for later, and a question. */
  write(to: Party): void {
    const { broker, address } = this;
    const body = xml('body', {}, 'x'.repeat(200));
    try {
      const ticket = broker.output(xml('message', { to: to.address, from: address, type: 'headline' }, body));
      this.#watch('sent', ticket.sent);
      this.#watch('acked', ticket.acked);
    } catch (error) {
      if ((error as BrokerError).code !== 'QUEUE_FULL') throw error;
    }
    this.#watch('answer', this.#ask(to));
  }

  /** Whether an answer of the other comes. */
  async reaches(to: Party): Promise<boolean> {
    return await this.#ask(to).then(
      () => true,
      () => false,
    );
  }

  /** Whether nothing is on its way. */
  get isIdle(): boolean {
    const { state, queue, pending } = this.broker;
    return state === 'ready' && queue.size === 0 && pending.size === 0 && this.unsettled === 0;
  }

  toString(): string {
    const { state, queue, pending } = this.broker;
    return `${this.address} is ${state}: ${queue.size} held, ${pending.size} asked, ${this.unsettled} not settled; ${this.#last.join('; ')}`;
  }

  #ask(to: Party): Promise<unknown> {
    const ping = xml('iq', { type: 'get', to: to.address, from: this.address }, xml('ping', { xmlns: NS.PING }));
    return this.broker.request(ping, { timeout: isLong ? 10_000 : 1_000 });
  }

  #watch(what: string, promise: Promise<unknown>): void {
    this.unsettled += 1;
    promise.then(
      () => (this.unsettled -= 1),
      (error: unknown) => {
        this.unsettled -= 1;
        this.refused += 1;
        if (!(error instanceof BrokerError)) this.wrong.push(`${what}: ${String(error)}`);
      },
    );
  }
}

interface Scene {
  readonly server: TestServer;
  readonly proxies: readonly Proxy[];
  readonly parties: readonly [Party, Party];
  readonly random: Random;
}

/** Waits until it is so. */
async function until(what: string, { parties }: Scene, done: () => boolean): Promise<void> {
  const begun = performance.now();
  while (!done()) {
    if (performance.now() - begun > STUCK_MS) throw new Error(`${what}: ${parties.join('; ')}`);
    await pause(20);
  }
}

async function makeTrouble(kind: Trouble, { server, proxies, random }: Scene): Promise<void> {
  const links = proxies.flatMap(({ openLinks }) => openLinks);
  const direction = random.below(2) === 0 ? 'toServer' : 'toClient';
  const how = random.below(2) === 0 ? 'reset' : 'end';
  if (kind === 'cut within bytes')
    await Promise.race([...links.map((link) => link.truncate(direction, 1 + random.below(4_000))), pause(300)]);
  if (kind === 'silence') {
    for (const link of links) link.stall(direction);
    await pause(random.below(1_500));
  }
  if (kind === 'slow') {
    for (const proxy of proxies) proxy.options = SLOW;
    for (const link of links) link.cut(how);
    await pause(4_000);
    for (const proxy of proxies) proxy.options = {};
  }
  if (kind === 'frozen') {
    server.freeze();
    await pause(random.below(2_000));
    server.thaw();
  } else if (kind === 'restart') await server.restart();
  else if (kind === 'kill') {
    await server.kill();
    await server.start();
  } else for (const proxy of proxies) proxy.cut(how);
}

/** Traffic both ways with trouble in the middle of it, and then rest. */
async function round(kind: Trouble, scene: Scene, ms: number): Promise<void> {
  const [one, other] = scene.parties;
  const talking = new AbortController();
  const talk = (async () => {
    while (!talking.signal.aborted) {
      for (let n = scene.random.below(6); n >= 0; n -= 1) {
        one.write(other);
        other.write(one);
      }
      await pause(20);
    }
  })();
  try {
    await pause(ms / 2);
    await makeTrouble(kind, scene);
    await pause(ms / 2);
  } finally {
    talking.abort();
    await talk;
  }
  await until(`rest behind ${kind}`, scene, () => one.isIdle && other.isIdle);
  const begun = performance.now();
  while (!((await one.reaches(other)) && (await other.reaches(one))))
    if (performance.now() - begun > STUCK_MS) throw new Error(`no answer behind ${kind}: ${scene.parties.join('; ')}`);
  // What a proxy remembers of links that are gone is not ours.
  for (const { links } of scene.proxies) links.splice(0, links.length, ...links.filter(({ open }) => open));
}

/** A client and a component of a server, each behind a proxy. */
async function meet(
  server: TestServer<ClientPort>,
  proxies: readonly [Proxy, Proxy],
  wrong: string[],
): Promise<[Party, Party]> {
  const client = new Broker({
    connectionType: XMPP,
    host: server.host,
    port: proxies[0].port,
    domain: server.domain,
    username: 'alice',
    password: 'secret',
    resource: 'soak',
    tls: { ca: server.ca },
    ...RETURN,
  });
  const component = new Broker(componentOptions(proxies[1].port, RETURN));
  // Whoever sent no presence is not there for some servers.
  client.subscribe('PCJ_READY', ({ resumed }) => {
    if (!resumed) client.output(xml('presence'));
  });
  await Promise.all([client.connect(), component.connect()]);
  return [new Party(client, 'alice@localhost/soak', wrong), new Party(component, 'comp.localhost', wrong)];
}

for (const name of isLong ? partsOf(SITES.map(({ name }) => name)) : (['prosody'] as const)) {
  describeServer(name, 'soak', () => {
    test('G13: nothing is left behind by cuts, restarts and slow periods', { timeout }, async () => {
      const began = process.uptime();
      const componentSite = SITES.find((site) => site.name === name)!;
      await using server = await CLIENT_SITES.find((site) => site.name === name)!.start();
      await using toClients = await Proxy.listen(server.ports.starttls);
      await using toComponents = await Proxy.listen(componentSite.port(server));
      const wrong: string[] = [];
      const proxies = [toClients, toComponents] as const;
      const parties = await meet(server, proxies, wrong);
      const scene: Scene = { server, proxies, parties, random: generator(cases.seed) };
      const counts = { rounds: 0, messages: 0, refused: 0, cuts: 0, restarts: 0, slow: 0 };
      const [memory, open]: [number[], number[]] = [[], []];
      const isOver = () => (isLong ? process.uptime() - began > cases.size * 60 : counts.rounds >= 2);
      try {
        while (!isOver()) {
          const kind = isLong ? TROUBLES[scene.random.below(TROUBLES.length)]! : 'cut';
          await round(kind, scene, isLong ? 3_000 : 100);
          counts.rounds += 1;
          counts[kind === 'restart' || kind === 'kill' ? 'restarts' : kind === 'slow' ? 'slow' : 'cuts'] += 1;
          memory.push(rounded(await keptMiB()));
          open.push(descriptors() ?? 0);
        }
      } catch (error) {
        wrong.push(String(error));
      }
      for (const { broker, arrived, refused } of parties) {
        counts.messages += arrived;
        counts.refused += refused;
        await broker.shutdown();
        broker.halt();
      }
      const risen = { mib: rounded(Math.max(0, rise(memory))), descriptors: rounded(Math.max(0, rise(open))) };
      if (isLong && risen.mib > MIB_BOUND) wrong.push(`${risen.mib} MiB more are kept`);
      if (isLong && risen.descriptors > DESCRIPTORS_BOUND) wrong.push(`${risen.descriptors} more descriptors are open`);
      const most = Math.max(0, ...open);
      note(name, cases, began, { of: null, counts: { ...counts, ...risen, most }, wrong, series: memory });
      expect(wrong).toEqual([]);
    });
  });
}
