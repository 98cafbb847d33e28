// D-1: a program is killed, again and again, and both sides' books are compared.
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { rolldown } from 'rolldown';
import { Broker, XMPP } from 'xmpp-broker';
import { ROOT } from '../../docs/support/markdown.js';
import { generator, type Random } from '../../support/random.js';
import { STEPS, type Orders } from './orders.js';

/** A server to talk through. */
export interface Place {
  readonly host: string;
  readonly ca: string;
  readonly clientPort: number;
  readonly componentPort: number;
}

/** The program with the thread of its store, as two files. @returns the path of the program */
export async function build(folder: string, source = 'test/stores/kills/program.ts'): Promise<string> {
  const bundle = await rolldown({
    input: {
      program: join(ROOT, source),
      'sqlite-writer': join(ROOT, 'src/stores/sqlite-writer.ts'),
    },
    external: (id) => !/^[./]|^xmpp-broker/.test(id),
    resolve: {
      alias: {
        'xmpp-broker/queue/sqlite': join(ROOT, 'src/stores/sqlite.ts'),
        'xmpp-broker': join(ROOT, 'src/index.ts'),
      },
    },
    platform: 'node',
    logLevel: 'silent',
  });
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'package.json'), '{ "type": "module" }');
  await bundle.write({ dir: folder, format: 'esm', chunkFileNames: '[name].js' });
  await bundle.close();
  return join(folder, 'program.js');
}

/** What came of many kills. */
export interface Outcome {
  readonly seed: number;
  kills: number;
  sent: number;
  stored: number;
  received: number;
  /** Arrived twice, and flagged. */
  repeated: number;
  resumed: number;
  /** How often each step was the last one. */
  readonly steps: Record<string, number>;
  /** What must not be. */
  readonly wrong: string[];
}

/** One program, and what it said. */
class Life {
  readonly child: ChildProcess;
  /** It printed that it is ready, or ended. */
  readonly ready: Promise<unknown>;
  readonly ended: Promise<unknown>;
  readonly #book: string;
  #lines: string[] | null = null;

  constructor(program: string, orders: Orders) {
    this.#book = orders.book;
    writeFileSync(orders.book, '');
    this.child = spawn(process.execPath, ['--no-warnings', program, JSON.stringify(orders)], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    this.ended = once(this.child, 'close');
    this.ready = Promise.race([once(this.child.stdout!, 'data'), this.ended]);
  }

  get lines(): string[] {
    this.#lines ??= readFileSync(this.#book, 'utf8').split('\n');
    return this.#lines;
  }

  /** What follows in lines that begin so. */
  of(beginning: string): string[] {
    const begun = `${beginning} `;
    return this.lines.filter((line) => line.startsWith(begun)).map((line) => line.slice(begun.length));
  }
}

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

function ordersOf(random: Random, managed: boolean): Pick<Orders, 'death' | 'burst'> & { killAfterMs: number | null } {
  const burst = 1 + random.below(40);
  // A third is killed from outside, at any moment.
  if (random.below(3) === 0) return { death: null, burst, killAfterMs: random.below(60) };
  // Without stream management nothing is acknowledged.
  const step = STEPS[random.below(STEPS.length - (managed ? 0 : 1))] ?? 'in commit';
  const at = step.includes('open') ? 1 : 1 + random.below(30);
  return { death: { step, at, turns: random.below(2) * random.below(12) }, burst, killAfterMs: null };
}

/** Kills a program so many times, with stream management or without. */
export async function rounds(o: {
  readonly program: string;
  readonly place: Place;
  readonly managed: boolean;
  readonly kills: number;
  readonly seed: number;
  readonly folder: string;
}): Promise<Outcome> {
  const random = generator(o.seed);
  const outcome: Outcome = {
    seed: o.seed,
    kills: 0,
    sent: 0,
    stored: 0,
    received: 0,
    repeated: 0,
    resumed: 0,
    steps: {},
    wrong: [],
  };
  const { place, managed } = o;
  const received: string[] = [];
  const resource = `ledger-${o.seed}`;
  await using ledger = new Broker({
    connectionType: XMPP,
    host: place.host,
    port: place.clientPort,
    domain: 'localhost',
    username: 'alice',
    password: 'secret',
    resource,
    tls: { ca: place.ca },
    logger: false,
  });
  let end = (): void => undefined;
  const ended = new Promise<void>((resolve) => (end = resolve));
  ledger.subscribe('PCJ_NODERECEIVED', (node) => {
    const id = node.getAttribute('id');
    if (node.localName !== 'message' || id === null) return;
    if (node.getAttribute('type') === 'error') outcome.wrong.push(`an error came back: ${node.toString()}`);
    else if (id === 'end') end();
    else received.push(id);
  });
  await ledger.connect();

  const file = join(o.folder, `queue-${o.seed}.db`);
  const port = managed ? place.clientPort : place.componentPort;
  const orders = {
    file,
    book: `${file}.book`,
    managed,
    host: place.host,
    port,
    ca: place.ca,
    to: `alice@localhost/${resource}`,
  };
  const stored = new Set<string>();
  const acked = new Set<string>();
  const flagged = new Map<string, number>();
  let from = 0;
  for (let life = 0; life <= o.kills; life += 1) {
    const last = life === o.kills;
    const { killAfterMs, ...how } = last ? { killAfterMs: null, death: null, burst: 10 } : ordersOf(random, managed);
    const running = new Life(o.program, { ...orders, ...how, from, count: last ? 5 : 200, last });
    if (killAfterMs !== null) {
      if (random.below(4) > 0) await running.ready;
      await pause(killAfterMs);
      running.child.kill('SIGKILL');
    } else if (!last) {
      // A step that does not come: killed like the others.
      const late = setTimeout(() => running.child.kill('SIGKILL'), 2_000);
      await running.ended;
      clearTimeout(late);
    }
    await running.ended;
    const { exitCode, signalCode } = running.child;
    if (last ? exitCode !== 0 : signalCode !== 'SIGKILL') {
      outcome.wrong.push(`life ${life} ended with ${exitCode ?? signalCode}: ${running.lines.slice(-5).join(' / ')}`);
    }
    const kept = process.env['XMPP_BROKER_BOOKS'];
    if (kept !== undefined && last) writeFileSync(join(kept, `${o.seed}-received`), received.join('\n'));
    if (kept !== undefined) writeFileSync(join(kept, `${o.seed}-${life}`), running.lines.join('\n'));
    for (const left of running.of('left')) if (left !== '0') outcome.wrong.push(`${left} stanzas are left`);
    for (const fault of running.of('fault')) outcome.wrong.push(`life ${life}: ${fault}`);
    for (const number of running.of('stored')) stored.add(number);
    for (const number of running.of('acked')) acked.add(number);
    for (const line of running.of('again')) {
      const [id = '', how = ''] = line.split(' ');
      if (how === 'flagged') flagged.set(id, (flagged.get(id) ?? 0) + 1);
    }
    outcome.resumed += running.of('ready').filter((how) => how === 'resumed').length;
    from += running.of('out').length;
    if (last) continue;
    outcome.kills += 1;
    const step = how.death?.step ?? 'from outside';
    outcome.steps[step] = (outcome.steps[step] ?? 0) + 1;
  }
  if (outcome.wrong.length === 0) await Promise.race([ended, pause(20_000)]);
  // What is late is no loss, but out of order.
  const isMissing = (): boolean => [...stored].some((id) => !received.includes(id));
  for (let waited = 0; waited < 100 && isMissing(); waited += 1) await pause(100);

  const counts = new Map<string, number>();
  let highest = -1;
  for (const id of received) {
    const count = (counts.get(id) ?? 0) + 1;
    counts.set(id, count);
    if (count > 1) outcome.repeated += 1;
    // A stanza comes for the first time behind all that were output before it.
    else if (Number(id) < highest) outcome.wrong.push(`${id} came for the first time behind ${highest}`);
    else highest = Number(id);
    if (count > 1 + (flagged.get(id) ?? 0))
      outcome.wrong.push(`${id} came ${count} times and was flagged ${flagged.get(id) ?? 0} times`);
  }
  for (const id of stored) if (!counts.has(id)) outcome.wrong.push(`${id} was stored and is lost`);
  for (const id of acked) if (!counts.has(id)) outcome.wrong.push(`${id} was acknowledged and did not arrive`);
  for (const ending of ['', '-wal', '.book']) rmSync(file + ending, { force: true });
  // The first few tell as much.
  if (outcome.wrong.length > 20) outcome.wrong.splice(20, Infinity, `and ${outcome.wrong.length - 20} more`);
  return Object.assign(outcome, { sent: from, stored: stored.size, received: counts.size });
}
