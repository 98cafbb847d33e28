import { BrokerError } from '../errors.js';
import type {
  Change,
  DeadLetter,
  OpenStore,
  QueueStore,
  SessionRecord,
  StoredStanza,
  StoreOwner,
} from '../queue/store.js';

/** What a test leaves in a queue; what it does not say is as of a fresh stanza. */
export type Planted = { key: string; xml: string } & {
  readonly [Name in keyof StoredStanza]?: StoredStanza[Name] | undefined;
};

/** What is told of a commit while it is under way; a promise holds it up. */
export interface CommitHooks {
  /** Before anything of it counts. What it throws makes the commit fail. */
  before?(changes: readonly Change[]): void | Promise<void>;
  /** Everything of it counts, and nobody was told. */
  after?(changes: readonly Change[]): void | Promise<void>;
}

interface Row {
  key: string;
  position: number;
  xml: string;
  xmlns: string;
  at: number;
  handed: StoredStanza['handed'];
  possibleDuplicate: boolean;
  attempts: number;
  faults: number;
}

/** One queue, and what is left of it when nobody has it open. */
class MemoryQueue {
  readonly rows = new Map<string, Row>();
  readonly dead: { key: string; xml: string; code: string }[] = [];
  session: SessionRecord | null = null;
  holder: { readonly owner: StoreOwner } | null = null;
  epoch = 0;
  #positions = 0;

  /** The rows as they are now, oldest first. */
  get held(): StoredStanza[] {
    return [...this.rows.values()].map((row) => ({ ...row }));
  }

  apply(change: Change, xmlns: string): void {
    if (change.kind === 'session') {
      this.session = change.session === null ? null : { ...change.session };
      return;
    }
    const { key } = change;
    if (change.kind === 'put' && !this.rows.has(key)) {
      const { xml, at } = change;
      this.#positions += 1;
      const position = this.#positions;
      const fresh = { handed: null, possibleDuplicate: false, attempts: 0, faults: 0 };
      this.rows.set(key, { key, position, xml, xmlns, at, ...fresh });
    }
    const row = this.rows.get(key);
    if (row === undefined) return;
    if (change.kind === 'end') {
      this.rows.delete(key);
      if (change.outcome === 'failed') this.dead.push({ key, xml: row.xml, code: change.code ?? '' });
    } else if (change.kind === 'hold') {
      row.handed = null;
      row.possibleDuplicate = change.possibleDuplicate;
      row.faults = change.faults;
    } else if (change.handed !== null) {
      row.handed = change.handed;
      row.attempts += 1;
    }
  }
}

/**
 * A store in memory, for tests: it outlives the brokers that use it as a file would, and does what is asked of it: fail,
 * wait, or be left behind by a process that dies.
 */
export class MemoryStore implements QueueStore {
  readonly name = 'memory';
  /** What is told of commits. */
  hooks: CommitHooks = {};
  readonly #queues = new Map<string, MemoryQueue>();
  #failure: BrokerError | null = null;

  open(owner: StoreOwner, signal: AbortSignal): Promise<OpenStore> {
    if (signal.aborted) return Promise.reject(signal.reason as Error);
    if (this.#failure !== null) return Promise.reject(this.#failure);
    const queue = this.#queue(owner.queue);
    if (queue.holder !== null) {
      const text = `the queue ${owner.queue} is open already`;
      return Promise.reject(new BrokerError('QUEUE_LOCKED', text, { layer: 'queue' }));
    }
    // Not the owner itself: it may open the queue again.
    const holder = { owner };
    queue.holder = holder;
    queue.epoch += 1;
    let last: Promise<void> = Promise.resolve();
    let isClosed = false;
    return Promise.resolve({
      epoch: queue.epoch,
      held: queue.held,
      session: queue.session,
      commit: (changes) => {
        if (isClosed) return Promise.reject(new BrokerError('QUEUE_STORE_FAILED', 'it is closed', { layer: 'queue' }));
        last = this.#commit(queue, holder, changes, owner.xmlns);
        return last;
      },
      close: async () => {
        isClosed = true;
        await last.catch(() => undefined);
        if (queue.holder === holder) queue.holder = null;
      },
    });
  }

  /** From now on commits and opening fail with this error; with null they work again, and whoever has a queue open is told. */
  fail(error: BrokerError | null): void {
    this.#failure = error;
    if (error !== null) return;
    for (const { holder } of this.#queues.values()) holder?.owner.health(null);
  }

  /** What the death of a process does: whoever has a queue open is gone, and what is under way and not complete never was. */
  kill(): void {
    for (const queue of this.#queues.values()) queue.holder = null;
  }

  /** What another process does that takes a queue over. */
  fence(queue: string): void {
    const { holder } = this.#queue(queue);
    this.#queue(queue).holder = null;
    const text = `another process has the queue ${queue}`;
    holder?.owner.fenced(new BrokerError('QUEUE_FENCED', text, { layer: 'queue', retryable: true }));
  }

  /** What a queue has now, oldest first. */
  held(queue: string): readonly StoredStanza[] {
    return this.#queue(queue).held;
  }

  /** What was given up. */
  dead(queue: string): readonly Pick<DeadLetter & { code: string }, 'key' | 'xml' | 'code'>[] {
    return this.#queue(queue).dead;
  }

  /** The managed session that a queue has. */
  session(queue: string): SessionRecord | null {
    return this.#queue(queue).session;
  }

  /** Puts what another life could have left there: a text that is no stanza, a stanza of another namespace. */
  plant(queue: string, stanza: Planted): void {
    const { rows } = this.#queue(queue);
    const fresh = { xmlns: 'jabber:client', handed: null, possibleDuplicate: false, attempts: 0, faults: 0 };
    rows.set(stanza.key, { ...fresh, position: -1, at: Date.now(), ...stanza } as Row);
  }

  async #commit(queue: MemoryQueue, holder: object, changes: readonly Change[], xmlns: string): Promise<void> {
    await this.hooks.before?.(changes);
    if (this.#failure !== null) throw this.#failure;
    // Whoever was killed hears nothing any more.
    if (queue.holder !== holder) await new Promise(() => undefined);
    for (const change of changes) queue.apply(change, xmlns);
    await this.hooks.after?.(changes);
    if (queue.holder !== holder) await new Promise(() => undefined);
  }

  #queue(name: string): MemoryQueue {
    let queue = this.#queues.get(name);
    if (queue === undefined) {
      queue = new MemoryQueue();
      this.#queues.set(name, queue);
    }
    return queue;
  }
}
