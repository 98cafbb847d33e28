import { BrokerError } from '../errors.js';
import type { Element } from '../xml/element.js';
import { MAX_TIMER_MS } from './beats.js';

/** A stanza that waits to be handled. */
interface Waiting {
  readonly stanza: Element;
  readonly handled: () => void;
}

/** What arrived and was not handled yet, in order. */
export class Inbox {
  readonly #limit: number;
  #waiting: Waiting[] = [];
  #ended = false;
  #endedBy: { error: unknown } | null = null;
  #failure: { error: unknown } | null = null;
  #wake: (() => void) | null = null;
  /** Of those that were taken in and not handled. */
  readonly #unhandled = new Set<() => void>();
  #released = false;

  constructor(limit: number) {
    this.#limit = limit;
  }

  /**
   * Takes a stanza in.
   * @returns a promise that fulfils when it was handled
   * @throws BrokerError `CONNECTION_INBOX_FULL`
   */
  push(stanza: Element): Promise<void> {
    if (this.#waiting.length >= this.#limit) {
      throw new BrokerError(
        'CONNECTION_INBOX_FULL',
        `${String(this.#limit)} stanzas arrived and were not handled (inboxLimit): call process() or start()`,
        { layer: 'queue', phase: 'ready' },
      );
    }
    return new Promise((resolve) => {
      const handled = (): void => {
        this.#unhandled.delete(handled);
        resolve();
      };
      if (this.#released) resolve();
      else this.#unhandled.add(handled);
      this.#waiting.push({ stanza, handled });
      this.#notify();
    });
  }

  take(): Waiting | undefined {
    return this.#waiting.shift();
  }

  /** Nothing more will come: what is there can still be taken. The error, if any, is thrown behind it. */
  end(error: unknown = null): void {
    this.#ended = true;
    if (error !== null) this.#endedBy = { error };
    this.#notify();
  }

  /** Whether more may come, once everything was taken. @throws what {@link end} was given, once */
  goesOn(): boolean {
    const endedBy = this.#endedBy;
    this.#endedBy = null;
    if (endedBy !== null) throw endedBy.error;
    return !this.#ended;
  }

  /** Makes whoever waits, or will wait next, fail with this. */
  fail(error: unknown): void {
    this.#failure ??= { error };
    this.#notify();
  }

  /** Nobody waits any more until what is there, or comes, was handled. It can still be taken. */
  release(): void {
    this.#released = true;
    for (const handled of this.#unhandled) handled();
  }

  /** Drops what is there. */
  clear(): void {
    for (const { handled } of this.#waiting.splice(0)) handled();
    this.#failure = null;
    this.#endedBy = null;
    this.#ended = false;
    this.#released = false;
  }

  /**
   * Waits until there is something to take, or the end, but no longer than that many milliseconds. What no timer can
   * wait is without limit.
   * @throws what {@link fail} was given, once
   */
  async wait(limitMs: number): Promise<void> {
    if (this.#failure === null && this.#waiting.length === 0 && !this.#ended) {
      await new Promise<void>((resolve) => {
        const timer = limitMs <= MAX_TIMER_MS ? setTimeout(resolve, limitMs) : null;
        this.#wake = () => {
          if (timer !== null) clearTimeout(timer);
          resolve();
        };
      });
      this.#wake = null;
    }
    this.throwFailure();
  }

  /** @throws what {@link fail} was given, once */
  throwFailure(): void {
    const failure = this.#failure;
    this.#failure = null;
    if (failure !== null) throw failure.error;
  }

  #notify(): void {
    this.#wake?.();
  }
}
