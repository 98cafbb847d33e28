// A-NEG-14, in small. `npm run evidence -- --only disconnect` does it at every byte: it runs this file with the variables of
// support/evidence.ts. Real sockets are cut in client-cuts.test.ts and component/cuts.test.ts.
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { BrokerError, xml, type Broker } from 'xmpp-broker';
import { TestAuthority } from '../../support/certificates.js';
import { note, partsOf, portion } from '../../support/evidence.js';
import { trace } from '../../support/trace.js';
import { stopClock, type StoppedClock } from '../support/clock.js';
import type { Cable, Cut } from './cable.js';
import { Cuts } from './cut-list.js';
import { brokerOf, type World } from './play.js';
import { VARIANTS, type Variant, type VariantName } from './variants.js';

let world: World;
const unhandled: unknown[] = [];
const onUnhandled = (reason: unknown) => unhandled.push(reason);
beforeAll(async () => {
  const authority = await TestAuthority.create();
  world = { ca: authority.ca, identity: await authority.issue() };
  process.on('unhandledRejection', onUnhandled).on('uncaughtException', onUnhandled);
});
afterAll(() => {
  process.off('unhandledRejection', onUnhandled).off('uncaughtException', onUnhandled);
});

/** A promise of the library, and how it ended. */
class Promised {
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

/** One broker that loses its last connection at the cut, connects again, and is shut down. */
class Run {
  readonly problems: string[] = [];
  readonly promises: Promised[] = [];
  readonly cables: Cable[] = [];
  readonly broker: Broker;
  readonly #links: number;
  #isEnding = false;
  #dialled: (cable: Cable) => void = () => undefined;

  constructor(
    readonly variant: Variant,
    cut: Cut | undefined,
    readonly clock: StoppedClock,
  ) {
    this.#links = variant.links ?? 1;
    this.broker = brokerOf(
      variant,
      world,
      (link) => (link === this.#links - 1 ? { cut } : {}),
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
    const afterwards = await this.#connect(false, this.variant.fails !== true);
    if (this.variant.fails !== true && afterwards !== 'fulfilled') {
      this.problems.push(`the next connect: ${String(afterwards)}`);
    }
    this.#isEnding = true;
    await this.clock.until(this.broker.shutdown());
    this.broker.halt();
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
    for (const reason of unhandled.splice(0)) this.problems.push(`unhandled: ${String(reason)}`);
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
      await Promise.race([dialled.then(({ over }) => over), closed.settled]);
      // Time passes only once nothing more is said.
      await this.clock.until(Promise.all([closed.settled, connected.settled]));
      this.#judge(recorded.short, connected.outcome === 'fulfilled', isCut);
    }
    for (const subscription of recorded.subscriptions) subscription.cancel();
    return connected.outcome;
  }

  /** Exactly one event says how it ended. */
  #judge(events: readonly string[], isReady: boolean, isCut: boolean): void {
    if (!isCut) return;
    const count = (pattern: RegExp) => events.filter((event) => pattern.test(event)).length;
    const ends = count(/^(CONNECT|SSL|AUTH|BIND|SOCKET)FAIL$/);
    if (ends !== 1) this.problems.push(`${ends} events tell the end: ${events.join(' ')}`);
    if (count(/^SOCKETDISCONNECT$/) !== 1) this.problems.push(`not disconnected once: ${events.join(' ')}`);
    if (count(/^READY$/) !== (isReady ? 1 : 0)) this.problems.push(`ready, or not: ${events.join(' ')}`);
    if (!/^(SOCKETDISCONNECT|SHUTDOWN_FINISH|RTS_FAIL)$/.test(events.at(-1) ?? ''))
      this.problems.push(`something follows the end: ${events.join(' ')}`);
    if (this.broker.state !== 'disconnected') this.problems.push(`the state is ${this.broker.state}`);
  }
}

describe('A-NEG-14: FIN, RST and silence at every byte, either way', () => {
  it.each(partsOf(Object.keys(VARIANTS) as VariantName[]))('%s', { timeout: 3_600_000 }, async (part) => {
    const variant: Variant = VARIANTS[part];
    const cases = portion(12);
    const began = process.uptime();
    const clock = stopClock();
    const whole = new Run(variant, undefined, clock);
    await whole.live();
    expect(whole.problems).toEqual([]);
    const cuts = new Cuts(whole.cables[(variant.links ?? 1) - 1]!.bytes);
    const wrong: string[] = [];
    const size = cases.isWhole ? Math.min(cases.size, cuts.count - cases.from) : cases.size;
    for (let index = cases.from; index < cases.from + size; index += 1) {
      const cut = cuts.at(index % cuts.count);
      const run = new Run(variant, cut, clock);
      await run.live();
      wrong.push(...run.problems.map((problem) => `${cut.how} behind byte ${cut.at} ${cut.direction}: ${problem}`));
    }
    note(part, { ...cases, size }, began, { of: cuts.count, counts: cuts.bytes, wrong });
    expect(wrong).toEqual([]);
  });
});
