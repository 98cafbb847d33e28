// What a shard's consumer brings, handed to the queues of its accounts: each sees it as a feed of its own.
import type { BrokerError } from '../errors.js';
import type { FeedMessage, FeedOwner } from './feed.js';
import type { QueueFeed } from './queue.js';

/** What is pulled ahead of the queues. */
const AHEAD = { stanzas: 256, bytes: 4 * 1024 * 1024 };
/** What is kept for an account whose queue is not open yet: as much as a queue takes where nothing else is said. */
const UNOPENED = { stanzas: 10_000, bytes: 32 * 1024 * 1024 };
/** Time until what there is no room for comes again, the more often the longer, and what is for nobody, in milliseconds. */
const LATER_MS = 1_000;
const STRAY_MS = 30_000;
/** So late what has to come again may be before it counts as gone: somebody took it out of the stream. */
const OVERDUE_MS = 10_000;

/** What is known of an account. */
class Account {
  owner: FeedOwner | null = null;
  /** Whether it had a queue before: then NATS has to bring again what that one had. */
  wasOpen = false;
  found: FeedMessage[] = [];
  foundBytes = 0;
  /** Sequences that are to come again, the oldest first: what is behind one of them has to wait, too. */
  #waiting: number[] = [];
  /** When the first of them has to be here. */
  #dueAt = 0;

  /** Whether there is room for a stanza, and it is its turn; if not, it is remembered that it waits. */
  takes(sequence: number, bytes: number): boolean {
    const [first] = this.#waiting;
    const isTurn = first === undefined || sequence <= first;
    if (isTurn && this.#hasRoom(bytes)) {
      if (sequence === first) {
        this.#waiting.shift();
        this.#dueAt = performance.now() + STRAY_MS;
      }
      return true;
    }
    const at = this.#waiting.findIndex((other) => other >= sequence);
    if (at < 0) this.#waiting.push(sequence);
    else if (this.#waiting[at] !== sequence) this.#waiting.splice(at, 0, sequence);
    return false;
  }

  /** One that was refused comes again after that time. @returns whether the first of those that wait should have come by now */
  waits(sequence: number, ms: number): boolean {
    const now = performance.now();
    if (sequence !== this.#waiting[0]) return now > this.#dueAt + OVERDUE_MS;
    this.#dueAt = now + ms;
    return false;
  }

  /** Everything that is not done with comes again, in order. */
  restart(): void {
    this.#waiting = [];
  }

  forget(): void {
    this.found = [];
    this.foundBytes = 0;
    this.#waiting = [];
  }

  /** The stream does not have what it had from that place on. */
  lose(from: number): void {
    this.found = this.found.filter(({ sequence }) => sequence < from);
    this.foundBytes = this.found.reduce((sum, { message }) => sum + message.data.length, 0);
    this.#waiting = this.#waiting.filter((sequence) => sequence < from);
    this.owner?.lost(from);
  }

  #hasRoom(bytes: number): boolean {
    if (this.owner === null) {
      return this.found.length < UNOPENED.stanzas && this.foundBytes + bytes <= UNOPENED.bytes;
    }
    const room = this.owner.room();
    return room.stanzas > 0 && room.bytes > 0;
  }
}

/** What the feed of a shard tells. */
export interface ShardFeedOwner {
  /** What was there when reading began has come. */
  caughtUp(): void;
  failed(error: BrokerError): void;
  /** Sends an answer for a message. Never throws. */
  answer(reply: string, text: string): void;
}

/** The one who reads for all accounts of a shard. */
export class ShardFeed implements FeedOwner {
  readonly #owner: ShardFeedOwner;
  readonly #accounts = new Map<string, Account>();
  /** Whether all accounts that there are have opened their queues. */
  #isComplete = false;
  #again: () => void = () => undefined;

  constructor(owner: ShardFeedOwner) {
    this.#owner = owner;
  }

  /** @param again has NATS bring once more what is not done with */
  reads(again: () => void): void {
    this.#again = again;
  }

  /** The feed as the queue of one account sees it. */
  feed(token: string, owner: FeedOwner): QueueFeed {
    return {
      start: () => {
        this.#opened(token, owner);
        return Promise.resolve();
      },
      again: () => {
        this.#again();
      },
      stop: () => {
        this.#closed(token, owner);
      },
      delete: () => {
        this.#closed(token, owner);
        return Promise.resolve();
      },
    };
  }

  /** What is here for somebody who has no queue is for nobody. */
  complete(): void {
    this.#isComplete = true;
    for (const [token, account] of this.#accounts) {
      if (account.owner !== null) continue;
      for (const { message } of account.found) this.#later(message.reply, STRAY_MS);
      this.#accounts.delete(token);
    }
  }

  room(): { stanzas: number; bytes: number } {
    return AHEAD;
  }

  arrived(from: FeedMessage): void {
    const { message, sequence } = from;
    const token = message.subject.slice(message.subject.lastIndexOf('.') + 1);
    let account = this.#accounts.get(token);
    if (account === undefined || (account.owner === null && this.#isComplete)) {
      if (this.#isComplete) {
        this.#later(message.reply, STRAY_MS);
        return;
      }
      account = new Account();
      this.#accounts.set(token, account);
    }
    const bytes = message.data.length;
    if (!account.takes(sequence, bytes)) {
      this.#refused(account, from);
    } else if (account.owner === null) {
      account.found.push(from);
      account.foundBytes += bytes;
    } else account.owner.arrived(from);
  }

  caughtUp(): void {
    this.#owner.caughtUp();
  }

  lost(from: number): void {
    for (const account of this.#accounts.values()) account.lose(from);
  }

  failed(error: BrokerError): void {
    this.#owner.failed(error);
    for (const { owner } of this.#accounts.values()) owner?.failed(error);
  }

  #opened(token: string, owner: FeedOwner): void {
    const account = this.#accounts.get(token) ?? new Account();
    this.#accounts.set(token, account);
    const { found, wasOpen } = account;
    if (wasOpen) account.forget();
    account.owner = owner;
    account.wasOpen = true;
    account.found = [];
    account.foundBytes = 0;
    if (wasOpen) this.#again();
    else {
      for (const message of found) {
        if (account.takes(message.sequence, message.message.data.length)) owner.arrived(message);
        else this.#refused(account, message);
      }
    }
    owner.caughtUp();
  }

  #closed(token: string, owner: FeedOwner): void {
    const account = this.#accounts.get(token);
    if (account?.owner !== owner) return;
    account.owner = null;
    account.forget();
  }

  #refused(account: Account, { sequence, message, deliveries }: FeedMessage): void {
    const ms = Math.min(STRAY_MS, LATER_MS * deliveries);
    this.#later(message.reply, ms);
    if (!account.waits(sequence, ms)) return;
    for (const one of this.#accounts.values()) one.restart();
    this.#again();
  }

  #later(reply: string | undefined, ms: number): void {
    if (reply !== undefined) this.#owner.answer(reply, `-NAK {"delay": ${ms * 1_000_000}}`);
  }
}
