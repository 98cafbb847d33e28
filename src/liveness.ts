// Finding links that are dead without saying so: RFC 6120 §4.6.

/** When a link counts as dead. */
export interface LivenessOptions {
  /** Silence of the peer after which it is asked for a sign of life, in milliseconds. Default 300 000. */
  intervalMs: number;
  /** How long the peer has for that sign, in milliseconds. Default 30 000. */
  timeoutMs: number;
}

/**
 * Watches that bytes arrive: silence makes it ask (the soft limit), and silence after asking means the link is dead
 * (the hard one). Any byte is a sign of life.
 */
export class Liveness {
  readonly #options: LivenessOptions;
  readonly #probe: () => void;
  readonly #dead: () => void;
  #alive = false;
  #timer: NodeJS.Timeout | null = null;
  #asked = false;
  #stopped = false;

  constructor(options: LivenessOptions, probe: () => void, dead: () => void) {
    this.#options = options;
    this.#probe = probe;
    this.#dead = dead;
    this.#wait(options.intervalMs, this.#onSilence);
  }

  /** Bytes arrived. */
  activity(): void {
    this.#alive = true;
  }

  /** The peer was asked for something it must answer: the hard limit runs from now. */
  expectSign(): void {
    if (this.#asked || this.#stopped) return;
    this.#asked = true;
    this.#alive = false;
    this.#wait(this.#options.timeoutMs, this.#onDeadline);
  }

  /** Begins anew, with a peer that need not answer. */
  restart(): void {
    this.#stopped = false;
    this.#wait(this.#options.intervalMs, this.#onSilence);
  }

  stop(): void {
    this.#stopped = true;
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
  }

  readonly #onSilence = (): void => {
    if (this.#alive) {
      this.#alive = false;
      this.#wait(this.#options.intervalMs, this.#onSilence);
      return;
    }
    this.expectSign();
    this.#probe();
  };

  readonly #onDeadline = (): void => {
    // This process may have been busy or asleep: what lies in the socket is read before anybody is called dead.
    setImmediate(() => {
      if (this.#stopped) return;
      this.#asked = false;
      if (this.#alive) {
        this.#alive = false;
        this.#wait(this.#options.intervalMs, this.#onSilence);
      } else {
        this.stop();
        this.#dead();
      }
    });
  };

  #wait(delayMs: number, then: () => void): void {
    if (this.#stopped) return;
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = setTimeout(then, delayMs);
    this.#timer.unref();
  }
}
