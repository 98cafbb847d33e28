// The store in NATS: one connection for all queues of a store object, and who has them open.
import { randomBytes } from 'node:crypto';
import { BrokerError, printable } from '../errors.js';
import type { OpenStore, QueueStore, StoreOwner } from '../queue/store.js';
import { openBase, type NatsBase } from './base.js';
import { openLink, type NatsGiven } from './connection.js';
import { unreachable } from './errors.js';
import { Feed, type FeedOwner } from './feed.js';
import { Lease } from './lease.js';
import { SharedQueue } from './shared-queue.js';
import { ACK_WAIT_MS, NatsQueue, type OpenedQueue } from './queue.js';
import { type Subjects, subjectToken } from './subjects.js';

/**
 * Stanzas that are done with, and keep their marks in the holder record for a while, where NATS is a cluster: its leader confirms
 * acknowledgements before the other nodes have them, and without it they are delivered once more.
 */
const REMEMBERED = 256;

/** The options of a store, with defaults. */
export interface NatsStoreSettings {
  readonly connection: NatsGiven;
  readonly subjects: Subjects;
  readonly ttlMs: number;
  readonly replicas: 1 | 3 | 5 | undefined;
  readonly setup: boolean;
  readonly mode: 'single' | 'shared';
}

export class NatsStore implements QueueStore {
  readonly name = 'nats';
  readonly keeps: boolean;
  readonly #settings: NatsStoreSettings;
  /** This store, in holder records. */
  readonly #id = randomBytes(12).toString('base64url');
  readonly #queues = new Map<string, OpenedQueue | null>();
  readonly #leaving = new Map<string, Promise<void>>();
  #base: Promise<NatsBase> | null = null;

  constructor(settings: NatsStoreSettings) {
    this.#settings = settings;
    this.keeps = settings.mode === 'single';
  }

  async open(owner: StoreOwner, signal: AbortSignal): Promise<OpenStore> {
    signal.throwIfAborted();
    const { queue } = owner;
    for (let leaving = this.#leavingOf(queue); leaving !== null; leaving = this.#leavingOf(queue)) {
      await leaving;
      signal.throwIfAborted();
    }
    if (this.#queues.has(queue)) throw twice(queue);
    this.#queues.set(queue, null);
    let opened: OpenedQueue | null = null;
    try {
      this.#base ??= this.#connect(owner);
      const base = await this.#base;
      signal.throwIfAborted();
      opened = await (this.#settings.mode === 'shared' ? this.#share(base, owner) : this.#take(base, owner, signal));
      signal.throwIfAborted();
      return opened;
    } catch (error) {
      if (opened === null) await this.#left(queue);
      else await opened.close();
      throw error;
    }
  }

  async #take(base: NatsBase, owner: StoreOwner, signal: AbortSignal): Promise<NatsQueue> {
    const { link, subjects, manager, kv } = base;
    const { ttlMs } = this.#settings;
    const { queue } = owner;
    const key = subjectToken(queue);
    const what = `the queue "${printable(queue, 100)}"`;
    const lease = new Lease({ link, kv, key, id: this.#id, ttlMs, what });
    const taken = await lease.take(signal, (holder) => {
      owner.standby(holder);
    });
    const subject = subjects.out(queue);
    const stream = subjects.outStream;
    const reading = { stream, subject, ackWaitMs: ACK_WAIT_MS, maxPending: owner.limits.maxStanzas };
    const feed = (reader: FeedOwner): Feed =>
      new Feed(link, manager, { ...reading, consumer: `${key}-${taken.epoch}` }, reader);
    const left = (): Promise<void> => this.#leave(queue);
    const remembered = link.connection.info?.cluster === undefined ? 0 : REMEMBERED;
    const opened = new NatsQueue({ ...base, lease, feed, owner, subject, left, remembered }, taken);
    this.#queues.set(queue, opened);
    try {
      if (taken.lastEpoch > 0) {
        await manager.consumers.delete(stream, `${key}-${taken.lastEpoch}`).catch(() => undefined);
      }
      await opened.begin(signal);
    } catch (error) {
      await opened.close();
      throw error;
    }
    return opened;
  }

  async #share(base: NatsBase, owner: StoreOwner): Promise<OpenedQueue> {
    const { queue } = owner;
    const opened = new SharedQueue(base, owner, () => this.#leave(queue));
    this.#queues.set(queue, opened);
    try {
      await opened.begin();
    } catch (error) {
      await opened.close();
      throw error;
    }
    return opened;
  }

  async #connect(owner: StoreOwner): Promise<NatsBase> {
    const { connection: given, subjects, replicas, setup } = this.#settings;
    const link = await openLink(given, `xmpp-broker ${printable(owner.queue, 100)}`);
    try {
      const base = await openBase(link, subjects, { replicas, setup });
      link.watch({
        up: () => {
          for (const queue of this.#queues.values()) queue?.up();
        },
        down: () => {
          const error = unreachable(link.server, 'to keep its queue');
          for (const queue of this.#queues.values()) queue?.down(error);
        },
        ended: () => {
          for (const queue of this.#queues.values()) queue?.down(link.closedError('to keep its queue'));
        },
      });
      return base;
    } catch (error) {
      await link.release();
      throw link.error(error, 'to open its queue');
    }
  }

  /** Of one that is being closed; null: there is none. */
  #leavingOf(queue: string): Promise<void> | null {
    return this.#leaving.get(queue) ?? this.#queues.get(queue)?.closing ?? null;
  }

  #leave(queue: string): Promise<void> {
    const left = this.#left(queue).finally(() => this.#leaving.delete(queue));
    this.#leaving.set(queue, left);
    return left;
  }

  /** With the last queue the connection is closed. */
  async #left(queue: string): Promise<void> {
    this.#queues.delete(queue);
    if (this.#queues.size > 0 || this.#base === null) return;
    const base = this.#base;
    this.#base = null;
    const opened = await base.catch(() => null);
    opened?.reports.close();
    await opened?.link.release();
  }
}

function twice(queue: string): BrokerError {
  return new BrokerError(
    'QUEUE_LOCKED',
    `queue "${printable(queue, 100)}" is open already, in this program: give each broker a queue.name of its own`,
    { layer: 'queue' },
  );
}
