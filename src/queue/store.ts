// What an outbound queue needs to be remembered beyond the life of a process.
import type { BrokerError } from '../errors.js';
import type { QueueLimits } from './outbound-queue.js';

/**
 * Where an outbound queue is remembered: `options.queue.store`. It is a journal of what happens to stanzas, not a second
 * queue: the queue itself stays in memory. Small enough to write one for a database of your own; `queueStoreCases` of
 * `xmpp-broker/testing` tells whether it does what the broker relies on.
 *
 * One store object may be given to many brokers; each of them opens a queue of another name.
 */
export interface QueueStore {
  /** For messages, such as `sqlite`. */
  readonly name: string;
  /** False: it only brings stanzas of other processes, and remembers none that are output here. Left out: it remembers them. */
  readonly keeps?: boolean | undefined;
  /**
   * Takes the queue into possession. A store that several processes share waits here until this one is the holder.
   * @param signal ends the waiting: the promise rejects with its reason
   * @throws BrokerError `QUEUE_LOCKED` when somebody has the queue and there is no waiting for it, in this process too;
   * `QUEUE_CORRUPT`, `QUEUE_VERSION`, `QUEUE_NO_DRIVER`, `QUEUE_STORE_FAILED`
   */
  open(owner: StoreOwner, signal: AbortSignal): Promise<OpenStore>;
}

/** Who opens a queue of a store, and hears what happens to it. */
export interface StoreOwner {
  /** Name of the queue: `options.queue.name`. */
  readonly queue: string;
  /** What the queue takes. */
  readonly limits: Readonly<QueueLimits>;
  /** Content namespace of the stream, in which the text of a `put` is to be read. */
  readonly xmlns: string;
  /** Stanzas that other processes put, with rising positions, behind those in `held`. Some may come before `open` has resolved. */
  arrived(stanzas: readonly StoredStanza[]): void;
  /** What may be handed over by `arrived` before the bounds are reached: a store pulls no more than that. */
  room(): { stanzas: number; bytes: number };
  /** `open` waits for another process: PCJ_STANDBY. @param holder what is known of it, or null */
  standby(holder: string | null): void;
  /** The store does not work, which need not have shown in a commit; null: it works again. PCJ_STOREFAIL, PCJ_STOREREADY */
  health(error: BrokerError | null): void;
  /**
   * This process is the holder no more, for ever: the link is destroyed at once and nothing is written any more. Before `open`
   * has resolved: it was not opened.
   */
  fenced(error: BrokerError): void;
  /** A purge that was asked for elsewhere, if the queue allows it. Returns how many stanzas were picked. @throws BrokerError `QUEUE_PURGE_REFUSED` */
  purge(selection: PurgeSelection, by: string): number;
  /** The same for dropping. @throws BrokerError `QUEUE_PURGE_REFUSED` */
  drop(selection: PurgeSelection, by: string): number;
  /** How the queue stands, for who asks elsewhere. */
  status(): QueueStatus;
  /**
   * Sends a request for another process. Resolves with the answer as text, which may be a stanza of type `error`; rejects with
   * a BrokerError. @param timeoutMs how long it may take; default `timeouts.request`
   */
  ask(xml: string, timeoutMs?: number): Promise<string>;
}

/** A queue of a store, in the possession of this process. */
export interface OpenStore {
  /** Rises with each holder of the queue: 1, 2, 3 … in a file. */
  readonly epoch: number;
  /** What earlier lives left, oldest first. It is read before the first commit: a store may let go of it then. */
  readonly held: readonly StoredStanza[];
  /** The managed session of the last holder that may still be resumed, or null. */
  readonly session: SessionRecord | null;
  /** What was given up while opening, since it cannot be read or trusted: PCJ_DEADLETTER for each. Left out: nothing. */
  readonly dead?: readonly DeadLetter[] | undefined;
  /** What a person has to know of how it was opened, such as that a broken file was moved aside: logged as a warning. */
  readonly warning?: string | undefined;
  /**
   * Remembers changes, in their order. When it resolves, all of them survive the process. When it rejects, none of them
   * counts, and those that are still wanted come again: `key` makes a repetition harmless, also where the store is not sure.
   * Called again only when the last call has settled.
   * @throws BrokerError `QUEUE_STORE_FAILED`. `retryable`: it will work again by itself and stanzas wait; else its puts have
   * failed. `QUEUE_FENCED`; with `sent` `maybe` its puts may be with the next holder: they do not come again, their tickets say that
   * they are kept
   */
  commit(changes: readonly Change[]): Promise<void>;
  /**
   * Position of the newest stanza that anybody put. Asked at PCJ_READY and at a purge: what arrives up to there is held, or
   * picked; what is newer is sent at once. Left out by a store with one writer.
   */
  newest?: (() => Promise<number>) | undefined;
  /** How a shared queue was taken: nobody had it, it was let go of, or its holder was silent for too long. PCJ_ACTIVE. */
  readonly after?: 'free' | 'released' | 'expired' | undefined;
  /** Most bytes of a stanza that it takes, in UTF-8; a larger one is refused by `output`. Left out: any. */
  readonly maxBytes?: number | undefined;
  /**
   * Resolves when it is certain whether this process still has the queue; if not, `fenced` was called before. Asked when the
   * server says that somebody else is there in our place: it may be the next holder. Left out: nobody else can have it.
   */
  check?: (() => Promise<void>) | undefined;
  /** Lets go of the queue at once: the next one may open it. A commit that is under way settles first. */
  close(): Promise<void>;
}

/** A stanza that was given up. */
export interface DeadLetter {
  readonly key: string;
  /** What is left of it; nobody has checked it. */
  readonly xml: string;
  /** Why, and where it lies. */
  readonly error: BrokerError;
}

/** One thing that happened to a queue. */
export type Change =
  /**
   * A stanza was accepted; with `handed` it is about to be written, too. If `key` is there already, nothing is put but
   * `handed` counts.
   */
  | {
      readonly kind: 'put';
      readonly key: string;
      /** The stanza, to be read in {@link StoreOwner.xmlns}. */
      readonly xml: string;
      /** When it was accepted, in milliseconds since 1970. */
      readonly at: number;
      readonly handed: Handed | null;
    }
  /** A stanza is about to be written to the socket. Each time, `attempts` rises by one. */
  | { readonly kind: 'hand'; readonly key: string; readonly handed: Handed }
  /** A stanza is held again. */
  | { readonly kind: 'hold'; readonly key: string; readonly possibleDuplicate: boolean; readonly faults: number }
  /** A stanza is done with. With `failed` it is kept as a dead letter, with `code`. */
  | {
      readonly kind: 'end';
      readonly key: string;
      readonly outcome: 'acked' | 'sent' | 'dropped' | 'failed';
      /** Code of the error it failed with. */
      readonly code?: string | undefined;
      /** With `failed`: the stanza, as far as it is known here. A store that has lost what it had keeps that as the dead letter. */
      readonly xml?: string | undefined;
    }
  /** The managed session as it is now; null: there is none to be resumed. Also sent to try whether the store works again: it has to be written. */
  | { readonly kind: 'session'; readonly session: SessionRecord | null };

/** Where a stanza was handed to. */
export interface Handed {
  /** Id of the managed session; null when there is none that can be resumed. */
  readonly session: string | null;
  /** Place of the stanza in that session, counted as XEP-0198 does: 1 is the first, mod 2^32. */
  readonly ordinal: number | null;
}

/** A stanza as a store remembers it. */
export interface StoredStanza {
  readonly key: string;
  /** Rises with the order in which stanzas were put. */
  readonly position: number;
  readonly xml: string;
  /**
   * Namespace in which `xml` is to be read. Null: it is complete by itself and comes from another process. Then, and when it
   * is not that of the stream, the stanza goes through all that an output does.
   */
  readonly xmlns: string | null;
  /** When it was accepted, in milliseconds since 1970. */
  readonly at: number;
  /** Where it was handed to, if it was not held since. */
  readonly handed: Handed | null;
  readonly possibleDuplicate: boolean;
  /** How often it was handed. */
  readonly attempts: number;
  /** Stream errors that came while it was on its way. */
  readonly faults: number;
  /** Whom the store reports to, for its own use. */
  readonly report?: string | undefined;
}

/** A managed session (XEP-0198), as much of it as the next process needs to resume it. */
export interface SessionRecord {
  readonly id: string;
  /** Tells it from another session to which a server gives the same id later. Records of older versions have none. */
  readonly tag?: string | undefined;
  /** Our address in it. */
  readonly jid: string;
  /** How long the server keeps it, in seconds, or null if it did not say. */
  readonly max: number | null;
  /** Where the server would like it to be resumed, or null. */
  readonly location: SessionLocation | null;
  /** Stanzas sent, mod 2^32, at least. */
  readonly sent: number;
  /** Stanzas that the server acknowledged, mod 2^32, at least. */
  readonly acked: number;
  /** Stanzas of the server that were handled, mod 2^32. No higher count was ever told to it. */
  readonly handled: number;
  /** When this was so, in milliseconds since 1970. */
  readonly at: number;
}

/** Where a session may be resumed. */
export type SessionLocation = Readonly<{ host: string; port: number | null }>;

/** How a queue stands. */
export interface QueueStatus {
  readonly queue: string;
  /** State of the broker that holds it, such as `ready`. */
  readonly state: string;
  readonly epoch: number;
  /** Stanzas that are held. */
  readonly held: number;
  /** How many of them may have reached the server already. */
  readonly possibleDuplicates: number;
  /** What they cost, in bytes. */
  readonly bytes: number;
  /** Age of the oldest, in milliseconds; null: none is held. */
  readonly oldestMs: number | null;
  /** Stanzas that the server has not acknowledged; 0 without stream management. */
  readonly unacknowledged: number;
}

/** Which held stanzas are meant, said in data: what is left out is not looked at. */
export interface PurgeSelection {
  /** Keys of stanzas. Default any. */
  keys?: string[] | undefined;
  /** Kinds of stanzas. Default any. */
  names?: ('message' | 'presence' | 'iq')[] | undefined;
  /** Address in `to`, as it stands there. Default any. */
  to?: string | undefined;
  /** Only those that were output less than this ago, in milliseconds. Default any. */
  youngerThanMs?: number | undefined;
  /** Only those that were output longer than this ago, in milliseconds. Default any. */
  olderThanMs?: number | undefined;
  /** Only those that may have reached the server already, or only those that have not. Default both. */
  possibleDuplicate?: boolean | undefined;
  /** Most stanzas, oldest first. Default all. */
  limit?: number | undefined;
}
