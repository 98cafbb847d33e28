// The store of a broker's queue: opening it, closing it, and what is told of it.
import { BrokerError } from '../errors.js';
import type { HeldDecision } from './held-decision.js';
import type { Outbox } from './outbox.js';
import type { Resumption } from './resumption.js';
import type { Status } from './status.js';
import type { Lifecycle } from '../lifecycle/lifecycle.js';
import type { BrokerConfig } from '../options/options.js';
import type { StoreConfig } from '../options/queue.js';
import { Journal, type JournalOwner } from '../queue/journal.js';
import { Arrivals } from './arrivals.js';
import { Recovery } from './recovery.js';
import { RemoteCommands, type RemoteCommandsParts } from './remote-commands.js';
import type { Traffic } from '../link/traffic.js';
import { asStoreError } from '../queue/store-errors.js';
import type { Turn } from '../queue/lane.js';
import type { QueueLimits } from '../queue/outbound-queue.js';
import type {
  OpenStore,
  PurgeSelection,
  QueueStatus,
  QueueStore,
  SessionRecord,
  StoredStanza,
  StoreOwner,
} from '../queue/store.js';
import { storedCost, type Ticket } from '../queue/ticket.js';
import type { Element } from '../xml/element.js';

/** Time between two PCJ_STOREFAIL of one outage, in milliseconds. */
const TELL_MS = 60_000;

/** What the keeper works with. */
export interface QueueKeeperParts extends RemoteCommandsParts {
  readonly config: BrokerConfig;
  readonly status: Status;
  readonly outbox: Outbox;
  readonly heldDecision: HeldDecision;
  readonly resumption: Resumption;
  readonly lifecycle: Lifecycle;
  readonly traffic: Traffic;
  readonly journal: Journal | null;
}

/** What is in a queue when it was opened. */
export interface OpenQueue {
  /** Stanzas that are held. Not those of a managed session that may still be resumed. */
  readonly held: number;
  /** How many of them may have reached the server already. */
  readonly possibleDuplicates: number;
}

/** What a store tells before it is open: it counts as if it had come behind that. */
interface Early {
  readonly stanzas: StoredStanza[];
  /** What they will cost in the queue, in bytes. */
  cost: number;
  /** Somebody else has the queue. */
  fenced: BrokerError | null;
}

/** Has the store of a queue, and the journal of what happens to its stanzas. */
export class QueueKeeper implements StoreOwner, JournalOwner {
  readonly queue: string;
  readonly limits: Readonly<QueueLimits>;
  readonly xmlns: string;
  readonly journal: Journal;
  readonly arrivals: Arrivals;
  readonly #recovery: Recovery;
  readonly #remote: RemoteCommands;
  readonly #store: QueueStore;
  readonly #parts: QueueKeeperParts;
  #open: OpenStore | null = null;
  #opening: Promise<void> | null = null;
  /** Ends the waiting for the store, while it is being opened. */
  #abort: AbortController | null = null;
  /** While the store is being opened. */
  #early: Early | null = null;
  #wasOpen = false;
  #toldAt = Number.NEGATIVE_INFINITY;
  #isOver = false;

  /** Whether the store shall have a stanza that is no request. @throws what the program's function throws */
  readonly keeps: (stanza: Element) => boolean;

  constructor({ store, name, keep, remotePurge }: StoreConfig, parts: QueueKeeperParts) {
    this.#store = store;
    this.#parts = parts;
    this.queue = name;
    this.keeps = store.keeps === false ? () => false : keep;
    this.#remote = new RemoteCommands(name, remotePurge, parts);
    this.limits = parts.config.queue;
    this.xmlns = parts.config.xmlns;
    this.journal = new Journal(this);
    this.#recovery = new Recovery(this.journal, parts);
    this.arrivals = new Arrivals(parts);
  }

  /** What is in the queue now. */
  get contents(): OpenQueue {
    let possibleDuplicates = 0;
    const { queue } = this.#parts.outbox;
    for (const ticket of queue) if (ticket.possibleDuplicate) possibleDuplicates += 1;
    return { held: queue.size, possibleDuplicates };
  }

  /** Opens the store; null when it is open. Rejects with a BrokerError, of which PCJ_STOREFAIL tells, too. */
  open(): Promise<void> | null {
    if (this.#open !== null) return null;
    if (this.#opening === null) {
      const abort = new AbortController();
      this.#abort = abort;
      this.#opening = this.#opened(abort.signal).finally(() => {
        this.#opening = null;
        this.#abort = null;
      });
    }
    return this.#opening;
  }

  /** Stores what is left to be stored, and lets go of the store. Never rejects; null when there is nothing to close. */
  close(limitMs?: number): Promise<void> | null {
    this.#abort?.abort(closed());
    return this.#open === null ? null : this.#closed(this.#open, limitMs ?? this.#parts.config.timeouts.close);
  }

  /** Finds out whether this process still has the queue. Never rejects; null where that is certain. */
  check(): Promise<void> | null {
    const open = this.#open;
    return open?.check === undefined ? null : checked(open);
  }

  /** Lets go of the store at once; what it has stays there. */
  halt(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#abort?.abort(closed());
    this.journal.halt();
    this.arrivals.close();
    const open = this.#open;
    this.#open = null;
    if (open !== null) void letGo(open);
  }

  async #opened(signal: AbortSignal): Promise<void> {
    let open: OpenStore | null = null;
    const early: Early = { stanzas: [], cost: 0, fenced: null };
    this.#early = early;
    try {
      open = await abortable(this.#begun(signal), signal);
      if (early.fenced !== null) throw early.fenced;
      this.#recovery.all(open, this.#wasOpen);
    } catch (caught) {
      if (open !== null) void letGo(open);
      const error = signal.aborted ? (signal.reason as BrokerError) : asStoreError(caught);
      if (!signal.aborted) this.#parts.status.publish('PCJ_STOREFAIL', error);
      throw error;
    } finally {
      this.#early = null;
    }
    this.#open = open;
    this.#wasOpen = true;
    this.journal.open(open);
    this.arrivals.open(open.newest === undefined ? null : () => newestOf(open));
    this.arrived(early.stanzas);
    if (open.after !== undefined && this.#isOpenWith(open)) {
      this.#parts.status.publish('PCJ_ACTIVE', { queue: this.queue, epoch: open.epoch, after: open.after });
    }
    // Who is told may have halted or closed it.
    if (this.#isOpenWith(open)) this.working();
  }

  #isOpenWith(open: OpenStore): boolean {
    return this.#open === open;
  }

  /** A store may throw where it should reject. */
  async #begun(signal: AbortSignal): Promise<OpenStore> {
    return this.#store.open(this, signal);
  }

  async #closed(open: OpenStore, limitMs: number): Promise<void> {
    const endsAt = performance.now() + limitMs;
    await within(limitMs, this.journal.settled() ?? Promise.resolve());
    // Halted meanwhile.
    if (this.#open !== open) return;
    this.#open = null;
    this.journal.close();
    this.arrivals.close();
    await within(Math.max(1, endsAt - performance.now()), letGo(open));
  }

  get takes(): boolean {
    return this.#parts.lifecycle.link?.takes === true;
  }

  pass(turn: Turn): void {
    this.#parts.outbox.pass(turn);
  }

  session(): SessionRecord | null {
    return this.#parts.resumption.record;
  }

  sessionStored(session: SessionRecord | null): void {
    this.#parts.resumption.stored(session);
  }

  unfit(ticket: Ticket, error: unknown): void {
    this.#parts.outbox.unfit(ticket, error);
  }

  refused(ticket: Ticket, error: BrokerError): void {
    const { outbox, status } = this.#parts;
    outbox.queue.remove(ticket);
    ticket.markFailed(error);
    status.publish('PCJ_QUEUEFAIL', error);
  }

  buried(ticket: Ticket, cause: BrokerError): void {
    const { key, xml } = ticket;
    const error = cause.with({}, `${cause.message}; the stanza lies with the dead letters of ${this.#store.name}`);
    this.#parts.status.publish('PCJ_DEADLETTER', { key, xml, error });
  }

  failing(error: BrokerError): void {
    const now = performance.now();
    if (now - this.#toldAt < TELL_MS) return;
    this.#toldAt = now;
    this.#parts.status.publish('PCJ_STOREFAIL', error);
  }

  working(): void {
    this.#toldAt = Number.NEGATIVE_INFINITY;
    const epoch = this.#open?.epoch ?? 0;
    this.#parts.status.publish('PCJ_STOREREADY', { queue: this.queue, ...this.contents, epoch });
  }

  arrived(stanzas: readonly StoredStanza[]): void {
    const early = this.#early;
    if (early !== null) {
      early.stanzas.push(...stanzas);
      for (const { xml } of stanzas) early.cost += storedCost(xml);
    }
    const open = this.#open;
    if (open === null) return;
    for (const stored of stanzas) {
      const ticket = this.#recovery.one(stored);
      if (ticket !== null) this.arrivals.add({ ticket, position: stored.position });
      // Whoever was told of it may have halted or closed it: the rest stays in the store.
      if (!this.#isOpenWith(open)) return;
    }
  }

  room(): { stanzas: number; bytes: number } {
    const { queue } = this.#parts.outbox;
    const { size, cost } = this.journal.lane;
    const { arrivals } = this;
    const early = this.#early;
    const waiting = arrivals.waiting + (early?.stanzas.length ?? 0);
    const waitingCost = arrivals.waitingCost + (early?.cost ?? 0);
    return {
      stanzas: Math.max(0, this.limits.maxStanzas - queue.size - size - waiting),
      bytes: Math.max(0, this.limits.maxBytes - queue.bytes - cost - waitingCost),
    };
  }

  standby(holder: string | null): void {
    this.#parts.status.publish('PCJ_STANDBY', { queue: this.queue, holder });
  }

  health(error: BrokerError | null): void {
    this.journal.health(error);
  }

  fenced(error: BrokerError): void {
    const open = this.#open;
    if (open === null) {
      if (this.#early !== null) this.#early.fenced ??= error;
      return;
    }
    const { outbox, resumption, lifecycle, status } = this.#parts;
    this.#open = null;
    this.#wasOpen = false;
    this.journal.disown();
    this.arrivals.close();
    resumption.forget();
    outbox.queue.take(({ state }) => state === 'failed');
    void letGo(open);
    lifecycle.fenced(error, () => {
      status.publish('PCJ_FENCED', error);
    });
  }

  /** What is held was picked to be sent. */
  purged(select: ((ticket: Ticket) => boolean) | undefined, by: string): void {
    this.arrivals.purged(select, by);
  }

  purge(selection: PurgeSelection, by: string): number {
    return this.#remote.purge(selection, by);
  }

  drop(selection: PurgeSelection, by: string): number {
    return this.#remote.drop(selection, by);
  }

  status(): QueueStatus {
    return { queue: this.queue, epoch: this.#open?.epoch ?? 0, ...this.contents, ...this.#remote.status() };
  }

  ask(xml: string, timeoutMs?: number): Promise<string> {
    return this.#remote.ask(xml, timeoutMs);
  }
}

function closed(): BrokerError {
  const text = 'the store of the queue was closed while it was being opened';
  return new BrokerError('CONNECT_ABORTED', text, { layer: 'usage' });
}

/** What another process put last. @throws what the store throws */
async function newestOf(open: OpenStore): Promise<number> {
  const newest: unknown = await open.newest?.();
  if (typeof newest !== 'number') throw new TypeError('newest() of the store did not resolve with a number');
  return newest;
}

/** What a store says when it is closed changes nothing. */
async function letGo(open: OpenStore): Promise<void> {
  try {
    await open.close();
  } catch {
    // It is let go of all the same.
  }
}

/** A store that cannot say is asked no more. */
async function checked(open: OpenStore): Promise<void> {
  try {
    await open.check?.();
  } catch {
    // What it says when something is written tells the same.
  }
}

/** Waits for no longer than that. */
async function within(limitMs: number, work: Promise<void>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const limit = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, limitMs);
  });
  await Promise.race([work, limit]);
  clearTimeout(timer);
}

/** What comes when nobody waits any more is closed. */
function abortable(opening: Promise<OpenStore>, signal: AbortSignal): Promise<OpenStore> {
  return new Promise((resolve, reject) => {
    const onAbort = (): void => {
      reject(signal.reason as Error);
      opening.then(letGo, () => undefined);
    };
    if (signal.aborted) {
      onAbort();
      return;
    }
    signal.addEventListener('abort', onAbort, { once: true });
    opening.then(resolve, reject).finally(() => {
      signal.removeEventListener('abort', onAbort);
    });
  });
}
