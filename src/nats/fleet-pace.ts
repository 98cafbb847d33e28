// How many links a member makes at a time. Signing in costs processor time, and the leases of its shards are renewed by the same
// event loop: while that comes late, fewer are made.
import { FleetGate } from './fleet-gate.js';

/** How many are made at a time at the beginning: what a processor can do shows soon, and then it is too late to ask for less. */
const FIRST = 4;

/** How often it is looked whether the event loop is late, in milliseconds. */
const LOOK_MS = 50;

/** Lets links be made one beside the other, as many as the event loop bears. */
export class FleetPace {
  readonly #most: number;
  readonly #lateMs: number;
  readonly #gate: FleetGate;
  /** Those that are made, and those that wait. */
  #count = 0;
  #look: NodeJS.Timeout | null = null;
  #due = 0;
  /** Lateness counts once for all that is made at that time. */
  #easing = 0;

  /**
   * @param most so many at a time, however fast it goes
   * @param lateMs so late the event loop may come, in milliseconds
   */
  constructor(most: number, lateMs: number) {
    this.#most = most;
    this.#lateMs = lateMs;
    this.#gate = new FleetGate(Math.min(FIRST, most));
  }

  /** How many may be made at a time now. */
  get limit(): number {
    return this.#gate.limit;
  }

  /** Resolves when it is one's turn; whoever was let in has to {@link leave}. */
  async enter(): Promise<void> {
    this.#count += 1;
    if (this.#look === null) this.#lookOn();
    await this.#gate.enter();
  }

  /** @param isMade whether a link was made: then there may be more of them, as long as the event loop is in time */
  leave(isMade: boolean): void {
    this.#count -= 1;
    if (this.#easing > 0) this.#easing -= 1;
    else if (isMade && this.#lateness < this.#lateMs / 2) this.#gate.limit = Math.min(this.#most, this.limit + 1);
    this.#gate.leave();
    if (this.#count > 0 || this.#look === null) return;
    clearInterval(this.#look);
    this.#look = null;
  }

  get #lateness(): number {
    return performance.now() - this.#due;
  }

  #lookOn(): void {
    this.#due = performance.now() + LOOK_MS;
    this.#look = setInterval(() => {
      if (this.#lateness > this.#lateMs && this.#easing === 0) {
        // Those that are under way are what it was late with: what comes of them says nothing of the new limit.
        this.#easing = Math.min(this.#count, this.limit);
        this.#gate.limit = Math.max(1, Math.floor(this.limit / 2));
      }
      this.#due = performance.now() + LOOK_MS;
    }, LOOK_MS).unref();
  }
}
