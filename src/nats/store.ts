// The store in NATS: one connection for all queues of a store object, and who has them open.
import { randomBytes } from 'node:crypto';
import type { JetStreamClient, JetStreamManager } from '@nats-io/jetstream';
import type { KV } from '@nats-io/kv';
import { BrokerError, printable } from '../errors.js';
import type { OpenStore, QueueStore, StoreOwner } from '../queue/store.js';
import { openLink, type NatsGiven, type NatsLink } from './connection.js';
import { unreachable } from './errors.js';
import { Lease } from './lease.js';
import { ANSWER_MS, NatsQueue } from './queue.js';
import { Reports } from './reports.js';
import { checkStreams, managerOf, setUpStreams } from './streams.js';
import { type Subjects, subjectToken } from './subjects.js';

/** The options of a store, with defaults. */
export interface NatsStoreSettings {
  readonly connection: NatsGiven;
  readonly subjects: Subjects;
  readonly ttlMs: number;
  readonly replicas: 1 | 3 | 5 | undefined;
  readonly setup: boolean;
}

/** What all queues of a store work with. */
interface Base {
  readonly link: NatsLink;
  readonly js: JetStreamClient;
  readonly manager: JetStreamManager;
  readonly kv: KV;
  readonly areReportsKept: boolean;
}

export class NatsStore implements QueueStore {
  readonly name = 'nats';
  readonly #settings: NatsStoreSettings;
  /** This store, in holder records. */
  readonly #id = randomBytes(12).toString('base64url');
  readonly #queues = new Map<string, NatsQueue | null>();
  readonly #leaving = new Map<string, Promise<void>>();
  #base: Promise<Base> | null = null;

  constructor(settings: NatsStoreSettings) {
    this.#settings = settings;
  }

  async open(owner: StoreOwner, signal: AbortSignal): Promise<OpenStore> {
    signal.throwIfAborted();
    const { queue } = owner;
    for (let leaving = this.#leaving.get(queue); leaving !== undefined; leaving = this.#leaving.get(queue)) {
      await leaving;
      signal.throwIfAborted();
    }
    if (this.#queues.has(queue)) throw twice(queue);
    this.#queues.set(queue, null);
    let opened: NatsQueue | null = null;
    try {
      this.#base ??= this.#connect(owner);
      const base = await this.#base;
      signal.throwIfAborted();
      opened = await this.#take(base, owner, signal);
      signal.throwIfAborted();
      return opened;
    } catch (error) {
      if (opened === null) await this.#left(queue);
      else await opened.close();
      throw error;
    }
  }

  async #take(base: Base, owner: StoreOwner, signal: AbortSignal): Promise<NatsQueue> {
    const { subjects, ttlMs } = this.#settings;
    const { link, js, manager, kv, areReportsKept } = base;
    const { queue } = owner;
    const key = subjectToken(queue);
    const what = `the queue "${printable(queue, 100)}"`;
    const lease = new Lease({ link, kv, key, id: this.#id, ttlMs, what });
    const taken = await lease.take(signal, (holder) => {
      owner.standby(holder);
    });
    const reports = new Reports(link, subjects, areReportsKept);
    const left = (): Promise<void> => this.#leave(queue);
    const opened = new NatsQueue({ link, js, manager, subjects, lease, reports, owner, consumer: key, left }, taken);
    this.#queues.set(queue, opened);
    try {
      await opened.begin(taken.lastEpoch, signal);
    } catch (error) {
      await opened.close();
      throw error;
    }
    return opened;
  }

  async #connect(owner: StoreOwner): Promise<Base> {
    const { connection: given, subjects, replicas, setup } = this.#settings;
    const link = await openLink(given, `xmpp-broker ${printable(owner.queue, 100)}`);
    try {
      if (setup) await setUpStreams(link, subjects, { replicas });
      else await checkStreams(link, subjects);
      const manager = await managerOf(link, 'to open its queue');
      const js = link.client.jetstream.jetstream(link.connection, { timeout: ANSWER_MS });
      const kv = await new link.client.kv.Kvm(js).open(subjects.holdBucket);
      const areReportsKept = await manager.streams.info(subjects.reportStream).then(yes, no);
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
      return { link, js, manager, kv, areReportsKept };
    } catch (error) {
      await link.release();
      throw link.error(error, 'to open its queue');
    }
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
    const { link } = await base.catch(() => ({ link: null }));
    await link?.release();
  }
}

const yes = (): boolean => true;
const no = (): boolean => false;

function twice(queue: string): BrokerError {
  return new BrokerError(
    'QUEUE_LOCKED',
    `queue "${printable(queue, 100)}" is open already, in this program: give each broker a queue.name of its own`,
    { layer: 'queue' },
  );
}
