// So many things at a time, the others in line.

/** Lets a bounded number of tasks run at a time. */
export class FleetGate {
  #limit: number;
  readonly #line: (() => void)[] = [];
  #running = 0;

  constructor(limit: number) {
    this.#limit = limit;
  }

  get limit(): number {
    return this.#limit;
  }

  /** With a higher one those who wait come in, with a lower one nobody does until there are few enough. */
  set limit(limit: number) {
    this.#limit = limit;
    this.#letIn();
  }

  /** Resolves when it is one's turn; whoever was let in has to {@link leave}. */
  enter(): Promise<void> {
    if (this.#running < this.#limit) {
      this.#running += 1;
      return Promise.resolve();
    }
    return new Promise((resolve) => {
      this.#line.push(resolve);
    });
  }

  leave(): void {
    this.#running -= 1;
    this.#letIn();
  }

  #letIn(): void {
    while (this.#running < this.#limit) {
      const next = this.#line.shift();
      if (next === undefined) return;
      this.#running += 1;
      next();
    }
  }
}
