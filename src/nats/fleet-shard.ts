// One shard of which this process is the holder: one lease, one consumer and one record for the queues of all its accounts.
import { BrokerError, printable } from '../errors.js';
import type { OpenStore, QueueStore, StoreOwner } from '../queue/store.js';
import { Feed } from './feed.js';
import type { HeldShard } from './fleet-contract.js';
import { ShardFeed } from './fleet-feed.js';
import type { FleetGate } from './fleet-gate.js';
import { ShardRecord } from './fleet-record.js';
import { Lease, type Taken } from './lease.js';
import { ACK_WAIT_MS, NatsQueue, type NatsQueueParts } from './queue.js';
import { HEADER_ROOM } from './streams.js';
import { subjectToken } from './subjects.js';
import type { KV } from '@nats-io/kv';

/** Most stanzas of a shard that are not done with: the queue of each account has a bound of its own. */
const MOST_PENDING = 1_000_000;

/** What a shard works with. */
export interface FleetShardParts extends Pick<NatsQueueParts, 'link' | 'js' | 'manager' | 'subjects' | 'reports'> {
  readonly kv: KV;
  readonly fleet: string;
  readonly shard: number;
  readonly ttlMs: number;
  /** Of this member. */
  readonly id: string;
  /** Consumers are made so many at a time, however many shards are taken. */
  readonly making: FleetGate;
  /** Something went wrong that nobody waits for. */
  failed(error: BrokerError): void;
  /** It is held no more. */
  left(shard: FleetShard): void;
}

/** A shard in possession. */
export class FleetShard implements QueueStore, HeldShard {
  readonly name = 'nats';
  readonly epoch: number;
  readonly #parts: FleetShardParts;
  readonly #taken: Taken;
  readonly #lease: Lease;
  readonly #record: ShardRecord;
  readonly #shared: ShardFeed;
  readonly #feed: Feed;
  /** The queues that are open, by name. */
  readonly #queues = new Map<string, NatsQueue | null>();
  #isOver = false;
  #caughtUp: () => void = () => undefined;

  private constructor(parts: FleetShardParts, lease: Lease, taken: Taken) {
    this.#parts = parts;
    this.#taken = taken;
    this.#lease = lease;
    this.epoch = taken.epoch;
    const { link, manager, subjects, fleet, shard } = parts;
    this.#record = new ShardRecord(lease, taken.body, link.maxPayload - HEADER_ROOM);
    this.#shared = new ShardFeed({
      caughtUp: () => {
        this.#caughtUp();
      },
      failed: (error) => {
        parts.failed(error);
      },
      answer: (reply, text) => {
        if (!link.isClosed) link.connection.publish(reply, text);
      },
    });
    const options = {
      stream: subjects.outStream,
      consumer: consumerOf(fleet, shard, taken.epoch),
      subject: subjects.shardOut(fleet, shard, '*'),
      ackWaitMs: ACK_WAIT_MS,
      maxPending: MOST_PENDING,
    };
    this.#feed = new Feed(link, manager, options, this.#shared);
    this.#shared.reads(() => {
      this.#feed.again();
    });
  }

  /**
   * Waits until this process is the holder, and until what NATS has for the shard is here.
   * @throws the signal's reason; BrokerError `NATS_*`, `QUEUE_VERSION`, `QUEUE_FENCED`
   */
  static async take(
    parts: FleetShardParts,
    signal: AbortSignal,
    onLost: (error: BrokerError) => void,
  ): Promise<FleetShard> {
    const { link, kv, fleet, shard, id, ttlMs } = parts;
    const what = `shard ${shard} of the fleet "${printable(fleet, 100)}"`;
    const lease = new Lease({ link, kv, key: `${subjectToken(fleet)}.${shard}`, id, ttlMs, what });
    const taken = await lease.take(signal, () => undefined);
    const held = new FleetShard(parts, lease, taken);
    try {
      await held.#read(signal, onLost);
    } catch (error) {
      await held.release();
      throw error;
    }
    return held;
  }

  get store(): QueueStore {
    return this;
  }

  async open(owner: StoreOwner, signal: AbortSignal): Promise<OpenStore> {
    signal.throwIfAborted();
    const { fleet, shard, link, js, manager, subjects, reports } = this.#parts;
    const { queue } = owner;
    for (let closing = this.#closingOf(queue); closing !== null; closing = this.#closingOf(queue)) {
      await closing;
      signal.throwIfAborted();
    }
    if (this.#isOver) throw notHere(shard);
    if (this.#queues.has(queue)) throw twice(queue);
    this.#queues.set(queue, null);
    const token = subjectToken(queue);
    const parts: NatsQueueParts = {
      link,
      js,
      manager,
      subjects,
      reports,
      owner,
      subject: subjects.shardOut(fleet, shard, queue),
      lease: this.#record.lease(token),
      feed: (queue) => this.#shared.feed(token, queue),
      left: () => {
        this.#queues.delete(queue);
        return Promise.resolve();
      },
    };
    const opened = new NatsQueue(parts, { ...this.#taken, body: this.#record.part(token) });
    this.#queues.set(queue, opened);
    try {
      await opened.begin(signal);
    } catch (error) {
      await opened.close();
      throw error;
    }
    return opened;
  }

  /** Of an account that is closed, and is in the list again. */
  #closingOf(queue: string): Promise<void> | null {
    return this.#queues.get(queue)?.closing ?? null;
  }

  begin(): void {
    this.#shared.complete();
  }

  /** The connection to NATS is there again. */
  up(): void {
    this.#feed.again();
    for (const queue of this.#queues.values()) queue?.up();
  }

  down(error: BrokerError): void {
    for (const queue of this.#queues.values()) queue?.down(error);
  }

  async release(): Promise<void> {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#record.releasing();
    await Promise.all([...this.#queues.values()].map(async (queue) => queue?.close()));
    await this.#feed.delete();
    await this.#record.release();
    this.#parts.left(this);
  }

  async #read(signal: AbortSignal, onLost: (error: BrokerError) => void): Promise<void> {
    const { manager, subjects, fleet, shard, making } = this.#parts;
    const { lastEpoch } = this.#taken;
    const read = new Promise<void>((resolve, reject) => {
      this.#caughtUp = resolve;
      signal.addEventListener('abort', () => {
        reject(signal.reason as Error);
      });
      this.#lease.keep((error) => {
        reject(error);
        this.#lost(error);
        onLost(error);
      });
    });
    read.catch(() => undefined);
    await making.enter();
    try {
      signal.throwIfAborted();
      if (lastEpoch > 0) {
        await manager.consumers.delete(subjects.outStream, consumerOf(fleet, shard, lastEpoch)).catch(() => undefined);
      }
      await this.#feed.start();
    } finally {
      making.leave();
    }
    await read;
  }

  #lost(error: BrokerError): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#feed.stop();
    this.#record.lost(error);
    this.#parts.left(this);
  }
}

function consumerOf(fleet: string, shard: number, epoch: number): string {
  return `${subjectToken(fleet)}-${shard}-${epoch}`;
}

function notHere(shard: number): BrokerError {
  const text = `shard ${shard} of the fleet is not on this member any more`;
  return new BrokerError('QUEUE_FENCED', text, { layer: 'queue' });
}

function twice(queue: string): BrokerError {
  const text = `the queue "${printable(queue, 100)}" is open already: the fleet has a broker for it`;
  return new BrokerError('QUEUE_LOCKED', text, { layer: 'queue' });
}
