// Finding links that are dead without saying so: RFC 6120 §4.6.
import type { LivenessOptions } from '../options/options.js';

/** Who has a liveness watch, and is told what it finds. */
export interface LivenessOwner {
  /** Asks the peer for a sign of life. */
  probe(): void;
  /** The peer gave none within that many milliseconds. */
  dead(limitMs: number): void;
}

/**
 * Watches that bytes arrive: silence makes it ask (the soft limit), and silence after asking means the link is dead
 * (the hard one). Any byte is a sign of life.
 */
export class Liveness {
  readonly #options: LivenessOptions;
  readonly #owner: LivenessOwner;
  #alive = false;
  #timer: NodeJS.Timeout | null = null;
  #asked = false;
  #stopped = false;

  constructor(options: LivenessOptions, owner: LivenessOwner) {
    this.#options = options;
    this.#owner = owner;
    this.#watch();
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
    this.#wait(this.#options.timeoutMs, onDeadline);
  }

  /** Begins anew, with a peer that need not answer. */
  restart(): void {
    this.#stopped = false;
    // A question of before may have gone unheard: the next silence asks anew, with a limit of its own.
    this.#asked = false;
    this.#watch();
  }

  stop(): void {
    this.#stopped = true;
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
  }

  /** @internal the soft limit is over */
  onSilence(): void {
    if (this.#alive) {
      this.#watch();
      return;
    }
    this.expectSign();
    this.#owner.probe();
  }

  /** @internal the hard limit is over */
  onDeadline(): void {
    // This process may have been busy or asleep: what lies in the socket is read before anybody is called dead.
    setImmediate(() => {
      if (this.#stopped) return;
      this.#asked = false;
      if (this.#alive) {
        this.#watch();
      } else {
        this.stop();
        this.#owner.dead(this.#options.timeoutMs);
      }
    });
  }

  #watch(): void {
    this.#alive = false;
    this.#wait(this.#options.intervalMs, onSilence);
  }

  #wait(delayMs: number, then: (liveness: Liveness) => void): void {
    if (this.#stopped) return;
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = setTimeout(then, delayMs, this);
    this.#timer.unref();
  }
}

function onSilence(liveness: Liveness): void {
  liveness.onSilence();
}

function onDeadline(liveness: Liveness): void {
  liveness.onDeadline();
}
