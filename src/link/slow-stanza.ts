/** How often an unfinished element is looked at before its time is over. */
const CHECKS = 10;

/** What is watched. */
export interface WatchedStream {
  /** Whether an element has begun and is not complete. */
  readonly inStanza: boolean;
  /** Elements completed so far. */
  readonly elements: number;
}

/** Who has a watch for slow stanzas, and is told what it finds. */
export interface SlowStanzaOwner {
  /** An element was not complete within that many milliseconds. */
  slowStanza(limitMs: number): void;
}

/** Watches that an element which has begun is complete in time, however slowly its bytes come. */
export class SlowStanza {
  readonly #stream: WatchedStream;
  readonly #limitMs: number;
  readonly #owner: SlowStanzaOwner;
  #timer: NodeJS.Timeout | null = null;
  #mark = -1;
  #checks = 0;

  constructor(stream: WatchedStream, limitMs: number, owner: SlowStanzaOwner) {
    this.#stream = stream;
    this.#limitMs = limitMs;
    this.#owner = owner;
  }

  /** Bytes arrived: something may have begun. */
  activity(): void {
    this.#timer ??= setTimeout(check, this.#limitMs / CHECKS, this).unref();
  }

  stop(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
  }

  /** @internal a part of the time is over */
  check(): void {
    this.#timer = null;
    if (!this.#stream.inStanza) {
      this.#mark = -1;
      return;
    }
    if (this.#mark !== this.#stream.elements) {
      this.#mark = this.#stream.elements;
      this.#checks = 0;
    }
    this.#checks += 1;
    if (this.#checks > CHECKS) this.#owner.slowStanza(this.#limitMs);
    else this.activity();
  }
}

function check(watch: SlowStanza): void {
  watch.check();
}
