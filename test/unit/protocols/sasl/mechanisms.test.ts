import { inspect } from 'node:util';
import { describe, expect, it } from 'vitest';
import { Anonymous } from '../../../../src/protocols/sasl/anonymous.js';
import { decodeBase64 } from '../../../../src/protocols/sasl/base64.js';
import { External } from '../../../../src/protocols/sasl/external.js';
import type { Mechanism } from '../../../../src/protocols/sasl/mechanism.js';
import { OauthBearer } from '../../../../src/protocols/sasl/oauthbearer.js';
import { Plain } from '../../../../src/protocols/sasl/plain.js';
import { codeOf } from './support.js';

const text = async (mechanism: Mechanism) => (await mechanism.start())?.toString();

describe('PLAIN', () => {
  it('sends identity, user name and password', async () => {
    expect(await text(new Plain({ username: 'juliet', password: 'r0m30' }))).toBe('\0juliet\0r0m30');
    expect((await new Plain({ username: 'juliet', password: 'r0m30' }).start()).toString('base64')).toBe(
      'AGp1bGlldAByMG0zMA==',
    );
    expect(await text(new Plain({ username: 'u', password: () => Promise.resolve('p\u00e4ss'), authzid: 'b@d' }))).toBe(
      'b@d\0u\0p\u00e4ss',
    );
  });

  it.each([
    [{ username: 'a\0b', password: 'p' }, 'USAGE_USERNAME'],
    [{ username: 'a', password: 'p\0x' }, 'USAGE_PASSWORD'],
    [{ username: 'a', password: '\ud800' }, 'USAGE_PASSWORD'],
    [{ username: 'a', password: '' }, 'USAGE_PASSWORD'],
    [{ username: 'a', password: 'p', authzid: '\0' }, 'USAGE_USERNAME'],
  ])('refuses %j', async (settings, code) => {
    expect(await codeOf(() => new Plain(settings).start())).toBe(code);
  });
});

describe('EXTERNAL and ANONYMOUS', () => {
  it('begin with an empty response', async () => {
    expect(await new External().start()).toHaveLength(0);
    expect(await new Anonymous().start()).toHaveLength(0);
    expect(await text(new External('juliet@example.com'))).toBe('juliet@example.com');
    expect(await codeOf(() => new External('\u0007'))).toBe('SASL_PREP');
  });
});

describe('OAUTHBEARER', () => {
  it('sends what RFC 7628 §4.1 shows', async () => {
    const mechanism = new OauthBearer({
      authzid: 'user@example.com',
      token: 'vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg==',
      host: 'server.example.com',
      port: 143,
    });
    expect((await mechanism.start()).toString('base64')).toBe(
      'bixhPXVzZXJAZXhhbXBsZS5jb20sAWhvc3Q9c2VydmVyLmV4YW1wbGUuY29tAXBvcnQ9MTQzAWF1dGg9QmVhcmVyIHZGOWRmdDRxbVRjMk52YjNSbGNrQmhiSFJoZG1semRHRXVZMjl0Q2c9PQEB',
    );
    mechanism.success(null);
  });

  it('answers the report of a failure with one octet and keeps its status', async () => {
    const mechanism = new OauthBearer({ token: 'abc' });
    expect(await text(mechanism)).toBe('n,,\x01auth=Bearer abc\x01\x01');
    expect(mechanism.failure).toBeUndefined();
    const report = Buffer.from('{"status":"invalid_token\\u001b[2J","scope":"x"}');
    expect(await mechanism.challenge(report)).toEqual(Buffer.from([1]));
    expect(mechanism.failure).toBe('invalid_token\\u001b[2J');
    expect(await codeOf(() => mechanism.success(null))).toBe('SASL_SERVER_NOT_AUTHENTICATED');
    expect(await codeOf(() => mechanism.challenge(report))).toBe('SASL_UNEXPECTED');
  });

  it.each(['', '[]', 'null', '{}', '{"status":7}', '\xff', '{"__proto__":{"status":"x"}}'])(
    'a report of %j',
    async (report) => {
      const mechanism = new OauthBearer({ token: 'abc' });
      await mechanism.start();
      await mechanism.challenge(Buffer.from(report, 'latin1'));
      expect(mechanism.failure).toBe('no status');
    },
  );

  it.each(['Bearer abc', 'a b', 'a\x01b', '\u00e4', 'a=b'])('%j is no token', async (token) => {
    expect(await codeOf(() => new OauthBearer({ token }).start())).toBe('USAGE_PASSWORD');
  });
});

describe.each([
  ['PLAIN', () => new Plain({ username: 'u', password: 'hunter2' })],
  ['EXTERNAL', () => new External()],
  ['ANONYMOUS', () => new Anonymous()],
  ['OAUTHBEARER', () => new OauthBearer({ token: 'hunter2' })],
])('%s', (name, make: () => Mechanism) => {
  it('has its registered name', () => {
    expect(make().name).toBe(name);
  });

  it('S-SASL-9: takes a success only after it has begun, and without data', async () => {
    expect(await codeOf(() => make().success(null))).toBe('SASL_SERVER_NOT_AUTHENTICATED');
    for (const data of [null, Buffer.alloc(0)]) {
      const mechanism = make();
      await mechanism.start();
      mechanism.success(data);
    }
    const mechanism = make();
    await mechanism.start();
    expect(await codeOf(() => mechanism.success(Buffer.from('x')))).toBe('SASL_UNEXPECTED');
  });

  it('S-SASL-10: takes no challenge, or no second one', async () => {
    const mechanism = make();
    await mechanism.start();
    if (name === 'OAUTHBEARER') await mechanism.challenge(Buffer.alloc(0));
    expect(await codeOf(() => mechanism.challenge(Buffer.alloc(0)))).toBe('SASL_UNEXPECTED');
  });

  it('S-SASL-16: shows no secret', async () => {
    const mechanism = make();
    await mechanism.start();
    expect(inspect(mechanism, { depth: 9, showHidden: true }) + JSON.stringify(mechanism)).not.toContain('hunter2');
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
