type Outcome<T> = { readonly value: T } | { readonly error: Error };

interface Settlers<T> {
  readonly resolve: (value: T) => void;
  readonly reject: (error: Error) => void;
}

/**
 * An outcome that comes from elsewhere, once: what comes behind it changes nothing. Its promise is made when somebody asks
 * for it, before or after, and a rejection that nobody waits for is no unhandled one.
 */
export class Deferred<T> {
  #outcome: Outcome<T> | null = null;
  #promise: Promise<T> | null = null;
  #settlers: Settlers<T> | null = null;

  /** Whether there is an outcome. */
  get settled(): boolean {
    return this.#outcome !== null;
  }

  get promise(): Promise<T> {
    this.#promise ??= this.#made();
    return this.#promise;
  }

  resolve(value: T): void {
    this.#settle({ value });
  }

  reject(error: Error): void {
    this.#settle({ error });
  }

  #made(): Promise<T> {
    const promise = new Promise<T>((resolve, reject) => {
      this.#settlers = { resolve, reject };
    });
    promise.catch(() => undefined);
    if (this.#outcome !== null) this.#tell(this.#outcome);
    return promise;
  }

  #settle(outcome: Outcome<T>): void {
    if (this.#outcome !== null) return;
    this.#outcome = outcome;
    this.#tell(outcome);
  }

  #tell(outcome: Outcome<T>): void {
    if ('error' in outcome) this.#settlers?.reject(outcome.error);
    else this.#settlers?.resolve(outcome.value);
    this.#settlers = null;
  }
}
