import type { BrokerError } from '../errors.js';

interface Waiter<Payload> {
  resolve(result: IteratorResult<Payload, undefined>): void;
  reject(error: BrokerError): void;
}

/** Payloads between a source that does not wait and a reader that does: a bounded queue with the face of an iterator. */
export class EventQueue<Payload> implements AsyncIterableIterator<Payload, undefined> {
  #held: Payload[] = [];
  /** Index of the oldest payload in `#held`. */
  #first = 0;
  readonly #waiters: Waiter<Payload>[] = [];
  #ended = false;
  /** What the reader is told behind the last payload, once. */
  #error: BrokerError | undefined;

  /**
   * @param limit most payloads held
   * @param onEnd called once, when nothing more is accepted
   */
  constructor(
    private readonly limit: number,
    private readonly onEnd: () => void,
  ) {}

  /** Takes a payload, unless it is full: false then. Nothing is pushed any more once it has ended. */
  push(payload: Payload): boolean {
    const waiter = this.#waiters.shift();
    if (waiter !== undefined) {
      waiter.resolve({ done: false, value: payload });
      return true;
    }
    if (this.#held.length - this.#first >= this.limit) return false;
    this.#held.push(payload);
    return true;
  }

  /** Accepts nothing more. What is held can still be read; then comes the error, or the end. */
  end(error?: BrokerError): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#error = error;
    this.onEnd();
    for (const waiter of this.#waiters.splice(0)) this.#finish(waiter);
  }

  /** Ends at once: what is held is thrown away. */
  abort(error: BrokerError): void {
    this.#held = [];
    this.#first = 0;
    this.end(error);
  }

  next(): Promise<IteratorResult<Payload, undefined>> {
    if (this.#first < this.#held.length) return Promise.resolve({ done: false, value: this.#shift() });
    return new Promise((resolve, reject) => {
      const waiter = { resolve, reject };
      if (this.#ended) this.#finish(waiter);
      else this.#waiters.push(waiter);
    });
  }

  return(): Promise<IteratorResult<Payload, undefined>> {
    this.#held = [];
    this.#first = 0;
    this.end();
    this.#error = undefined;
    return Promise.resolve({ done: true, value: undefined });
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  #shift(): Payload {
    const payload = this.#held[this.#first] as Payload;
    this.#held[this.#first] = undefined as Payload;
    this.#first++;
    if (this.#first * 2 >= this.#held.length) {
      this.#held = this.#held.slice(this.#first);
      this.#first = 0;
    }
    return payload;
  }

  #finish(waiter: Waiter<Payload>): void {
    const error = this.#error;
    this.#error = undefined;
    if (error === undefined) waiter.resolve({ done: true, value: undefined });
    else waiter.reject(error);
  }
}
