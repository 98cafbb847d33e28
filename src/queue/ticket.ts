import { randomFillSync } from 'node:crypto';
import { inspect } from 'node:util';
import { Deferred } from '../deferred.js';
import { BrokerError } from '../errors.js';
import type { CountedKind } from '../stats.js';
import type { Element } from '../xml/element.js';
import { readBack } from './read-back.js';

/**
 * Where an output stands.
 * - `queued`: held in the queue, or waiting for the socket; not written.
 * - `sent`: written to the operating system.
 * - `acked`: the server acknowledged it (stream management), or its request was answered.
 * - `dropped`: taken out of the queue by `drop`, by `queue.onReady`, or because it was older than `queue.maxAgeMs`.
 * - `failed`: it will not be sent: halt, or a request that ended before it was written.
 */
export type TicketState = 'queued' | 'sent' | 'acked' | 'dropped' | 'failed';

/** What a ticket knows of the request it belongs to. */
export interface TrackedRequest {
  readonly id: string;
  readonly to: string | null;
  /** The event its answer is published under, or null for a promise. */
  readonly event: string | null;
}

/** Ends of links for which a stanza may be to blame. */
export interface Trouble {
  /** The server ended the stream with an error. */
  faults: number;
  /** The link was lost for good, without a word. */
  losses: number;
}

/** How a ticket ends for what remembers it. `sent`: written, and nothing can tell more. */
export type TicketEnd = 'acked' | 'sent' | 'dropped' | 'failed';

/** What remembers a ticket's stanza, and what its key is. */
export interface TicketRecord {
  readonly key: string;
  readonly stored: Promise<void>;
  /** It was handed to the socket. */
  handedOver(): void;
  /** Nothing more will become of it. */
  ended(how: TicketEnd, error: BrokerError | null): void;
}

/** Most bytes of UTF-8 that a UTF-16 code unit becomes. */
const MOST_BYTES = 3;

/** What each stanza costs beside its text, in bytes: its ticket, its strings and its places in lists, as measured. */
export const STANZA_COST = 256;

/** A bound of what so much text costs that costs nothing, while counting costs as much as writing. */
export function textCostAtMost(length: number): number {
  return length * MOST_BYTES;
}

/** What a text costs where it is kept: a character beyond Latin-1 makes each of them take two bytes. */
export function textCost(text: string, bytes = Buffer.byteLength(text)): number {
  return bytes === text.length ? bytes : Math.max(bytes, 2 * text.length);
}

/** What a stanza costs that is to be kept, in bytes. */
export function storedCost(xml: string): number {
  return STANZA_COST + textCost(xml);
}

/** A turn of the event loop, as its outputs share it: reading the clock for each would cost as much as the ticket. */
interface Turn {
  /** As `performance.now()` has it. */
  readonly begun: number;
  /** As `Date.now()` has it. */
  readonly at: number;
}

let turn: Turn | null = null;

function thisTurn(): Turn {
  if (turn === null) {
    turn = { begun: performance.now(), at: Date.now() };
    queueMicrotask(() => (turn = null));
  }
  return turn;
}

/** What became of one output. Promises are made only when asked for, and never become unhandled rejections. */
export class Ticket {
  state: TicketState = 'queued';
  /** True when the stanza may have reached the server already, on a link that was lost before that was proved. */
  possibleDuplicate = false;
  /** True while the stanza is held in the queue; one that was handed on or is waiting for the socket is not. */
  held = false;
  /** @internal what became of links while the stanza was on its way; null for nearly all: nothing */
  trouble: Trouble | null = null;
  /**
   * How often the stanza was handed to a socket, in earlier processes too: more than once when a link was lost before the
   * stanza was proved to be through.
   */
  attempts = 0;
  /** @internal what remembers it; null when nothing does and nobody asked for its key */
  record: TicketRecord | null = null;
  /** @internal the request this is the stanza of */
  request: TrackedRequest | null = null;
  /** @internal a message, presence or iq, which stream management counts, or something else */
  readonly kind: CountedKind;
  /** @internal whether a managed session holds it as sent and not acknowledged */
  inSession = false;
  /** @internal called once each time the stanza was written */
  onSent: (() => void) | null = null;
  /** @internal the stanza serialised in the stream's content namespace: the only copy that is kept */
  readonly xml: string;
  /** Number of this output, rising in call order. */
  readonly id: number;
  readonly #xmlns: string;
  readonly #turn: Turn;
  /** -1: not counted yet. */
  #bytes = -1;
  /** Whoever looks at all that is held does not make all of it larger for good. */
  #node: WeakRef<Element> | undefined;
  #sent: Deferred<void> | undefined;
  #acked: Deferred<void> | undefined;
  #error: BrokerError | undefined;
  #ackable = false;

  /** @internal @param ageMs how long ago it was accepted, if not now */
  constructor(id: number, xml: string, xmlns: string, kind: CountedKind = 'message', ageMs?: number) {
    this.id = id;
    this.kind = kind;
    this.xml = xml;
    this.#xmlns = xmlns;
    this.#turn = ageMs === undefined ? thisTurn() : { begun: performance.now() - ageMs, at: Date.now() - ageMs };
  }

  /** Names the stanza in a store: the `key` that `output` was given, else 144 random bits. */
  get key(): string {
    this.record ??= new Unstored(randomKey());
    return this.record.key;
  }

  /**
   * Resolves when the stanza survives the end of the process: the store of the queue has it. Rejects with
   * `QUEUE_NOT_STORED` when the queue has no store or does not keep the stanza (`queue.keep`; requests never), and with what
   * the store says when that cannot be done.
   */
  get stored(): Promise<void> {
    this.record ??= new Unstored(randomKey());
    return this.record.stored;
  }

  /**
   * How often the server ended the stream with an error while the stanza was on its way, which may be why. Such stanzas are
   * sent with care, and given up after `queue.maxFaults`.
   */
  get faults(): number {
    return this.trouble === null ? 0 : this.trouble.faults;
  }

  /** @internal whether it may be why links end; being lost once without a word is ordinary */
  get isSuspect(): boolean {
    return this.trouble !== null && (this.trouble.faults > 0 || this.trouble.losses > 1);
  }

  /** Size on the wire in bytes. */
  get bytes(): number {
    if (this.#bytes < 0) this.#bytes = Buffer.byteLength(this.xml);
    return this.#bytes;
  }

  /** @internal what it costs to keep it: what the queue's bound counts */
  get cost(): number {
    return STANZA_COST + textCost(this.xml, this.bytes);
  }

  /** @internal a bound of {@link cost} that costs nothing */
  get costAtMost(): number {
    return STANZA_COST + textCostAtMost(this.xml.length);
  }

  /** The stanza as it is sent: read back from its serialised form, so it shows a generated id. */
  get node(): Element {
    let node = this.#node?.deref();
    if (node === undefined) {
      node = readBack(this.xml, this.#xmlns);
      this.#node = new WeakRef(node);
    }
    return node;
  }

  /** Milliseconds since the output was accepted. */
  get ageMs(): number {
    return performance.now() - this.#turn.begun;
  }

  /** @internal when it was accepted, in milliseconds since 1970 */
  get at(): number {
    return this.#turn.at;
  }

  /** Resolves when the stanza was written to the operating system; rejects when that will never happen. */
  get sent(): Promise<void> {
    if (this.#sent === undefined) {
      this.#sent = new Deferred();
      if (this.state === 'sent' || this.state === 'acked') this.#sent.resolve();
      else if (this.#error !== undefined) this.#sent.reject(this.#error);
    }
    return this.#sent.promise;
  }

  /**
   * Resolves when the server acknowledged the stanza (XEP-0198), or its request was answered. Without stream
   * management it rejects with `QUEUE_NOT_ACKABLE` once the stanza is sent: receipt cannot be known then.
   */
  get acked(): Promise<void> {
    if (this.#acked === undefined) {
      this.#acked = new Deferred();
      if (this.state === 'acked') this.#acked.resolve();
      else if (this.#error !== undefined) this.#acked.reject(this.#error);
      else if (this.state === 'sent' && !this.#ackable) this.#acked.reject(notAckable());
    }
    return this.#acked.promise;
  }

  /** @internal an answer or an acknowledgement can still come: `acked` stays open after sending */
  expectAck(): void {
    this.#ackable = true;
  }

  /** @internal nothing can tell any more whether the server received it */
  expectNoAck(): void {
    this.#ackable = false;
    if (this.state !== 'sent') return;
    this.#acked?.reject(notAckable());
    this.record?.ended('sent', null);
  }

  /** @internal */
  markSent(): void {
    if (this.state !== 'queued') return;
    this.state = 'sent';
    this.#sent?.resolve();
    if (!this.#ackable) {
      this.#acked?.reject(notAckable());
      this.record?.ended('sent', null);
    }
    this.onSent?.();
  }

  /** @internal */
  markAcked(): void {
    if (this.state !== 'queued' && this.state !== 'sent') return;
    this.state = 'acked';
    this.#sent?.resolve();
    this.#acked?.resolve();
    this.record?.ended('acked', null);
  }

  /** @internal back in the queue after a link was lost before the stanza was proved to be through */
  markHeld(possibleDuplicate: boolean): void {
    this.state = 'queued';
    this.inSession = false;
    // The next link need not have stream management. An answer may still come.
    if (this.request === null) this.#ackable = false;
    this.possibleDuplicate ||= possibleDuplicate;
  }

  /** @internal */
  markDropped(error: BrokerError): void {
    this.#end('dropped', error);
  }

  /** @internal */
  markFailed(error: BrokerError): void {
    this.#end('failed', error);
  }

  #end(state: 'dropped' | 'failed', error: BrokerError): void {
    if (this.state !== 'queued' && this.state !== 'sent') return;
    this.state = state;
    this.#error = error;
    this.#sent?.reject(error);
    this.#acked?.reject(error);
    this.record?.ended(state, error);
  }

  /** Without the stanza: it may hold a password. */
  [inspect.custom](): string {
    return `Ticket ${JSON.stringify(this)}`;
  }

  toJSON(): object {
    return { id: this.id, state: this.state, bytes: this.bytes, possibleDuplicate: this.possibleDuplicate };
  }
}

/** A ticket that no store has. */
export class Unstored implements TicketRecord {
  readonly key: string;
  readonly #onEnd: () => void;

  constructor(key: string, onEnd: () => void = nothing) {
    this.key = key;
    this.#onEnd = onEnd;
  }

  get stored(): Promise<void> {
    const text =
      'the stanza is not stored: the queue has no store (queue.store), or does not keep it (queue.keep; requests never)';
    const refused: Promise<void> = Promise.reject(new BrokerError('QUEUE_NOT_STORED', text, { layer: 'queue' }));
    refused.catch(() => undefined);
    return refused;
  }

  handedOver(): void {
    // Nobody remembers it.
  }

  ended(): void {
    this.#onEnd();
  }
}

function nothing(): void {
  // Nobody wants to know.
}

/** Random bytes of a key, 18 so that its text has no rest, and keys that are made at once: asking for each costs more than all else about an output. */
const KEY_BYTES = 18;
const KEY_LENGTH = 24;
const KEYS_AT_ONCE = 64;

const pool = Buffer.alloc(KEY_BYTES * KEYS_AT_ONCE);
/** Keys that are left are its end, behind `used`. */
let keys = '';
let used = 0;

/** Names a stanza: 144 random bits. */
export function randomKey(): string {
  if (used === keys.length) {
    keys = randomFillSync(pool).toString('base64url');
    used = 0;
  }
  return keys.slice(used, (used += KEY_LENGTH));
}

function notAckable(): BrokerError {
  return new BrokerError(
    'QUEUE_NOT_ACKABLE',
    'the stanza was written, but without stream management nothing tells whether the server received it',
    { layer: 'queue', sent: 'maybe' },
  );
}
