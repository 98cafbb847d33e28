import { BrokerError } from '../errors.js';

/**
 * Reads DER (ITU-T X.690 §8, §10) as strictly as certificates need it: definite lengths in their shortest form, one
 * octet tags, every value inside the one that holds it. It goes forward only, so hostile input ends it quickly.
 */

/** Tags of the types that certificates are made of. */
export const TAG = {
  BOOLEAN: 0x01,
  INTEGER: 0x02,
  BIT_STRING: 0x03,
  OCTET_STRING: 0x04,
  OID: 0x06,
  UTF8_STRING: 0x0c,
  IA5_STRING: 0x16,
  UTC_TIME: 0x17,
  GENERALIZED_TIME: 0x18,
  SEQUENCE: 0x30,
} as const;

/** Tag of a context-specific value: constructed, or primitive. */
export const constructed = (number: number): number => 0xa0 | number;
export const primitive = (number: number): number => 0x80 | number;

/** One value. */
export interface DerValue {
  readonly tag: number;
  /** Contents without tag and length. */
  readonly body: Buffer;
  /** The whole value. */
  readonly raw: Buffer;
  /** Where it begins in the outermost bytes. */
  readonly offset: number;
}

/** Reads the values that stand one after another in some bytes. */
export class DerReader {
  readonly #bytes: Buffer;
  readonly #base: number;
  #at = 0;

  /** @param base offset of the bytes in the outermost ones, for errors */
  constructor(bytes: Buffer, base = 0) {
    this.#bytes = bytes;
    this.#base = base;
  }

  /** Reads the values inside a constructed value. */
  static inside(value: DerValue): DerReader {
    return new DerReader(value.body, value.offset + value.raw.length - value.body.length);
  }

  get done(): boolean {
    return this.#at === this.#bytes.length;
  }

  /** The next value. @throws BrokerError `TLS_CERT_MALFORMED` */
  next(): DerValue {
    const start = this.#at;
    const tag = this.#octet();
    if ((tag & 0x1f) === 0x1f) throw this.#malformed('a tag of more than one octet');
    const length = this.#length();
    const end = this.#at + length;
    if (end > this.#bytes.length) throw this.#malformed('a value that is longer than what holds it');
    const value = {
      tag,
      body: this.#bytes.subarray(this.#at, end),
      raw: this.#bytes.subarray(start, end),
      offset: this.#base + start,
    };
    this.#at = end;
    return value;
  }

  /** The next value, which must have this tag. @throws BrokerError `TLS_CERT_MALFORMED` */
  take(tag: number): DerValue {
    if (this.#bytes[this.#at] !== tag) throw this.#malformed(`no value with the tag 0x${tag.toString(16)}`);
    return this.next();
  }

  /** The next value if it has this tag. @throws BrokerError `TLS_CERT_MALFORMED` */
  optional(tag: number): DerValue | null {
    return this.#bytes[this.#at] === tag ? this.next() : null;
  }

  /** All values that are left. @throws BrokerError `TLS_CERT_MALFORMED` */
  rest(): DerValue[] {
    const values: DerValue[] = [];
    while (!this.done) values.push(this.next());
    return values;
  }

  /** @throws BrokerError `TLS_CERT_MALFORMED` when something is left */
  end(): void {
    if (!this.done) throw this.#malformed('more than belongs there');
  }

  #octet(): number {
    const octet = this.#bytes[this.#at];
    if (octet === undefined) throw this.#malformed('an end before its time');
    this.#at += 1;
    return octet;
  }

  #length(): number {
    const first = this.#octet();
    if (first < 0x80) return first;
    const octets = first & 0x7f;
    // 0x80 is the indefinite length of BER; more than four octets are more than any certificate has.
    if (octets === 0 || octets > 4) throw this.#malformed('a length that DER does not allow');
    let length = 0;
    for (let i = 0; i < octets; i += 1) length = length * 256 + this.#octet();
    if (length < 0x80 || length < 256 ** (octets - 1))
      throw this.#malformed('a length that is not in its shortest form');
    return length;
  }

  #malformed(what: string): BrokerError {
    return malformed(what, this.#base + this.#at);
  }
}

/** The error of bytes that are no certificate. */
export function malformed(what: string, offset: number): BrokerError {
  return new BrokerError('TLS_CERT_MALFORMED', `the certificate cannot be read: ${what} at byte ${offset}`, {
    layer: 'tls',
    phase: 'tls',
    origin: 'peer',
    offset,
  });
}

/** An object identifier as the hexadecimal of its encoding; identifiers are only ever compared. */
export function readOid({ tag, body, offset }: DerValue): string {
  if (tag !== TAG.OID || body.length === 0) throw malformed('no object identifier', offset);
  return body.toString('hex');
}

/** @throws BrokerError `TLS_CERT_MALFORMED` */
export function readBoolean({ tag, body, offset }: DerValue): boolean {
  const octet = body[0];
  if (tag !== TAG.BOOLEAN || body.length !== 1 || (octet !== 0x00 && octet !== 0xff))
    throw malformed('no truth value', offset);
  return octet === 0xff;
}

/** UTCTime or GeneralizedTime as RFC 5280 §4.1.2.5 allows them. @throws BrokerError `TLS_CERT_MALFORMED` */
export function readTime({ tag, body, offset }: DerValue): Date {
  const text = body.toString('latin1');
  const pattern = tag === TAG.UTC_TIME ? /^\d{12}Z$/ : tag === TAG.GENERALIZED_TIME ? /^\d{14}Z$/ : null;
  if (pattern?.test(text)) {
    const century = tag === TAG.UTC_TIME ? (text < '50' ? '20' : '19') : '';
    const [year, month, day, hour, minute, second] = (century + text).match(/^\d{4}|\d\d/g) ?? [];
    const iso = `${year}-${month}-${day}T${hour}:${minute}:${second}.000Z`;
    const date = new Date(iso);
    // A 30th of February would be moved to March.
    if (!Number.isNaN(date.getTime()) && date.toISOString() === iso) return date;
  }
  throw malformed('no time', offset);
}
