// Sessions that outlive their link: XEP-0198 §5.
import type { StreamManagement } from './protocols/features/stream-management.js';

/** How long a session is kept when the server did not say, in seconds. */
const DEFAULT_MAX = 300;

/** Keeps the managed session of a lost link until it is resumed, replaced, or too old to be resumed. */
export class Continuity {
  #management: StreamManagement | null = null;
  #timer: NodeJS.Timeout | null = null;
  readonly #onExpired: (management: StreamManagement) => void;

  /** @param onExpired called with a session that the server will have forgotten by now */
  constructor(onExpired: (management: StreamManagement) => void) {
    this.#onExpired = onExpired;
  }

  /** The session that may be resumed, or null. */
  get resumable(): StreamManagement | null {
    return this.#management;
  }

  /** Keeps a session whose link was lost. */
  keep(management: StreamManagement): void {
    this.take();
    this.#management = management;
    const seconds = Math.min(management.max ?? DEFAULT_MAX, 86_400);
    this.#timer = setTimeout(() => {
      const kept = this.take();
      if (kept !== null) this.#onExpired(kept);
    }, seconds * 1_000);
    this.#timer.unref();
  }

  /** Hands the session over: it is kept no longer. */
  take(): StreamManagement | null {
    const management = this.#management;
    this.#management = null;
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    return management;
  }
}
