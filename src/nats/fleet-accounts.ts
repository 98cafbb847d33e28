// The accounts of the shards that a member of a fleet has, a broker for each.
import { setImmediate } from 'node:timers/promises';
import { isText } from '../arguments/checks.js';
import { reasonOf, shown } from '../arguments/values.js';
import { Broker } from '../broker/broker.js';
import { BrokerError } from '../errors.js';
import type { BrokerOptions } from '../options/options.js';
import type { HeldShard } from './fleet-contract.js';
import { FleetPace } from './fleet-pace.js';
import { shardOf } from './fleet-shards.js';

/** How long accounts are looked at, and brokers made, without a break, in milliseconds. */
const TURN_MS = 10;
/** Time until a list that failed is asked for again, in milliseconds. */
const AGAIN_MS = 1_000;

/** What the accounts are made with. */
export interface FleetAccountsParts {
  readonly shards: number;
  readonly maxConnecting: number;
  /** So late the event loop may come while links are made, in milliseconds. */
  readonly lateMs: number;
  list(): AsyncIterable<string> | Iterable<string>;
  options(account: string): BrokerOptions;
}

/** Who hears of it. */
export interface FleetAccountsOwner {
  /** A broker was made, and is not connecting yet. */
  made(account: string, shard: number, broker: Broker): void;
  failed(error: BrokerError): void;
}

interface Home {
  readonly held: HeldShard;
  readonly brokers: Map<string, Broker>;
  /** The opening of queues: what comes in has to find them open. */
  readonly opening: Set<Promise<unknown>>;
  isBegun: boolean;
}

/** The accounts of a member. */
export class FleetAccounts {
  readonly #parts: FleetAccountsParts;
  readonly #owner: FleetAccountsOwner;
  readonly #pace: FleetPace;
  readonly #homes = new Map<number, Home>();
  #pass: Promise<void> | null = null;
  #isWanted = false;
  #isOver = false;
  #again: NodeJS.Timeout | undefined;

  constructor(parts: FleetAccountsParts, owner: FleetAccountsOwner) {
    this.#parts = parts;
    this.#owner = owner;
    this.#pace = new FleetPace(parts.maxConnecting, parts.lateMs);
  }

  /** How many there are here. */
  get size(): number {
    let size = 0;
    for (const { brokers } of this.#homes.values()) size += brokers.size;
    return size;
  }

  get(account: string): Broker | null {
    if (!isText(account)) return null;
    return this.#homes.get(shardOf(account, this.#parts.shards))?.brokers.get(account) ?? null;
  }

  *entries(): IterableIterator<[account: string, broker: Broker]> {
    for (const { brokers } of this.#homes.values()) yield* brokers;
  }

  gained(shard: number, held: HeldShard): void {
    this.#homes.set(shard, { held, brokers: new Map(), opening: new Set(), isBegun: false });
    void this.refresh();
  }

  /** Closes the brokers of a shard in order. Never rejects. */
  async released(shard: number): Promise<void> {
    const home = this.#homes.get(shard);
    if (home === undefined) return;
    this.#homes.delete(shard);
    await Promise.all([...home.brokers.values()].map(closed));
  }

  /** Nothing may be written any more for the accounts of a shard. */
  lost(shard: number): void {
    const home = this.#homes.get(shard);
    if (home === undefined) return;
    this.#homes.delete(shard);
    for (const broker of home.brokers.values()) broker.halt();
  }

  /** Makes brokers for accounts that are new in the list, and closes those of accounts that are not in it any more. Never rejects. */
  refresh(): Promise<void> {
    this.#isWanted = true;
    clearTimeout(this.#again);
    this.#pass ??= this.#passes();
    return this.#pass;
  }

  /** Asks for no list any more. */
  close(): void {
    this.#isOver = true;
    clearTimeout(this.#again);
  }

  async #passes(): Promise<void> {
    // Whoever gains many shards gets them within a moment: one list is for all of them.
    await setImmediate();
    while (this.#isWanted && !this.#isOver) {
      this.#isWanted = false;
      try {
        await this.#onePass(new Map(this.#homes));
      } catch (cause) {
        this.#owner.failed(
          new BrokerError('FLEET_LIST_FAILED', listText(cause), { layer: 'usage', retryable: true, cause }),
        );
        this.#again = setTimeout(() => void this.refresh(), AGAIN_MS);
        break;
      }
    }
    // In the same step in which nothing more was wanted: whoever asks from here on begins another one.
    this.#pass = null;
  }

  async #onePass(homes: ReadonlyMap<number, Home>): Promise<void> {
    const listed = new Set<string>();
    let began = performance.now();
    for await (const account of this.#parts.list()) {
      if (this.#isOver) return;
      if (!isText(account)) throw new TypeError(`an account must be a string that is not empty, not ${shown(account)}`);
      const shard = shardOf(account, this.#parts.shards);
      const home = homes.get(shard);
      if (home !== undefined && this.#homes.get(shard) === home) {
        listed.add(account);
        if (!home.brokers.has(account)) this.#make(account, shard, home);
      }
      if (performance.now() - began < TURN_MS) continue;
      await setImmediate();
      began = performance.now();
    }
    for (const [shard, home] of homes) {
      if (this.#homes.get(shard) !== home) continue;
      for (const [account, broker] of home.brokers) {
        if (listed.has(account)) continue;
        home.brokers.delete(account);
        void closed(broker);
      }
      await Promise.all(home.opening);
      if (!home.isBegun) home.held.begin();
      home.isBegun = true;
    }
  }

  #make(account: string, shard: number, home: Home): void {
    try {
      const given = this.#parts.options(account);
      const broker = new Broker({
        ...given,
        reconnect: reconnecting(given.reconnect),
        queue: { ...given.queue, name: account, store: home.held.store },
      });
      home.brokers.set(account, broker);
      this.#owner.made(account, shard, broker);
      void this.#connect(account, broker, home, shard);
    } catch (cause) {
      this.#failed(account, cause);
    }
  }

  /** The queue is opened at once, so that what comes in finds it; the link is made when it is its turn. */
  async #connect(account: string, broker: Broker, home: Home, shard: number): Promise<void> {
    const isGone = (): boolean => this.#homes.get(shard) !== home || home.brokers.get(account) !== broker;
    let isIn = false;
    const leave = (isMade: boolean): void => {
      if (isIn) this.#pace.leave(isMade);
      isIn = false;
    };
    const opened = broker.openQueue();
    const settled = opened.then(nothing, nothing).finally(() => home.opening.delete(settled));
    home.opening.add(settled);
    try {
      await opened;
      await this.#pace.enter();
      isIn = true;
      if (isGone()) return;
      // One that has to try again does not keep the others waiting.
      broker.subscribe('PCJ_RECONNECTING', () => leave(false), { once: true });
      await broker.connect();
      leave(true);
      const { error } = await broker.closed;
      if (error !== undefined) throw error;
    } catch (cause) {
      if (!isGone()) this.#failed(account, cause);
    } finally {
      leave(false);
    }
  }

  #failed(account: string, cause: unknown): void {
    const text = `the account ${shown(account)} of the fleet is not connected: ${reasonOf(cause)}`;
    this.#owner.failed(new BrokerError('FLEET_ACCOUNT_FAILED', text, { layer: 'usage', cause }));
  }
}

function nothing(): void {
  // Whoever waits for it is told.
}

/** Closes a broker in order; what is left in its queue is in NATS. */
async function closed(broker: Broker): Promise<void> {
  try {
    await broker.shutdown();
  } catch {
    // It was halted.
  }
}

/** A server that is away when a shard is gained is no reason to give its accounts up. */
function reconnecting(given: BrokerOptions['reconnect']): BrokerOptions['reconnect'] {
  if (given === false) return false;
  return { initial: true, ...(typeof given === 'object' ? given : {}) };
}

function listText(cause: unknown): string {
  return `the list of the fleet's accounts failed: ${reasonOf(cause)}; it is asked for again`;
}
