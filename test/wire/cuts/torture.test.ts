// G9, in small: each call that can fail fails once, then for good. `npm run evidence -- --only torture` does all of them.
// The calls of a file of the queue fail in stores/driver-faults, those of DNS in unit/dial/resolve.
import { setTimeout as realTimeout } from 'node:timers';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { BrokerError, type OpenStore, type QueueStore } from 'xmpp-broker';
import { MemoryStore } from 'xmpp-broker/testing';
import { TestAuthority } from '../../support/certificates.js';
import { note, partsOf, portion } from '../../support/evidence.js';
import { FaultyNode, Faults } from '../../support/faults.js';
import { stopClock, type StoppedClock } from '../support/clock.js';
import type { World } from './play.js';
import { Run } from './run.js';
import { VARIANTS, type Variant } from './variants.js';

/** Turns without an end behind which a life hangs. */
const HANGS = 50_000;
const HANGS_MS = 20_000;

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

/** A store whose calls fail. */
class FaultyStore implements QueueStore {
  readonly name = 'faulty';
  readonly #store = new MemoryStore();

  constructor(private readonly faults: Faults) {}

  async open(...args: Parameters<QueueStore['open']>): Promise<OpenStore> {
    this.#check('store.open');
    const opened = await this.#store.open(...args);
    return {
      ...opened,
      commit: async (changes) => {
        this.#check('store.commit');
        await opened.commit(changes);
      },
      close: async () => {
        await opened.close();
        this.#check('store.close');
      },
    };
  }

  #check(call: string): void {
    const cause = this.faults.check(call);
    if (cause !== null)
      throw new BrokerError('QUEUE_STORE_FAILED', cause.message, { layer: 'queue', retryable: true, cause });
  }
}

const WITH_STORE = ', with a store';

/** The clock, which does not wait for ever. */
const bounded = ({ pass }: StoppedClock): StoppedClock => ({
  pass,
  async until(promise) {
    const waiting = new Set([promise]);
    const settle = () => waiting.delete(promise);
    promise.then(settle, settle);
    for (let turns = 0; waiting.size > 0; turns += 1) {
      if (turns > HANGS) throw new Error('it hangs');
      await new Promise((resolve) => setImmediate(resolve));
      if (waiting.size > 0) await pass(turns < 100 ? 0 : 1_000);
    }
    return promise;
  },
});

/** One life with its faults. @returns what was wrong */
async function live(
  part: string,
  clock: StoppedClock,
  node: FaultyNode,
  faults: Faults,
  times: number,
): Promise<string[]> {
  const plain: Variant = VARIANTS[part.replace(WITH_STORE, '') as keyof typeof VARIANTS];
  const store = part.endsWith(WITH_STORE) ? { queue: { store: new FaultyStore(faults) } } : {};
  const variant: Variant = { ...plain, options: { ...plain.options, ...store } };
  const links = variant.links ?? 1;
  const { check } = faults;
  const course = (link: number) => {
    // The connection behind those of the variant is to be good again.
    if (link >= links && times === 1) faults.isOn = false;
    const error = check('connector');
    if (error !== null) throw error;
    return { fault: check };
  };
  node.faults = faults;
  const run = new Run(variant, { world, clock, unhandled }, course, { fails: false, comesBack: times === 1 });
  let timer: NodeJS.Timeout | undefined;
  try {
    const hangs = new Promise((_, reject) => {
      timer = realTimeout(() => reject(new Error('it hangs')), HANGS_MS);
    });
    await Promise.race([run.live(), hangs]);
  } catch (error) {
    run.problems.push(String(error));
  } finally {
    clearTimeout(timer);
    node.faults = null;
    run.broker.halt();
  }
  return run.problems;
}

const PARTS = [...Object.keys(VARIANTS), `client, resumption${WITH_STORE}`, `component${WITH_STORE}`];

describe('G9: each call that can fail fails once, then for good', () => {
  it.each(partsOf(PARTS))('%s', { timeout: 3_600_000 }, async (part) => {
    const cases = portion(2);
    const began = process.uptime();
    const clock = bounded(stopClock());
    const node = new FaultyNode();
    const wrong: string[] = [];
    try {
      const whole = new Faults();
      expect(await live(part, clock, node, whole, 1)).toEqual([]);
      const { calls } = whole;
      expect(calls.length).toBeGreaterThan(3);
      const of = 2 * calls.length;
      const size = cases.isWhole ? Math.min(cases.size, of - cases.from) : cases.size;
      for (let index = cases.from; index < cases.from + size; index += 1) {
        const from = 1 + Math.floor((index % of) / 2);
        const times = index % 2 === 0 ? 1 : Infinity;
        const faults = new Faults({ from, times });
        const problems = await live(part, clock, node, faults, times);
        const what = `call ${from}, ${faults.failed ?? 'none'}, ${times === 1 ? 'once' : 'for good'}`;
        wrong.push(...problems.map((problem) => `${what}: ${problem}`));
      }
      note(part, { ...cases, size }, began, { of, counts: { calls: calls.length }, wrong });
    } finally {
      node.restore();
    }
    expect(wrong).toEqual([]);
  });
});
