import { Deferred } from '../deferred.js';
import type { Handler } from './subscription.js';

/**
 * Calls a handler in the order of its events, with at most so many calls that are not done: the rest waits. What waits
 * is kept without a bound, so whoever cannot keep up has to see to it that less comes.
 */
export class Pace<Payload> {
  readonly #handler: Handler<Payload>;
  readonly #limit: number;
  readonly #waiting: { readonly payload: Payload; readonly turn: Deferred<void> }[] = [];
  #running = 0;

  /** @param limit most calls at once, 1 or more */
  constructor(handler: Handler<Payload>, limit: number) {
    this.#handler = handler;
    this.#limit = limit;
  }

  /** The handler in its place: returns a promise while the call, or the waiting for it, is not done. */
  readonly handle = (payload: Payload): unknown => {
    if (this.#running < this.#limit) return this.#call(payload);
    const turn = new Deferred<void>();
    this.#waiting.push({ payload, turn });
    return turn.promise;
  };

  #call(payload: Payload): unknown {
    this.#running += 1;
    let result: unknown;
    try {
      result = this.#handler(payload);
    } catch (error) {
      this.#done();
      throw error;
    }
    if (!isPromise(result)) {
      this.#done();
      return undefined;
    }
    return Promise.resolve(result).finally(() => {
      this.#done();
    });
  }

  #done(): void {
    this.#running -= 1;
    // Not from inside the call that ended, which may be deep in others.
    if (this.#waiting.length > 0) queueMicrotask(() => this.#next());
  }

  #next(): void {
    while (this.#running < this.#limit) {
      const next = this.#waiting.shift();
      if (next === undefined) return;
      this.#start(next.payload, next.turn);
    }
  }

  #start(payload: Payload, turn: Deferred<void>): void {
    const failed = (error: unknown): void => {
      turn.reject(error as Error);
    };
    try {
      const result: unknown = this.#call(payload);
      if (isPromise(result)) result.then(() => turn.resolve(), failed);
      else turn.resolve();
    } catch (error) {
      failed(error);
    }
  }
}

function isPromise(value: unknown): value is Promise<unknown> {
  return typeof value === 'object' && value !== null && 'then' in value && typeof value.then === 'function';
}
