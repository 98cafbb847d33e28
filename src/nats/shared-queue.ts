// A queue in NATS that several processes send from at once, where the XMPP server shares one name among links: no holder and no
// record, all pull from one consumer. What one of them has and does not finish comes to another one, flagged.
import { BrokerError } from '../errors.js';
import type { Change, OpenStore, StoredStanza, StoreOwner } from '../queue/store.js';
import { answer } from './answers.js';
import type { NatsBase } from './base.js';
import { Brought } from './brought.js';
import { CommandLine } from './commands.js';
import { buryOutput } from './dead-letters.js';
import { Feed, type FeedMessage, type FeedOwner } from './feed.js';
import { FRESH, type Mark } from './marks.js';
import { keyOf, storedOf, ticketOf } from './message.js';
import type { OpenedQueue } from './queue.js';
import { stage, type Staged, type StagedEntry } from './staged.js';
import { subjectToken } from './subjects.js';

/** Time until another process gets what this one does not finish, and how often it says that it is still at it, in milliseconds. */
const ACK_WAIT_MS = 30_000;
const WORKING_MS = 10_000;
/** Most stanzas that are asked for at once: the others want some, too. */
const BATCH = 32;
/** Stanzas that are done with, which are remembered in case that JetStream did not hear of it. */
const REMEMBERED = 10_000;

/** A stanza that this process has. */
interface Entry extends StagedEntry {
  readonly xml: string;
}

export class SharedQueue implements OpenStore, FeedOwner, OpenedQueue {
  readonly epoch = 1;
  readonly held: readonly StoredStanza[] = [];
  readonly session = null;
  readonly #base: NatsBase;
  readonly #owner: StoreOwner;
  readonly #left: () => Promise<void>;
  readonly #feed: Feed;
  readonly #commands: CommandLine;
  readonly #byKey = new Map<string, Entry>();
  readonly #bySequence = new Map<number, Entry>();
  /** What is done with: when the stream took it, by its place. */
  readonly #ended = new Map<number, number>();
  #working: NodeJS.Timeout | null = null;
  #waiting = new Brought();
  #under: Promise<void> = Promise.resolve();
  #confirmed: Promise<unknown> = Promise.resolve();
  #closed: Promise<void> | null = null;

  constructor(base: NatsBase, owner: StoreOwner, left: () => Promise<void>) {
    const { link, manager, subjects } = base;
    const { queue, limits } = owner;
    this.#base = base;
    this.#owner = owner;
    this.#left = left;
    const reading = {
      stream: subjects.outStream,
      subject: subjects.out(queue),
      consumer: `${subjectToken(queue)}-shared`,
      ackWaitMs: ACK_WAIT_MS,
      maxPending: limits.maxStanzas,
      isShared: true,
      batch: BATCH,
    };
    this.#feed = new Feed(link, manager, reading, this);
    this.#commands = new CommandLine(link, subjects, owner, (error) => owner.health(error), 'shared');
  }

  get maxBytes(): number | undefined {
    return undefined;
  }

  async begin(): Promise<void> {
    await this.#feed.start();
    this.#working = setInterval(() => {
      this.#stillWorking();
    }, WORKING_MS).unref();
    await this.#base.link.connection.flush().catch(nothing);
  }

  commit(changes: readonly Change[]): Promise<void> {
    if (this.#closed !== null) return Promise.reject(failed('the queue was closed'));
    const committed = this.#commit(changes);
    this.#under = committed.catch(nothing);
    return committed;
  }

  get closing(): Promise<void> | null {
    return this.#closed;
  }

  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  up(): void {
    this.#feed.again();
    this.#owner.health(null);
  }

  down(error: BrokerError): void {
    this.#owner.health(error);
  }

  /** Who is not ready leaves what is there to the others. */
  room(): { stanzas: number; bytes: number } {
    if (this.#owner.status().state !== 'ready') return { stanzas: 0, bytes: 0 };
    const { stanzas, bytes } = this.#owner.room();
    return { stanzas: stanzas - this.#waiting.stanzas.length, bytes: bytes - this.#waiting.cost };
  }

  arrived(from: FeedMessage): void {
    const { sequence, at, deliveries, message } = from;
    const reply = message.reply ?? '';
    const known = this.#bySequence.get(sequence);
    if (known?.at === at) {
      known.reply = reply;
      return;
    }
    // The stream has given its place to another one.
    if (known !== undefined) this.#lose(known);
    const key = keyOf(from);
    if (this.#ended.get(sequence) === at || this.#byKey.has(key)) {
      this.#answer([reply], '+ACK');
      return;
    }
    const mark: Mark = deliveries > 1 ? { ...FRESH, possibleDuplicate: true } : FRESH;
    const stored = storedOf(from, mark);
    const entry: Entry = { key, sequence, at, ticket: ticketOf(from), mark, reply, xml: stored.xml };
    this.#byKey.set(key, entry);
    this.#bySequence.set(sequence, entry);
    this.#waiting.push(stored);
    if (this.#waiting.stanzas.length === 1) setImmediate(() => this.#flush());
  }

  caughtUp(): void {
    // Nothing was waited for.
  }

  lost(from: number): void {
    for (const [sequence, entry] of [...this.#bySequence]) if (sequence >= from) this.#lose(entry);
  }

  failed(error: BrokerError): void {
    if (this.#closed === null) this.#owner.health(error.retryable ? error : error.with({ retryable: true }));
  }

  #flush(): void {
    const { stanzas } = this.#waiting;
    this.#waiting = new Brought();
    if (stanzas.length > 0 && this.#closed === null) this.#owner.arrived(stanzas);
  }

  async #commit(changes: readonly Change[]): Promise<void> {
    const { all } = stage(changes, (key) => this.#byKey.get(key));
    try {
      for (const staged of all) if (staged.outcome === 'failed') await this.#bury(staged);
    } catch (cause) {
      const error = this.#base.link.error(cause, 'to keep a dead letter');
      throw failed(error.message, error);
    }
    for (const { entry, mark } of all) if (entry !== null) entry.mark = mark;
    const ended = all.filter(({ outcome, entry }) => outcome !== null && entry !== null);
    const replies: string[] = [];
    for (const { entry } of ended) {
      if (entry === null) continue;
      this.#byKey.delete(entry.key);
      if (this.#bySequence.get(entry.sequence) === entry) this.#bySequence.delete(entry.sequence);
      this.#remember(entry);
      if (entry.reply !== null) replies.push(entry.reply);
    }
    this.#answer(replies, '+ACK');
    this.#base.reports.tell(this.#owner.queue, ended);
  }

  async #bury({ entry, key, code }: Staged): Promise<void> {
    const { xml = '' } = (entry ?? {}) as Partial<Entry>;
    await buryOutput(this.#base, this.#owner.queue, { key, at: Date.now(), xmlns: null, xml, code });
  }

  /** The stream does not have it any more. It is here still, and goes out. */
  #lose(entry: Entry): void {
    this.#bySequence.delete(entry.sequence);
    entry.reply = null;
  }

  #remember({ sequence, at, reply }: StagedEntry): void {
    if (at === null || reply === null) return;
    this.#ended.set(sequence, at);
    if (this.#ended.size <= REMEMBERED) return;
    const [oldest] = this.#ended.keys();
    if (oldest !== undefined) this.#ended.delete(oldest);
  }

  #stillWorking(): void {
    this.#answer(this.#replies(), '+WPI');
  }

  #replies(): string[] {
    return [...this.#bySequence.values()].map(({ reply }) => reply).filter((reply) => reply !== null);
  }

  #answer(replies: readonly string[], text: '+ACK' | '+WPI' | '-NAK'): void {
    this.#confirmed = answer(this.#base.link, replies, text) ?? this.#confirmed;
  }

  async #close(): Promise<void> {
    await this.#under;
    this.#feed.stop();
    this.#commands.close();
    if (this.#working !== null) clearInterval(this.#working);
    await this.#confirmed;
    // What is left is for the others, at once.
    this.#answer(this.#replies(), '-NAK');
    await this.#confirmed;
    await this.#left();
  }
}

function nothing(): void {
  // Whoever asked was told.
}

function failed(text: string, cause?: unknown): BrokerError {
  return new BrokerError('QUEUE_STORE_FAILED', text, { layer: 'queue', retryable: true, cause });
}
