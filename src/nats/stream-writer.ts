// Stanzas on their way into a stream of JetStream, until each of them is stored there.
import type { MsgHdrs } from '@nats-io/transport-node';
import { Deferred } from '../deferred.js';
import type { BrokerError } from '../errors.js';
import { DUPLICATE } from './headers.js';

/** Shortest and longest time between two tries, in milliseconds. */
const RETRY_MS = { first: 250, most: 2_000 };

/** For so long something may wait without a connection before that is told, in milliseconds. */
const AWAY_MS = 2_000;

/** How often an outage that goes on is told, in milliseconds. */
const TOLD_EVERY_MS = 60_000;

/** What a stream is to store. */
export interface Message {
  /** Within the window of the stream a second one with the same id is the first one again. */
  readonly id: string;
  readonly subject: string;
  readonly text: string;
  readonly headers: MsgHdrs;
  /** Who sent it, for messages. */
  readonly from: string | null;
  /** Whether the next one of the same subject waits until it is stored. */
  readonly ordered: boolean;
}

/** Whose writer it is. */
export interface StreamWriterOwner {
  /** Publishes once. Rejects when it is not known that it was stored. */
  publish(message: Message): Promise<unknown>;
  /** An error of ours for what `publish` rejected with. `final`: it will never be stored. */
  failure(cause: unknown, message: Message): { readonly error: BrokerError; readonly final: boolean };
  /** What is said when there was no connection for a while. */
  away(): BrokerError;
  /** It does not work: once for each outage, then each minute. */
  failing(error: BrokerError): void;
  /** It works again. */
  working(): void;
  /** A message was given up, with a final failure. */
  lost(error: BrokerError): void;
}

interface Entry {
  readonly message: Message;
  readonly stored: Deferred<void>;
  underWay: boolean;
  /** Number of the newest try: what comes of an older one is no news, unless it is good. */
  tries: number;
}

/**
 * Publishes messages, and again until the stream says that it has them. While that fails nothing new is published; then all
 * that is not stored goes out again, in order, with the same ids.
 */
export class StreamWriter {
  readonly #owner: StreamWriterOwner;
  /** What is not stored, oldest first. */
  readonly #entries = new Map<string, Entry>();
  /** Ordered messages that wait, by their subject; the first is the one under way. */
  readonly #lanes = new Map<string, Entry[]>();
  #timer: NodeJS.Timeout | null = null;
  /** No connection: nothing is tried. */
  #isDown = false;
  #awayTimer: NodeJS.Timeout | null = null;
  #delay = RETRY_MS.first;
  #failingSince: number | null = null;
  #toldAt = 0;
  #closed = false;
  #idle: Deferred<void> | null = null;

  constructor(owner: StreamWriterOwner) {
    this.#owner = owner;
  }

  /** Messages that are not stored yet. */
  get size(): number {
    return this.#entries.size;
  }

  /** Resolves when the stream has the message, or it was given up. It never rejects. */
  write(message: Message): Promise<void> {
    const known = this.#entries.get(message.id);
    if (known !== undefined) return known.stored.promise;
    const entry: Entry = { message, stored: new Deferred(), underWay: false, tries: 0 };
    this.#entries.set(message.id, entry);
    if (message.ordered) {
      const lane = this.#lanes.get(message.subject);
      if (lane === undefined) this.#lanes.set(message.subject, [entry]);
      else lane.push(entry);
    }
    if (this.#isDown) this.#waitForConnection(AWAY_MS);
    else this.#try(entry);
    return entry.stored.promise;
  }

  /** The connection is gone: nothing is tried until it is back. */
  down(): void {
    this.#isDown = true;
    this.#stopTimers();
    if (this.size > 0) this.#waitForConnection(AWAY_MS);
  }

  /**
   * The connection is back: what was under way may be lost, and goes out again.
   * @param isAnother its nats-server knows no ids of what is done with: what was tried before is flagged
   */
  up(isAnother: boolean): void {
    this.#isDown = false;
    this.#stopTimers();
    for (const entry of this.#entries.values()) {
      entry.underWay = false;
      if (isAnother && entry.tries > 0) entry.message.headers.set(DUPLICATE, '1');
    }
    this.#tryAll();
  }

  /**
   * The link that brought what is not stored is gone.
   * @param most so many are kept; older ones are given up
   * @returns how many were
   */
  age(most: number): number {
    const surplus = this.#entries.size - most;
    if (surplus <= 0) return 0;
    for (const entry of [...this.#entries.values()].slice(0, surplus)) this.#giveUp(entry);
    return surplus;
  }

  /** Resolves when all is stored, or the time is over. Then nothing is tried any more. @returns how many are not stored */
  async close(limitMs: number): Promise<number> {
    if (this.size > 0 && !this.#closed) {
      this.#idle ??= new Deferred();
      const timer = setTimeout(() => this.#idle?.resolve(), limitMs);
      await this.#idle.promise;
      clearTimeout(timer);
    }
    this.#closed = true;
    this.#stopTimers();
    return this.size;
  }

  /** Nobody waits any more for what is not stored. */
  release(): void {
    for (const { stored } of this.#entries.values()) stored.resolve();
    this.#entries.clear();
    this.#lanes.clear();
  }

  #tryAll(): void {
    for (const entry of [...this.#entries.values()]) this.#try(entry);
  }

  #try(entry: Entry): void {
    const { message } = entry;
    if (entry.underWay || this.#isDown || this.#timer !== null || this.#closed) return;
    if (message.ordered && this.#lanes.get(message.subject)?.[0] !== entry) return;
    entry.underWay = true;
    entry.tries += 1;
    const { tries } = entry;
    this.#owner.publish(message).then(
      () => this.#stored(entry),
      (cause: unknown) => {
        if (entry.tries === tries) this.#failed(entry, cause);
      },
    );
  }

  #stored(entry: Entry): void {
    if (!this.#take(entry)) return;
    this.#delay = RETRY_MS.first;
    if (this.#failingSince !== null) {
      this.#failingSince = null;
      this.#owner.working();
    }
    entry.stored.resolve();
  }

  #failed(entry: Entry, cause: unknown): void {
    entry.underWay = false;
    if (this.#entries.get(entry.message.id) !== entry || this.#closed) return;
    const { error, final } = this.#owner.failure(cause, entry.message);
    if (final) {
      this.#owner.lost(error);
      this.#giveUp(entry);
      return;
    }
    this.#tell(error);
    if (this.#isDown || this.#timer !== null) return;
    this.#timer = setTimeout(() => {
      this.#timer = null;
      this.#tryAll();
    }, this.#delay);
    this.#delay = Math.min(2 * this.#delay, RETRY_MS.most);
  }

  #tell(error: BrokerError): void {
    const now = performance.now();
    if (this.#failingSince !== null && now - this.#toldAt < TOLD_EVERY_MS) return;
    this.#failingSince ??= now;
    this.#toldAt = now;
    this.#owner.failing(error);
  }

  #giveUp(entry: Entry): void {
    if (this.#take(entry)) entry.stored.resolve();
  }

  /** Takes an entry out, and lets the next one of its lane go. Returns whether it was there. */
  #take(entry: Entry): boolean {
    const { id, subject, ordered } = entry.message;
    if (this.#entries.get(id) !== entry) return false;
    this.#entries.delete(id);
    if (this.#entries.size === 0) this.#idle?.resolve();
    if (!ordered) return true;
    const lane = this.#lanes.get(subject);
    lane?.splice(lane.indexOf(entry), 1);
    const next = lane?.[0];
    if (next === undefined) this.#lanes.delete(subject);
    else this.#try(next);
    return true;
  }

  #waitForConnection(ms: number): void {
    if (this.#closed) return;
    this.#awayTimer ??= setTimeout(() => {
      this.#awayTimer = null;
      if (this.size > 0) this.#tell(this.#owner.away());
      this.#waitForConnection(TOLD_EVERY_MS);
    }, ms);
  }

  #stopTimers(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    if (this.#awayTimer !== null) clearTimeout(this.#awayTimer);
    this.#timer = null;
    this.#awayTimer = null;
  }
}
