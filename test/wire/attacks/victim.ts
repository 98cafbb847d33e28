// A program: who is attacked. It measures itself, and tells what came of it as JSON.
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { Broker, BrokerError, JABBERD14_COMPONENT, xml, XMPP } from 'xmpp-broker';
import { ATTACKS } from './attacks.js';

/** What it tells. */
export interface Suffered {
  /** Longest time between two turns of the event loop, by the clock and by the time that this process had, in milliseconds. */
  readonly lagMs: number;
  readonly busyMs: number;
  /** MiB more than before: at most for the system, and behind a collection of garbage while the stream is there. */
  readonly rss: number;
  readonly kept: number;
  /** Stanzas that were handled. */
  readonly handled: number;
  /** What ended it. */
  readonly code: string | null;
  /** Whether a good connection worked afterwards. */
  readonly again: boolean;
}

const { port, name, amount, handlers } = JSON.parse(process.argv[2] ?? '{}') as {
  port: number;
  name: string;
  amount: number;
  handlers: 'empty' | 'slow';
};
const attack = ATTACKS[name]!;
const isComponent = attack.dialect === 'component';
const MIB = 1_048_576;
const pause = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));

const broker = new Broker({
  connectionType: isComponent ? JABBERD14_COMPONENT : XMPP.with({ mechanisms: ['ANONYMOUS'] }),
  domain: isComponent ? 'comp.broker.test' : 'localhost',
  ...(isComponent ? { password: 'secret' } : {}),
  host: '127.0.0.1',
  port,
  tls: { policy: 'disabled' },
  reconnect: false,
  logger: false,
  answerRequests: true,
  acknowledge: handlers === 'slow' ? 'settled' : 'delivered',
  timeouts: { close: 500 },
});

let handled = 0;
/** Whether handlers take time: not while the good connection warms this process up. */
let isSlow = false;
let onEnd: () => void = () => undefined;
const ended = () => new Promise<void>((resolve) => (onEnd = resolve));
broker.subscribe('PCJ_NODERECEIVED', (node) => {
  handled += 1;
  if (node.getAttribute('id') === 'end') onEnd();
  if (!isSlow) return undefined;
  const until = performance.now() + 2;
  while (performance.now() < until);
  return pause(5);
});
for (const expression of name.startsWith('A-STZ-9')
  ? ['//a//b', '//*[.//*[.//*]]', '//b[count(preceding::b) > 5]', 'string-length(//*) > 3', '//a[contains(., "y")]']
  : ['/message/body', '//x[@a = "1"]'])
  broker.filters.add('found', expression);
broker.subscribe('found', () => undefined);

const kept = (): number => {
  (globalThis.gc as () => void)();
  (globalThis.gc as () => void)();
  const { heapUsed, external } = process.memoryUsage();
  return (heapUsed + external) / MIB;
};

/** Looks at the time, and at what this process had of it, as often as it can. */
class Watch {
  busyMs = 0;
  rss = 0;
  readonly #histogram = monitorEventLoopDelay({ resolution: 1 });
  #timer: NodeJS.Timeout | undefined;
  #looks = 0;

  start(): void {
    this.#histogram.enable();
    let last = process.cpuUsage();
    const look = (): void => {
      const now = process.cpuUsage();
      this.busyMs = Math.max(this.busyMs, (now.user + now.system - last.user - last.system) / 1_000);
      this.#looks += 1;
      if (this.#looks % 20 === 0) this.rss = Math.max(this.rss, process.memoryUsage.rss() / MIB);
      last = process.cpuUsage();
      this.#timer = setTimeout(look, 1);
    };
    look();
  }

  stop(): number {
    clearTimeout(this.#timer);
    this.#histogram.disable();
    this.rss = Math.max(this.rss, process.memoryUsage.rss() / MIB);
    return Math.max(0, this.#histogram.max / 1e6 - 1);
  }
}

/** One connection, to its marked end or to the end of the stream. @returns the code of what ended it, or null */
async function meet(work: () => Promise<void> = () => Promise.resolve()): Promise<string | null> {
  const marked = ended();
  try {
    await broker.connect();
  } catch (error) {
    return error instanceof BrokerError ? error.code : String(error);
  }
  await work();
  const isOver = broker.closed.then(({ error }) => error?.code ?? 'closed');
  return await Promise.race([marked.then(() => null), isOver]);
}

/** Outputs what is offered to a peer that takes nothing. */
async function offer(bytes: number): Promise<void> {
  const body = 'x'.repeat(Math.max(0, bytes - 100));
  Error.stackTraceLimit = 0;
  for (let offered = 0, n = 0; offered < amount * MIB; offered += bytes, n += 1) {
    try {
      broker.output(xml('message', { to: 'a@b' }, bytes > 100 ? xml('body', {}, body) : null));
    } catch (error) {
      if ((error as BrokerError).code !== 'QUEUE_FULL') throw error;
    }
    if (n % 64 === 0) await new Promise((resolve) => setImmediate(resolve));
  }
}

async function ask(): Promise<void> {
  for (let n = 0; n < 1_000; n += 1) {
    const query = xml('iq', { type: 'get', id: `r${n}`, to: 'bank@d' }, xml('q', { xmlns: 'urn:x' }));
    broker.request(query, { timeout: 600_000 }).catch(() => undefined);
    if (n % 20 === 0) await new Promise((resolve) => setImmediate(resolve));
  }
}

await meet();
await broker.shutdown();
const before = { kept: kept(), rss: process.memoryUsage.rss() / MIB };
handled = 0;
isSlow = handlers === 'slow';
const watch = new Watch();
watch.start();
const code = await meet(async () => {
  if (name.startsWith('A-STZ-1')) await ask();
  if (attack.offers !== undefined) await offer(attack.offers);
});
const lagMs = watch.stop();
const after = kept();
const count = handled;
await broker.shutdown();
broker.queue.drop();
const again = (await meet()) === null;
broker.halt();
const rounded = (value: number) => Math.round(Math.max(0, value) * 10) / 10;
const suffered: Suffered = {
  lagMs: rounded(lagMs),
  busyMs: rounded(watch.busyMs),
  rss: rounded(watch.rss - before.rss),
  kept: rounded(after - before.kept),
  handled: count,
  code,
  again,
};
process.stdout.write(`${JSON.stringify(suffered)}\n`);
process.exit();
