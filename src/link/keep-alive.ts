// Staying below a server's limit of silence: XEP-0478, with white space as RFC 6120 §4.6.1 has it.

/** White space is sent after this part of the limit at the latest, counted twice at worst. */
const PART = 1 / 3;

/** Longest time a timer of Node can wait, in milliseconds. */
const MAX_TIMER_MS = 2 ** 31 - 1;

/** Calls `speak` whenever nothing was written for a while, so that the peer hears from us before its limit. */
export class KeepAlive {
  readonly #timer: NodeJS.Timeout;
  #wrote = false;

  /** @param limitMs silence that the peer does not bear, in milliseconds */
  constructor(limitMs: number, speak: () => void) {
    this.#timer = setInterval(
      () => {
        if (!this.#wrote) speak();
        this.#wrote = false;
      },
      Math.min(limitMs * PART, MAX_TIMER_MS),
    );
    this.#timer.unref();
  }

  /** Something was written. */
  wrote(): void {
    this.#wrote = true;
  }

  stop(): void {
    clearInterval(this.#timer);
  }
}
