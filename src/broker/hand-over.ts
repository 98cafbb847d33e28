// What handing on to other processes what arrives needs to know of it.
import type { Lifecycle } from '../lifecycle/lifecycle.js';
import type { Place } from '../protocols/features/managed-session.js';
import type { Element } from '../xml/element.js';
import type { Answerer } from './answerer.js';

/** What handing over works with. */
export interface HandOverParts {
  readonly lifecycle: Lifecycle;
  readonly answerer: Answerer;
  readonly queueName: string;
}

/** For those who hand what arrives on to other processes. All of it is asked inside a handler, of the stanza that it was given. */
export class HandOver {
  readonly #parts: HandOverParts;
  readonly #atHalt = new Set<() => void>();

  constructor(parts: HandOverParts) {
    this.#parts = parts;
  }

  /** What the queue of the broker is called, also without a store: `options.queue.name`. */
  get queue(): string {
    return this.#parts.queueName;
  }

  /**
   * Where the stanza stands in the managed session: the server sends it again under the same number, also to another
   * process. Null when the session cannot be resumed, or there is none.
   */
  placeOf(stanza: Element): Place | null {
    return this.#parts.lifecycle.link?.placeOf(stanza) ?? null;
  }

  /** Whether a stanza is being delivered: its handlers are called now. */
  delivers(stanza: Element): boolean {
    return this.#parts.lifecycle.link?.delivers(stanza) ?? false;
  }

  /** Whether the broker answers an iq request itself: a handler of `answer` does, or it is a ping. */
  answers(iq: Element): boolean {
    return this.#parts.answerer.answers(iq);
  }

  /**
   * An iq request is answered by somebody else, within some milliseconds; else the broker answers it with an error.
   * @param unanswered called before it does
   */
  later(iq: Element, withinMs: number, unanswered: () => void): void {
    this.#parts.answerer.elsewhere(iq, withinMs, unanswered);
  }

  /** Calls back when the broker is halted. @returns what ends that */
  onHalt(callback: () => void): () => void {
    this.#atHalt.add(callback);
    return () => this.#atHalt.delete(callback);
  }

  /** The broker was halted. */
  halted(): void {
    for (const callback of this.#atHalt) callback();
    this.#atHalt.clear();
  }
}
