// What one worker has in hand: what is being handled, and the little that waits for its turn.
import type { Delivery } from './delivery.js';
import { Deferred } from '../deferred.js';

/** Runs so many deliveries at a time, and says of all that it has that they are in hand. */
export class Hands {
  readonly #most: number;
  readonly #handle: (delivery: Delivery) => Promise<void>;
  readonly #waiting: Delivery[] = [];
  readonly #running = new Set<Delivery>();
  #idle: Deferred<void> | null = null;
  /** Called when one more can be begun. */
  onFree: (() => void) | null = null;

  /** @param handle does what is to be done; it never rejects */
  constructor(most: number, handle: (delivery: Delivery) => Promise<void>) {
    this.#most = most;
    this.#handle = handle;
  }

  get size(): number {
    return this.#running.size + this.#waiting.length;
  }

  /** Deliveries that can be begun at once. */
  get free(): number {
    return Math.max(0, this.#most - this.size);
  }

  take(delivery: Delivery): void {
    this.#waiting.push(delivery);
    this.#go();
  }

  /** Says of everything that it is still in hand. */
  keep(): void {
    for (const delivery of this.#running) delivery.working();
    for (const delivery of this.#waiting) delivery.working();
  }

  /** Gives back what was not begun. */
  putDown(): void {
    for (const delivery of this.#waiting.splice(0)) delivery.again(0);
  }

  /** Resolves when nothing is in hand, or the time is over. @returns what is still being handled then */
  async idle(limitMs: number): Promise<Delivery[]> {
    if (this.size === 0) return [];
    const idle = (this.#idle ??= new Deferred<void>());
    const timer = setTimeout(() => idle.resolve(), limitMs);
    await idle.promise;
    clearTimeout(timer);
    return [...this.#running];
  }

  #go(): void {
    while (this.#running.size < this.#most) {
      const delivery = this.#waiting.shift();
      if (delivery === undefined) return;
      this.#running.add(delivery);
      void this.#handle(delivery).finally(() => {
        this.#running.delete(delivery);
        this.#go();
        if (this.size === 0) this.#idle?.resolve();
        this.onFree?.();
      });
    }
  }
}
