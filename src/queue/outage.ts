import type { BrokerError } from '../errors.js';

/** Time until a store that failed is tried again, in milliseconds. */
const RETRY_MS = 1_000;

/** Why a store does not work, and when it is tried again. */
export class Outage {
  readonly #tryAgain: () => void;
  #error: BrokerError | null = null;
  #retry: NodeJS.Timeout | null = null;

  constructor(tryAgain: () => void) {
    this.#tryAgain = tryAgain;
  }

  /** What the store said last; null while it works. */
  get error(): BrokerError | null {
    return this.#error;
  }

  failed(error: BrokerError): void {
    this.#error = error;
    this.#retry ??= setTimeout(() => {
      this.#retry = null;
      this.#tryAgain();
    }, RETRY_MS).unref();
  }

  /** The store works, or nobody wants anything of it any more. */
  end(): void {
    this.#error = null;
    if (this.#retry !== null) clearTimeout(this.#retry);
    this.#retry = null;
  }
}
