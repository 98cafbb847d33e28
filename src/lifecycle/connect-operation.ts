import { BrokerError } from '../errors.js';

/** One call of `connect`: a series of attempts until its outcome. */
export class ConnectOperation {
  /** Settles at the outcome, once. Never becomes an unhandled rejection. */
  readonly promise: Promise<void>;
  /** Whether its first attempt is under way; before that it waits for room. */
  begun = false;
  readonly #signal: AbortSignal | undefined;
  readonly #onAbort: () => void;
  #resolve!: () => void;
  #reject!: (error: BrokerError) => void;

  /** @param onAbort called when the signal says so, while the operation has no outcome */
  constructor(signal: AbortSignal | undefined, onAbort: () => void) {
    this.#signal = signal;
    this.#onAbort = onAbort;
    this.promise = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    this.promise.catch(() => undefined);
    signal?.addEventListener('abort', onAbort, { once: true });
  }

  resolve(): void {
    this.#detach();
    this.#resolve();
  }

  reject(error: BrokerError): void {
    this.#detach();
    this.#reject(error);
  }

  #detach(): void {
    this.#signal?.removeEventListener('abort', this.#onAbort);
  }
}
