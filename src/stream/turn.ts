// How much of a turn of the event loop one stream may take.

/** Time that what a stream brings may take before other work gets its turn, in milliseconds. */
const BUDGET_MS = 10;

/** The part of it behind which nothing new is begun. To stop between two chunks costs less than to stop in one. */
const ENOUGH_MS = 8;

/** Whoever does nothing for so long has left the turn to others, in milliseconds. */
const PAUSE_MS = 1;

/** Most steps between two looks at the clock: reading it costs about a tenth of handling a small stanza. */
const MOST_STEPS = 32;

/** Looks at the clock while what is left of a budget is spent, at the pace of the last steps. */
const LOOKS = 4;

/**
 * The time that one stream takes of a turn of the event loop. It is measured by the clock alone: work that follows on
 * work within a millisecond counts as the same turn, which at worst ends it too early.
 */
export class Turn {
  #begun = Number.NEGATIVE_INFINITY;
  /** When the clock was read last. */
  #seen = Number.NEGATIVE_INFINITY;
  /** Steps until the clock is read again, and how many there were to begin with. */
  #left = 1;
  #steps = 1;

  /** Work begins. */
  begin(): void {
    const now = performance.now();
    if (now - this.#seen > PAUSE_MS) this.#begun = now;
    this.#seen = now;
  }

  /** Work begins behind a turn of others. */
  beginAnew(): void {
    this.#begun = this.#seen = performance.now();
  }

  /** A part of the work is done. @returns whether the rest has to wait */
  step(): boolean {
    this.#left -= 1;
    if (this.#left > 0) return false;
    const before = this.#seen;
    const left = this.#timeLeft();
    const pace = (this.#seen - before) / this.#steps;
    const steps = left / LOOKS / pace;
    this.#steps = this.#left = steps >= MOST_STEPS ? MOST_STEPS : Math.max(1, Math.floor(steps));
    return left <= 0;
  }

  /** All work at hand is done. @returns whether what comes next has to wait */
  end(): boolean {
    return this.#timeLeft() <= BUDGET_MS - ENOUGH_MS;
  }

  #timeLeft(): number {
    this.#seen = performance.now();
    return this.#begun + BUDGET_MS - this.#seen;
  }
}
