import { shown } from '../arguments/values.js';
import { usageError } from '../errors.js';
import { registration, type Registration } from './handlers.js';

/** Longest time a timer of Node can wait, in milliseconds. */
export const MAX_TIMER_MS = 2 ** 31 - 1;

/** One periodic callback. Its times are multiples of the period since it began, however late a timer fires. */
class Beat {
  readonly #periodMs: number;
  readonly #callback: () => unknown;
  #timer: NodeJS.Timeout | null = null;

  constructor(periodMs: number, callback: () => unknown) {
    this.#periodMs = periodMs;
    this.#callback = callback;
  }

  begin(failed: (error: unknown) => void): void {
    this.#wait(performance.now(), 1, failed);
  }

  end(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
  }

  #wait(startedAt: number, count: number, failed: (error: unknown) => void): void {
    const delayMs = Math.max(0, startedAt + count * this.#periodMs - performance.now());
    this.#timer = setTimeout(() => {
      void this.#fire(startedAt, count, failed);
    }, delayMs);
  }

  async #fire(startedAt: number, count: number, failed: (error: unknown) => void): Promise<void> {
    const timer = this.#timer;
    try {
      await this.#callback();
    } catch (error) {
      failed(error);
      return;
    }
    if (this.#timer !== timer) return;
    // Times that went by meanwhile are left out: nothing is called in a burst.
    const passed = Math.floor((performance.now() - startedAt) / this.#periodMs);
    this.#wait(startedAt, Math.max(count, passed) + 1, failed);
  }
}

/** Callbacks that are called again and again while a connection is being served. */
export class Beats {
  readonly #beats = new Set<Beat>();
  #failed: ((error: unknown) => void) | null = null;

  /** @throws BrokerError `USAGE_BEAT` */
  add(seconds: number, callback: () => unknown): Registration {
    if (typeof seconds !== 'number' || !(seconds > 0) || seconds * 1_000 > MAX_TIMER_MS) {
      throw usageError(
        'USAGE_BEAT',
        `registerBeat() wants a number of seconds above 0 and below ${String(Math.floor(MAX_TIMER_MS / 1_000))}, not ${shown(seconds)}`,
      );
    }
    if (typeof callback !== 'function') throw usageError('USAGE_BEAT', 'registerBeat() wants a function second');
    const beat = new Beat(seconds * 1_000, callback);
    this.#beats.add(beat);
    if (this.#failed !== null) beat.begin(this.#failed);
    return registration(() => {
      beat.end();
      this.#beats.delete(beat);
    });
  }

  begin(failed: (error: unknown) => void): void {
    this.#failed = failed;
    for (const beat of this.#beats) beat.begin(failed);
  }

  end(): void {
    this.#failed = null;
    for (const beat of this.#beats) beat.end();
  }
}
