// What the server's mechanisms take and refuse, each message written down by hand.
import { createHmac } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { BrokerError } from '../../../src/errors.js';
import { Accounts } from '../../../src/testing/accounts.js';
import { authenticate } from '../../../src/testing/sasl/exchange.js';
import { EXTERNAL } from '../../../src/testing/sasl/external.js';
import { TOKEN_MECHANISMS } from '../../../src/testing/sasl/hashed-token.js';
import type { SaslContext, ServerMechanism, TokenMatcher } from '../../../src/testing/sasl/mechanism.js';
import { OAUTHBEARER } from '../../../src/testing/sasl/oauthbearer.js';
import { PLAIN } from '../../../src/testing/sasl/plain.js';
import { SASL, type ServerProfile } from '../../../src/testing/sasl/profile.js';
import { sasl2 } from '../../../src/testing/sasl/sasl2-profile.js';
import { SCRAM } from '../../../src/testing/sasl/scram.js';
import type { PeerStream } from '../../../src/testing/peer-stream.js';
import { serialize } from '../../../src/xml/serializer.js';
import type { Element } from '../../../src/xml/element.js';
import { parse } from '../../../src/xml/tokenizer/parse.js';
import { failure } from '../../support/failure.js';

const b64 = (text: string) => Buffer.from(text).toString('base64');

function context(own: Partial<SaslContext> = {}): SaslContext {
  const accounts = new Accounts('localhost', 4096);
  accounts.set('alice', 'secret');
  const nothing = {
    realm: 'localhost',
    certificate: null,
    bindings: new Map(),
    bindingsListed: false,
    signOffer: false,
  };
  return { accounts, ...nothing, mechanisms: ['PLAIN'], tokens: null, finalData: 'success', ...own };
}

/** How it ends: the name that signed in, or the condition. */
async function ends(mechanism: ServerMechanism, messages: string[], own: Partial<SaslContext> = {}): Promise<string> {
  const said = [...messages];
  const next = () => Promise.resolve(Buffer.from(said.shift() ?? ''));
  const finish = (username: string, data: Buffer) => Promise.resolve({ username, data });
  try {
    return (await mechanism.run({ initial: next, challenge: next, finish }, context(own))).username;
  } catch (error) {
    return (error as { condition?: string }).condition ?? String(error);
  }
}

describe('PLAIN', () => {
  test.each([
    ['\0alice\0secret', 'alice'],
    ['alice@localhost\0alice\0secret', 'alice'],
    ['\0ALICE\0secret', 'alice'],
    ['', 'malformed-request'],
    ['alice', 'malformed-request'],
    ['\0alice', 'malformed-request'],
    ['\0alice\0secret\0', 'malformed-request'],
    ['\0@\0secret', 'not-authorized'],
    ['\0\0secret', 'not-authorized'],
    ['\0alice\0', 'not-authorized'],
  ])('with %j: %s', async (message, end) => {
    expect(await ends(PLAIN, [message])).toBe(end);
  });
});

describe('OAUTHBEARER', () => {
  test.each([
    ['n,a=alice@localhost,\x01auth=Bearer secret\x01\x01', 'alice'],
    ['n,a=alice,\x01auth=Bearer secret\x01\x01', 'alice'],
    ['n,,\x01auth=Bearer secret\x01\x01', 'not-authorized'],
    ['n,a=\u0000,\x01auth=Bearer secret\x01\x01', 'not-authorized'],
    ['n,a=alice,\x01auth=Basic secret\x01\x01', 'not-authorized'],
    ['n,a=nobody,\x01auth=Bearer secret\x01\x01', 'not-authorized'],
    ['', 'not-authorized'],
  ])('with %j: %s', async (message, end) => {
    expect(await ends(OAUTHBEARER, [message])).toBe(end);
  });
});

describe('EXTERNAL', () => {
  test.each(['', 'alice@localhost'])('without a certificate signs nobody in: %j', async (message) => {
    expect(await ends(EXTERNAL, [message])).toBe('not-authorized');
  });
});

describe('a token', () => {
  const plain = TOKEN_MECHANISMS.find(({ name }) => name === 'HT-SHA-256-NONE')!;
  const bound = TOKEN_MECHANISMS.find(({ name }) => name === 'HT-SHA-256-EXPR')!;
  const proof = createHmac('sha256', 'tok').update('Initiator').digest('binary');
  const matcher = (found: 'expired' | { secret: string }): TokenMatcher => ({
    match: (_user, _name, fits) => (fits('tok') ? found : null),
  });
  const valid = matcher({ secret: 'tok' });

  /** Bytes, not text. */
  async function with256(mechanism: ServerMechanism, message: string, own: Partial<SaslContext>): Promise<string> {
    const initial = () => Promise.resolve(Buffer.from(message, 'latin1'));
    const none = () => Promise.reject(new Error('nothing is asked'));
    return mechanism.run({ initial, challenge: none, finish: none }, context(own)).then(
      ({ username }) => username,
      (error: unknown) => (error as { condition: string }).condition,
    );
  }

  test.each<[string, ServerMechanism, string, Partial<SaslContext>, string]>([
    ['that fits', plain, `alice\0${proof}`, { tokens: valid }, 'alice'],
    ['of nobody', plain, `nobody\0${proof}`, { tokens: valid }, 'not-authorized'],
    ['of who can be nobody', plain, `@\0${proof}`, { tokens: valid }, 'not-authorized'],
    ['that does not fit', plain, `alice\0${proof.slice(1)}x`, { tokens: valid }, 'not-authorized'],
    ['that is too short', plain, 'alice\0', { tokens: valid }, 'not-authorized'],
    ['where there are none', plain, `alice\0${proof}`, {}, 'not-authorized'],
    ['whose time is over', plain, `alice\0${proof}`, { tokens: matcher('expired') }, 'credentials-expired'],
    ['of no name', plain, `\0${proof}`, { tokens: valid }, 'malformed-request'],
    ['and no end of a name', plain, 'alice', { tokens: valid }, 'malformed-request'],
    ['for a channel that there is not', bound, `alice\0${proof}`, { tokens: valid }, 'malformed-request'],
  ])('%s', async (_, mechanism, message, own, end) => {
    expect(await with256(mechanism, message, own)).toBe(end);
  });
});

describe('SCRAM', () => {
  const sha1 = SCRAM.find(({ name }) => name === 'SCRAM-SHA-1')!;
  const plus = SCRAM.find(({ name }) => name === 'SCRAM-SHA-1-PLUS')!;
  const final = 'c=biws,r=x,p=AAAA';

  test.each<[string, ServerMechanism, string[], Partial<SaslContext>, string]>([
    ['a name that can be none', sha1, ['n,,n=@,r=abc', final], {}, 'not-authorized'],
    ['a name of what nobody can type', sha1, ['n,,n=\u0007,r=abc', final], {}, 'SASLprep'],
    ['a proof of another length', sha1, ['n,,n=alice,r=abc', final], {}, 'not-authorized'],
    ['a proof that is none', sha1, ['n,,n=alice,r=abc', 'c=biws,r=x,p=!'], {}, 'malformed-request'],
    ['no binding where one is due', plus, ['n,,n=alice,r=abc', final], {}, 'malformed-request'],
    ['a binding of a type that there is not', plus, ['p=tls-exporter,,n=alice,r=abc', final], {}, 'not-authorized'],
    ['its own identity', sha1, ['n,a=alice@localhost,n=alice,r=abc', final], {}, 'not-authorized'],
    ['another identity', sha1, ['n,a=bob@localhost,n=alice,r=abc', final], {}, 'invalid-authzid'],
    [
      'a belief that nothing is bound here',
      sha1,
      ['y,,n=alice,r=abc', final],
      { mechanisms: ['SCRAM-SHA-1-PLUS'] },
      'not-authorized',
    ],
  ])('refuses %s', async (_, mechanism, messages, own, end) => {
    expect(await ends(mechanism, messages, own)).toContain(end);
  });
});

describe('an exchange', () => {
  /** What the client says, and what the server has said by then; `thrown` ends the stream. */
  async function exchange(
    profile: ServerProfile,
    said: string[],
    own: Partial<SaslContext> = {},
    rows?: ServerMechanism[],
  ) {
    const [first = '', ...rest] = said;
    const answers: string[] = [];
    const stream = {
      send: (element: Element) => void answers.push(serialize(element)),
      next: () => Promise.resolve(parse(rest.shift() ?? '<nothing/>')),
    } as unknown as PeerStream;
    const running = authenticate(stream, profile, parse(first), {
      ...context(own),
      ...(rows === undefined ? {} : { rows }),
    });
    const grant = await running.catch((error: unknown) => error as Error);
    return { grant, answers: answers.join('') };
  }
  const NS = "xmlns='urn:ietf:params:xml:ns:xmpp-sasl'";
  const NS2 = "xmlns='urn:xmpp:sasl:2'";
  const two = sasl2(() => []);
  const row = (run: ServerMechanism['run']): ServerMechanism[] => [
    { name: 'PLAIN', needs: [], byDefault: 'always', run },
  ];
  const final = row((exchange) => exchange.finish('alice', Buffer.from('done')));
  const nothing = row(() => Promise.resolve({ username: 'alice', data: Buffer.alloc(0) }));

  test.each<[string, ServerProfile, string[], string]>([
    ['no mechanism', SASL, [`<auth ${NS}/>`], '<invalid-mechanism/>'],
    ['no mechanism in SASL2', two, [`<authenticate ${NS2}/>`], '<invalid-mechanism '],
    ['what is no base64', SASL, [`<auth ${NS} mechanism='PLAIN'>!</auth>`], '<incorrect-encoding/>'],
    [
      'more than anybody has to say',
      SASL,
      [`<auth ${NS} mechanism='PLAIN'>${'A'.repeat(65_540)}</auth>`],
      '<incorrect-encoding/>',
    ],
    ['an end of it', SASL, [`<auth ${NS} mechanism='PLAIN'/>`, `<abort ${NS}/>`], '<aborted/>'],
    ['an end of it in SASL2', two, [`<authenticate ${NS2} mechanism='PLAIN'/>`, `<abort ${NS2}/>`], '<aborted '],
    [
      'bytes that are no UTF-8',
      two,
      [`<authenticate ${NS2} mechanism='PLAIN'><initial-response>/w==</initial-response></authenticate>`],
      '<text>it is no UTF-8</text>',
    ],
    [
      'bytes that are no UTF-8, in SASL',
      SASL,
      [`<auth ${NS} mechanism='PLAIN'>/w==</auth>`],
      '<text>it is no UTF-8</text>',
    ],
    [
      'a password that is none',
      SASL,
      [`<auth ${NS} mechanism='PLAIN'>${b64('\0alice\0x')}</auth>`],
      '<not-authorized/>',
    ],
  ])('fails with %s', async (_, profile, said, found) => {
    const { grant, answers } = await exchange(profile, said);
    expect(grant).toBeNull();
    expect(answers).toMatch(/<failure [^>]*>/);
    expect(answers).toContain(found);
  });

  test.each([
    ['SASL', SASL, `<auth ${NS} mechanism='PLAIN'/>`],
    ['SASL2', two, `<authenticate ${NS2} mechanism='PLAIN'/>`],
  ])('of %s ends the stream when something else comes', async (_, profile, first) => {
    const { grant } = await exchange(profile, [first, "<iq xmlns='jabber:client'/>"]);
    expect(grant).toMatchObject({
      condition: 'not-authorized',
      message: expect.stringContaining('a <response/> was due') as string,
    });
  });

  test('says its last data in a challenge, which is answered with nothing', async () => {
    const said = (answer: string) => [`<auth ${NS} mechanism='PLAIN'/>`, `<response ${NS}>${answer}</response>`];
    const good = await exchange(SASL, said('='), { finalData: 'challenge' }, final);
    expect(good.grant).toMatchObject({ username: 'alice', data: null });
    const bad = await exchange(SASL, said('AAAA'), { finalData: 'challenge' }, final);
    expect([bad.grant, bad.answers.includes('<malformed-request/>')]).toEqual([null, true]);
  });

  test('writes data of no bytes so that it is told from none', async () => {
    expect((await exchange(SASL, [`<auth ${NS} mechanism='PLAIN'/>`], {}, nothing)).answers).toContain('>=</success>');
    expect((await exchange(two, [`<authenticate ${NS2} mechanism='PLAIN'/>`], {}, nothing)).answers).toContain(
      '<additional-data',
    );
  });

  test.each<[string, Error, string | null]>([
    ['what cannot be prepared is a wrong password', new BrokerError('SASL_PREP', 'x', { layer: 'sasl' }), null],
    ['another error is not hidden', new BrokerError('XML', 'x', { layer: 'xml' }), 'x'],
    ['a mistake of the server is not hidden', new Error('oops'), 'oops'],
  ])('%s', async (_, error, message) => {
    const { grant, answers } = await exchange(
      SASL,
      [`<auth ${NS} mechanism='PLAIN'/>`],
      {},
      row(() => Promise.reject(error)),
    );
    if (message === null) expect([grant, answers.includes('<not-authorized/>')]).toEqual([null, true]);
    else expect(await failure(Promise.reject(grant as Error))).toBe(error);
  });
});
