import { BrokerError, printable } from '../../errors.js';

/** Stream error condition (RFC 6120 §4.9.3) that goes with each code; limits are `policy-violation`. */
const CONDITIONS = {
  XML_NOT_WELL_FORMED: 'not-well-formed',
  XML_RESTRICTED: 'restricted-xml',
  XML_ENCODING: 'unsupported-encoding',
  XML_BAD_UTF8: 'unsupported-encoding',
  XML_STREAM_TEXT: 'bad-format',
  XML_TRUNCATED: 'not-well-formed',
  STREAM_NOT_XMPP: 'not-well-formed',
} as const;

export type FaultCode = keyof typeof CONDITIONS | `LIMIT_${string}`;

/**
 * Something in the input that ends the stream. Thrown inside `src/xml` only: the scanner knows the place and the
 * tokenizer turns it into a {@link BrokerError}.
 */
export class Fault extends Error {
  constructor(
    readonly code: FaultCode,
    message: string,
    /** Byte offset in the stream; unknown to those below the scanner. */
    public offset = -1,
  ) {
    super(message);
  }

  /** The error of a stream whose peer sent this. */
  toError(): BrokerError {
    return new BrokerError(this.code, `${this.message}, at byte ${this.offset} of the stream`, {
      layer: 'xml',
      origin: 'peer',
      condition: this.code in CONDITIONS ? CONDITIONS[this.code as keyof typeof CONDITIONS] : 'policy-violation',
      offset: this.offset,
    });
  }
}

export function malformed(message: string, offset?: number): Fault {
  return new Fault('XML_NOT_WELL_FORMED', message, offset);
}

export function restricted(what: string, offset?: number): Fault {
  return new Fault('XML_RESTRICTED', `${what} is not allowed in XMPP (RFC 6120 §11.1)`, offset);
}

/** A limit was passed: which, and what it is set to. */
export function tooMuch(code: `LIMIT_${string}`, what: string, limit: number, offset?: number): Fault {
  return new Fault(code, `more than ${limit} ${what}`, offset);
}

/** A byte or string of the peer as an error message may show it. */
export function shown(text: string): string {
  return `"${printable(text, 64)}"`;
}

export function shownByte(byte: number): string {
  const hex = byte.toString(16).padStart(2, '0');
  return byte > 0x20 && byte < 0x7f ? `"${String.fromCharCode(byte)}"` : `byte 0x${hex}`;
}
