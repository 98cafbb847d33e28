import { X509Certificate, createHash } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { BrokerError } from '../../../src/errors.js';
import type { TlsOptions } from '../../../src/tls/options.js';
import { trustServer, type ServerTrust } from '../../../src/tls/server-trust.js';
import { TestAuthority, selfSigned, type CertificateOptions, type Identity } from '../../support/certificates.js';

const DAY = 24 * 3_600_000;
const SELF_SIGNED = 'DEPTH_ZERO_SELF_SIGNED_CERT';
const names = [{ dns: 'example.org' }];

/** As `openssl req -x509`, `prosodyctl cert generate` and Debian's ejabberd make them. */
const SHAPES: [string, CertificateOptions][] = [
  ['openssl req -x509 with a name', { ca: true, usages: null, names }],
  [
    'prosodyctl cert generate',
    {
      ca: true,
      usages: null,
      names: [
        { srv: '_xmpp-client.example.org' },
        { srv: '_xmpp-server.example.org' },
        { xmpp: 'example.org' },
        ...names,
      ],
    },
  ],
  ['one with CA:FALSE', { names }],
];

const pinOf = ({ der }: Identity) =>
  createHash('sha256')
    .update(new X509Certificate(der).publicKey.export({ type: 'spki', format: 'der' }))
    .digest('base64');

function verdict(identity: Identity, chainError: unknown, tls: TlsOptions, domain = 'example.org'): ServerTrust {
  return trustServer(new X509Certificate(identity.der), chainError, { tls, domain });
}

function refused(...judged: Parameters<typeof verdict>): BrokerError {
  try {
    verdict(...judged);
  } catch (error) {
    expect(error).toBeInstanceOf(BrokerError);
    expect(error).toMatchObject({ layer: 'tls', phase: 'tls', origin: 'peer', retryable: false });
    return error as BrokerError;
  }
  throw new Error('it was accepted');
}

describe('faults E1: the very certificate of the server, in tls.ca', () => {
  const other = TestAuthority.create();

  test.each(SHAPES)('%s', async (_, shape) => {
    const identity = await selfSigned(shape);
    const trusted = { verified: true, notAfter: new Date(new X509Certificate(identity.der).validTo), warning: null };
    // Whatever OpenSSL says against the chain, or nothing.
    for (const chainError of [null, SELF_SIGNED, 'INVALID_PURPOSE', 'UNABLE_TO_VERIFY_LEAF_SIGNATURE']) {
      expect(verdict(identity, chainError, { ca: identity.cert })).toMatchObject(trusted);
    }
    const { ca } = await other;
    const windows = identity.cert.replaceAll('\n', '\r\n');
    for (const list of [[ca, identity.cert], `${ca}${identity.cert}`, `subject=x\n${windows}`, Buffer.from(windows)]) {
      expect(verdict(identity, null, { ca: list })).toMatchObject(trusted);
    }
  });

  test('one of an authority that nobody trusts', async () => {
    const identity = await (await other).issue({ names });
    for (const chainError of ['UNABLE_TO_GET_ISSUER_CERT_LOCALLY', 'SELF_SIGNED_CERT_IN_CHAIN']) {
      expect(verdict(identity, chainError, { ca: identity.cert }).verifiedBy).toBe('DNS:example.org');
      expect(refused(identity, chainError, { ca: (await selfSigned({ names })).cert }).code).toBe('TLS_CERT_UNTRUSTED');
    }
  });

  test('byte for byte: another certificate of the same name, or of the same key, is not that one', async () => {
    const [mine, theirs] = [await selfSigned({ ca: true, names }), await selfSigned({ ca: true, names })];
    expect(refused(theirs, SELF_SIGNED, { ca: mine.cert }).code).toBe('TLS_CERT_SELF_SIGNED');
    expect(refused(theirs, null, { ca: mine.cert }).code).toBe('TLS_CERT_PURPOSE');
    const changed = { ...mine, der: Buffer.from(mine.der) };
    changed.der[changed.der.length - 1]! ^= 1;
    expect(refused(changed, SELF_SIGNED, { ca: mine.cert }).code).toBe('TLS_CERT_SELF_SIGNED');
  });

  test.each([
    ['TLS_CERT_EXPIRED', { notBefore: new Date(Date.now() - 30 * DAY), notAfter: new Date(Date.now() - DAY) }],
    ['TLS_CERT_NOT_YET_VALID', { notBefore: new Date(Date.now() + DAY) }],
    ['TLS_CERT_HOST_MISMATCH', { names: [{ dns: 'other.example' }] }],
    ['TLS_CERT_HOST_MISMATCH', { names: [], commonName: 'example.org' }],
    ['TLS_CERT_PURPOSE', { usages: ['clientAuth'] }],
  ])('its time, its name and its purpose count: %s %j', async (code, wrong) => {
    const identity = await selfSigned({ ca: true, usages: null, names, ...wrong });
    for (const chainError of [null, SELF_SIGNED, 'CERT_HAS_EXPIRED', 'INVALID_PURPOSE']) {
      expect(refused(identity, chainError, { ca: identity.cert }).code).toBe(code);
    }
  });

  test('S-CERT-11: with revocation lists the chain decides all the same', async () => {
    const identity = await selfSigned({ ca: true, names });
    const tls = { ca: identity.cert, crl: await (await other).revocationList() };
    expect(refused(identity, 'UNABLE_TO_GET_CRL', tls).code).toBe('TLS_CERT_REVOCATION_UNKNOWN');
    expect(refused(identity, 'CERT_REVOKED', tls).code).toBe('TLS_CERT_REVOKED');
  });

  test('S-CERT-12: pins count as well', async () => {
    const identity = await selfSigned({ ca: true, names });
    expect(verdict(identity, null, { ca: identity.cert, pin: pinOf(identity) }).verified).toBe(true);
    const pin = Buffer.alloc(32).toString('base64');
    expect(refused(identity, null, { ca: identity.cert, pin }).code).toBe('TLS_PIN_MISMATCH');
  });

  test('S-CERT-9: an authority that is trusted from elsewhere does not play the server', async () => {
    const identity = await selfSigned({ ca: true, names });
    const error = refused(identity, null, {});
    expect(error.code).toBe('TLS_CERT_PURPOSE');
    expect(error.message).toContain('tls.ca');
  });
});

describe('faults E1: tls.pinOnly', () => {
  test.each<[string, CertificateOptions]>([
    ...SHAPES,
    ['as Debian makes it for ejabberd: no name at all', { ca: true, usages: null, names: [], commonName: 'ejabberd' }],
    ['another name', { names: [{ dns: 'other.example' }] }],
    ['names that cannot be read', { names: [{ raw: Buffer.of(0xa0, 0) }] }],
  ])('the pin is enough: %s', async (_, shape) => {
    const identity = await selfSigned(shape);
    const pin = pinOf(identity);
    const notAfter = new Date(new X509Certificate(identity.der).validTo);
    for (const chainError of [null, SELF_SIGNED, 'INVALID_PURPOSE']) {
      for (const pins of [pin, [Buffer.alloc(32).toString('base64'), pin]]) {
        const trust = verdict(identity, chainError, { pin: pins, pinOnly: true });
        expect(trust).toEqual({ verified: true, verifiedBy: `PIN:${pin}`, notAfter, warning: null });
      }
    }
    // Besides all other checks, if nothing else is said.
    for (const pinOnly of [undefined, false]) {
      expect(refused(identity, SELF_SIGNED, { pin, pinOnly }).code).toBe('TLS_CERT_SELF_SIGNED');
    }
  });

  test.each([
    ['TLS_CERT_EXPIRED', { notBefore: new Date(Date.now() - 30 * DAY), notAfter: new Date(Date.now() - DAY) }],
    ['TLS_CERT_NOT_YET_VALID', { notBefore: new Date(Date.now() + DAY) }],
    ['TLS_CERT_PURPOSE', { usages: ['clientAuth'] }],
  ])('its time and its purpose count: %s', async (code, wrong) => {
    const identity = await selfSigned({ names, ...wrong });
    expect(refused(identity, SELF_SIGNED, { pin: pinOf(identity), pinOnly: true }).code).toBe(code);
  });

  test('another key is refused, even with a chain', async () => {
    const identity = await selfSigned({ names });
    const pin = Buffer.alloc(32).toString('base64');
    for (const chainError of [null, SELF_SIGNED]) {
      expect(refused(identity, chainError, { pin, pinOnly: true }).code).toBe('TLS_PIN_MISMATCH');
    }
  });
});

describe('faults E1: what the error says', () => {
  const UNKNOWN = [
    SELF_SIGNED,
    'SELF_SIGNED_CERT_IN_CHAIN',
    'UNABLE_TO_GET_ISSUER_CERT',
    'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
    'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
    'CERT_UNTRUSTED',
  ];

  test.each(UNKNOWN)('%s: the pin to copy, and both ways out', async (chainError) => {
    const identity = await selfSigned({ ca: true, names });
    for (const cause of [chainError, Object.assign(new Error('x'), { code: chainError })]) {
      const { message } = refused(identity, cause, {});
      expect(message).toContain('give it as tls.ca');
      const [, pin] = /tls: \{ pin: '([^']+)', pinOnly: true \}/.exec(message) ?? [];
      expect(pin).toBe(pinOf(identity));
    }
  });

  test('tls.ca is no way out for a certificate that does not name the domain', async () => {
    const identity = await selfSigned({ ca: true, names: [] });
    const { message } = refused(identity, SELF_SIGNED, {});
    expect(message).toContain('tls.ca would not do');
    expect(message).toContain(pinOf(identity));
    // Who has tried it all the same hears of the other way.
    const mismatch = refused(identity, null, { ca: identity.cert });
    expect(mismatch.code).toBe('TLS_CERT_HOST_MISMATCH');
    expect(mismatch.message).toContain(`tls: { pin: '${pinOf(identity)}', pinOnly: true }`);
  });

  test('tls.servername is what the certificate has to name, if it is given', async () => {
    const identity = await selfSigned({ ca: true, names });
    const tls = { servername: 'example.org' };
    expect(refused(identity, SELF_SIGNED, tls, 'comp.example').message).toContain('give it as tls.ca');
    expect(verdict(identity, null, { ...tls, ca: identity.cert }, 'comp.example').verified).toBe(true);
  });

  test.each(['CERT_HAS_EXPIRED', 'CERT_SIGNATURE_FAILURE', 'INVALID_CA', 'CERT_REVOKED', 'something else'])(
    '%s: no way around',
    async (chainError) => {
      const identity = await selfSigned({ names });
      expect(refused(identity, chainError, {}).message).not.toContain('pinOnly');
    },
  );

  test('a name that is not the domain of a chain that is all right: nothing to copy', async () => {
    const identity = await selfSigned({ names: [{ dns: 'evil.example' }] });
    expect(refused(identity, null, {}).message).not.toContain('pinOnly');
  });
});

describe('faults C7: nothing is checked', () => {
  const insecure = { insecureSkipVerify: true };

  test('so nothing expires', async () => {
    const notAfter = new Date(Date.now() - DAY);
    const identity = await selfSigned({ notBefore: new Date(Date.now() - 30 * DAY), notAfter });
    const trust = { verified: false, verifiedBy: 'none', notAfter: null, warning: null };
    expect(verdict(identity, SELF_SIGNED, insecure)).toEqual(trust);
  });

  test('an end that cannot be read is told', async () => {
    const identity = unreadableEnd(await selfSigned());
    const { warning, ...trust } = verdict(identity, SELF_SIGNED, insecure);
    expect(trust).toEqual({ verified: false, verifiedBy: 'none', notAfter: null });
    expect(warning).toMatchObject({ code: 'TLS_CERT_MALFORMED', layer: 'tls' });
    // Where it is checked, it is refused.
    const given = { ca: `-----BEGIN CERTIFICATE-----\n${identity.der.toString('base64')}\n-----END CERTIFICATE-----` };
    expect(refused(identity, SELF_SIGNED, given).code).toBe('TLS_CERT_MALFORMED');
    expect(refused(identity, SELF_SIGNED, { pin: pinOf(identity), pinOnly: true }).code).toBe('TLS_CERT_MALFORMED');
  });
});

/** The same certificate with a letter in its end. */
function unreadableEnd(identity: Identity): Identity {
  const der = Buffer.from(identity.der);
  const begin = der.indexOf(Buffer.of(0x17, 13));
  der.write('x', der.indexOf(Buffer.of(0x17, 13), begin + 1) + 4);
  return { ...identity, der };
}
