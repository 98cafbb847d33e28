// The store in a file: which queues of it are open, and one commit at a time for all of them.
import { BrokerError, printable } from '../errors.js';
import type { Change, DeadLetter, OpenStore, QueueStore, StoreOwner } from '../queue/store.js';
import { add, type Ops } from './ops.js';
import { canonical } from './place.js';
import { received } from './posted.js';
import type { OpenedQueue } from './queue-file.js';
import type { Reply, Request, WriterData } from './requests.js';
import { locked, unpacked } from './store-faults.js';
import type { AsyncWriter, StartWriter } from './writer-thread.js';

/** Files that a store of this process has open. The locks of SQLite's drivers do not keep each other out within one process. */
const open = new Set<string>();

/** What goes with the next commit: of all queues in one list, and one promise for all who wait. */
interface Next {
  readonly ops: Ops;
  readonly done: Promise<void>;
}

/** A list for all queues in which there was nothing. */
const NONE: readonly never[] = Object.freeze([]);

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
  #next: Next | null = null;
  /** The commit that is under way. */
  #underWay: Promise<unknown> | null = null;

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
      return new SqliteQueue(opened, queue, xmlns, this);
    } catch (error) {
      await this.leave(queue, null);
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
  commit(queue: string, xmlns: string, changes: readonly Change[]): Promise<void> {
    this.#next ??= this.#begun([]);
    add(this.#next.ops, queue, xmlns, changes);
    return this.#next.done;
  }

  #begun(ops: Ops): Next {
    return { ops, done: this.#committed(ops) };
  }

  async #committed(ops: Ops): Promise<void> {
    await this.#underWay;
    this.#next = null;
    const asked = this.#ask({ kind: 'commit', ops });
    this.#underWay = asked.catch(nothing);
    await asked;
  }

  /** Ends a queue when its last commit is through. */
  leave(queue: string, last: Promise<void> | null): Promise<void> {
    const left = this.#left(queue, last);
    this.#leaving.set(queue, left);
    return left;
  }

  /** With the last queue the file is closed. */
  async #left(queue: string, last: Promise<void> | null): Promise<void> {
    await last?.catch(nothing);
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
  held: OpenStore['held'];
  readonly session: OpenStore['session'];
  readonly dead: readonly DeadLetter[];
  declare readonly warning?: string;
  readonly #queue: string;
  readonly #xmlns: string;
  readonly #store: SqliteStore;
  #last: Promise<void> | null = null;
  #closed: Promise<void> | null = null;

  constructor({ epoch, held, session, dead, warning }: OpenedQueue, queue: string, xmlns: string, store: SqliteStore) {
    this.epoch = epoch;
    this.held = held.length === 0 ? NONE : held;
    this.session = session;
    this.dead = dead.length === 0 ? NONE : dead.map(({ key, xml, fault }) => ({ key, xml, error: unpacked(fault) }));
    if (warning !== null) this.warning = warning;
    this.#queue = queue;
    this.#xmlns = xmlns;
    this.#store = store;
  }

  commit(changes: readonly Change[]): Promise<void> {
    if (this.#closed !== null) {
      return Promise.reject(new BrokerError('QUEUE_STORE_FAILED', 'the queue was closed', { layer: 'queue' }));
    }
    // Whoever commits has seen what was there.
    this.held = NONE;
    this.#last = this.#store.commit(this.#queue, this.#xmlns, changes);
    return this.#last;
  }

  close(): Promise<void> {
    this.#closed ??= this.#store.leave(this.#queue, this.#last);
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
