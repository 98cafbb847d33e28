// A queue in NATS, in the possession of this process: its stanzas are the messages of one subject in a work queue, what
// happens to them is in the holder record, and a stanza that is done with is acknowledged to JetStream.
import { BrokerError } from '../errors.js';
import type { Change, OpenStore, SessionRecord, StoredStanza } from '../queue/store.js';
import { answer } from './answers.js';
import { isMessageMissing } from './errors.js';
import type { Feed, FeedMessage, FeedOwner } from './feed.js';
import { CommandLine } from './commands.js';
import { Inherited, type Body } from './inherited.js';
import { KnownStanzas, NOWHERE } from './known-stanzas.js';
import type { Lease, Taken, TakenAfter } from './lease.js';
import { packed } from './marks.js';
import { keyOf, storedOf, ticketOf } from './message.js';
import { Brought } from './brought.js';
import { QueueWriter, type QueueWriterParts } from './queue-writer.js';
import type { Reports } from './reports.js';
import { stage, type Staged } from './staged.js';

/** Time until JetStream brings again what is not done with, in milliseconds. What is still held then is recognised. */
export const ACK_WAIT_MS = 5 * 60 * 1000;

/** What a queue needs of a lease, and of what reads for it: a shard of a fleet has one of each for many queues. */
export type QueueLease = Pick<Lease, 'isHeld' | 'keep' | 'write' | 'check' | 'settle' | 'release' | 'stop'>;
export type QueueFeed = Pick<Feed, 'start' | 'again' | 'stop' | 'delete'>;

/** A queue that a store has open, and tells of its connection. */
export interface OpenedQueue extends OpenStore {
  /** Set as soon as it is being closed, such as while what is under way is waited for: who opens it again waits, too. */
  readonly closing: Promise<void> | null;
  up(): void;
  down(error: BrokerError): void;
}

/** What a queue works with. */
export interface NatsQueueParts extends QueueWriterParts {
  readonly lease: QueueLease;
  /** What reads for it. */
  readonly feed: (owner: FeedOwner) => QueueFeed;
  readonly reports: Reports;
  /** How many stanzas that are done with keep their marks in the record. Default none. */
  readonly remembered?: number;
  /** Called when it is closed. */
  left(): Promise<void>;
}

export class NatsQueue implements OpenedQueue, FeedOwner {
  readonly epoch: number;
  readonly after: TakenAfter;
  held: readonly StoredStanza[] = [];
  readonly session: SessionRecord | null;
  readonly #parts: NatsQueueParts;
  readonly #feed: QueueFeed;
  #commands: CommandLine | null = null;
  readonly #known: KnownStanzas;
  readonly #writer: QueueWriter;
  readonly #inherited: Inherited;
  #kept: SessionRecord | null;
  #under: Promise<void> = Promise.resolve();
  #confirmed: Promise<unknown> = Promise.resolve();
  #closed: Promise<void> | null = null;
  #isLost = false;
  /** Whether what is there at the beginning has come; null: it is opened. */
  #first: { done: () => void; lost: (error: BrokerError) => void } | null = null;
  /** What was brought and not handed over yet. */
  #waiting = new Brought();

  constructor(parts: NatsQueueParts, { epoch, after, body, at }: Taken) {
    this.#parts = parts;
    this.#known = new KnownStanzas(parts.remembered);
    this.epoch = epoch;
    this.after = after;
    this.#inherited = new Inherited(body, at);
    this.session = this.#inherited.session;
    this.#kept = this.session;
    this.#writer = new QueueWriter(parts, this.#known);
    this.#feed = parts.feed(this);
  }

  /** Most bytes of a stanza. */
  get maxBytes(): number {
    return this.#writer.maxBytes;
  }

  /** Reads what is there. @throws BrokerError `NATS_*`, or what the signal says */
  async begin(signal: AbortSignal): Promise<void> {
    const { lease, link, subjects, owner } = this.#parts;
    const caughtUp = new Promise<void>((done, lost) => {
      this.#first = { done, lost };
    });
    caughtUp.catch(nothing);
    lease.keep((error) => {
      this.#lost(error);
    });
    await this.#feed.start();
    await Promise.race([caughtUp, abortion(signal)]);
    this.#commands = new CommandLine(link, subjects, owner, (error) => {
      owner.health(error);
    });
    // From here on it is heard.
    await link.connection.flush().catch(nothing);
    // Whoever opens it takes them up at once: until then they are counted here.
    this.held = this.#waiting.stanzas;
    this.#waiting = new Brought();
    this.#first = null;
  }

  commit(changes: readonly Change[]): Promise<void> {
    if (this.#closed !== null) return Promise.reject(failed('the queue was closed', false));
    const committed = this.#commit(changes);
    this.#under = committed.catch(nothing);
    return committed;
  }

  async newest(): Promise<number> {
    const { manager, subjects, link } = this.#parts;
    try {
      return (await manager.streams.info(subjects.outStream)).state.last_seq;
    } catch (cause) {
      throw link.error(cause, 'to find its newest stanza');
    }
  }

  get closing(): Promise<void> | null {
    return this.#closed;
  }

  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  /** The connection is there again. */
  up(): void {
    this.#feed.again();
    this.#parts.owner.health(null);
  }

  down(error: BrokerError): void {
    this.#parts.owner.health(error);
  }

  room(): { stanzas: number; bytes: number } {
    const { stanzas, bytes } = this.#parts.owner.room();
    const waiting = this.#waiting;
    // Our own come once more to be acknowledged, and take no room.
    return { stanzas: stanzas - waiting.stanzas.length + this.#known.toCome, bytes: bytes - waiting.cost };
  }

  arrived(from: FeedMessage): void {
    const { sequence, at, message } = from;
    const reply = message.reply ?? '';
    const key = keyOf(from);
    if (this.#known.isReused(sequence, key, at)) this.lost(sequence);
    const isNew = this.#known.pass(sequence, at);
    if (this.#known.endsNow(sequence)) {
      this.#acknowledge([reply], [sequence]);
      return;
    }
    const same = this.#known.withKey(key);
    const known = same?.sequence === NOWHERE ? same : this.#known.at(sequence);
    if (known !== undefined) {
      this.#known.bring(known, from, reply);
      return;
    }
    // It was done with, and that was lost; or the same stanza is here already.
    const isOurs = this.#writer.isPutting(key);
    if (!isNew || (same !== undefined && !isOurs)) {
      this.#acknowledge([reply], [sequence]);
      return;
    }
    const mark = this.#inherited.markOf(from);
    this.#known.add({ key, sequence, at, ticket: ticketOf(from), mark, reply });
    // Our own, faster than the answer to who put it.
    if (isOurs) return;
    this.#tell(storedOf(from, mark));
  }

  /** See {@link OpenStore.check}. */
  check(): Promise<void> {
    return this.#parts.lease.settle();
  }

  caughtUp(): void {
    this.#first?.done();
  }

  lost(from: number): void {
    this.#known.lose(from);
    void this.#tellPlaces().catch(nothing);
  }

  /** What the record says of places that were lost is said of others now. What a commit is about to keep there is not taken back. */
  async #tellPlaces(): Promise<void> {
    let under: Promise<void> | null = null;
    while (under !== this.#under) await (under = this.#under);
    if (this.#closed === null) await this.#parts.lease.write(this.#body([]));
  }

  failed(error: BrokerError): void {
    const { owner, lease } = this.#parts;
    if (this.#isLost || this.#closed !== null) return;
    owner.health(error.retryable ? error : error.with({ retryable: true }));
    // A new holder deletes the readers of others.
    void lease.check();
  }

  #tell(stanza: StoredStanza): void {
    if (this.#first !== null) {
      this.#waiting.push(stanza);
      return;
    }
    // Nobody can tell any more where in a session it was.
    this.#waiting.push(stanza.handed === null ? stanza : { ...stanza, handed: null, possibleDuplicate: true });
    if (this.#waiting.stanzas.length === 1) {
      setImmediate(() => {
        this.#flush();
      });
    }
  }

  #flush(): void {
    const { stanzas } = this.#waiting;
    this.#waiting = new Brought();
    if (stanzas.length === 0 || this.#isLost || this.#closed !== null) return;
    this.#parts.owner.arrived(stanzas);
  }

  async #commit(changes: readonly Change[]): Promise<void> {
    const { lease, reports, owner } = this.#parts;
    if (this.#isLost || !lease.isHeld) throw fenced();
    const { all, session } = stage(changes, (key) => this.#known.withKey(key));
    const puts = all.filter(({ put, entry, outcome }) => put !== null && entry === null && outcome === null);
    this.#writer.checkSizes(all);
    try {
      await this.#writer.publish(puts, all);
      await this.#writer.bury(all);
      const kept = session === undefined ? this.#kept : session;
      if (session !== undefined || all.some(({ entry, mark }) => entry !== null && mark !== entry.mark)) {
        await lease.write(this.#body(all, kept));
      }
      this.#kept = kept;
    } catch (cause) {
      const error = this.#wasLost() ? fenced() : this.#failure(cause);
      // What was published is with the next holder.
      throw error.code === 'QUEUE_FENCED' && puts.length > 0 ? error.with({ sent: 'maybe' }) : error;
    }
    for (const { entry, mark } of all) if (entry !== null) entry.mark = mark;
    const ended = all.filter(({ outcome }) => outcome !== null);
    this.#end(ended);
    reports.tell(owner.queue, ended);
  }

  /** What the holder record has to say, with what is about to become of stanzas. */
  #body(all: readonly Staged[], session = this.#kept): Body {
    const marks = this.#known.marks();
    for (const { entry, mark } of all) {
      if (entry !== null && entry.sequence !== NOWHERE) marks.set(entry.sequence, mark);
    }
    return this.#inherited.body(this.#known.floor, { marks: packed(marks), done: this.#known.done(), session });
  }

  #end(ended: readonly Staged[]): void {
    const replies: string[] = [];
    const sequences: number[] = [];
    for (const { entry } of ended) {
      if (entry === null) continue;
      if (this.#known.end(entry)) this.#delete(entry.sequence);
      else if (entry.reply !== null) {
        replies.push(entry.reply);
        sequences.push(entry.sequence);
      }
    }
    this.#acknowledge(replies, sequences);
  }

  #acknowledge(replies: readonly string[], sequences: readonly number[]): void {
    const confirmed = answer(this.#parts.link, replies, '+ACK');
    if (confirmed === null) return;
    this.#confirmed = confirmed.then((isHeard) => {
      if (isHeard) this.#known.confirmed(sequences);
    });
  }

  #delete(sequence: number): void {
    const { manager, subjects } = this.#parts;
    const gone = (): void => {
      this.#known.confirmed([sequence]);
    };
    this.#confirmed = manager.streams
      .deleteMessage(subjects.outStream, sequence, false)
      .then(gone, (error: unknown) => {
        // Somebody else took it out.
        if (isMessageMissing(error)) gone();
      });
  }

  #failure(cause: unknown): BrokerError {
    const { link, owner } = this.#parts;
    const error = link.error(cause, `to store stanzas of the queue "${owner.queue}"`);
    if (error.code === 'QUEUE_FENCED' || error.code === 'NATS_TOO_BIG') return error;
    return failed(error.message, true, error);
  }

  /** Asked anew behind what was waited for. */
  #wasLost(): boolean {
    return this.#isLost;
  }

  #lost(error: BrokerError): void {
    if (this.#isLost || this.#closed !== null) return;
    this.#isLost = true;
    this.#feed.stop();
    this.#commands?.close();
    this.#first?.lost(error);
    this.#parts.owner.fenced(error);
  }

  async #close(): Promise<void> {
    const { lease } = this.#parts;
    await this.#under;
    const isMine = lease.isHeld && !this.#isLost;
    this.#feed.stop();
    this.#commands?.close();
    if (isMine) {
      await this.#confirmed;
      for (const sequence of this.#known.endedEarly) {
        this.#delete(sequence);
        await this.#confirmed;
      }
      await this.#feed.delete();
      await lease.release(this.#body([]));
    } else lease.stop();
    await this.#parts.left();
  }
}

function nothing(): void {
  // Whoever asked was told.
}

function failed(text: string, retryable: boolean, cause?: unknown): BrokerError {
  return new BrokerError('QUEUE_STORE_FAILED', text, { layer: 'queue', retryable, cause });
}

function fenced(): BrokerError {
  return new BrokerError('QUEUE_FENCED', 'this process does not hold the queue any more', {
    layer: 'queue',
    retryable: true,
  });
}

/** @throws the signal's reason */
function abortion(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    const onAbort = (): void => {
      reject(signal.reason as Error);
    };
    if (signal.aborted) onAbort();
    else signal.addEventListener('abort', onAbort, { once: true });
  });
}
