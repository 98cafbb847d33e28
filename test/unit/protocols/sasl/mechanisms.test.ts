import { describe, expect, it } from 'vitest';
import { ANONYMOUS } from '../../../../src/protocols/sasl/anonymous.js';
import { decodeBase64 } from '../../../../src/protocols/sasl/base64.js';
import { EXTERNAL } from '../../../../src/protocols/sasl/external.js';
import type { Mechanism, MechanismSettings } from '../../../../src/protocols/sasl/mechanism.js';
import { MECHANISM_NAMES, MECHANISMS } from '../../../../src/protocols/sasl/mechanisms.js';
import { OAUTHBEARER } from '../../../../src/protocols/sasl/oauthbearer.js';
import { PLAIN } from '../../../../src/protocols/sasl/plain.js';
import { MECHANISMS as SERVER_MECHANISMS } from '../../../../src/testing/sasl/mechanisms.js';
import { codeOf, MechanismRun, mechanismSettings } from './support.js';

const started = async (mechanism: Mechanism, own: Partial<MechanismSettings> = {}) => {
  const run = new MechanismRun(mechanism, own);
  return { run, text: (await run.start())?.toString() };
};
const first = async (mechanism: Mechanism, own: Partial<MechanismSettings> = {}) =>
  (await started(mechanism, own)).text;

describe('the lists', () => {
  it('have exactly one row for each name, on each side', () => {
    expect(new Set(MECHANISM_NAMES).size).toBe(MECHANISM_NAMES.length);
    expect(SERVER_MECHANISMS.map(({ name }) => name).sort()).toEqual([...MECHANISM_NAMES].sort());
  });

  it.each(MECHANISM_NAMES)('%s is a name that can be offered (RFC 4422 §3.1)', (name) => {
    expect(name).toMatch(/^[A-Z0-9_-]{1,20}$/);
  });

  it('S-SASL-2: what shows the password sets no floor', () => {
    const wrong = MECHANISMS.filter(({ showsPassword, floor }) => showsPassword && floor === 'sets');
    expect(wrong).toEqual([]);
  });
});

describe('PLAIN', () => {
  it('sends identity, user name and password', async () => {
    expect(await first(PLAIN, { username: 'juliet', password: 'r0m30' })).toBe('\0juliet\0r0m30');
    expect(await first(PLAIN, { username: 'u', password: () => Promise.resolve('p\u00e4ss'), authzid: 'b@d' })).toBe(
      'b@d\0u\0p\u00e4ss',
    );
  });

  it.each([
    [{ username: 'a\0b', password: 'p' }, 'USAGE_USERNAME'],
    [{ username: 'a', password: 'p\0x' }, 'USAGE_PASSWORD'],
    [{ username: 'a', password: '\ud800' }, 'USAGE_PASSWORD'],
    [{ username: 'a', password: '' }, 'USAGE_PASSWORD'],
    [{ username: 'a', password: 'p', authzid: '\0' }, 'USAGE_USERNAME'],
  ])('refuses %j', async (own, code) => {
    expect(await codeOf(() => first(PLAIN, own))).toBe(code);
  });
});

describe('EXTERNAL and ANONYMOUS', () => {
  it('begin with an empty response', async () => {
    expect(await first(EXTERNAL)).toBe('');
    expect(await first(ANONYMOUS)).toBe('');
    expect(await first(EXTERNAL, { authzid: 'juliet@example.com' })).toBe('juliet@example.com');
    expect(await codeOf(() => first(EXTERNAL, { authzid: '\u0007' }))).toBe('SASL_PREP');
  });
});

describe('EXTERNAL with our certificate', () => {
  const names = (count: number) => Array.from({ length: count }, (_, at) => `user${String(at)}@elsewhere.example`);
  const warned = (addresses: readonly string[] | null) =>
    EXTERNAL.warning(
      mechanismSettings({ certificate: addresses === null ? null : ({ addresses, notAfter: null } as never) }),
    );

  it.each([null, [], ['user@example.com'], ['user@example.com/desk', 'other@example.com']])(
    'S-CERT: nothing is said of %j',
    (addresses) => {
      expect(warned(addresses)).toBeNull();
    },
  );

  it('S-CERT: one that names others is named, with some of them', () => {
    expect(warned(names(1))?.message).toMatch(/it names user0@elsewhere\.example$/);
    expect(warned(names(40))?.message).toMatch(/user0@elsewhere\.example, .*, and \d+ more$/);
  });
});

describe('OAUTHBEARER', () => {
  const bearer = { username: '', password: 'abc' };

  it('sends what RFC 7628 §4.1 shows, but for host and port', async () => {
    const { run, text } = await started(OAUTHBEARER, {
      authzid: 'user@example.com',
      password: 'vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg==',
    });
    expect(text).toBe('n,a=user@example.com,\x01auth=Bearer vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg==\x01\x01');
    await run.success(null);
  });

  it('says whose the token is, unless that is left to the token', async () => {
    expect(await first(OAUTHBEARER, { username: 'user', password: 'abc' })).toMatch(/^n,a=user@example\.com,/);
    expect(await first(OAUTHBEARER, bearer)).toBe('n,,\x01auth=Bearer abc\x01\x01');
  });

  it('answers the report of a failure with one octet', async () => {
    const report = Buffer.from('{"status":"invalid_token","scope":"x"}');
    const one = await started(OAUTHBEARER, bearer);
    expect(await one.run.challenge(report)).toEqual(Buffer.from([1]));
    expect(await codeOf(() => one.run.success(null))).toBe('SASL_SERVER_NOT_AUTHENTICATED');
    const two = await started(OAUTHBEARER, bearer);
    await two.run.challenge(report);
    expect(await codeOf(() => two.run.challenge(report))).toBe('SASL_UNEXPECTED');
  });

  it.each([
    ['{"status":"invalid_token\\u001b[2J"}', 'invalid_token\\u001b[2J'],
    ...['', '[]', 'null', '{}', '{"status":7}', '\xff', '{"__proto__":{"status":"x"}}'].map((report) => [
      report,
      'no status',
    ]),
  ])('tells of a report of %j', async (report, status) => {
    const { run } = await started(OAUTHBEARER, bearer);
    await run.challenge(Buffer.from(report, 'latin1'));
    await expect(run.failure('not-authorized')).rejects.toMatchObject({
      code: 'SASL_FAILURE',
      message: expect.stringContaining(`not-authorized (${status}).`) as string,
    });
  });

  it.each(['Bearer abc', 'a b', 'a\x01b', '\u00e4', 'a=b'])('%j is no token', async (password) => {
    expect(await codeOf(() => first(OAUTHBEARER, { password }))).toBe('USAGE_PASSWORD');
  });
});

describe.each([PLAIN, EXTERNAL, ANONYMOUS, OAUTHBEARER] as readonly Mechanism[])('$name', (mechanism) => {
  it('S-SASL-9: takes a success without data only', async () => {
    for (const data of [null, Buffer.alloc(0)]) await (await started(mechanism)).run.success(data);
    const { run } = await started(mechanism);
    expect(await codeOf(() => run.success(Buffer.from('x')))).toBe('SASL_UNEXPECTED');
    expect(run.aborted).toBe(false);
  });

  it('S-SASL-10: takes no challenge, or no second one', async () => {
    const { run } = await started(mechanism);
    if (mechanism === OAUTHBEARER) await run.challenge(Buffer.alloc(0));
    expect(await codeOf(() => run.challenge(Buffer.alloc(0)))).toBe('SASL_UNEXPECTED');
    expect(run.aborted).toBe(true);
  });
});

describe('S-SASL-7: base64', () => {
  it.each([
    ['', ''],
    ['QQ==', 'A'],
    ['QUI=', 'AB'],
    ['QUJD', 'ABC'],
    ['+/+/', '\xfb\xff\xbf'],
  ])('%j', (encoded, decoded) => {
    expect(decodeBase64(encoded)).toEqual(Buffer.from(decoded, 'latin1'));
  });

  it.each([
    '=AAA',
    'BBBB=CCC',
    'QUJ\n D',
    'QUK=',
    'QR==',
    'QUI',
    'QQ=',
    'QQ',
    'Q',
    '=',
    '====',
    'QUJD\n',
    ' QUJD',
    '-_-_',
    'QUJD=',
    'QQ==QQ==',
    'Q\u00dc==',
    'QUJD\0',
  ])('%j is refused', (encoded) => {
    expect(decodeBase64(encoded)).toBeNull();
  });
});
