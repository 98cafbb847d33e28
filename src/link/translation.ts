import { kindOf } from '../arguments/values.js';
import type { Dialect, DialectLink } from '../protocols/dialect.js';
import { isElement, type Element } from '../xml/element.js';
import { serialize } from '../xml/serializer.js';
import { dialectLink, type DialectLinkParts } from './dialect-link.js';
import { dialectFailed } from './errors.js';

/**
 * What a dialect makes of stanzas on a ready link. A dialect may be the program's: whatever it throws becomes a
 * BrokerError, and what it returns is looked at.
 */
export class Translation {
  readonly #dialect: Dialect;
  readonly #parts: DialectLinkParts;
  #made: DialectLink | null = null;

  constructor(dialect: Dialect, parts: DialectLinkParts) {
    this.#dialect = dialect;
    this.#parts = parts;
  }

  /** The same each time: a dialect may keep what it knows of the link by it. Most never ask. */
  get #link(): DialectLink {
    this.#made ??= dialectLink(this.#parts);
    return this.#made;
  }

  /** A stanza as it goes out. @throws BrokerError what the dialect throws, or `DIALECT_FAILED` */
  outbound(stanza: Element): string {
    const dialect = this.#dialect;
    try {
      const wrapped: unknown = dialect.wrap === undefined ? stanza : dialect.wrap(stanza, this.#link);
      if (isElement(wrapped)) return serialize(wrapped, this.#parts.scope);
      throw new TypeError(`wrap() must return an element, not ${kindOf(wrapped)}`);
    } catch (error) {
      throw dialectFailed(error, dialect, 'to wrap a stanza').with({ sent: 'no' });
    }
  }

  /** The dialect's question for a sign of life; null when it has none. @throws BrokerError as {@link outbound} */
  question(id: string): string | null {
    const dialect = this.#dialect;
    if (typeof dialect.probe !== 'function') return null;
    try {
      const question: unknown = dialect.probe(id, this.#link);
      if (question === null) return null;
      if (isElement(question)) return serialize(question, this.#parts.scope);
      throw new TypeError(`probe() must return an element or null, not ${kindOf(question)}`);
    } catch (error) {
      throw dialectFailed(error, dialect, 'to ask for a sign of life');
    }
  }

  /** Writes an element that is no stanza, in order with the stanzas. */
  send(element: Element): void {
    this.#link.send(element);
  }

  /** The stanza that an element brings; undefined when it is none. @throws BrokerError as {@link outbound} */
  inbound(element: Element): Element | undefined {
    const dialect = this.#dialect;
    if (dialect.unwrap === undefined) return element;
    try {
      const stanza: unknown = dialect.unwrap(element, this.#link);
      if (stanza === element || stanza === undefined || isElement(stanza)) return stanza as Element | undefined;
      throw new TypeError(`unwrap() must return an element or undefined, not ${kindOf(stanza)}`);
    } catch (error) {
      throw dialectFailed(error, dialect, 'on an element');
    }
  }
}
