// A certificate that expires while the stream is open: RFC 6120 §13.7.2.3.

/** Longest time a timer of Node can wait, in milliseconds. */
const MAX_TIMER_MS = 2 ** 31 - 1;

/** Tells when a certificate has expired. */
export class CertificateExpiry {
  readonly #expiry: number;
  readonly #onExpired: () => void;
  #timer: NodeJS.Timeout;

  constructor(expiry: Date, onExpired: () => void) {
    this.#expiry = expiry.getTime();
    this.#onExpired = onExpired;
    this.#timer = this.#wait();
  }

  stop(): void {
    clearTimeout(this.#timer);
  }

  #wait(): NodeJS.Timeout {
    const remaining = Math.max(0, this.#expiry - Date.now());
    const timer = setTimeout(
      () => {
        if (Date.now() < this.#expiry) this.#timer = this.#wait();
        else this.#onExpired();
      },
      Math.min(remaining, MAX_TIMER_MS),
    );
    return timer.unref();
  }
}
