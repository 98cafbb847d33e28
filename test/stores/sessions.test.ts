// the session of a program that is killed is resumed by the next one, on real servers.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Broker, XMPP, xml } from 'xmpp-broker';
import { ROOT } from '../docs/support/markdown.js';
import { describeServer, Ejabberd, Prosody, type TestServer } from '../servers/harness/index.js';
import { generator } from '../support/random.js';
import { build } from './kills/rounds.js';
import type { Orders } from './sessions/program.js';
import { describeStore } from './support/place.js';

const ROUNDS = Number(process.env['XMPP_BROKER_KILLS'] ?? 8);

/** Most messages to the program that were not seen there yet: below what servers keep for a session that is away. */
const WINDOW = 40;

const SITES = [
  { name: 'prosody', start: () => Prosody.start() },
  { name: 'ejabberd', start: () => Ejabberd.start() },
] as const;

/** The other side: receives numbers, and sends its own. */
class Ledger implements AsyncDisposable {
  readonly received: string[] = [];
  readonly ended: Promise<void>;
  readonly #broker: Broker;
  #sent = 0;

  constructor(server: TestServer<'starttls'>) {
    this.#broker = new Broker({
      connectionType: XMPP,
      host: server.host,
      port: server.ports.starttls,
      domain: server.domain,
      username: 'alice',
      password: 'secret',
      resource: 'ledger',
      tls: { ca: server.ca },
      logger: false,
    });
    this.ended = new Promise((resolve) => {
      this.#broker.subscribe('PCJ_NODERECEIVED', (node) => {
        const id = node.getAttribute('id') ?? '';
        if (node.localName !== 'message') return;
        // ejabberd may send back what comes for a session while that is being resumed.
        if (node.getAttribute('type') === 'error') this.send(id);
        else if (id === 'end') resolve();
        else this.received.push(id);
      });
    });
  }

  connect(): Promise<void> {
    return this.#broker.connect();
  }

  get sent(): number {
    return this.#sent;
  }

  send(id: string): void {
    this.#broker.output(xml('message', { to: 'bob@localhost/bot', type: 'chat', id }, xml('body', {}, `number ${id}`)));
  }

  /** Some more numbers, as long as not too many are on their way. */
  more(count: number, seen: number): void {
    for (let i = 0; i < count && this.#sent - seen < WINDOW; i += 1) this.send(`a${String(this.#sent++)}`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#broker.shutdown();
    this.#broker.halt();
  }
}

const folder = join(ROOT, '.cache', `sessions-${process.pid}`);

/** What a program wrote down. */
class Books {
  readonly #path: string;

  constructor(path: string) {
    this.#path = path;
    writeFileSync(path, '');
  }

  of(beginning: string): string[] {
    const begun = `${beginning} `;
    const lines = readFileSync(this.#path, 'utf8').split('\n');
    return lines.filter((line) => line.startsWith(begun)).map((line) => line.slice(begun.length));
  }
}

describeStore('R-1: a program is killed', () => {
  let program: string;

  beforeAll(async () => {
    mkdirSync(folder, { recursive: true });
    program = await build(folder, 'test/stores/sessions/program.ts');
  });
  afterAll(() => {
    rmSync(folder, { recursive: true, force: true });
  });

  for (const { name, start } of SITES) {
    describeServer(name, 'its session goes on in the next one', () => {
      test(`${ROUNDS} times, under traffic both ways: both ledgers are equal`, async () => {
        const seed = Number(process.env['XMPP_BROKER_SEED'] ?? Date.now() % 2 ** 31);
        const random = generator(seed);
        await using server = await start();
        await using ledger = new Ledger(server);
        await ledger.connect();
        const path = join(folder, name);
        const books = new Books(`${path}.book`);
        const orders: Omit<Orders, 'last' | 'from'> = {
          file: `${path}.db`,
          book: `${path}.book`,
          host: server.host,
          port: server.ports.starttls,
          ca: server.ca,
          to: 'alice@localhost/ledger',
        };
        for (let life = 0; life <= ROUNDS; life += 1) {
          const last = life === ROUNDS;
          const given = JSON.stringify({ ...orders, from: books.of('out').length, last });
          const child = spawn(process.execPath, ['--no-warnings', program, given], {
            stdio: ['ignore', 'pipe', 'inherit'],
          });
          const ended = once(child, 'close');
          await Promise.race([once(child.stdout, 'data'), ended]);
          if (last) {
            ledger.send('end');
            await ended;
            expect(child.exitCode, `seed ${seed}`).toBe(0);
            break;
          }
          for (let steps = 2 + random.below(12); steps > 0; steps -= 1) {
            ledger.more(1 + random.below(8), new Set(books.of('in')).size);
            await pause(random.below(8));
          }
          child.kill('SIGKILL');
          await ended;
          ledger.more(random.below(10), new Set(books.of('in')).size);
        }
        await ledger.ended;

        const flagged = new Set(
          books.of('again').flatMap((line) => (line.endsWith(' flagged') ? [line.split(' ')[0]] : [])),
        );
        const times = new Map<string, number>();
        for (const id of ledger.received) times.set(id, (times.get(id) ?? 0) + 1);
        const ready = books.of('ready');
        const facts = `seed ${seed}, ${books.of('link').join('; ')}; ${ready.filter((how) => how === 'resumed').length} of ${ready.length} resumed`;
        expect(books.of('fault'), facts).toEqual([]);
        expect(books.of('bounced'), facts).toEqual([]);
        expect(
          books.of('stored').filter((id) => !times.has(id)),
          `lost; ${facts}`,
        ).toEqual([]);
        const repeated = [...times].filter(([id, count]) => count > 1 && !flagged.has(id));
        expect(repeated, `twice; ${facts}`).toEqual([]);
        const order = [...times.keys()].map(Number);
        expect(order, facts).toEqual([...order].sort((a, b) => a - b));
        const seen = new Set(books.of('in'));
        const missing = Array.from({ length: ledger.sent }, (_, index) => `a${index}`).filter((id) => !seen.has(id));
        expect(missing, `not received; ${facts}`).toEqual([]);
        // Prosody goes on in the middle of an element that the death of the program cut, and then ends the session.
        expect(ready.filter((how) => how === 'resumed').length, facts).toBeGreaterThan(ROUNDS / 3);
        if (process.env['XMPP_BROKER_KILLS'] !== undefined) console.log(facts, times.size, ledger.sent);
      }, 300_000);
    });
  }
});
