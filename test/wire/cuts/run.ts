import { setTimeout as realTimeout } from 'node:timers';
import { vi } from 'vitest';
import { BrokerError, xml, type Broker } from 'xmpp-broker';
import { trace } from '../../support/trace.js';
import type { StoppedClock } from '../support/clock.js';
import type { Cable, Course } from './cable.js';
import { brokerOf, type World } from './play.js';
import type { Variant } from './variants.js';

/** What the runs of a test have in common. */
export interface RunParts {
  readonly world: World;
  readonly clock: StoppedClock;
  /** What reached the process. */
  readonly unhandled: unknown[];
}

/** Behind so many milliseconds of real time it is taken that nothing more is said. */
const STANDSTILL_MS = 1_000;

/** So long the program bears a link on which nothing happens, by the stopped clock: a component's may last for ever. */
const PATIENCE_MS = 7_200_000;

/** What may be asked of a life. */
export interface Expected {
  /** Whether the last connection ends because something happened to it: exactly one event tells so. */
  readonly fails: boolean;
  /** Whether the next connection is as good as ever. */
  readonly comesBack: boolean;
}

/** A promise of the library, and how it ended. */
export class Promised {
  outcome: unknown = 'pending';
  readonly settled: Promise<void>;

  constructor(
    readonly what: string,
    promise: Promise<unknown>,
  ) {
    this.settled = promise.then(
      () => void (this.outcome = 'fulfilled'),
      (error: unknown) => void (this.outcome = error),
    );
  }
}

/** One broker that lives as its variant does, connects again, and is shut down. */
export class Run {
  readonly problems: string[] = [];
  readonly promises: Promised[] = [];
  readonly cables: Cable[] = [];
  readonly broker: Broker;
  readonly clock: StoppedClock;
  readonly #links: number;
  #isEnding = false;
  #dialled: (cable: Cable) => void = () => undefined;

  /** @param courseOf what happens to the last connection before it connects again, and to those before it */
  constructor(
    readonly variant: Variant,
    readonly parts: RunParts,
    courseOf: (link: number, isLast: boolean) => Course,
    readonly expected: Expected = { fails: true, comesBack: true },
  ) {
    this.clock = parts.clock;
    this.#links = variant.links ?? 1;
    this.broker = brokerOf(
      variant,
      parts.world,
      (link) => courseOf(link, link === this.#links - 1),
      (cable) => {
        this.cables.push(cable);
        this.#dialled(cable);
      },
      (error) => this.#onScriptFailed(error),
    );
    this.broker.subscribe('PCJ_READY', () => this.#work());
  }

  promise(what: string, promise: Promise<unknown>): Promised {
    const made = new Promised(what, promise);
    this.promises.push(made);
    return made;
  }

  /** Everything, to the end. */
  async live(): Promise<void> {
    for (let link = 0; link < this.#links; link += 1) await this.#connect(link === this.#links - 1);
    const isLetIn = this.expected.comesBack && this.variant.fails !== true;
    const afterwards = await this.#connect(false, isLetIn);
    if (isLetIn && afterwards !== 'fulfilled') {
      this.problems.push(`the next connect: ${String(afterwards)}`);
    }
    this.#isEnding = true;
    await this.clock.until(this.broker.shutdown());
    this.broker.halt();
    if (!this.expected.comesBack) this.broker.queue.drop();
    await Promise.all(this.promises.map(({ settled }) => settled));
    for (const { what, outcome } of this.promises) {
      if (outcome !== 'fulfilled' && !(outcome instanceof BrokerError))
        this.problems.push(`${what}: ${String(outcome)}`);
    }
    const { pending, queue } = this.broker;
    if (pending.size + queue.size > 0)
      this.problems.push(`${pending.size} requests and ${queue.size} stanzas are left`);
    const open = this.cables.filter(({ near }) => !near.destroyed).length;
    if (open > 0) this.problems.push(`${open} connections are open`);
    if (vi.getTimerCount() > 0) this.problems.push(`${vi.getTimerCount()} timers are left`);
    for (const reason of this.parts.unhandled.splice(0)) this.problems.push(`unhandled: ${String(reason)}`);
  }

  /** The server did not understand what we said, and waits: nothing would end that. */
  #onScriptFailed(error: unknown): void {
    if (this.#isEnding || !['connecting', 'negotiating', 'ready'].includes(this.broker.state)) return;
    this.problems.push(`the server's script: ${String(error)}`);
    this.broker.halt();
  }

  /** What the program does on a ready link. */
  #work(): void {
    const { broker } = this;
    if (broker.pending.has('asked')) return;
    const ticket = broker.output(xml('message', { id: 'said', to: 'b.c' }, xml('body', {}, 'x')));
    this.promise('sent', ticket.sent);
    this.promise('acked', ticket.acked);
    const query = xml('q', { xmlns: 'urn:x' });
    this.promise('answer', broker.request(xml('iq', { type: 'get', id: 'asked', to: 'b.c' }, query)));
  }

  /** One connection, to its end, or only until it is ready. @returns how connect() ended */
  async #connect(isCut: boolean, untilReady = false): Promise<unknown> {
    const recorded = trace(this.broker);
    const dialled = new Promise<Cable>((resolve) => (this.#dialled = resolve));
    const connected = this.promise('connect', this.broker.connect());
    const closed = this.promise('closed', this.broker.closed);
    if (untilReady) await Promise.race([connected.settled, closed.settled]);
    else {
      // Time passes only once nothing more is said.
      await Promise.race([dialled.then(({ over }) => over), closed.settled, this.#standstill()]);
      const impatient = this.expected.fails ? undefined : setTimeout(() => void this.broker.shutdown(), PATIENCE_MS);
      await this.clock.until(Promise.all([closed.settled, connected.settled]));
      clearTimeout(impatient);
      this.#judge(recorded.short, connected.outcome === 'fulfilled', isCut);
    }
    for (const subscription of recorded.subscriptions) subscription.cancel();
    return connected.outcome;
  }

  /** Where nothing has to happen to a connection, both sides may wait for time to pass. */
  #standstill(): Promise<void> {
    return new Promise((resolve) => {
      if (!this.expected.fails) realTimeout(resolve, STANDSTILL_MS).unref();
    });
  }

  /** Exactly one event says how it ended. */
  #judge(events: readonly string[], isReady: boolean, isCut: boolean): void {
    if (!isCut && this.expected.fails) return;
    const count = (pattern: RegExp) => events.filter((event) => pattern.test(event)).length;
    const ends = count(/^(CONNECT|SSL|AUTH|BIND|SOCKET)FAIL$/);
    if (this.expected.fails ? ends !== 1 : ends > 1)
      this.problems.push(`${ends} events tell the end: ${events.join(' ')}`);
    const connected = count(/^CONNECTED$/);
    if (count(/^SOCKETDISCONNECT$/) !== connected) this.problems.push(`not disconnected once: ${events.join(' ')}`);
    if (count(/^READY$/) !== (isReady ? 1 : 0)) this.problems.push(`ready, or not: ${events.join(' ')}`);
    const last = connected === 0 ? /^CONNECTFAIL$/ : /^(SOCKETDISCONNECT|SHUTDOWN_FINISH|RTS_FAIL)$/;
    // The store goes on without a connection.
    const ofLinks = events.filter((event) => !event.startsWith('STORE'));
    if (ofLinks.length > 0 && !last.test(ofLinks.at(-1) ?? ''))
      this.problems.push(`something follows the end: ${events.join(' ')}`);
    const { state } = this.broker;
    if (state !== 'disconnected' && (state !== 'idle' || this.expected.fails))
      this.problems.push(`the state is ${state}`);
  }
}
