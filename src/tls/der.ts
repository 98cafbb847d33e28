/**
 * Reads DER (ITU-T X.690 §8, §10) as far as the algorithm of a signature needs it: definite lengths in their shortest
 * form, tags of one octet, every value inside the one that holds it. It goes forward only, so hostile input ends it
 * quickly. Everything else of a certificate is read by Node (docs/decisions/certificates.md).
 */

/** Tags of the types that are read. */
export const TAG = { OID: 0x06, SEQUENCE: 0x30 } as const;

/** Tag of a constructed, context-specific value. */
export const constructed = (number: number): number => 0xa0 | number;

/** One value. */
export interface DerValue {
  readonly tag: number;
  /** Contents without tag and length. */
  readonly body: Buffer;
}

/** The error of bytes that are no DER, or not what is looked for in it. */
export class DerError extends Error {}

/** Reads the values that stand one after another in some bytes. */
export class DerReader {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  /** Reads the values inside a constructed value. */
  static inside(value: DerValue): DerReader {
    return new DerReader(value.body);
  }

  get done(): boolean {
    return this.#at === this.#bytes.length;
  }

  /** The next value. @throws DerError */
  next(): DerValue {
    const tag = this.#octet();
    if ((tag & 0x1f) === 0x1f) throw new DerError('a tag of more than one octet');
    const length = this.#length();
    const body = this.#bytes.subarray(this.#at, this.#at + length);
    if (body.length < length) throw new DerError('a value that is longer than what holds it');
    this.#at += length;
    return { tag, body };
  }

  /** The next value, which must have this tag. @throws DerError */
  take(tag: number): DerValue {
    const value = this.optional(tag);
    if (value === null) throw new DerError(`no value with the tag 0x${tag.toString(16)}`);
    return value;
  }

  /** The next value if it has this tag. @throws DerError */
  optional(tag: number): DerValue | null {
    return this.#bytes[this.#at] === tag ? this.next() : null;
  }

  #octet(): number {
    const octet = this.#bytes[this.#at];
    if (octet === undefined) throw new DerError('an end before its time');
    this.#at += 1;
    return octet;
  }

  #length(): number {
    const first = this.#octet();
    if (first < 0x80) return first;
    const octets = first & 0x7f;
    // 0x80 is the indefinite length of BER; more than four octets are more than any certificate has.
    if (octets === 0 || octets > 4) throw new DerError('a length that DER does not allow');
    let length = 0;
    for (let i = 0; i < octets; i += 1) length = length * 256 + this.#octet();
    if (length < 0x80 || length < 256 ** (octets - 1)) throw new DerError('a length that is not in its shortest form');
    return length;
  }
}

/** An object identifier as the hexadecimal of its encoding; identifiers are only ever compared. */
export function readOid({ tag, body }: DerValue): string {
  if (tag !== TAG.OID || body.length === 0) throw new DerError('no object identifier');
  return body.toString('hex');
}
