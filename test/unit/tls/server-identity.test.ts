import { X509Certificate, createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { BrokerError } from '../../../src/errors.js';
import { checkPin, checkServerIdentity, type IdentityOptions } from '../../../src/tls/server-identity.js';
import { certificateError, notAuthorized } from '../../../src/tls/certificate-error.js';
import {
  der,
  oid,
  otherName,
  selfSigned,
  sequence,
  string,
  type CertificateOptions,
  type SubjectName,
} from '../../support/certificates.js';

const refused = (work: () => unknown): BrokerError => {
  try {
    work();
  } catch (error) {
    expect(error).toBeInstanceOf(BrokerError);
    return error as BrokerError;
  }
  throw new Error('it was accepted');
};

const made = async (options: CertificateOptions) => new X509Certificate((await selfSigned(options)).der);
const named = (...names: readonly SubjectName[]) => made({ commonName: 'Server', names });

/** What a certificate with these names says to a domain: the name that matched, or the code of the refusal. */
const verdict = async (domain: string, names: readonly SubjectName[], options?: IdentityOptions) =>
  verdictOn(await named(...names), domain, options);

function verdictOn(certificate: X509Certificate, domain: string, options?: IdentityOptions): string {
  try {
    return checkServerIdentity(domain, certificate, options).verifiedBy;
  } catch (error) {
    return (error as BrokerError).code;
  }
}
const MISMATCH = 'TLS_CERT_HOST_MISMATCH';

describe('names', () => {
  test.each([
    ['example.org', 'example.org', 'DNS:example.org'],
    ['EXAMPLE.org', 'eXample.ORG', 'DNS:eXample.ORG'],
    ['example.org.', 'example.org', 'DNS:example.org'],
    ['bücher.example', 'xn--bcher-kva.example', 'DNS:xn--bcher-kva.example'],
    ['xn--bcher-kva.example', 'XN--BCHER-KVA.example', 'DNS:XN--BCHER-KVA.example'],
    ['localhost', 'localhost', 'DNS:localhost'],
    ['example.org', 'example.com', MISMATCH],
    ['example.org', 'www.example.org', MISMATCH],
    ['www.example.org', 'example.org', MISMATCH],
    ['example.org', 'example.org.', MISMATCH],
    ['example.org', ' example.org', MISMATCH],
    ['example.org', '', MISMATCH],
    ['bücher.example', 'bücher.example', MISMATCH],
    ['example.org', 'example.org/', MISMATCH],
  ])('S-CERT-1, S-CERT-7: %s and DNS-ID %j', async (domain, dns, expected) => {
    expect(await verdict(domain, [{ dns }])).toBe(expected);
  });

  test.each([
    ['a.example.org', '*.example.org', 'DNS:*.example.org'],
    ['A.EXAMPLE.ORG', '*.Example.org', 'DNS:*.Example.org'],
    ['xn--bcher-kva.example.org', '*.example.org', 'DNS:*.example.org'],
    ['example.org', '*.example.org', MISMATCH],
    ['a.b.example.org', '*.example.org', MISMATCH],
    ['foo.example.org', 'f*.example.org', MISMATCH],
    ['foo.example.org', '*o.example.org', MISMATCH],
    ['example.org', '*', MISMATCH],
    ['example.org', '*.org', MISMATCH],
    ['a.localhost', '*.localhost', MISMATCH],
    ['a.b.example.org', '*.*.example.org', MISMATCH],
    ['a.b.example.org', 'a.*.example.org', MISMATCH],
    ['xn--bcher-kva.example.org', 'xn--*.example.org', MISMATCH],
    ['a.example.org', '*.', MISMATCH],
    ['a.example.org', '**.example.org', MISMATCH],
  ])('S-CERT-4: %s and the wildcard %j', async (domain, dns, expected) => {
    expect(await verdict(domain, [{ dns }])).toBe(expected);
  });

  test.each([
    ['_xmpp-client.example.org', 'SRV:_xmpp-client.example.org'],
    ['_XMPP-Client.Example.ORG', 'SRV:_XMPP-Client.Example.ORG'],
    ['_xmpp-client.*.example', MISMATCH],
    ['_xmpp-server.example.org', MISMATCH],
    ['_imaps.example.org', MISMATCH],
    ['_xmpp-client._tcp.example.org', MISMATCH],
    ['xmpp-client.example.org', MISMATCH],
    ['example.org', MISMATCH],
    ['_xmpp-client.evil.example', MISMATCH],
  ])('S-CERT-6: example.org and SRV-ID %j', async (srv, expected) => {
    expect(await verdict('example.org', [{ srv }])).toBe(expected);
  });

  test.each([
    { uri: '_xmpp-client.example.org' },
    { email: '_xmpp-client.example.org' },
    { dns: '_xmpp-client.example.org' },
    { xmpp: '_xmpp-client.example.org' },
  ])('S-CERT-6: what looks like an SRV-ID, and is a name of another kind: %j', async (name) => {
    expect(await verdict('example.org', [name])).toBe(MISMATCH);
  });

  test('S-CERT-6: the service of an SRV-ID must be the one asked for', async () => {
    const names = [{ srv: '_xmpp-server.example.org' }];
    expect(await verdict('example.org', names, { service: 'xmpp-server' })).toBe('SRV:_xmpp-server.example.org');
    expect(await verdict('example.org', [{ srv: '_xmpp-client.example.org' }], { service: 'xmpp-server' })).toBe(
      MISMATCH,
    );
    expect(await verdict('a.example.org', [{ srv: '_xmpp-client.*.example.org' }])).toBe(
      'SRV:_xmpp-client.*.example.org',
    );
  });

  test.each([
    ['example.org', 'example.org', 'XMPP:example.org'],
    ['example.org', 'EXAMPLE.org', 'XMPP:EXAMPLE.org'],
    ['bücher.example', 'bücher.example', 'XMPP:bücher.example'],
    ['xn--bcher-kva.example', 'BÜCHER.example', 'XMPP:BÜCHER.example'],
    ['example.org', 'user@example.org', MISMATCH],
    ['example.org', 'example.org/resource', MISMATCH],
    ['a.example.org', '*.example.org', MISMATCH],
    ['example.org', 'evil.example', MISMATCH],
    ['example.org', 'example.org\u0000.evil.example', MISMATCH],
  ])('S-CERT-6: %s and XmppAddr %j', async (domain, xmpp, expected) => {
    expect(await verdict(domain, [{ xmpp }])).toBe(expected);
  });

  test.each([
    ['192.0.2.1', { ip: '192.0.2.1' }, 'IP:192.0.2.1'],
    ['::1', { ip: '::1' }, 'IP:::1'],
    ['[2001:DB8::a]', { ip: '2001:db8::a' }, 'IP:2001:db8::a'],
    ['2001:db8:0:0:1:2:3:4', { ip: '2001:db8::1:2:3:4' }, 'IP:2001:db8:0:0:1:2:3:4'],
    ['::ffff:192.0.2.1', { ip: '::ffff:c000:201' }, 'IP:::ffff:192.0.2.1'],
    ['::', { ip: '::' }, 'IP:::'],
    ['1:2:3:4:5:6:1.2.3.4', { ip: '1:2:3:4:5:6:102:304' }, 'IP:1:2:3:4:5:6:1.2.3.4'],
    ['192.0.2.1', { ip: '192.0.2.2' }, MISMATCH],
    ['192.0.2.1', { ip: '::ffff:c000:201' }, MISMATCH],
    ['192.0.2.1', { raw: der(0x87, Buffer.from('192.0.2.1')) }, MISMATCH],
    ['192.0.2.1', { dns: '192.0.2.1' }, MISMATCH],
    ['192.0.2.1', { xmpp: '192.0.2.1' }, MISMATCH],
    ['192.0.2.1', { srv: '_xmpp-client.192.0.2.1' }, MISMATCH],
    ['fe80::1%eth0', { ip: 'fe80::1' }, MISMATCH],
    ['example.org', { ip: '192.0.2.1' }, MISMATCH],
  ])('an IP address as domain: %s and %j', async (domain, name, expected) => {
    expect(await verdict(domain, [name])).toBe(expected);
  });

  test('S-CERT-5: the common name never counts, with or without other names', async () => {
    for (const names of [[], [{ dns: 'other.example' }], [{ email: 'a@b.example' }]]) {
      const certificate = await made({ commonName: 'example.org', names });
      expect(refused(() => checkServerIdentity('example.org', certificate)).code).toBe(MISMATCH);
    }
  });

  test('S-CERT-8: other kinds of names never match, whatever they say', async () => {
    const text = 'example.org';
    const names: SubjectName[] = [
      { email: text },
      { uri: text },
      { uri: 'https://example.org/' },
      { uri: 'xmpp:example.org' },
      { raw: string(0x88, text) },
      { raw: der(0xa4, sequence()) },
      { raw: otherName('1.3.6.1.4.1.311.20.2.3', string(0x0c, text)) },
      { raw: otherName('1.3.6.1.5.5.7.8.7', string(0x0c, '_xmpp-client.example.org')) },
      { raw: otherName('1.3.6.1.5.5.7.8.5', string(0x16, text)) },
      { raw: otherName('1.3.6.1.5.5.7.8.6', string(0x16, '_xmpp-client.example.org')) },
    ];
    expect(await verdict('example.org', names)).toBe(MISMATCH);
    expect(await verdict('example.org', [...names, { dns: 'example.org' }])).toBe('DNS:example.org');
  });

  test.each([
    'evil.example, DNS:example.org',
    "evil.example', DNS:'example.org",
    'example.org\u0000.evil.example',
    'example.org\n',
    '\u0000example.org',
    'evil.example\u002c DNS:example.org',
  ])('S-CERT-8: injected names and NUL never match: %j', async (text) => {
    expect(await verdict('example.org', [{ dns: text }])).toBe(MISMATCH);
    expect(await verdict('example.org', [{ srv: `_xmpp-client.${text}` }])).toBe(MISMATCH);
    expect(await verdict('example.org', [{ uri: `https://${text}` }])).toBe(MISMATCH);
    expect(await verdict('example.org', [{ email: `a@${text}` }])).toBe(MISMATCH);
  });

  test('S-CERT-8: an otherName with more in it than belongs there is refused', async () => {
    const value = der(0xa0, string(0x16, '_xmpp-client.example.org'), string(0x16, 'more'));
    const raw = der(0xa0, oid('1.3.6.1.5.5.7.8.7'), value);
    // Node 20 shows no names then, later versions throw.
    expect(await verdict('example.org', [{ raw }])).toMatch(/^TLS_CERT_(MALFORMED|HOST_MISMATCH)$/);
  });

  test('S-CERT-1: the error says which names there are, escaped and cut short, and cannot be retried', async () => {
    const names = Array.from({ length: 50 }, (_, i) => ({ dns: `n${String(i)}.example` }));
    const certificate = await named({ dns: '\u001b[2Jevil\r\n' }, { dns: 'x'.repeat(5000) }, ...names);
    const error = refused(() => checkServerIdentity('example.org', certificate));
    expect(error).toMatchObject({ code: MISMATCH, layer: 'tls', phase: 'tls', origin: 'peer', retryable: false });
    expect(error.message).toContain('not for example.org');
    expect(error.message).toContain('DNS:\\u001b[2Jevil\\u000d\\u000a');
    expect(error.message).toContain('and 44 more');
    expect(error.message.length).toBeLessThan(800);
    expect(error.text).toContain('n0.example');
  });

  test('a domain that is none is a usage error', async () => {
    const certificate = await named({ dns: 'a b' });
    expect(refused(() => checkServerIdentity('a b', certificate)).code).toBe('USAGE_DOMAIN');
  });
});

test('S-CERT-4: DNS names and wildcards are matched as OpenSSL does', async () => {
  const label = fc.constantFrom('a', 'b', 'xn--a', '*', 'a*', 'A');
  const name = fc.array(label, { minLength: 1, maxLength: 4 }).map((labels) => labels.join('.'));
  const domain = fc
    .array(fc.constantFrom('a', 'b', 'xn--a'), { minLength: 1, maxLength: 4 })
    .map((labels) => labels.join('.'));
  const rules = { subject: 'never', wildcards: true, partialWildcards: false, multiLabelWildcards: false } as const;
  await fc.assert(
    fc.asyncProperty(fc.array(name, { minLength: 1, maxLength: 3 }), domain, async (names, wanted) => {
      const certificate = await named(...names.map((dns) => ({ dns })));
      const oracle = certificate.checkHost(wanted, rules) !== undefined;
      expect(verdictOn(certificate, wanted).startsWith('DNS:')).toBe(oracle);
    }),
    { numRuns: 500 },
  );
});

describe('purpose', () => {
  const names = [{ dns: 'example.org' }];

  test('S-CERT-9: the certificate of an authority is refused', async () => {
    const certificate = await made({ names, ca: true });
    const error = refused(() => checkServerIdentity('example.org', certificate));
    expect(error).toMatchObject({ code: 'TLS_CERT_PURPOSE', retryable: false });
    expect(error.message).toContain('CA:TRUE');
  });

  test.each([
    [['clientAuth'], false],
    [['1.3.6.1.5.5.7.3.3'], false],
    [['serverAuth'], true],
    [['clientAuth', 'serverAuth'], true],
    [['2.5.29.37.0'], true],
    [null, true],
  ])('S-CERT-9: extended key usage %j', async (usages, good) => {
    const certificate = await made({ names, usages });
    if (good) expect(checkServerIdentity('example.org', certificate).verifiedBy).toBe('DNS:example.org');
    else expect(refused(() => checkServerIdentity('example.org', certificate)).code).toBe('TLS_CERT_PURPOSE');
  });
});

describe('pins', () => {
  test('S-CERT-12: the SHA-256 of the public key decides', async () => {
    const certificate = await named({ dns: 'a.example' });
    const spki = certificate.publicKey.export({ type: 'spki', format: 'der' });
    const pin = createHash('sha256').update(spki).digest('base64');
    const other = Buffer.alloc(32).toString('base64');
    expect(() => {
      checkPin([other, pin], certificate);
    }).not.toThrow();
    const error = refused(() => {
      checkPin([other], certificate);
    });
    expect(error).toMatchObject({ code: 'TLS_PIN_MISMATCH', layer: 'tls', retryable: false });
    expect(error.message).toContain(pin);
  });
});

describe('what OpenSSL says about a chain', () => {
  test.each([
    ['CERT_HAS_EXPIRED', 'TLS_CERT_EXPIRED'],
    ['CERT_NOT_YET_VALID', 'TLS_CERT_NOT_YET_VALID'],
    ['DEPTH_ZERO_SELF_SIGNED_CERT', 'TLS_CERT_SELF_SIGNED'],
    ['SELF_SIGNED_CERT_IN_CHAIN', 'TLS_CERT_UNTRUSTED'],
    ['UNABLE_TO_VERIFY_LEAF_SIGNATURE', 'TLS_CERT_UNTRUSTED'],
    ['CERT_SIGNATURE_FAILURE', 'TLS_CERT_UNTRUSTED'],
    ['INVALID_CA', 'TLS_CERT_UNTRUSTED'],
    ['INVALID_PURPOSE', 'TLS_CERT_PURPOSE'],
    ['CERT_REVOKED', 'TLS_CERT_REVOKED'],
    ['CRL_HAS_EXPIRED', 'TLS_CERT_REVOCATION_UNKNOWN'],
  ])('S-CERT-2: %s is %s', (code, expected) => {
    const cause = Object.assign(new Error('openssl text'), { code });
    const error = certificateError(cause);
    expect(error).toMatchObject({ code: expected, layer: 'tls', phase: 'tls', retryable: false, cause });
    expect(error?.message).toContain(code);
    expect(certificateError(code)?.code).toBe(expected);
  });

  test.each([undefined, null, 7, new Error('x'), Object.assign(new Error('x'), { code: 'ECONNRESET' }), 'constructor'])(
    'what is not about a certificate is null: %s',
    (error) => {
      expect(certificateError(error)).toBeNull();
    },
  );

  test.each([undefined, 'something new', new Error('UNSPECIFIED')])(
    'S-CERT-2: not authorized for no known reason: %s',
    (reason) => {
      expect(notAuthorized(reason)).toMatchObject({ code: 'TLS_CERT_UNTRUSTED', retryable: false });
    },
  );
});
