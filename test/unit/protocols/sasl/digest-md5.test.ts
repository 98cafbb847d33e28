import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { BrokerError } from '../../../../src/errors.js';
import { readChallenge } from '../../../../src/protocols/sasl/digest-challenge.js';
import { DIGEST_MD5 } from '../../../../src/protocols/sasl/digest-md5.js';
import { digestResponse, type DigestCredentials } from '../../../../src/protocols/sasl/digest-response.js';
import type { MechanismSettings } from '../../../../src/protocols/sasl/mechanism.js';
import { codeOf, MechanismRun, refusal } from './support.js';

const chris = { username: 'chris', password: 'secret', domain: 'elwood.innosoft.com' };
const CHALLENGE = 'realm="elwood.innosoft.com",nonce="OA6MG9tEQGm2hh",qop="auth",algorithm=md5-sess,charset=utf-8';

async function answer(challenge: string | Buffer, own: Partial<MechanismSettings> = {}) {
  const client = new MechanismRun(DIGEST_MD5, { ...chris, ...own });
  expect(await client.start()).toBeNull();
  const message = await client.challenge(Buffer.from(challenge));
  const text = message.toString();
  const directive = (name: string) => new RegExp(`(?:^|,)${name}=("[^"]*"|[^,]*)`).exec(text)?.[1];
  return { client, message, text, directive };
}

/** A client that has answered the challenge, and what the server has to answer with. */
async function proved() {
  const { client, directive } = await answer(CHALLENGE);
  const cnonce = directive('cnonce')?.slice(1, -1) ?? '';
  const { expected } = digestResponse(readChallenge(Buffer.from(CHALLENGE)), {
    ...chris,
    realm: chris.domain,
    uri: `xmpp/${chris.domain}`,
    cnonce,
  });
  return { client, proof: Buffer.from(`rspauth=${expected}`) };
}

describe('S-SASL-15: vectors', () => {
  const imap: DigestCredentials = {
    username: 'chris',
    password: 'secret',
    realm: 'elwood.innosoft.com',
    uri: 'imap/elwood.innosoft.com',
    cnonce: 'OA6MHXh6VqTrRk',
  };

  it.each([
    {
      name: 'RFC 2831 §4, IMAP',
      credentials: imap,
      challenge: CHALLENGE,
      response: 'd388dad90d4bbd760a152321f2143af7',
      proof: 'ea40f60335c427b5527b84dbabcdfffd',
    },
    {
      name: 'RFC 2831 §4, ACAP',
      credentials: { ...imap, uri: 'acap/elwood.innosoft.com', cnonce: 'OA9BSuZWMSpW8m' },
      challenge: 'realm="elwood.innosoft.com",nonce="OA9BSXrbuRhWay",qop="auth",algorithm=md5-sess,charset=utf-8',
      response: '6084c6db3fede7352c551284490fd0fc',
      proof: '2f0b3d7c3c2e486600ef710726aa2eae',
    },
    {
      name: "as jabberd2's router answered, with blanks behind the commas",
      credentials: {
        username: 'jabberd',
        password: 'secret',
        realm: 'jabberd-router',
        uri: 'xmpp/localhost',
        cnonce: 'dUDe8zy+cwKUzjvx',
      },
      challenge:
        'realm="jabberd-router", nonce="wBKv2lOADalGJvlBD6cuIg==", qop="auth", charset=utf-8, algorithm=md5-sess',
      response: 'a8ad30d83461c54581f468a270574cf2',
      proof: '96d300baf17b6dd6c640ca1c2101ee8e',
    },
  ])('$name', ({ credentials, challenge, response, proof }) => {
    const { message, expected } = digestResponse(readChallenge(Buffer.from(challenge)), credentials);
    expect(message.toString()).toContain(`,response=${response},`);
    expect(message.toString()).toContain(',nc=00000001,');
    expect(message.toString()).toContain(',qop=auth');
    expect(expected).toBe(proof);
  });
});

describe('S-SASL-15: the server has to prove itself', () => {
  it('S-SASL-6: with success, or in a last challenge', async () => {
    const one = await proved();
    await one.client.success(one.proof);
    const two = await proved();
    expect(await two.client.challenge(two.proof)).toHaveLength(0);
    await two.client.success(null);
  });

  it('a success without rspauth', async () => {
    for (const data of [null, Buffer.alloc(0)]) {
      const { client } = await proved();
      expect(await codeOf(() => client.success(data))).toBe('SASL_SERVER_NOT_AUTHENTICATED');
    }
    const client = new MechanismRun(DIGEST_MD5);
    await client.start();
    expect(await codeOf(() => client.success(null))).toBe('SASL_SERVER_NOT_AUTHENTICATED');
  });

  it('data without rspauth', async () => {
    const { client } = await proved();
    expect(await codeOf(() => client.success(Buffer.from('nonce="x"')))).toBe('DIGEST_CHALLENGE');
  });

  it.each([
    ['of another', () => 'rspauth=d388dad90d4bbd760a152321f2143af7'],
    ['short', () => 'rspauth=ea40'],
    ['empty', () => 'rspauth=""'],
    ['longer', (proof: string) => `${proof}0`],
    ['in capitals', (proof: string) => proof.replace(/=.*/, (value) => value.toUpperCase())],
  ])('a wrong one: %s', async (_name, change) => {
    for (const way of ['success', 'challenge'] as const) {
      const { client, proof } = await proved();
      expect(await codeOf(() => client[way](Buffer.from(change(proof.toString()))))).toBe('DIGEST_RSPAUTH');
      expect(client.aborted).toBe(way === 'challenge');
    }
  });

  it('a challenge, or a second proof, behind the last one', async () => {
    for (const way of ['challenge', 'success'] as const) {
      const { client, proof } = await proved();
      await client.challenge(proof);
      expect(await codeOf(() => client[way](proof))).toBe('SASL_UNEXPECTED');
    }
  });
});

describe('S-SASL-15: the response', () => {
  it('has a fresh random cnonce each time', async () => {
    const seen = new Set<string | undefined>();
    for (let i = 0; i < 50; i++) seen.add((await answer(CHALLENGE)).directive('cnonce'));
    expect(seen.size).toBe(50);
    expect([...seen].every((cnonce) => (cnonce ?? '').length >= 26)).toBe(true);
  });

  it('names the dialled host, never the realm (S-SASL-12)', async () => {
    const { directive } = await answer('realm="evil.example",nonce="n",algorithm=md5-sess', {
      domain: 'good.example',
    });
    expect(directive('digest-uri')).toBe('"xmpp/good.example"');
    expect(directive('realm')).toBe('"evil.example"');
  });

  it.each([
    ['none', 'nonce="n",algorithm=md5-sess', undefined],
    ['one', 'realm="a",nonce="n",algorithm=md5-sess', '"a"'],
    [
      'several, ours among them',
      'realm="a",realm="elwood.innosoft.com",nonce="n",algorithm=md5-sess',
      '"elwood.innosoft.com"',
    ],
    ['several, ours not among them', 'realm="a",realm="b",nonce="n",algorithm=md5-sess', '"a"'],
    ['an empty one', 'realm="",nonce="n",algorithm=md5-sess', '""'],
  ])('realm: %s', async (_name, challenge, sent) => {
    expect((await answer(challenge)).directive('realm')).toBe(sent);
  });

  it('quotes and unquotes', async () => {
    const { text } = await answer('realm="a\\"b\\\\c",nonce="n\\"",algorithm=md5-sess', { username: 'x"y\\z' });
    expect(text).toContain('username="x\\"y\\\\z"');
    expect(text).toContain('realm="a\\"b\\\\c"');
    expect(text).toContain('nonce="n\\""');
  });

  it('encodes as the server asks for', async () => {
    const utf8 = 'realm="a",nonce="n",algorithm=md5-sess,charset=utf-8';
    const latin1 = 'realm="a",nonce="n",algorithm=md5-sess';
    const run = async (challenge: string, own: Partial<MechanismSettings>) => (await answer(challenge, own)).message;
    const mueller = (challenge: string) =>
      digestResponse(readChallenge(Buffer.from(challenge)), {
        username: 'm\u00fcller',
        password: 'secret',
        realm: 'a',
        uri: 'xmpp/a',
        cnonce: 'c',
      }).message;
    const inUtf8 = mueller(utf8);
    const inLatin1 = mueller(latin1);
    expect(inUtf8.includes(Buffer.from('username="m\u00fcller"', 'utf8'))).toBe(true);
    expect(inLatin1.includes(Buffer.from('username="m\u00fcller"', 'latin1'))).toBe(true);
    const response = (message: Buffer) => /response=([0-9a-f]{32})/.exec(message.toString('latin1'))?.[1];
    // The stored hash is the same whichever is used (RFC 2831 §2.1.2.1).
    expect(response(inUtf8)).toBe(response(inLatin1));
    expect(await codeOf(() => run(latin1, { username: '\u0142' }))).toBe('SASL_PREP');
    expect(await codeOf(() => run(latin1, { password: '\u0142' }))).toBe('SASL_PREP');
    expect((await run(utf8, { username: '\u0142' })).includes('charset=utf-8')).toBe(true);
  });

  it('may act for another', async () => {
    expect((await answer(CHALLENGE, { authzid: 'boss@example.com' })).directive('authzid')).toBe('"boss@example.com"');
  });
});

describe('challenges that cannot be used', () => {
  it.each([
    '',
    'nonce="n"',
    'algorithm=md5-sess',
    'nonce="",algorithm=md5-sess',
    'nonce="n",algorithm=md5',
    'nonce="n",algorithm=md5-sess,qop="auth-int"',
    'nonce="n",algorithm=md5-sess,qop="auth-conf,auth-int"',
    'nonce="n",nonce="m",algorithm=md5-sess',
    'nonce="n",algorithm=md5-sess,algorithm=md5-sess',
    'nonce="n",algorithm=md5-sess,charset=utf-8,charset=utf-8',
    'nonce="n",algorithm=md5-sess,charset=utf-7',
    'nonce="n,algorithm=md5-sess',
    'nonce=n"x",algorithm=md5-sess',
    'nonce "n",algorithm=md5-sess',
    '=x,nonce="n",algorithm=md5-sess',
    `nonce="${'n'.repeat(2048)}",algorithm=md5-sess`,
  ])('%j', async (challenge) => {
    expect(await codeOf(() => answer(challenge))).toBe('DIGEST_CHALLENGE');
  });

  it('a charset that lies', async () => {
    const challenge = Buffer.concat([
      Buffer.from('nonce="'),
      Buffer.from([0xff]),
      Buffer.from('",algorithm=md5-sess,charset=utf-8'),
    ]);
    expect(await codeOf(() => answer(challenge))).toBe('DIGEST_CHALLENGE');
  });

  it.each([
    ' nonce = "n" , algorithm = md5-sess ',
    ',,nonce="n",,algorithm=MD5-sess,',
    'NONCE="n",Algorithm="md5-sess",stale=true,maxbuf=65536,cipher="3des,rc4",unknown=x',
    'nonce="n",algorithm=md5-sess,qop="auth-conf,auth"',
  ])('%j can', async (challenge) => {
    expect((await answer(challenge)).text).toContain('response=');
  });

  it('whatever comes, it is an error of ours or a response', async () => {
    const part = fc.oneof(
      fc.string({ maxLength: 8 }),
      fc.constantFrom(
        'nonce=',
        'realm=',
        'algorithm=md5-sess',
        'charset=utf-8',
        'qop=',
        '"',
        '\\',
        ',',
        ' ',
        '=',
        'rspauth=',
      ),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(part, { maxLength: 12 }), async (parts) => {
        const message = Buffer.from(parts.join(''), 'latin1');
        try {
          const { client } = await answer(message);
          await client.success(message);
          expect.unreachable('a server without proof was believed');
        } catch (error) {
          expect(error).toBeInstanceOf(BrokerError);
        }
      }),
      { numRuns: 2000 },
    );
  });
});

it('S-SASL-16: the error of a challenge does not show the password', async () => {
  expect((await refusal(() => answer('x', { password: 'secret' }))).message).not.toContain('secret');
});
