import { constants } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { readOptions } from '../../../src/arguments/options.js';
import { BrokerError } from '../../../src/errors.js';
import { secureContextOptions, TLS_OPTIONS, type TlsOptions } from '../../../src/tls/options.js';
import { TestAuthority } from '../../support/certificates.js';

const authority = await TestAuthority.create();
const client = await authority.issue({ commonName: 'client' });
const other = await authority.issue({ commonName: 'other' });
const revoked = await authority.revocationList();
const PIN = Buffer.alloc(32, 7).toString('base64');

const usage = (work: () => unknown): BrokerError => {
  try {
    work();
  } catch (error) {
    expect(error).toBeInstanceOf(BrokerError);
    return error as BrokerError;
  }
  throw new Error('it was accepted');
};

/** What is wrong with options, as the broker tells it. */
function refusal(tls: unknown): BrokerError | null {
  try {
    readOptions('USAGE_OPTIONS', 'new Broker()', tls, TLS_OPTIONS, 'tls.');
    return null;
  } catch (error) {
    return error as BrokerError;
  }
}

function problemsOf(tls: unknown): string[] {
  const [first = '', ...several] = refusal(tls)?.message.split('\n- ') ?? [];
  return several.length > 0 ? several : first === '' ? [] : [first];
}

describe('what node:tls is told', () => {
  test('S-TLS-9, S-TLS-10, S-CONN-5: the defaults', () => {
    const options = secureContextOptions({}, 'Bücher.example');
    expect(options).toMatchObject({
      minVersion: 'TLSv1.2',
      servername: 'xn--bcher-kva.example',
      rejectUnauthorized: true,
      secureOptions: constants.SSL_OP_NO_RENEGOTIATION,
    });
    expect(options.ALPNProtocols).toBeUndefined();
    expect(options.ciphers).toBeUndefined();
    expect(options.session).toBeUndefined();
    expect(options.maxVersion).toBeUndefined();
    // Names are checked from the certificate itself, after the handshake.
    expect(options.checkServerIdentity!('a', {} as never)).toBeUndefined();
  });

  test('S-CONN-5: ALPN only when it is asked for', () => {
    expect(secureContextOptions({}, 'example.org', 'xmpp-client').ALPNProtocols).toEqual(['xmpp-client']);
  });

  test.each(['192.0.2.1', '[2001:db8::1]', '::1'])('S-CONN-5: no SNI for the address %s', (domain) => {
    expect(secureContextOptions({}, domain).servername).toBe('');
  });

  test('the options are passed on', () => {
    const tls: TlsOptions = {
      ca: authority.ca,
      cert: client.cert,
      key: Buffer.from(client.key),
      minVersion: 'TLSv1.3',
      maxVersion: 'TLSv1.3',
      servername: 'Other.Example',
    };
    expect(secureContextOptions(tls, 'example.org')).toMatchObject({
      ca: [authority.ca],
      cert: client.cert,
      minVersion: 'TLSv1.3',
      maxVersion: 'TLSv1.3',
      servername: 'other.example',
    });
  });

  test.each([undefined, false])('S-TLS-15: insecureSkipVerify %s does not turn the check off', (insecureSkipVerify) => {
    expect(secureContextOptions({ insecureSkipVerify }, 'a.example').rejectUnauthorized).toBe(true);
  });

  test('S-TLS-15: only insecureSkipVerify: true turns it off, rejectUnauthorized is no option', () => {
    expect(secureContextOptions({ insecureSkipVerify: true }, 'a.example').rejectUnauthorized).toBe(false);
    for (const tls of [
      { rejectUnauthorized: false },
      { rejectUnauthorized: undefined },
      { checkServerIdentity: () => undefined },
    ]) {
      expect(problemsOf(tls)).toEqual([expect.stringContaining('is no option')]);
      expect(secureContextOptions(tls as TlsOptions, 'a.example').rejectUnauthorized).toBe(true);
    }
    for (const insecureSkipVerify of ['yes', 1, null, {}]) {
      expect(problemsOf({ insecureSkipVerify })).toHaveLength(1);
      const tls = { insecureSkipVerify } as unknown as TlsOptions;
      expect(secureContextOptions(tls, 'a.example').rejectUnauthorized).toBe(true);
    }
  });

  test('a bad domain', () => {
    expect(usage(() => secureContextOptions({}, 'a b')).code).toBe('USAGE_DOMAIN');
  });
});

describe('what is wrong with options', () => {
  test('nothing', () => {
    for (const tls of [
      {},
      { policy: 'required', ca: undefined, insecureSkipVerify: undefined },
      { ca: [authority.ca, Buffer.from(authority.ca)] },
      { ca: `# comment\n${authority.ca}\n${authority.ca}` },
      { cert: client.cert, key: client.key },
      { pin: PIN },
      { pin: [PIN, PIN] },
      { pin: PIN, pinOnly: true, servername: 'other.example' },
      { pin: PIN, pinOnly: false, ca: authority.ca },
      { pinOnly: false },
      { servername: '127.0.0.1' },
      { minVersion: 'TLSv1.2', maxVersion: 'TLSv1.3' },
    ]) {
      expect(problemsOf(tls)).toEqual([]);
    }
  });

  test.each([
    ['tls', null],
    ['tls', 'required'],
    ['tls', []],
    ['policy', { policy: 'none' }],
    ['ca', { ca: [] }],
    ['ca', { ca: '' }],
    ['ca', { ca: 'no certificate' }],
    ['ca', { ca: '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----' }],
    ['ca', { ca: [authority.ca, 7] }],
    ['ca', { ca: client.key }],
    ['cert', { cert: 7, key: client.key }],
    ['cert', { cert: client.cert }],
    ['key', { key: client.key }],
    ['key', { cert: client.cert, key: other.key }],
    ['key', { cert: client.cert, key: 'no key' }],
    ['key', { cert: client.cert, key: {} }],
    ['passphrase', { passphrase: 7 }],
    ['crl', { crl: 'no list' }],
    ['servername', { servername: 'a b' }],
    ['servername', { servername: 7 }],
    ['pin', { pin: 'abc' }],
    ['pin', { pin: [] }],
    ['pin', { pin: `${PIN.slice(0, -2)}F=` }],
    ['pin', { pin: Buffer.alloc(32).toString('hex') }],
    ['pinOnly', { pinOnly: 'true', pin: PIN }],
    ['pinOnly', { pinOnly: true }],
    ['pinOnly', { pinOnly: true, pin: PIN, ca: authority.ca }],
    ['pinOnly', { pinOnly: true, pin: PIN, crl: revoked }],
    ['pinOnly', { pinOnly: true, pin: PIN, insecureSkipVerify: true }],
    ['minVersion', { minVersion: 'TLSv1.1' }],
    ['minVersion', { minVersion: 'TLSv1' }],
    ['maxVersion', { maxVersion: 'TLSv1.1' }],
    ['minVersion', { minVersion: 'TLSv1.3', maxVersion: 'TLSv1.2' }],
    ['insecureSkipVerify', { insecureSkipVerify: 'true' }],
    ['ciphers', { ciphers: 'ALL' }],
    ['__proto__', JSON.parse('{"__proto__": 1}')],
    ['constructor', { constructor: 1 }],
  ])('%s in %j', (name, tls: unknown) => {
    const problems = problemsOf(tls);
    expect(problems).toHaveLength(1);
    expect(problems[0]).toContain(name);
  });

  test.each([
    '/etc/ssl/ca.pem',
    './ca.pem',
    '../ca/chain',
    'ca.pem',
    'certs/Server Authority.CRT',
    '~/ca.pem',
    'C:\\certs\\ca.cer',
    'file:///etc/ssl/ca.pem',
    new URL('file:///etc/ssl/ca.pem'),
  ])('E4: %s looks like a path, whichever option it is given for', (path) => {
    for (const tls of [{ ca: path }, { ca: [authority.ca, path] }, { crl: path }, { cert: path, key: client.key }]) {
      expect(problemsOf(tls)).toEqual([expect.stringMatching(/looks like a path: .* readFileSync\(\)/)]);
    }
    const [problem, ...others] = problemsOf({ cert: client.cert, key: path });
    expect(problem).toMatch(/tls\.key looks like a path/);
    expect(others).toEqual([]);
    // A key that is one line of base64 is not shown either.
    expect(problem).not.toContain(String(path));
  });

  test('E4: PEM does not look like a path, nor does other text', () => {
    for (const ca of [
      authority.ca,
      `/etc/ssl/ca.pem\n${authority.ca}`,
      'MIIBlTCCATqgAwIBAgIRANvI/FfFx4',
      'no certificate',
    ]) {
      expect(problemsOf({ ca }).join()).not.toContain('looks like a path');
    }
  });

  test('all problems are told at once', () => {
    const tls = { policy: 'x', pin: 'y', ciphers: 'z', cert: client.cert };
    expect(problemsOf(tls)).toHaveLength(4);
    expect(refusal(tls)?.message).toMatch(/policy.*pin.*ciphers.*key/s);
  });

  test('S-SASL-16: keys and passphrases are never told', () => {
    const secret = 'hunter2-hunter2';
    const key = client.key.replace('PRIVATE', `PRIVATE ${secret}`);
    for (const tls of [
      { cert: client.cert, key: secret, passphrase: secret },
      { cert: client.cert, key, passphrase: secret },
      { cert: other.cert, key: client.key, passphrase: secret },
    ]) {
      const error = refusal(tls);
      expect(JSON.stringify([error?.message, String(error?.stack), error])).not.toContain(secret);
      expect(error?.code).toBe('USAGE_OPTIONS');
      expect(error?.cause).toBeUndefined();
    }
  });
});
