// Two processes that hold a queue in turn, and one that outputs numbers for it; who writes down what arrives stays alive.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Child } from '../../../docs/support/child.js';
import { ROOT } from '../../../docs/support/markdown.js';
import { Workshop } from '../../../docs/support/workshop.js';
import { generator, type Random } from '../../../support/random.js';
import { Nats, type NatsServer } from '../../harness/index.js';
import { QUEUE, Xmpp } from '../support/queue-world.js';

const PROGRAM = 'test/servers/nats/kills/program.ts';

/** What a producer has not seen stored, at most: as in program.ts. */
const MOST_WAITING = 200;

export const VICTIMS = ['holder', 'producer', 'nats'] as const;
export type Victim = (typeof VICTIMS)[number];

/** What came of it. */
export interface Books {
  readonly kills: Record<Victim, number>;
  readonly stored: number;
  readonly arrived: number;
  /** Arrived twice, and flagged. */
  readonly repeated: number;
  /** Arrived for the first time behind one that was output later. */
  readonly late: number;
  readonly wrong: readonly string[];
}

export class KillWorld {
  readonly #random: Random;
  readonly #folder = new Workshop();
  readonly #program: string;
  readonly #flagged = new Set<string>();
  readonly #stored = new Set<string>();
  readonly #kills: Record<Victim, number> = { holder: 0, producer: 0, nats: 0 };
  #holders: Child[] = [];
  #producer: Child | null = null;

  private constructor(
    readonly nats: NatsServer,
    readonly xmpp: Xmpp,
    private readonly managed: boolean,
    seed: number,
  ) {
    this.#random = generator(seed);
    this.#program = this.#folder.add(PROGRAM, readFileSync(join(ROOT, PROGRAM), 'utf8'));
  }

  static async open(
    atEnd: (ending: () => Promise<unknown>) => void,
    managed: boolean,
    seed: number,
  ): Promise<KillWorld> {
    const nats = await Nats.start();
    atEnd(() => nats.dispose());
    const world = new KillWorld(nats, await Xmpp.start(atEnd), managed, seed);
    atEnd(() => world.#end());
    world.#holders = [world.#start('holder')];
    await world.#holders[0]?.prints('ready');
    world.#holders.push(world.#start('holder'));
    world.#producer = world.#start('producer');
    await world.#goesOn();
    return world;
  }

  get queue(): string {
    return this.managed ? 'juliet@localhost' : QUEUE;
  }

  /** Kills one, has another one take its place, and resolves when stanzas arrive that are newer. */
  async kill(victim: Victim): Promise<void> {
    await new Promise((resolve) => setTimeout(resolve, this.#random.below(300)));
    this.#kills[victim] += 1;
    if (victim === 'nats') {
      await this.nats.kill();
      await new Promise((resolve) => setTimeout(resolve, this.#random.below(300)));
      await this.nats.start();
      await this.#confirms();
    } else if (victim === 'producer') {
      const gone = this.#producer;
      await this.#buried(gone);
      this.#producer = this.#start('producer', this.#newest() + 1);
      await this.#confirms();
    } else {
      // Whoever holds it, or waits.
      const gone = this.#holders[this.#random.below(this.#holders.length)] ?? null;
      this.#holders = this.#holders.filter((child) => child !== gone);
      await this.#buried(gone);
      this.#holders.push(this.#start('holder'));
    }
    await this.#goesOn();
  }

  /** Ends the producer, waits until everything that was stored has arrived, and compares both books. */
  async compare(patienceMs: number): Promise<Books> {
    await this.#buried(this.#producer);
    this.#producer = null;
    const until = performance.now() + patienceMs;
    const missing = (): string[] => {
      const arrived = new Set(this.xmpp.bodies);
      return [...this.#stored].filter((body) => !arrived.has(body));
    };
    while (missing().length > 0 && performance.now() < until) await new Promise((resolve) => setTimeout(resolve, 50));
    for (const child of this.#holders) this.#read(child);
    if (missing().length > 0)
      console.log(
        this.#kills,
        this.#holders.map(({ output }) => output.slice(-3_000)).join('\n--\n'),
        this.nats.logTail(60),
      );
    const wrong = missing().map((body) => `${body} was stored, and did not arrive`);
    const seen = new Set<string>();
    const twice = new Set<string>();
    let last = 0;
    let late = 0;
    for (const body of this.xmpp.bodies) {
      if (seen.has(body)) twice.add(body);
      else if (Number(body) < last) late += 1;
      else last = Number(body);
      seen.add(body);
    }
    const unflagged = [...twice].filter((body) => !this.#flagged.has(body));
    wrong.push(...unflagged.map((body) => `${body} arrived twice, and was not flagged`));
    return {
      kills: this.#kills,
      stored: this.#stored.size,
      arrived: this.xmpp.bodies.length,
      repeated: twice.size - unflagged.length,
      late,
      wrong,
    };
  }

  /** The highest number of which a producer said that it is stored. */
  #newest(): number {
    this.#read(this.#producer);
    return [...this.#stored].reduce((most, body) => Math.max(most, Number(body)), 0);
  }

  /**
   * The producer has seen stored what it had on its way. A nats-server that was started anew does not know the keys of what went
   * out, and a program that was started anew outputs once more what the one before did not see stored: when both happen to a
   * stanza, nobody knows that it went out. So the next one of the two is killed when nothing is in doubt.
   */
  async #confirms(): Promise<void> {
    await this.#producer?.prints(`stored ${this.#newest() + 1 + MOST_WAITING}\n`);
  }

  /** Something arrives that was not output yet. */
  async #goesOn(): Promise<void> {
    this.#read(this.#producer);
    const before = this.xmpp.received.length;
    const newest = this.xmpp.bodies.reduce((most, body) => Math.max(most, Number(body)), 0);
    const isNew = (): boolean => this.xmpp.bodies.slice(before).some((body) => Number(body) > newest);
    const until = performance.now() + 60_000;
    while (!isNew()) {
      if (performance.now() > until) {
        const said = [...this.#holders, this.#producer].map((child) => child?.output.slice(-1_000) ?? '');
        throw new Error(`nothing goes on behind ${newest}: ${JSON.stringify(this.#kills)}\n${said.join('\n--\n')}`);
      }
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  #start(role: 'holder' | 'producer', first = 1): Child {
    const ports = this.xmpp.server.ports;
    const place = { detour: {}, folder: this.#folder.path };
    return new Child(this.#folder, this.#program, place, {
      NODE_EXTRA_CA_CERTS: '',
      ROLE: role,
      NATS_SERVERS: Nats.url(this.nats),
      XMPP_PORT: String(this.managed ? ports.client : ports.component),
      MANAGED: this.managed ? '1' : '0',
      QUEUE: this.queue,
      FIRST: String(first),
    });
  }

  async #buried(child: Child | null): Promise<void> {
    child?.signal('SIGKILL');
    await child?.ended();
    this.#read(child);
  }

  /** Takes down what it said. */
  #read(child: Child | null): void {
    for (const [, word, body = ''] of child?.output.matchAll(/^(again|stored) (\d+)$/gm) ?? []) {
      (word === 'again' ? this.#flagged : this.#stored).add(body);
    }
  }

  async #end(): Promise<void> {
    for (const child of [...this.#holders, this.#producer]) await child?.[Symbol.asyncDispose]();
    this.#folder[Symbol.dispose]();
  }
}
