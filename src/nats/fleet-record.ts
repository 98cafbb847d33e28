// The holder record of a shard, in parts: one for each of its accounts, which sees it as a lease of its own.
import { isRecord } from '../arguments/values.js';
import type { BrokerError } from '../errors.js';
import type { Lease } from './lease.js';
import type { QueueLease } from './queue.js';

/** What goes along with the record of a shard: what each account's queue says, by the token of its name. */
interface Parts {
  readonly accounts?: Readonly<Record<string, unknown>>;
}

interface Part {
  readonly body: unknown;
  readonly bytes: number;
}

/** The record of a shard. */
export class ShardRecord {
  readonly #lease: Pick<Lease, 'isHeld' | 'write' | 'settle' | 'release'>;
  readonly #parts = new Map<string, Part>();
  readonly #mostBytes: number;
  #bytes = 0;
  readonly #watchers = new Map<string, (error: BrokerError) => void>();
  #under: Promise<void> | null = null;
  #next: Promise<void> | null = null;
  #isReleasing = false;

  /** @param body what the holder before left @param mostBytes what the record may have */
  constructor(lease: Pick<Lease, 'isHeld' | 'write' | 'settle' | 'release'>, body: unknown, mostBytes: number) {
    this.#lease = lease;
    this.#mostBytes = mostBytes;
    const { accounts } = (isRecord(body) ? body : {}) as Parts;
    if (!isRecord(accounts)) return;
    for (const [token, part] of Object.entries(accounts)) this.#put(token, part);
  }

  /** What the record says of an account's queue. */
  part(token: string): unknown {
    return this.#parts.get(token)?.body ?? null;
  }

  /** The lease as the queue of one account sees it. */
  lease(token: string): QueueLease {
    const shard = this.#lease;
    return {
      get isHeld() {
        return shard.isHeld;
      },
      keep: (lost) => {
        this.#watchers.set(token, lost);
      },
      write: (body) => {
        this.#put(token, body);
        return this.#write();
      },
      check: async () => {
        await this.#write().catch(() => undefined);
      },
      settle: () => shard.settle(),
      release: async (body) => {
        this.#watchers.delete(token);
        this.#put(token, body);
        // Then the record is written once, for all of them.
        if (!this.#isReleasing) await this.#write().catch(() => undefined);
      },
      stop: () => {
        this.#watchers.delete(token);
      },
    };
  }

  /** Everybody hears that this process is the holder no more. */
  lost(error: BrokerError): void {
    const watchers = [...this.#watchers.values()];
    this.#watchers.clear();
    for (const watcher of watchers) watcher(error);
  }

  /** From now on what accounts release is not written one by one. */
  releasing(): void {
    this.#isReleasing = true;
  }

  /** Gives the record to the next holder. Never rejects. */
  async release(): Promise<void> {
    this.#isReleasing = true;
    await this.#under?.catch(() => undefined);
    await this.#lease.release(this.#body());
  }

  #put(token: string, body: unknown): void {
    this.#bytes -= this.#parts.get(token)?.bytes ?? 0;
    this.#parts.delete(token);
    const { marks, done, session = null } = isRecord(body) ? body : {};
    if (session === null && isEmpty(marks) && isEmpty(done)) return;
    const bytes = JSON.stringify(body).length + token.length + 8;
    this.#parts.set(token, { body, bytes });
    this.#bytes += bytes;
  }

  /** Where it would be too much, sessions are left out: then they are not resumed, and stanzas in them are flagged. */
  #body(): Parts {
    const isTooMuch = this.#bytes > this.#mostBytes;
    const rows = [...this.#parts].map(([token, { body }]): [string, unknown] => [
      token,
      isTooMuch && isRecord(body) ? { ...body, session: null } : body,
    ]);
    // An account may be called `__proto__`: no assignment.
    return { accounts: Object.fromEntries(rows) };
  }

  /** Resolves when the record says what is so now. One write is under way; the next is for all who came meanwhile. */
  #write(): Promise<void> {
    if (this.#under === null) {
      this.#under = this.#written();
      return this.#under;
    }
    const under = this.#under.catch(() => undefined);
    this.#next ??= under.then(() => {
      this.#under = this.#next;
      this.#next = null;
      return this.#written();
    });
    return this.#next;
  }

  async #written(): Promise<void> {
    try {
      await this.#lease.write(this.#body());
    } finally {
      if (this.#next === null) this.#under = null;
    }
  }
}

const isEmpty = (list: unknown): boolean => !Array.isArray(list) || list.length === 0;
