/** One call of a handler whose promise is not done. */
export interface RunningCall {
  /** What it was called for. */
  readonly event: string;
}

/** The calls of handlers whose promises are not done, so that an orderly end can wait for them. */
export class RunningCalls {
  #calls: Set<RunningCall> | null = null;
  #watchers: Set<(done: RunningCall) => void> | null = null;
  #ends = 0;

  get size(): number {
    return this.#calls?.size ?? 0;
  }

  /** The calls as they are now. */
  get snapshot(): RunningCall[] {
    return [...(this.#calls ?? [])];
  }

  /** How often an end was asked for: a handler in whose call this rises may wait for that end. */
  get ends(): number {
    return this.#ends;
  }

  /** Counts a call until its promise is done. Never rejects: what that rejects with goes to `failed`. */
  async waitForHandler(event: string, promise: PromiseLike<unknown>, failed: (error: unknown) => void): Promise<void> {
    const call: RunningCall = { event };
    (this.#calls ??= new Set()).add(call);
    try {
      await promise;
    } catch (error) {
      failed(error);
    } finally {
      this.#calls.delete(call);
      for (const watch of this.#watchers ?? []) watch(call);
    }
  }

  /** Somebody asks for an end. Returns whether a call that is counted may be waiting for it: they would wait for each other. */
  endAsked(): boolean {
    this.#ends += 1;
    return this.size > 0 && insideHandler();
  }

  /** Tells of each call that is done, until what it returns is called. */
  watch(watcher: (done: RunningCall) => void): () => void {
    const watchers = (this.#watchers ??= new Set());
    watchers.add(watcher);
    return () => watchers.delete(watcher);
  }
}

/** As it stands in a stack. */
const WAITING = 'RunningCalls.waitForHandler';

/**
 * Whether what runs now goes on behind an `await` of a handler that is not done: the stack tells who waits for whom, and
 * nothing else does without a cost for every promise of the process. If it does not tell, as in code whose names were
 * shortened, the end takes its whole time.
 */
function insideHandler(): boolean {
  const { stackTraceLimit } = Error;
  Error.stackTraceLimit = 100;
  const { stack } = new Error();
  Error.stackTraceLimit = stackTraceLimit;
  return stack?.includes(WAITING) === true;
}
