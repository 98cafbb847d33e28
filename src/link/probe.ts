import type { Element } from '../xml/element.js';
import type { Dialect } from '../protocols/dialect.js';
import { newId } from '../stanza/id.js';

/** What a probe is written by. */
export interface ProbeParts {
  readonly dialect: Dialect;
  readonly translation: { question(id: string): string | null };
}

/**
 * The question for a sign of life on a link without stream management: a ping, one of the dialect's own, or white space,
 * which nobody answers. The dialect's question and its answer are nobody else's business.
 */
export class Probe {
  readonly #parts: ProbeParts;
  /** One id for all questions of the link: an answer may be late. */
  #id: string | null = null;
  #unanswered = 0;
  /** Whether the last question has to be answered. */
  #isQuestion = false;

  constructor(parts: ProbeParts) {
    this.#parts = parts;
  }

  /** Whether the server is pinged. */
  get pings(): boolean {
    const { probe, addressing } = this.#parts.dialect;
    return (probe ?? (addressing === 'domain' ? 'space' : 'ping')) === 'ping';
  }

  /** Whether silence behind the last question means that nobody is there. */
  get isQuestion(): boolean {
    return this.pings || this.#isQuestion;
  }

  /** The text that asks; null if the dialect has no question now. @throws BrokerError what the dialect throws */
  ask(): string | null {
    this.#isQuestion = false;
    const text = this.#parts.translation.question((this.#id ??= newId()));
    if (text === null) return null;
    this.#isQuestion = true;
    this.#unanswered += 1;
    return text;
  }

  /** Whether an element answers, be it an error. */
  isAnswer(element: Element): boolean {
    if (this.#unanswered === 0 || element.getAttribute('id') !== this.#id) return false;
    this.#unanswered -= 1;
    return true;
  }
}
