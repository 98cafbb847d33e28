import type { BrokerError } from '../errors.js';

/** How a broker came to rest. */
export interface Closed {
  readonly clean: boolean;
  readonly error?: BrokerError;
}

/** From a `connect` to the rest that follows. */
export class Life {
  #closed: Closed | null = null;
  #promise: Promise<Closed> | null = null;
  #resolve: ((closed: Closed) => void) | null = null;

  get over(): boolean {
    return this.#closed !== null;
  }

  /** Resolves at the end. Made when somebody asks. */
  get promise(): Promise<Closed> {
    this.#promise ??=
      this.#closed === null
        ? new Promise((resolve) => {
            this.#resolve = resolve;
          })
        : Promise.resolve(this.#closed);
    return this.#promise;
  }

  end(closed: Closed): void {
    this.#closed ??= closed;
    this.#resolve?.(this.#closed);
  }
}
