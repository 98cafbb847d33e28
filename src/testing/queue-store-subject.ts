// A queue of a store that is looked at, and what is done to it.
import assert from 'node:assert/strict';
import type { Change, Handed, OpenStore, QueueStore, SessionRecord, StoredStanza, StoreOwner } from '../queue/store.js';

/** How long a store that waits for another holder is waited for, in milliseconds. */
export const WAIT_MS = 500;

const QUEUE = 'juliet@example.org';

/** The queue of one case of `queueStoreCases`, opened as often as it likes. */
export class Subject {
  readonly store: QueueStore;
  #open: OpenStore | null = null;

  constructor(store: QueueStore) {
    this.store = store;
  }

  get open(): OpenStore {
    if (this.#open === null) throw new Error('the case has not opened its queue');
    return this.#open;
  }

  /** Opens the queue, after closing it. */
  async again(owner: Partial<StoreOwner> = {}): Promise<OpenStore> {
    await this.close();
    this.#open = await openQueue(this.store, owner);
    return this.#open;
  }

  commit(...changes: readonly Change[]): Promise<void> {
    return this.open.commit(changes);
  }

  /** What the next holder finds. */
  async held(): Promise<readonly StoredStanza[]> {
    return (await this.again()).held;
  }

  /** The only stanza that the next holder finds. */
  async one(): Promise<StoredStanza> {
    const [first, ...more] = await this.held();
    assert.equal(more.length, 0, 'one stanza is held');
    assert.ok(first !== undefined, 'one stanza is held');
    return first;
  }

  async close(): Promise<void> {
    const open = this.#open;
    this.#open = null;
    await open?.close();
  }
}

/** Who opens a queue, and says nothing. */
export function owner(more: Partial<StoreOwner> = {}): StoreOwner {
  const { queue = QUEUE } = more;
  return {
    queue,
    limits: { maxStanzas: 10_000, maxBytes: 32 * 1024 * 1024, maxAgeMs: Number.POSITIVE_INFINITY },
    xmlns: 'jabber:client',
    arrived: () => undefined,
    room: () => ({ stanzas: 10_000, bytes: 32 * 1024 * 1024 }),
    standby: () => undefined,
    health: () => undefined,
    fenced: () => undefined,
    purge: () => 0,
    drop: () => 0,
    status: () => ({
      queue,
      state: 'idle',
      epoch: 1,
      held: 0,
      possibleDuplicates: 0,
      bytes: 0,
      oldestMs: null,
      unacknowledged: 0,
    }),
    ask: () => Promise.reject(new Error('nobody asks here')),
    ...more,
  };
}

export function openQueue(store: QueueStore, more: Partial<StoreOwner> = {}, signal?: AbortSignal): Promise<OpenStore> {
  return store.open(owner(more), signal ?? new AbortController().signal);
}

export const AT = 1_700_000_000_123;

export function put(key: string, more: { xml?: string; handed?: Handed | null; at?: number } = {}): Change {
  return { kind: 'put', key, xml: `<message id='${key}'/>`, at: AT, handed: null, ...more };
}

export const hand = (key: string, session: string | null = null, ordinal: number | null = null): Change => ({
  kind: 'hand',
  key,
  handed: { session, ordinal },
});

export const hold = (key: string, possibleDuplicate: boolean, faults = 0): Change => ({
  kind: 'hold',
  key,
  possibleDuplicate,
  faults,
});

export const end = (key: string, outcome: 'acked' | 'sent' | 'dropped' | 'failed', code?: string): Change =>
  code === undefined ? { kind: 'end', key, outcome } : { kind: 'end', key, outcome, code };

export const SESSION: SessionRecord = {
  id: 'session <&\'"> 1',
  jid: 'juliet@example.org/balcony',
  max: 300,
  location: { host: '2001:db8::1', port: 5222 },
  sent: 4_294_967_295,
  acked: 7,
  handled: 4_294_967_290,
  at: AT,
};

export const keysOf = (held: readonly StoredStanza[]): string[] => held.map(({ key }) => key);

export const numbered = (count: number, prefix = 'k'): string[] =>
  Array.from({ length: count }, (_, index) => `${prefix}${String(index)}`);
