import { inspect } from 'node:util';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { BrokerError } from '../../../../src/errors.js';
import { DigestMd5, type DigestMd5Settings } from '../../../../src/protocols/sasl/digest-md5.js';
import { codeOf, refusal } from './support.js';

const imap: DigestMd5Settings = {
  username: 'chris',
  password: 'secret',
  host: 'elwood.innosoft.com',
  service: 'imap',
  cnonce: 'OA6MHXh6VqTrRk',
};
const CHALLENGE = 'realm="elwood.innosoft.com",nonce="OA6MG9tEQGm2hh",qop="auth",algorithm=md5-sess,charset=utf-8';
const RSPAUTH = 'rspauth=ea40f60335c427b5527b84dbabcdfffd';

async function answer(challenge: string | Buffer, settings: Partial<DigestMd5Settings> = {}) {
  const client = new DigestMd5({ ...imap, ...settings });
  expect(await client.start()).toBeNull();
  const text = (await client.challenge(Buffer.from(challenge))).toString();
  return { client, text, directive: (name: string) => new RegExp(`(?:^|,)${name}=("[^"]*"|[^,]*)`).exec(text)?.[1] };
}

describe('S-SASL-15: vectors', () => {
  it.each([
    {
      name: 'RFC 2831 §4, IMAP',
      settings: imap,
      challenge: CHALLENGE,
      response: 'd388dad90d4bbd760a152321f2143af7',
      proof: RSPAUTH,
    },
    {
      name: 'RFC 2831 §4, ACAP',
      settings: { ...imap, service: 'acap', cnonce: 'OA9BSuZWMSpW8m' },
      challenge: 'realm="elwood.innosoft.com",nonce="OA9BSXrbuRhWay",qop="auth",algorithm=md5-sess,charset=utf-8',
      response: '6084c6db3fede7352c551284490fd0fc',
      proof: 'rspauth=2f0b3d7c3c2e486600ef710726aa2eae',
    },
    {
      name: "as jabberd2's router answered, with blanks behind the commas",
      settings: { username: 'jabberd', password: 'secret', host: 'localhost', cnonce: 'dUDe8zy+cwKUzjvx' },
      challenge:
        'realm="jabberd-router", nonce="wBKv2lOADalGJvlBD6cuIg==", qop="auth", charset=utf-8, algorithm=md5-sess',
      response: 'a8ad30d83461c54581f468a270574cf2',
      proof: 'rspauth=96d300baf17b6dd6c640ca1c2101ee8e',
    },
  ])('$name', async ({ settings, challenge, response, proof }) => {
    for (const way of ['success', 'challenge'] as const) {
      const client = new DigestMd5(settings);
      await client.start();
      const text = (await client.challenge(Buffer.from(challenge))).toString();
      expect(text).toContain(`,response=${response},`);
      expect(text).toContain(',nc=00000001,');
      expect(text).toContain(',qop=auth');
      // S-SASL-6: both ways of the final data
      if (way === 'success') client.success(Buffer.from(proof));
      else {
        expect(await client.challenge(Buffer.from(proof))).toHaveLength(0);
        client.success(null);
      }
    }
  });
});

describe('S-SASL-15: the server has to prove itself', () => {
  it('a success without rspauth', async () => {
    expect(await codeOf(async () => (await answer(CHALLENGE)).client.success(null))).toBe(
      'SASL_SERVER_NOT_AUTHENTICATED',
    );
    expect(await codeOf(() => new DigestMd5(imap).success(null))).toBe('SASL_SERVER_NOT_AUTHENTICATED');
  });

  it.each([
    'rspauth=d388dad90d4bbd760a152321f2143af7',
    'rspauth=ea40',
    'rspauth=""',
    `${RSPAUTH}0`,
    RSPAUTH.toUpperCase(),
  ])('a wrong one: %s', async (proof) => {
    const one = await answer(CHALLENGE);
    expect(await codeOf(() => one.client.success(Buffer.from(proof)))).toBe('DIGEST_RSPAUTH');
    const two = await answer(CHALLENGE);
    expect(await codeOf(() => two.client.challenge(Buffer.from(proof)))).toBe('DIGEST_RSPAUTH');
    expect(await codeOf(() => two.client.success(null))).toBe('SASL_SERVER_NOT_AUTHENTICATED');
  });

  it('challenges and successes in the wrong state', async () => {
    expect(await codeOf(() => new DigestMd5(imap).challenge(Buffer.from(CHALLENGE)))).toBe('SASL_UNEXPECTED');
    const { client } = await answer(CHALLENGE);
    await client.challenge(Buffer.from(RSPAUTH));
    expect(await codeOf(() => client.challenge(Buffer.from(RSPAUTH)))).toBe('SASL_UNEXPECTED');
    expect(await codeOf(() => client.success(Buffer.from(RSPAUTH)))).toBe('SASL_UNEXPECTED');
  });
});

describe('S-SASL-15: the response', () => {
  it('has a fresh random cnonce each time', async () => {
    const seen = new Set<string | undefined>();
    for (let i = 0; i < 50; i++) seen.add((await answer(CHALLENGE, { cnonce: undefined })).directive('cnonce'));
    expect(seen.size).toBe(50);
    expect([...seen].every((cnonce) => (cnonce ?? '').length >= 26)).toBe(true);
  });

  it('names the dialled host, never the realm (S-SASL-12)', async () => {
    const { directive } = await answer('realm="evil.example",nonce="n",algorithm=md5-sess', {
      host: 'good.example',
      service: undefined,
    });
    expect(directive('digest-uri')).toBe('"xmpp/good.example"');
    expect(directive('realm')).toBe('"evil.example"');
  });

  it.each([
    ['none', 'nonce="n",algorithm=md5-sess', undefined, undefined],
    ['one', 'realm="a",nonce="n",algorithm=md5-sess', undefined, '"a"'],
    [
      'several, ours among them',
      'realm="a",realm="elwood.innosoft.com",nonce="n",algorithm=md5-sess',
      undefined,
      '"elwood.innosoft.com"',
    ],
    ['several, ours not among them', 'realm="a",realm="b",nonce="n",algorithm=md5-sess', undefined, '"a"'],
    ['the one of the settings', 'realm="a",realm="b",nonce="n",algorithm=md5-sess', 'b', '"b"'],
    ['an empty one', 'realm="",nonce="n",algorithm=md5-sess', undefined, '""'],
  ])('realm: %s', async (_name, challenge, realm, sent) => {
    expect((await answer(challenge, { realm })).directive('realm')).toBe(sent);
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
    const run = async (challenge: string, settings: Partial<DigestMd5Settings>) => {
      const client = new DigestMd5({ ...imap, ...settings });
      await client.start();
      return client.challenge(Buffer.from(challenge));
    };
    const inUtf8 = await run(utf8, { username: 'm\u00fcller' });
    const inLatin1 = await run(latin1, { username: 'm\u00fcller' });
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
        const client = new DigestMd5(imap);
        await client.start();
        try {
          await client.challenge(message);
        } catch (error) {
          expect(error).toBeInstanceOf(BrokerError);
        }
        expect(() => client.success(message)).toThrow(BrokerError);
      }),
      { numRuns: 2000 },
    );
  });
});

it('S-SASL-16: secrets are not visible', async () => {
  const { client } = await answer(CHALLENGE);
  const shown = inspect(client, { depth: 9, showHidden: true }) + JSON.stringify(client);
  expect(shown).not.toContain('secret');
  expect((await refusal(() => answer('x', { password: 'secret' }))).message).not.toContain('secret');
});
