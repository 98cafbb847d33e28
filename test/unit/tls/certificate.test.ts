import { X509Certificate, createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { BrokerError } from '../../../src/errors.js';
import { pinOf, presentedNames } from '../../../src/tls/certificate.js';
import { checkServerIdentity } from '../../../src/tls/server-identity.js';
import { der, oid, otherName, selfSigned, sequence, string, type SubjectName } from '../../support/certificates.js';

const XMPP_ADDR = '1.3.6.1.5.5.7.8.5';
const SRV_NAME = '1.3.6.1.5.5.7.8.7';
const read = async (...names: readonly SubjectName[]) =>
  presentedNames(new X509Certificate((await selfSigned({ names })).der));

describe('S-CERT-8: names are read as they stand there', () => {
  test.each([
    'example.org',
    '',
    ' ',
    'a, DNS:example.org',
    "a', DNS:'example.org",
    'a", DNS:example.org',
    'a\\", DNS:example.org',
    'a\\u002c DNS:example.org',
    'a, othername:XmppAddr:example.org',
    '"example.org"',
    '"XmppAddr:example.org"',
    'XmppAddr:example.org',
    'SRVName:_xmpp-client.example.org',
    'example.org\0.evil.example',
    '\0example.org',
    'example.org\r\n',
    '<unsupported>',
    'a\\b\\',
    'a\x7fb',
  ])('%j', async (value) => {
    const others: SubjectName[] = [{ uri: value }, { email: value }];
    const names = await read(...others, { dns: value }, ...others, { srv: value }, { xmpp: value }, { dns: 'end' });
    expect(names).toEqual([
      { type: 'DNS', value },
      { type: 'SRV', value },
      { type: 'XMPP', value },
      { type: 'DNS', value: 'end' },
    ]);
  });

  test.each(['bücher.example', '例え.jp', 'a\u202eb', '\ufeffa', '\u{1F600}x, "', 'a\u2028b', '\u0085'])(
    'not ASCII: %j',
    async (value) => {
      expect(await read({ xmpp: value })).toEqual([{ type: 'XMPP', value }]);
      // An IA5String has no such characters: octets stay what they are, and match nothing.
      const octets = Buffer.from(value).toString('latin1');
      expect(await read({ dns: value }, { srv: value })).toEqual([
        { type: 'DNS', value: octets },
        { type: 'SRV', value: octets },
      ]);
    },
  );

  test('whatever is in them', async () => {
    const piece = fc.oneof(
      fc.constantFrom(', ', ',', ' ', '"', "'", '\\', '\\u002c', ':', 'DNS:', 'IP Address:', 'othername:'),
      fc.constantFrom('XmppAddr:', 'SRVName:', 'UPN:', '<unsupported>', '\0', '\n', '\x7f', 'example.org', '*.'),
      fc.string({ unit: 'binary-ascii', maxLength: 4 }),
    );
    const value = fc.array(piece, { maxLength: 6 }).map((pieces) => pieces.join(''));
    const types = ['dns', 'srv', 'xmpp', 'uri', 'email'] as const;
    const name = fc.tuple(fc.constantFrom(...types), value);
    const kinds = { dns: 'DNS', srv: 'SRV', xmpp: 'XMPP', uri: null, email: null };
    await fc.assert(
      fc.asyncProperty(fc.array(name, { minLength: 1, maxLength: 4 }), async (names) => {
        const wanted = names.flatMap(([type, text]) =>
          kinds[type] === null ? [] : { type: kinds[type], value: text },
        );
        expect(await read(...names.map(([type, text]) => ({ [type]: text }) as unknown as SubjectName))).toEqual(
          wanted,
        );
      }),
      { numRuns: 150 },
    );
  });

  test('an XmppAddr of any text, and of octets that are no UTF-8', async () => {
    await fc.assert(
      fc.asyncProperty(fc.string({ unit: 'binary', maxLength: 20 }), async (text) => {
        expect(await read({ xmpp: text })).toEqual([{ type: 'XMPP', value: text }]);
      }),
      { numRuns: 50 },
    );
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 12 }), async (octets) => {
        const text = Buffer.from(octets).toString();
        const names = await read({ raw: otherName(XMPP_ADDR, der(0x0c, octets)) }, { dns: 'end' });
        expect(names).toEqual([
          { type: 'XMPP', value: text },
          { type: 'DNS', value: 'end' },
        ]);
      }),
      { numRuns: 50 },
    );
  });

  test('addresses, and what only looks like one', async () => {
    const names = await read({ ip: '192.0.2.1' }, { ip: '::1' }, { raw: der(0x87, Buffer.alloc(5)) });
    expect(names.slice(0, 2)).toEqual([
      { type: 'IP', value: '192.0.2.1' },
      { type: 'IP', value: '0:0:0:0:0:0:0:1' },
    ]);
    expect(names[2]?.value).toContain('invalid');
  });

  test('other kinds, and values of another type than theirs, are left out', async () => {
    const names: SubjectName[] = [
      { raw: der(0xa4, sequence(der(0x31, sequence(oid('2.5.4.3'), string(0x0c, 'a, DNS:a.example'))))) },
      { raw: der(0xa5, der(0xa1, string(0x0c, 'DNS:a.example'))) },
      { raw: otherName('1.3.6.1.4.1.311.20.2.3', string(0x0c, 'XmppAddr:a.example')) },
      { raw: otherName('1.3.6.1.5.5.7.8.9', string(0x0c, 'a.example')) },
      { raw: otherName('1.2.3', string(0x0c, 'XmppAddr:a.example')) },
      { raw: otherName(XMPP_ADDR, string(0x16, 'a.example')) },
      { raw: otherName(SRV_NAME, string(0x0c, '_xmpp-client.a.example')) },
    ];
    expect(await read(...names)).toEqual([]);
    expect(await read()).toEqual([]);
  });

  test.each([
    [
      'two values in one',
      der(0xa0, oid(SRV_NAME), der(0xa0, string(0x16, '_xmpp-client.a.example'), string(0x16, 'b'))),
    ],
    ['no value', der(0xa0, oid(XMPP_ADDR))],
  ])('an otherName with %s names nothing', async (_, raw) => {
    const certificate = new X509Certificate((await selfSigned({ names: [{ raw }, { dns: 'a.example' }] })).der);
    try {
      // Node 20 shows no names then, later versions throw.
      expect(presentedNames(certificate)).toEqual([]);
    } catch (error) {
      expect(error).toMatchObject({ code: 'TLS_CERT_MALFORMED', layer: 'tls', phase: 'tls', retryable: false });
    }
  });

  test('every changed octet gives names or TLS_CERT_MALFORMED, nothing else', async () => {
    const names = [{ dns: 'a.example' }, { srv: '_xmpp-client.a.example' }, { xmpp: 'a.example' }, { ip: '::1' }];
    const { der: certificate } = await selfSigned({ names });
    const at = certificate.indexOf(oid('2.5.29.17'));
    for (let place = at; place < certificate.length; place += 1) {
      for (const octet of [0x00, 0x1f, 0x30, 0x7f, 0x80, 0x84, 0xff]) {
        const changed = Buffer.from(certificate);
        changed[place] = octet;
        try {
          checkServerIdentity('b.example', new X509Certificate(changed));
        } catch (error) {
          // What is no certificate never comes out of a handshake.
          if (!(error instanceof BrokerError)) continue;
          expect(error.code).toMatch(/^TLS_CERT_(MALFORMED|HOST_MISMATCH|PURPOSE)$/);
          continue;
        }
        throw new Error('it matched');
      }
    }
  });
});

test.each(['p256', 'p521', 'rsa', 'rsa-pss', 'ed25519'] as const)(
  'S-CERT-12: the pin of a key is of the octets in the certificate: %s',
  async (key) => {
    const { der: certificate } = await selfSigned({ key });
    // SubjectPublicKeyInfo is the seventh value of what is signed (RFC 5280 §4.1).
    const signed = certificate.subarray(header(certificate));
    const fields: Buffer[] = [];
    for (let at = header(signed); fields.length < 7; at += fields.at(-1)!.length) {
      fields.push(signed.subarray(at, at + size(signed.subarray(at))));
    }
    const pin = createHash('sha256').update(fields[6]!).digest('base64');
    expect(pinOf(new X509Certificate(certificate))).toBe(pin);
  },
);

/** Octets of tag and length, and of the whole value; enough of DER for a certificate that is all right. */
const header = (value: Buffer) => (value[1]! < 0x80 ? 2 : 2 + (value[1]! & 0x7f));
const size = (value: Buffer) => header(value) + (value[1]! < 0x80 ? value[1]! : value.readUIntBE(2, header(value) - 2));
