import { Deferred } from '../deferred.js';
import type { BrokerError } from '../errors.js';

/** One call of `connect`: a series of attempts until its outcome. */
export class ConnectOperation {
  /** Whether its first attempt is under way; before that it waits for room. */
  begun = false;
  readonly #signal: AbortSignal | undefined;
  readonly #onAbort: () => void;
  readonly #outcome = new Deferred<void>();

  /** @param onAbort called when the signal says so, while the operation has no outcome */
  constructor(signal: AbortSignal | undefined, onAbort: () => void) {
    this.#signal = signal;
    this.#onAbort = onAbort;
    signal?.addEventListener('abort', onAbort, { once: true });
  }

  /** Settles at the outcome. Never becomes an unhandled rejection. */
  get promise(): Promise<void> {
    return this.#outcome.promise;
  }

  resolve(): void {
    this.#detach();
    this.#outcome.resolve();
  }

  reject(error: BrokerError): void {
    this.#detach();
    this.#outcome.reject(error);
  }

  #detach(): void {
    this.#signal?.removeEventListener('abort', this.#onAbort);
  }
}
