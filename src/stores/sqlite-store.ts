// The store in a file: which queues of it are open, and one commit at a time for all of them.
import { Deferred } from '../deferred.js';
import { BrokerError, printable } from '../errors.js';
import type { Change, OpenStore, QueueStore, StoreOwner } from '../queue/store.js';
import { listed, type Batch } from './batch.js';
import { canonical } from './place.js';
import { received } from './posted.js';
import type { OpenedQueue } from './queue-file.js';
import type { Reply, Request, WriterData } from './requests.js';
import { locked, unpacked } from './store-faults.js';
import type { AsyncWriter, StartWriter } from './writer-thread.js';

/** Files that a store of this process has open. The locks of SQLite's drivers do not keep each other out within one process. */
const open = new Set<string>();

/** A commit that waits for the one that is under way. */
interface Waiting {
  readonly batch: Batch;
  readonly done: Deferred<void>;
}

export class SqliteStore implements QueueStore {
  readonly name = 'sqlite';
  readonly #settings: Omit<WriterData, 'epochs'>;
  readonly #start: StartWriter;
  /** Queues that are open, with their epochs; null: not yet. */
  readonly #queues = new Map<string, number | null>();
  #claimed: string | null = null;
  #writer: AsyncWriter | null = null;
  #closing: Promise<void> | null = null;
  /** Queues that are being closed. */
  readonly #leaving = new Map<string, Promise<void>>();
  #waiting: Waiting[] = [];
  #committing = false;

  constructor(settings: Omit<WriterData, 'epochs'>, start: StartWriter) {
    this.#settings = settings;
    this.#start = start;
  }

  async open(owner: StoreOwner, signal: AbortSignal): Promise<OpenStore> {
    signal.throwIfAborted();
    const { queue, xmlns } = owner;
    for (;;) {
      const ending = this.#leaving.get(queue) ?? this.#closing;
      if (ending === null) break;
      await ending;
    }
    signal.throwIfAborted();
    if (this.#queues.has(queue)) throw twice(queue, this.#settings.file);
    this.#claim();
    this.#queues.set(queue, null);
    try {
      const opened = await this.#opened(queue);
      this.#queues.set(queue, opened.epoch);
      signal.throwIfAborted();
      return new SqliteQueue(
        opened,
        (changes) => this.#commit({ queue, xmlns, ops: listed(changes) }),
        (under) => this.#leave(queue, under),
      );
    } catch (error) {
      await this.#leave(queue, Promise.resolve());
      throw error;
    }
  }

  async #opened(queue: string): Promise<OpenedQueue> {
    const reply = await this.#ask({ kind: 'open', queue });
    if (!('opened' in reply)) throw new TypeError('the writer opened nothing');
    return received(reply.opened);
  }

  #claim(): void {
    if (this.#claimed !== null) return;
    const file = canonical(this.#settings.file);
    if (open.has(file)) throw locked(file, 'another store of this program (give all brokers the same store object)');
    open.add(file);
    this.#claimed = file;
  }

  #ask(request: Request): Promise<Exclude<Reply, { fault: unknown }>> {
    if (this.#writer === null) {
      const epochs = new Map([...this.#queues].filter((entry): entry is [string, number] => entry[1] !== null));
      const writer = this.#start({ ...this.#settings, epochs }, () => {
        if (this.#writer === writer) this.#writer = null;
      });
      this.#writer = writer;
    }
    return this.#writer.ask(request);
  }

  /** Waits for the commit that is under way; everything that came meanwhile is the next one. */
  #commit(batch: Batch): Promise<void> {
    const done = new Deferred<void>();
    this.#waiting.push({ batch, done });
    if (!this.#committing) void this.#commitAll();
    return done.promise;
  }

  async #commitAll(): Promise<void> {
    this.#committing = true;
    while (this.#waiting.length > 0) {
      const taken = this.#waiting;
      this.#waiting = [];
      try {
        await this.#ask({ kind: 'commit', batches: taken.map(({ batch }) => batch) });
        for (const { done } of taken) done.resolve();
      } catch (error) {
        for (const { done } of taken) done.reject(error as BrokerError);
      }
    }
    this.#committing = false;
  }

  /** Ends a queue when what is under way is through. */
  #leave(queue: string, under: Promise<unknown>): Promise<void> {
    const left = under.then(() => this.#left(queue));
    this.#leaving.set(queue, left);
    return left;
  }

  /** With the last queue the file is closed. */
  async #left(queue: string): Promise<void> {
    this.#queues.delete(queue);
    this.#leaving.delete(queue);
    if (this.#queues.size > 0) {
      if (this.#writer !== null) await this.#writer.ask({ kind: 'leave', queue }).catch(nothing);
      return;
    }
    this.#closing = this.#close();
    await this.#closing;
  }

  async #close(): Promise<void> {
    const writer = this.#writer;
    this.#writer = null;
    if (writer !== null) await writer.ask({ kind: 'close' }).catch(nothing);
    if (this.#claimed !== null) open.delete(this.#claimed);
    this.#claimed = null;
    this.#closing = null;
  }
}

/** A queue in a file, opened. */
class SqliteQueue implements OpenStore {
  readonly epoch: number;
  readonly held: OpenStore['held'];
  readonly session: OpenStore['session'];
  readonly dead: NonNullable<OpenStore['dead']>;
  declare readonly warning?: string;
  readonly #write: (changes: readonly Change[]) => Promise<void>;
  readonly #leave: (under: Promise<unknown>) => Promise<void>;
  #under: Promise<unknown> = Promise.resolve();
  #closed: Promise<void> | null = null;

  constructor(
    { epoch, held, session, dead, warning }: OpenedQueue,
    write: (changes: readonly Change[]) => Promise<void>,
    leave: (under: Promise<unknown>) => Promise<void>,
  ) {
    this.epoch = epoch;
    this.held = held;
    this.session = session;
    this.dead = dead.map(({ key, xml, fault }) => ({ key, xml, error: unpacked(fault) }));
    if (warning !== null) this.warning = warning;
    this.#write = write;
    this.#leave = leave;
  }

  commit(changes: readonly Change[]): Promise<void> {
    if (this.#closed !== null) {
      return Promise.reject(new BrokerError('QUEUE_STORE_FAILED', 'the queue was closed', { layer: 'queue' }));
    }
    const written = this.#write(changes);
    this.#under = written.catch(nothing);
    return written;
  }

  close(): Promise<void> {
    this.#closed ??= this.#leave(this.#under);
    return this.#closed;
  }
}

function nothing(): void {
  // Whoever asked was told.
}

function twice(queue: string, file: string): BrokerError {
  return new BrokerError(
    'QUEUE_LOCKED',
    `queue "${printable(queue, 100)}" of ${printable(file, 300)} is open already, in this program: give each broker a queue.name of its own`,
    { layer: 'queue' },
  );
}
