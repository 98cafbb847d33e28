import type { BrokerError } from '../errors.js';
import type { BrokerConfig } from '../options/options.js';
import { newId } from '../stanza/id.js';
import type { Element } from '../xml/element.js';
import type { Acknowledgements } from './acknowledgements.js';
import type { StatusPublisher } from './status-publisher.js';

/** What a probe is written by. */
export interface ProbeParts {
  readonly config: BrokerConfig;
  readonly status: StatusPublisher;
  /** Null without stream management. */
  readonly acks: Acknowledgements | null;
  readonly translation: { question(id: string): string | null };
  readonly requester: { ping(to: string): void };
  readonly stream: { readonly framing: { readonly allowsSpace: boolean }; readonly endSent: boolean };
  readonly buffer: { urgent(text: () => string): void };
}

/**
 * The question for a sign of life, in the cheapest way that a link has: a request for an acknowledgement, a ping, one of the
 * dialect's own, or white space, which nobody answers. The dialect's question and its answer are nobody else's business.
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

  /** Whether silence behind the last question means that nobody is there. For white space TCP finds that out. */
  get isQuestion(): boolean {
    return this.#parts.acks !== null || this.#pings || this.#isQuestion;
  }

  ask(): void {
    const { acks } = this.#parts;
    if (acks !== null) acks.request();
    else if (this.#pings) this.#ping();
    else this.#askAsDialect();
  }

  /** Writes anything at all. */
  speak(): void {
    const { acks, stream } = this.#parts;
    if (stream.framing.allowsSpace) this.#write(' ');
    else if (acks !== null) acks.request();
    else this.#ping();
  }

  /** Whether an element answers, be it an error. */
  isAnswer(element: Element): boolean {
    if (this.#unanswered === 0 || element.getAttribute('id') !== this.#id) return false;
    this.#unanswered -= 1;
    return true;
  }

  get #pings(): boolean {
    const { probe, addressing } = this.#parts.config.connectionType;
    return (probe ?? (addressing === 'domain' ? 'space' : 'ping')) === 'ping';
  }

  #ping(): void {
    this.#parts.requester.ping(this.#parts.config.domain);
  }

  #askAsDialect(): void {
    const { translation, status } = this.#parts;
    this.#isQuestion = false;
    try {
      const question = translation.question((this.#id ??= newId()));
      if (question === null) {
        this.speak();
        return;
      }
      this.#isQuestion = true;
      this.#unanswered += 1;
      this.#write(question);
    } catch (error) {
      status.publish('PCJ_PROTOCOLERROR', error as BrokerError);
    }
  }

  /** Nothing follows our closing tag (RFC 6120 §4.4). */
  #write(text: string): void {
    const { stream, buffer } = this.#parts;
    if (!stream.endSent) buffer.urgent(() => text);
  }
}
