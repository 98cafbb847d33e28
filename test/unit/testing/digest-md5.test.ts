// What the server's side of DIGEST-MD5 takes and refuses: the client's half is written down by hand, RFC 2831 §2.1.2.
import { createHash } from 'node:crypto';
import { expect, test } from 'vitest';
import { Accounts } from '../../../src/testing/accounts.js';
import { DIGEST_MD5 } from '../../../src/testing/sasl/digest-md5.js';
import type { SaslContext } from '../../../src/testing/sasl/mechanism.js';

const md5 = (data: string | Buffer): Buffer => createHash('md5').update(data).digest();
const hex = (data: string | Buffer): string => md5(data).toString('hex');

/** How it ends: the name that signed in, or the condition. */
async function ends(
  fields: Record<string, string | null>,
  encoding: BufferEncoding = 'utf8',
  more = '',
): Promise<string> {
  const accounts = new Accounts('localhost', 4096);
  accounts.set('alice', 'pässword');
  const context = { accounts, realm: 'localhost' } as unknown as SaslContext;
  const answered = (challenge: Buffer): Buffer => {
    const nonce = /nonce="([^"]*)"/.exec(challenge.toString())?.[1] ?? '';
    const user = Buffer.from('alice:localhost:pässword', encoding);
    const authzid = fields['authzid'] == null ? '' : `:${fields['authzid']}`;
    const session = md5(Buffer.concat([md5(user), Buffer.from(`:${nonce}:cn${authzid}`)])).toString('hex');
    const response = hex(`${session}:${nonce}:00000001:cn:auth:${hex('AUTHENTICATE:xmpp/localhost')}`);
    const all: Record<string, string | null> = {
      ...{
        username: '"alice"',
        realm: '"localhost"',
        nonce: `"${nonce}"`,
        cnonce: '"cn"',
        nc: '00000001',
        qop: 'auth',
      },
      ...{ 'digest-uri': '"xmpp/localhost"', response, charset: 'utf-8', ...fields },
    };
    const text = Object.entries(all).flatMap(([name, value]) => (value === null ? [] : [`${name}=${value}`]));
    return Buffer.from(text.join(',') + more);
  };
  const exchange = {
    initial: () => Promise.resolve(Buffer.alloc(0)),
    challenge: (data: Buffer) => Promise.resolve(answered(data)),
    finish: (username: string, data: Buffer) => Promise.resolve({ username, data }),
  };
  try {
    const { username, data } = await DIGEST_MD5.run(exchange, context);
    expect(data?.toString()).toMatch(/^rspauth=[0-9a-f]{32}$/);
    return username;
  } catch (error) {
    return (error as { condition: string }).condition;
  }
}

test.each<[string, Record<string, string | null>, string]>([
  ['everything that it should', {}, 'alice'],
  ['no quality of protection, which means the same', { qop: null }, 'alice'],
  ['who it wants to be', { authzid: 'alice@localhost' }, 'alice'],
  ['that it wants to be somebody else', { authzid: '"bob@localhost"' }, 'invalid-authzid'],
  ['another nonce', { nonce: '"x"' }, 'malformed-request'],
  ['another count', { nc: '00000002' }, 'malformed-request'],
  ['another quality of protection', { qop: 'auth-int' }, 'malformed-request'],
  ['another realm', { realm: '"example.org"' }, 'malformed-request'],
  ['no realm', { realm: null }, 'malformed-request'],
  ['no nonce of its own', { cnonce: null }, 'malformed-request'],
  ['nothing of what it is for', { 'digest-uri': null }, 'malformed-request'],
  ['no name', { username: null }, 'not-authorized'],
  ['a name that can be none', { username: '"@"' }, 'not-authorized'],
  ['another name', { username: '"b\\ob"' }, 'not-authorized'],
  ['no response', { response: null }, 'not-authorized'],
  ['another response', { response: '0'.repeat(32) }, 'not-authorized'],
])('with %s', async (_, fields, end) => {
  expect(await ends(fields)).toBe(end);
});

test('in ISO 8859-1, too', async () => {
  expect(await ends({}, 'latin1')).toBe('alice');
});

test.each([',qop=auth', ',=', ' x'])('what is no list of directives is refused: %j behind it', async (more) => {
  expect(await ends({}, 'utf8', more)).toBe('malformed-request');
});
