import { Deferred } from '../deferred.js';
import type { BrokerError } from '../errors.js';

/** Time in which a process may end by itself before it hears that its `connect` failed, in milliseconds. */
const LEAVING_MS = 2_000;

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

  /**
   * @param isLeaving whether the process was told to end: one that has nothing else to do ends in order before it hears of
   * it, and not with an error
   */
  reject(error: BrokerError, isLeaving: boolean): void {
    this.#detach();
    if (!isLeaving) {
      this.#outcome.reject(error);
      return;
    }
    setTimeout(() => {
      this.#outcome.reject(error);
    }, LEAVING_MS).unref();
  }

  #detach(): void {
    this.#signal?.removeEventListener('abort', this.#onAbort);
  }
}

/** A call that begins nothing. */
export function refused(error: BrokerError, isLeaving: boolean): Promise<void> {
  const operation = new ConnectOperation(undefined, () => undefined);
  operation.reject(error, isLeaving);
  return operation.promise;
}
