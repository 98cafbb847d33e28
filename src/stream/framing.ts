import type { Optional } from '../arguments/optional.js';
import type { BrokerError } from '../errors.js';
import type { XmlAttributes } from '../xml/builder.js';
import type { Element } from '../xml/element.js';
import type { XmlLimits } from '../xml/tokenizer/limits.js';
import type { Tokenizer, TokenizerHandler } from '../xml/tokenizer/tokenizer.js';

/** What reads a stream: bytes as they come, or messages one by one. */
export type StreamReader = Pick<Tokenizer, 'write' | 'pause' | 'resume' | 'paused' | 'take' | 'pending' | 'inStanza'>;

/** What a header of ours says. */
export interface HeaderFacts {
  /** Content namespace of the stream. */
  readonly xmlns: string;
  /** Namespace of the stream itself. */
  readonly stream: string;
  readonly to?: string | undefined;
  readonly version?: string | undefined;
  /** Further attributes. */
  readonly attributes: XmlAttributes;
}

/** What a header of the peer is compared with. */
export interface ExpectedHeader extends Pick<HeaderFacts, 'xmlns' | 'stream'> {
  /** Name of the dialect, for messages. */
  readonly dialect: string;
}

/** How a stream is opened, restarted and closed, and how its elements are told apart: RFC 6120 §4 over TCP, RFC 7395 over WebSocket. */
export interface Framing {
  readonly name: 'tcp' | 'websocket';
  /** Whether each element is written by itself; others share writes. */
  readonly separate: boolean;
  /** Whether white space may be sent between elements (RFC 6120 §4.6.1). */
  readonly allowsSpace: boolean;
  /** What closes the stream. */
  readonly end: string;
  header(facts: HeaderFacts): Element;
  /** A header as it is written. */
  open(header: Element): string;
  /** What is wrong with the peer's header, or null. */
  headerFault(header: Element, expected: ExpectedHeader): BrokerError | null;
  reader(handler: TokenizerHandler, limits: Optional<XmlLimits>): StreamReader;
  /**
   * A reader for a stream that is restarted (RFC 6120 §4.3.3): it has what the old one has not looked at, and is paused. The
   * old one is finished.
   */
  renewed(old: StreamReader, handler: TokenizerHandler, limits: Optional<XmlLimits>): StreamReader;
}
