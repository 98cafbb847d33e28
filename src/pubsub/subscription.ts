import type { EventEmitter } from 'eventemitter3';
import { HANDLER, traced } from '../channels.js';
import type { RunningCalls } from './running-calls.js';

/**
 * Receives the one payload of an event. What it throws, or rejects with, is reported and stops nobody else; a promise
 * that it returns is not waited for before the next handler is called.
 *
 * The parameter is compared both ways, so where an event's payload is `unknown` a handler may say what it expects.
 */
export type Handler<Payload> = { bivariant(payload: Payload): unknown }['bivariant'];

/** One handler's place at one event. */
export interface Subscription {
  readonly event: string;
  /** False once it was cancelled, by whatever way. */
  readonly active: boolean;
  /** Ends it at once, also from inside a handler. Again is harmless. */
  cancel(): void;
  [Symbol.dispose](): void;
}

/** What delivery shares: one object, so that a publication needs nothing else. */
export interface Delivery {
  readonly emitter: EventEmitter;
  readonly channels: Map<string, Channel>;
  /** Told what handlers throw and their promises reject with. */
  readonly reporter: {
    onHandlerError?(error: unknown, event: string): void;
    /** Whose events they are, for those who trace. */
    readonly subject?: object | undefined;
  };
  /** Handlers called by the innermost `fire` so far. */
  called: number;
  /** Where the innermost `fire` collects promises. */
  promises: Promise<void>[] | undefined;
  readonly running: RunningCalls;
  closed: boolean;
}

/** Who subscribed to one event. Cancelled entries stay, here and in the emitter, until it is worth while to list the others anew. */
export interface Channel {
  entries: Entry[];
  cancelled: number;
}

/** What ends a subscription when its signal is aborted. */
interface Following {
  readonly signal: AbortSignal;
  readonly onAbort: () => void;
}

/** A subscription. */
export class Entry implements Subscription {
  /** Null once it is cancelled: delivery skips it then. */
  handler: Handler<unknown> | null;
  /** Null without a signal, as nearly all are. */
  #following: Following | null = null;

  constructor(
    readonly event: string,
    handler: Handler<unknown>,
    readonly isOnce: boolean,
    readonly delivery: Delivery,
  ) {
    this.handler = handler;
  }

  get active(): boolean {
    return this.handler !== null;
  }

  follow(signal: AbortSignal | undefined): void {
    if (signal === undefined) return;
    const onAbort = (): void => this.cancel();
    this.#following = { signal, onAbort };
    signal.addEventListener('abort', onAbort, { once: true });
  }

  cancel(): void {
    if (this.handler === null) return;
    this.retire();
    remove(this);
  }

  retire(): void {
    this.handler = null;
    this.#following?.signal.removeEventListener('abort', this.#following.onAbort);
  }

  [Symbol.dispose](): void {
    this.cancel();
  }
}

/** A cancelled entry leaves its channel, and the emitter, sooner or later. */
function remove({ event, delivery: { emitter, channels } }: Entry): void {
  const channel = channels.get(event);
  if (channel === undefined) return;
  channel.cancelled += 1;
  if (channel.cancelled < channel.entries.length - channel.cancelled) return;
  // The emitter removes in linear time, so the entries are listed anew once half of them are gone.
  emitter.removeListener(event);
  channel.entries = channel.entries.filter(({ active }) => active);
  channel.cancelled = 0;
  for (const other of channel.entries) emitter.on(event, deliver, other);
  if (channel.entries.length === 0) channels.delete(event);
}

/** What the emitter calls for every entry, cancelled ones included. */
export function deliver(this: Entry, payload: unknown): void {
  const handler = this.handler;
  if (handler === null) return;
  const delivery = this.delivery;
  delivery.called++;
  if (this.isOnce) this.cancel();
  const { ends } = delivery.running;
  try {
    const result = HANDLER.start.hasSubscribers ? tracedCall(this, handler, payload) : handler(payload);
    if (typeof result === 'object' && result !== null && 'then' in result) follow(result, this.event, delivery, ends);
  } catch (error) {
    report(error, this.event, delivery);
  }
}

/** A function of its own: what a closure needs would cost every call of every handler. */
function tracedCall({ event, delivery }: Entry, handler: Handler<unknown>, payload: unknown): unknown {
  const { subject } = delivery.reporter;
  // A bus of its own, such as that of a test server, is nobody's broker.
  if (subject === undefined) return handler(payload);
  return traced(HANDLER, { broker: subject, event, payload }, () => handler(payload));
}

/**
 * Reports what a handler's promise rejects with, and hands on a promise that does not.
 * @param ends how often an end had been asked for when the handler was called
 */
function follow(result: object, event: string, delivery: Delivery, ends: number): void {
  if (!('then' in result) || typeof result.then !== 'function') return;
  const { running } = delivery;
  const failed = (error: unknown): void => report(error, event, delivery);
  const promise = result as PromiseLike<unknown>;
  const done =
    running.ends === ends
      ? running.waitForHandler(event, promise, failed)
      : Promise.resolve(promise).then(() => undefined, failed);
  delivery.promises?.push(done);
}

function report(error: unknown, event: string, delivery: Delivery, again = true): void {
  try {
    delivery.reporter.onHandlerError?.(error, event);
  } catch (failure) {
    // Endless recursion leaves no room on the stack: it is told when the stack is empty. Otherwise nobody is left to tell.
    if (again && failure instanceof RangeError) queueMicrotask(() => report(error, event, delivery, false));
  }
}
