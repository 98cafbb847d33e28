import { createRequire } from 'node:module';
import { flag, must, signal, withCode } from '../arguments/checks.js';
import { readOptions, type OptionTable } from '../arguments/options.js';
import { isA, kindOf } from '../arguments/values.js';
import { Deferred } from '../deferred.js';
import { BrokerError, printable, usageError } from '../errors.js';
import { EventQueue } from './event-queue.js';
import { Pace } from './pace.js';
import type { Free, NameOf, PayloadOf, Spelt } from './names.js';
import { RunningCalls } from './running-calls.js';
import { fire, Grant, type Publication } from './publication.js';
import { deliver, Entry, type Delivery, type Handler, type Subscription } from './subscription.js';

export type { Publication } from './publication.js';
export type { Handler, Subscription } from './subscription.js';

/** Required, because to import what is CommonJS Node reads it once more, with a parser of its own. */
const { EventEmitter } = createRequire(import.meta.url)('eventemitter3') as typeof import('eventemitter3');

/** What one name of {@link PubSub.listing} is about. */
export interface Listing {
  event: string;
  /** Whether somebody holds the right to fire it now. */
  published: boolean;
  subscribers: number;
}

/** What only the creator of a bus can do. */
export interface Rights<Events extends object> {
  /** Fires a reserved name: as {@link Publication.fire}. */
  fire<Name extends keyof Events & string>(event: Name, payload: Events[Name], promises?: Promise<void>[]): number;
  /**
   * Ends the bus: subscriptions are cancelled, iterations end behind what they hold, waits reject with `EVENT_CLOSED`,
   * and nothing is delivered any more. Later calls of `publish`, `share`, `subscribe`, `once` and `iterate` throw `USAGE_EVENTS_CLOSED`.
   */
  close(): void;
}

/** Settings of a {@link PubSub}. */
export interface PubSubOptions<Events extends object> {
  /** Told what a handler of `event` threw or rejected with. What it throws itself is ignored. */
  onHandlerError?(error: unknown, event: string): void;
  /** Whose bus it is, for those who trace. */
  readonly subject?: object | undefined;
  /** Names that `publish` and `share` refuse: only the owner fires them. Anybody may subscribe to them. */
  reserved?(event: string): boolean;
  /** The reserved names that are listed as published. */
  own?: readonly string[] | undefined;
  /** Told of the first subscription to an event that nobody publishes yet. */
  onUnpublished?(event: string): void;
  /** Counts the calls of handlers that are not done. Default: nobody looks. */
  readonly running?: RunningCalls | undefined;
  /** Called once, inside the constructor, with the rights of the creator. */
  owner?(rights: Rights<Events>): void;
}

/** Settings of one subscription. */
export interface SubscribeOptions {
  /** Cancel it just before its first call. Default false. */
  once?: boolean | undefined;
  /** Cancels it when aborted. Default none. */
  signal?: AbortSignal | undefined;
  /**
   * Most calls of the handler that are not done at once: further events wait their turn, and calls begin in the order
   * of the events. Default: no bound.
   */
  concurrency?: number | undefined;
}

const bound = must('a whole number, 1 or more', (value) => Number.isSafeInteger(value) && (value as number) >= 1);
export const SUBSCRIBE_OPTIONS: OptionTable<SubscribeOptions> = {
  checks: { once: flag, signal, concurrency: withCode('USAGE_EVENT_OPTIONS', bound) },
};
const ONCE: OptionTable<{ signal?: AbortSignal }> = { checks: { signal } };
const ITERATE: OptionTable<{ signal?: AbortSignal; limit?: number }> = {
  checks: {
    signal,
    limit: withCode('USAGE_EVENT_LIMIT', bound),
  },
};

/** What a bus lets only its owner do. */
let fireOn: <E extends object, O extends object, R extends string>(
  bus: PubSub<E, O, R>,
  event: string,
  payload: unknown,
  promises?: Promise<void>[],
) => number;
let closeBus: <E extends object, O extends object, R extends string>(bus: PubSub<E, O, R>) => void;

/** One object, where a function for each right would cost every broker more. */
class OwnRights<Events extends object, O extends object, R extends string> implements Rights<Events> {
  readonly #bus: PubSub<Events, O, R>;

  constructor(bus: PubSub<Events, O, R>) {
    this.#bus = bus;
  }

  fire(event: string, payload: unknown, promises?: Promise<void>[]): number {
    return fireOn(this.#bus, event, payload, promises);
  }

  close(): void {
    closeBus(this.#bus);
  }
}

/** Most payloads that `iterate` holds by default. */
const ITERATION_LIMIT = 1000;

/**
 * A bus of named events. Whoever publishes a name holds the only right to fire it; anybody may subscribe, before or
 * after. Delivery is synchronous and in the order of subscription.
 *
 * Names are data: `error`, `__proto__` or the empty string are events like any other.
 *
 * `Events` maps names to payloads. When it lists names, other names are type errors; the default takes any name, with a
 * payload of type `unknown`. `Owned` maps those that only the owner fires, and `Reserved` says how they begin: whatever
 * begins so and is none of them is a type error, too. A bus with more events can stand where one with fewer is wanted.
 */
export class PubSub<Events extends object = object, Owned extends object = object, Reserved extends string = never> {
  readonly #delivery: Delivery;
  readonly #options: PubSubOptions<Events>;
  /** How many publications of a name are in force; -1 for an exclusive one. */
  #published: Map<string, number> | null = null;
  /** Ends iterations and waits when the bus is closed. */
  #waiting: Set<() => void> | null = null;

  constructor(options: PubSubOptions<Events> = {}) {
    this.#options = options;
    this.#delivery = {
      emitter: new EventEmitter(),
      channels: new Map(),
      reporter: options,
      called: 0,
      promises: undefined,
      running: options.running ?? new RunningCalls(),
      closed: false,
    };
    options.owner?.(new OwnRights(this));
  }

  static {
    fireOn = (bus, event, payload, promises) => fire(bus.#delivery, event, payload, promises);
    closeBus = (bus) => bus.#close();
  }

  /**
   * Takes the exclusive right to fire an event.
   *
   * @throws BrokerError `USAGE_EVENT_TAKEN` when the name is published already, `USAGE_EVENT_RESERVED` for a reserved name
   */
  publish<Name extends NameOf<Events>>(event: Free<Name, Reserved>): Publication<PayloadOf<Events, Name>> {
    this.#refuseReserved(event);
    if (this.#published?.has(event) === true) throw taken(event);
    const published = (this.#published ??= new Map<string, number>());
    published.set(event, -1);
    return new Grant<PayloadOf<Events, Name>>(event, this.#delivery, published);
  }

  /**
   * Takes a right to fire an event that others may hold as well. The name is given back with the last of them.
   *
   * @throws BrokerError `USAGE_EVENT_TAKEN` when somebody holds it exclusively, `USAGE_EVENT_RESERVED` for a reserved name
   */
  share<Name extends NameOf<Events>>(event: Free<Name, Reserved>): Publication<PayloadOf<Events, Name>> {
    this.#refuseReserved(event);
    const shares = this.#published?.get(event) ?? 0;
    if (shares < 0) throw taken(event);
    const published = (this.#published ??= new Map<string, number>());
    published.set(event, shares + 1);
    return new Grant<PayloadOf<Events, Name>>(event, this.#delivery, published);
  }

  /**
   * Calls `handler` with the payload each time the event is fired. The same handler may be subscribed more than once and
   * is then called as often.
   *
   * @throws BrokerError `USAGE_EVENT`, `USAGE_HANDLER`, `USAGE_SIGNAL`
   */
  subscribe<Name extends NameOf<Events> | (keyof Owned & string)>(
    event: Spelt<Name, Owned, Reserved>,
    handler: Handler<PayloadOf<Events & Owned, Name>>,
    options: SubscribeOptions = {},
  ): Subscription {
    this.#refuseClosed();
    checkName(event);
    checkHandler(event, handler);
    const given = readOptions('USAGE_EVENT_OPTIONS', 'subscribe()', options, SUBSCRIBE_OPTIONS);
    const { once = false, signal, concurrency } = given;
    const paced = concurrency === undefined ? handler : new Pace(handler, concurrency).handle;
    const entry = new Entry(event, paced, once, this.#delivery);
    if (signal?.aborted === true) {
      entry.retire();
      return entry;
    }
    const { channels, emitter } = this.#delivery;
    const channel = channels.get(event);
    const isFirst = channel === undefined;
    if (isFirst) channels.set(event, { entries: [entry], cancelled: 0 });
    else channel.entries.push(entry);
    emitter.on(event, deliver, entry);
    entry.follow(signal);
    if (isFirst && this.#published?.has(event) !== true) this.#options.onUnpublished?.(event);
    return entry;
  }

  /**
   * Resolves with the next payload of an event.
   *
   * @returns a promise that rejects with a BrokerError: `EVENT_ABORTED` (`cause` is the signal's reason) or `EVENT_CLOSED`.
   * A rejection that nobody waits for is no unhandled rejection.
   */
  once<Name extends NameOf<Events> | (keyof Owned & string)>(
    event: Spelt<Name, Owned, Reserved>,
    options: { signal?: AbortSignal | undefined } = {},
  ): Promise<PayloadOf<Events & Owned, Name>> {
    const next = new Deferred<PayloadOf<Events & Owned, Name>>();
    try {
      const { signal } = readOptions('USAGE_EVENT_OPTIONS', 'once()', options, ONCE);
      const settled = () => {
        this.#waiting?.delete(close);
        signal?.removeEventListener('abort', abort);
      };
      const subscription = this.subscribe(
        event,
        (payload: PayloadOf<Events & Owned, Name>) => {
          settled();
          next.resolve(payload);
        },
        { once: true },
      );
      const end = (error: BrokerError) => {
        settled();
        subscription.cancel();
        next.reject(error);
      };
      const abort = () => end(aborted(event, signal));
      const close = () => end(closed(event));
      signal?.addEventListener('abort', abort, { once: true });
      (this.#waiting ??= new Set()).add(close);
      if (signal?.aborted === true) abort();
    } catch (error) {
      next.reject(error as BrokerError);
    }
    return next.promise;
  }

  /**
   * Every payload from now on, for `for await`. It holds at most `limit` payloads (default 1000) that were not asked for
   * yet; one more ends it: what is held is still handed out, then it throws `EVENT_BACKLOG`. It never slows the source down.
   * Leaving the loop cancels the subscription. An abort throws `EVENT_ABORTED` at once.
   *
   * @throws BrokerError `USAGE_EVENT_LIMIT` when `limit` is not a positive integer
   */
  iterate<Name extends NameOf<Events> | (keyof Owned & string)>(
    event: Spelt<Name, Owned, Reserved>,
    options: { signal?: AbortSignal | undefined; limit?: number | undefined } = {},
  ): AsyncIterableIterator<PayloadOf<Events & Owned, Name>> {
    this.#refuseClosed();
    checkName(event);
    const { signal, limit = ITERATION_LIMIT } = readOptions('USAGE_EVENT_OPTIONS', 'iterate()', options, ITERATE);
    const queue = new EventQueue<PayloadOf<Events & Owned, Name>>(limit, () => {
      subscription.cancel();
      signal?.removeEventListener('abort', abort);
      this.#waiting?.delete(close);
    });
    const abort = () => queue.abort(aborted(event, signal));
    const close = () => queue.end();
    const subscription = this.subscribe(event, (payload: PayloadOf<Events & Owned, Name>) => {
      if (!queue.push(payload)) queue.end(backlog(event, limit));
    });
    if (signal?.aborted === true) abort();
    else {
      signal?.addEventListener('abort', abort, { once: true });
      (this.#waiting ??= new Set()).add(close);
    }
    return queue;
  }

  /**
   * Cancels one subscription, or every subscription of one handler to one event.
   *
   * @returns how many there were
   */
  cancel(subscription: Subscription): number;
  cancel<Name extends NameOf<Events> | (keyof Owned & string)>(
    event: Spelt<Name, Owned, Reserved>,
    handler: Handler<PayloadOf<Events & Owned, Name>>,
  ): number;
  cancel(subject: Subscription | string, handler?: unknown): number {
    if (typeof subject === 'string') checkHandler(subject, handler);
    else if (!isA(subject, Entry)) {
      throw usageError(
        'USAGE_SUBSCRIPTION',
        `cancel() takes a subscription, or an event and a handler, not ${kindOf(subject)}`,
      );
    }
    const found =
      typeof subject === 'string'
        ? [...(this.#delivery.channels.get(subject)?.entries ?? [])].filter((entry) => entry.handler === handler)
        : [subject].filter(({ active }) => active);
    for (const entry of found) entry.cancel();
    return found.length;
  }

  /** How many subscriptions an event has. */
  subscribers(event: string): number {
    checkName(event);
    const channel = this.#delivery.channels.get(event);
    return channel === undefined ? 0 : channel.entries.length - channel.cancelled;
  }

  /** Every name that is published or subscribed to, sorted by code unit. */
  listing(): Listing[] {
    const published = new Set([...(this.#options.own ?? []), ...(this.#published?.keys() ?? [])]);
    return [...new Set([...published, ...this.#delivery.channels.keys()])]
      .sort((a, b) => (a < b ? -1 : 1))
      .map((event) => ({ event, published: published.has(event), subscribers: this.subscribers(event) }));
  }

  #close(): void {
    this.#delivery.closed = true;
    for (const end of [...(this.#waiting ?? [])]) end();
    for (const channel of [...this.#delivery.channels.values()]) for (const entry of channel.entries) entry.cancel();
  }

  #refuseReserved(event: string): void {
    this.#refuseClosed();
    checkName(event);
    if (this.#options.reserved?.(event) === true) {
      throw usageError(
        'USAGE_EVENT_RESERVED',
        `the name ${quoted(event)} is reserved for status events: choose another`,
      );
    }
  }

  #refuseClosed(): void {
    if (this.#delivery.closed) throw usageError('USAGE_EVENTS_CLOSED', 'the bus is closed: its broker was halted');
  }
}

function checkName(event: unknown): asserts event is string {
  if (typeof event === 'string') return;
  throw usageError('USAGE_EVENT', `the name of an event is a string, not ${kindOf(event)}`);
}

function checkHandler(event: string, handler: unknown): void {
  if (typeof handler === 'function') return;
  throw usageError('USAGE_HANDLER', `the handler of ${quoted(event)} is ${kindOf(handler)}, a function is wanted`);
}

function taken(event: string): BrokerError {
  return usageError(
    'USAGE_EVENT_TAKEN',
    `the event ${quoted(event)} is published already: only its publisher can fire it`,
  );
}

function aborted(event: string, signal: AbortSignal | undefined): BrokerError {
  const cause: unknown = signal?.reason;
  return new BrokerError('EVENT_ABORTED', `waiting for ${quoted(event)} was aborted`, { layer: 'usage', cause });
}

function closed(event: string): BrokerError {
  return new BrokerError('EVENT_CLOSED', `waiting for ${quoted(event)} is over: the broker was halted`, {
    layer: 'usage',
  });
}

function backlog(event: string, limit: number): BrokerError {
  return new BrokerError(
    'EVENT_BACKLOG',
    `the iteration over ${quoted(event)} fell behind: ${limit} payloads are held and one more came: take them faster, or raise the option limit`,
    { layer: 'queue' },
  );
}

function quoted(event: string): string {
  return `"${printable(event, 80)}"`;
}
