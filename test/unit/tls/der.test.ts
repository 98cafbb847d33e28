import { describe, expect, test } from 'vitest';
import { DerError, DerReader, TAG, readOid } from '../../../src/tls/der.js';
import { der, oid, sequence } from '../../support/certificates.js';

const bytes = (...octets: number[]) => Buffer.from(octets);

describe('reading DER', () => {
  test('values one after another', () => {
    const reader = new DerReader(Buffer.concat([der(0x04, bytes(1, 2)), sequence(der(0x02, bytes(5)))]));
    expect(reader.take(0x04)).toEqual({ tag: 4, body: bytes(1, 2) });
    expect(reader.optional(0x04)).toBeNull();
    const inner = reader.next();
    expect(inner.tag).toBe(TAG.SEQUENCE);
    expect(DerReader.inside(inner).next()).toEqual({ tag: 2, body: bytes(5) });
    expect(reader.done).toBe(true);
  });

  test.each([127, 128, 255, 256, 65_535, 65_536])('a value of %i octets', (length) => {
    expect(new DerReader(der(0x04, Buffer.alloc(length))).next().body).toHaveLength(length);
  });

  test.each([
    ['nothing', bytes()],
    ['a tag alone', bytes(0x30)],
    ['an indefinite length', bytes(0x30, 0x80, 0, 0)],
    ['a length of five octets', bytes(0x04, 0x85, 0, 0, 0, 0, 1, 1)],
    ['a length that ends early', bytes(0x04, 0x82, 1)],
    ['a long form for a short length', bytes(0x04, 0x81, 0x01, 1)],
    ['a length with a zero in front', bytes(0x04, 0x82, 0x00, 0x80, ...new Array<number>(128).fill(0))],
    ['a value longer than the bytes', bytes(0x04, 5, 1)],
    ['a length of four gigabytes', bytes(0x04, 0x84, 0xff, 0xff, 0xff, 0xff)],
    ['a tag of two octets', bytes(0x1f, 0x81, 0x01, 0)],
    ['a tag of two octets, that could be one and a value', bytes(0x1f, 0x01, 0)],
  ])('refuses %s', (_, input) => {
    expect(() => new DerReader(input).next()).toThrow(DerError);
  });

  test.each([
    ['0x80, the indefinite length', bytes(0x30, 0x80, 0, 0)],
    ['0x85, five octets', bytes(0x04, 0x85, 0, 0, 0, 0, 1, 1)],
  ])('says that a length of %s is none of DER', (_, input) => {
    expect(() => new DerReader(input).next()).toThrow('a length that DER does not allow');
  });

  test('refuses another tag, and goes on behind it if that may be', () => {
    const inner = DerReader.inside(new DerReader(sequence(der(0x04, bytes(1)))).next());
    expect(() => inner.take(0x02)).toThrow(DerError);
    expect(inner.optional(0x02)).toBeNull();
    expect(inner.take(0x04).body).toEqual(bytes(1));
    expect(inner.done).toBe(true);
  });

  test('object identifiers', () => {
    const value = (...octets: number[]) => new DerReader(bytes(...octets)).next();
    expect(readOid(new DerReader(oid('1.3.6.1.5.5.7.8.7')).next())).toBe('2b06010505070807');
    for (const bad of [value(6, 0), value(4, 1, 1)]) expect(() => readOid(bad)).toThrow(DerError);
  });
});
