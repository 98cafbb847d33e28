import { X509Certificate } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { BrokerError } from '../../../src/errors.js';
import { readCertificate } from '../../../src/tls/certificate.js';
import { checkServerIdentity } from '../../../src/tls/server-identity.js';
import { DerReader, TAG, readBoolean, readOid, readTime } from '../../../src/tls/der.js';
import { der, oid, selfSigned, sequence, string } from '../../support/certificates.js';

const bytes = (...octets: number[]) => Buffer.from(octets);
const refused = (work: () => unknown): BrokerError => {
  try {
    work();
  } catch (error) {
    expect(error).toBeInstanceOf(BrokerError);
    return error as BrokerError;
  }
  throw new Error('it was accepted');
};

describe('reading DER', () => {
  test('values one after another, with their place', () => {
    const reader = new DerReader(Buffer.concat([der(0x04, bytes(1, 2)), sequence(der(0x02, bytes(5)))]));
    expect(reader.take(0x04)).toMatchObject({ tag: 4, offset: 0, body: bytes(1, 2) });
    expect(reader.optional(0x04)).toBeNull();
    const inner = reader.next();
    expect(inner).toMatchObject({ tag: TAG.SEQUENCE, offset: 4 });
    expect(DerReader.inside(inner).next()).toMatchObject({ tag: 2, offset: 6, body: bytes(5) });
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
  ])('refuses %s', (_, input) => {
    expect(refused(() => new DerReader(input).next())).toMatchObject({
      code: 'TLS_CERT_MALFORMED',
      layer: 'tls',
      phase: 'tls',
    });
  });

  test('refuses another tag, and what is left over, with the offset', () => {
    const input = sequence(der(0x04, bytes(1)), der(0x04, bytes(2)));
    const inner = DerReader.inside(new DerReader(input).next());
    expect(refused(() => inner.take(0x02)).offset).toBe(2);
    inner.take(0x04);
    expect(refused(() => inner.end()).offset).toBe(5);
  });

  test.each([
    [TAG.UTC_TIME, '500101000000Z', '1950-01-01T00:00:00.000Z'],
    [TAG.UTC_TIME, '491231235959Z', '2049-12-31T23:59:59.000Z'],
    [TAG.UTC_TIME, '240229120000Z', '2024-02-29T12:00:00.000Z'],
    [TAG.GENERALIZED_TIME, '99991231235959Z', '9999-12-31T23:59:59.000Z'],
  ])('time %i %s', (tag, text, iso) => {
    expect(readTime(new DerReader(string(tag, text)).next()).toISOString()).toBe(iso);
  });

  test.each([
    [TAG.UTC_TIME, '250229120000Z'],
    [TAG.UTC_TIME, '2501011200Z'],
    [TAG.UTC_TIME, '250101120000+0100'],
    [TAG.UTC_TIME, '251301120000Z'],
    [TAG.UTC_TIME, ''],
    [TAG.GENERALIZED_TIME, '250101120000Z'],
    [TAG.GENERALIZED_TIME, '20250101120000.5Z'],
    [TAG.UTF8_STRING, '250101120000Z'],
  ])('refuses time %i %j', (tag, text) => {
    expect(refused(() => readTime(new DerReader(string(tag, text)).next())).code).toBe('TLS_CERT_MALFORMED');
  });

  test('truth values and object identifiers', () => {
    const value = (...octets: number[]) => new DerReader(bytes(...octets)).next();
    expect([readBoolean(value(1, 1, 0xff)), readBoolean(value(1, 1, 0))]).toEqual([true, false]);
    for (const bad of [value(1, 1, 1), value(1, 0), value(1, 2, 0, 0), value(2, 1, 0)]) refused(() => readBoolean(bad));
    expect(readOid(new DerReader(oid('1.3.6.1.5.5.7.8.7')).next())).toBe('2b06010505070807');
    for (const bad of [value(6, 0), value(4, 1, 1)]) refused(() => readOid(bad));
  });
});

describe('reading certificates', () => {
  test('S-CERT-10: validity as OpenSSL reads it, also beyond 2049', async () => {
    for (const notAfter of [
      new Date('2049-12-31T23:59:59Z'),
      new Date('2050-01-01T00:00:00Z'),
      new Date('2120-06-01T00:00:00Z'),
    ]) {
      const { der: certificate } = await selfSigned({ notBefore: new Date('2020-01-01T00:00:00Z'), notAfter });
      const facts = readCertificate(certificate);
      expect(facts.notAfter).toEqual(notAfter);
      expect(facts.notAfter).toEqual(new Date(new X509Certificate(certificate).validTo));
      expect(facts.notBefore).toEqual(new Date('2020-01-01T00:00:00Z'));
    }
  });

  test.each(['p256', 'p521', 'rsa', 'rsa-pss', 'ed25519'] as const)('keys of any kind: %s', async (key) => {
    const { der: certificate } = await selfSigned({ key });
    expect(readCertificate(certificate).names.map(({ type }) => type)).toEqual(['DNS', 'DNS', 'DNS', 'DNS', 'IP']);
  });

  test('S-CERT-8: an extension that stands there twice is refused', async () => {
    const again = { oid: '2.5.29.17', value: sequence(string(0x82, 'evil.example')) };
    const { der: certificate } = await selfSigned({ names: [{ dns: 'good.example' }], extensions: [again] });
    expect(refused(() => readCertificate(certificate)).code).toBe('TLS_CERT_MALFORMED');
  });

  test('object identifiers of any size do no harm', async () => {
    const long = { oid: '1.2.840.113549.1.9.99', value: Buffer.alloc(2000, 0xff) };
    const raw = der(0xa0, der(0x06, Buffer.concat([Buffer.alloc(500, 0xff), bytes(1)])), der(0xa0, der(0x0c)));
    const { der: certificate } = await selfSigned({ names: [{ raw }, { dns: 'a.example' }], extensions: [long] });
    expect(readCertificate(certificate).names).toEqual([{ type: 'DNS', value: 'a.example' }]);
  });

  test('S-CERT-8: every cut and every changed octet gives facts or TLS_CERT_MALFORMED, nothing else', async () => {
    const names = [{ dns: 'a.example' }, { srv: '_xmpp-client.a.example' }, { xmpp: 'a.example' }, { ip: '::1' }];
    const { der: certificate } = await selfSigned({ names });
    const harmless = (input: Buffer) => {
      try {
        checkServerIdentity('b.example', input);
      } catch (error) {
        expect(error).toBeInstanceOf(BrokerError);
        expect((error as BrokerError).code).toMatch(/^TLS_CERT_(MALFORMED|HOST_MISMATCH|PURPOSE)$/);
        return;
      }
      throw new Error('it matched');
    };
    for (let length = 0; length < certificate.length; length += 1) harmless(certificate.subarray(0, length));
    harmless(Buffer.concat([certificate, bytes(0)]));
    for (let at = 0; at < certificate.length; at += 1) {
      for (const octet of [0x00, 0x1f, 0x30, 0x7f, 0x80, 0x84, 0xff]) {
        const changed = Buffer.from(certificate);
        changed[at] = octet;
        harmless(changed);
      }
    }
  });

  test('random octets give TLS_CERT_MALFORMED', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 400 }), (octets) => {
        expect(refused(() => readCertificate(Buffer.from(octets))).code).toBe('TLS_CERT_MALFORMED');
      }),
      { numRuns: 2000 },
    );
  });

  test('a hundred thousand nested values end at once', () => {
    const deep = Buffer.alloc(200_000, 0x30);
    expect(refused(() => readCertificate(deep)).code).toBe('TLS_CERT_MALFORMED');
    let nested: Buffer = Buffer.alloc(0);
    for (let i = 0; i < 2000; i += 1) nested = sequence(nested);
    expect(refused(() => readCertificate(nested)).code).toBe('TLS_CERT_MALFORMED');
  });
});
