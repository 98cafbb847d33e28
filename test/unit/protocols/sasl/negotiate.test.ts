import { inspect } from 'node:util';
import { describe, expect, it } from 'vitest';
import { runExchange } from '../../../../src/protocols/sasl/exchange.js';
import type { Mechanism } from '../../../../src/protocols/sasl/mechanism.js';
import { defaultMechanisms } from '../../../../src/protocols/sasl/mechanisms.js';
import { signIn } from '../../../../src/protocols/sasl/negotiate.js';
import { SASL, type SaslProfile } from '../../../../src/protocols/sasl/profile.js';
import { SCRAM } from '../../../../src/protocols/sasl/scram.js';
import type { SaslLink, SaslSettings } from '../../../../src/protocols/sasl/selection.js';
import { xml } from '../../../../src/xml/builder.js';
import type { Element } from '../../../../src/xml/element.js';
import { NS } from '../../../../src/xml/namespaces.js';
import { featuresOf, mechanismSettings, refusal, sasl, ScramServer, ScriptedStream } from './support.js';

const link: SaslLink = { verified: true, bindings: null };

/** Settings of an account that nobody has signed in with. */
const make = (own: Partial<SaslSettings> = {}): SaslSettings => ({
  mechanisms: defaultMechanisms(false),
  domain: 'example.com',
  username: `user-${String(accounts++)}`,
  password: 'pencil',
  ...own,
});
let accounts = 0;

const decode = (element: Element) => Buffer.from(element.textContent === '=' ? '' : element.textContent, 'base64');

/** A server that knows SCRAM-SHA-1 and ends in the given way. */
function scramStream(end: (final: Buffer, server: ScramServer) => Element[] = (final) => [sasl('success', final)]) {
  const server = new ScramServer('sha1', 'pencil');
  return new ScriptedStream((element) => {
    if (element.localName === 'auth') return [sasl('challenge', server.challenge(decode(element)))];
    if (element.localName === 'response' && element.textContent !== '')
      return end(server.final(decode(element)), server);
    return element.localName === 'response' ? [sasl('success')] : [];
  });
}

const scripted = (...replies: Element[]) => {
  const rest = [...replies];
  return new ScriptedStream(() => rest.splice(0, 1));
};

const offered = (...names: string[]) => featuresOf(names);

describe('signing in', () => {
  it('with SCRAM, the proof in the success', async () => {
    const stream = scramStream();
    expect(await signIn(stream, offered('SCRAM-SHA-1', 'PLAIN'), make(), link)).toBe('SCRAM-SHA-1');
    expect(stream.names).toEqual(['auth', 'response']);
    expect(stream.secrets).toEqual([true, true]);
    expect(stream.sent[0]?.getAttribute('mechanism')).toBe('SCRAM-SHA-1');
    expect(stream.events).toEqual([
      ['PCJ_AUTHNEGOTIATE', { mechanism: 'SCRAM-SHA-1', profile: 'sasl' }],
      ['PCJ_AUTHSUCCESS', { mechanism: 'SCRAM-SHA-1', profile: 'sasl' }],
    ]);
  });

  it('S-SASL-6: the proof in a last challenge, answered by an empty response', async () => {
    const stream = scramStream((final) => [sasl('challenge', final)]);
    await signIn(stream, offered('SCRAM-SHA-1'), make(), link);
    expect(stream.names).toEqual(['auth', 'response', 'response']);
    expect(stream.sent[2]?.textContent).toBe('');
  });

  it('S-SASL-5: an empty initial response is "="', async () => {
    const stream = scripted(sasl('success'));
    await signIn(stream, offered('ANONYMOUS'), make({ mechanisms: ['ANONYMOUS'] }), link);
    expect(stream.sent[0]?.textContent).toBe('=');
  });

  it('no initial response where the server begins', async () => {
    const stream = scripted(sasl('failure', undefined, sasl('aborted')));
    await refusal(() => signIn(stream, offered('DIGEST-MD5'), make({ mechanisms: ['DIGEST-MD5'] }), link));
    expect(stream.sent[0]?.firstChild).toBeNull();
  });

  it('a success whose data are "=" has empty data', async () => {
    const stream = scripted(sasl('success', '='));
    expect(await signIn(stream, offered('PLAIN'), make(), link)).toBe('PLAIN');
  });

  it('with DIGEST-MD5 as the jabberd2 router has it', async () => {
    const challenge =
      'realm="jabberd-router", nonce="wBKv2lOADalGJvlBD6cuIg==", qop="auth", charset=utf-8, algorithm=md5-sess';
    const stream = new ScriptedStream((element) =>
      element.localName === 'auth'
        ? [sasl('challenge', Buffer.from(challenge))]
        : [sasl('success', Buffer.from('rspauth=0'))],
    );
    const settings = make({ mechanisms: ['DIGEST-MD5'], username: 'jabberd', password: 'secret', domain: 'localhost' });
    const error = await refusal(() => signIn(stream, offered('DIGEST-MD5'), settings, link));
    expect(error.code).toBe('DIGEST_RSPAUTH');
  });
});

describe('S-SASL-9, A-NEG-3: success games', () => {
  it.each([
    ['right away', scripted(sasl('success')), 'SASL_SERVER_NOT_AUTHENTICATED'],
    ['right away with data', scripted(sasl('success', Buffer.from('v=AAAA'))), 'SASL_SERVER_NOT_AUTHENTICATED'],
    ['without the proof', scramStream(() => [sasl('success')]), 'SCRAM_SERVER_SIGNATURE'],
    ['with an empty proof', scramStream(() => [sasl('success', '=')]), 'SCRAM_SERVER_SIGNATURE'],
    ['with a wrong proof', scramStream(() => [sasl('success', Buffer.from('v=AAAA'))]), 'SCRAM_SERVER_SIGNATURE'],
    ['in another namespace', scripted(xml('success', { xmlns: 'jabber:client' })), 'SASL_UNEXPECTED'],
    ['of SASL2', scripted(xml('success', { xmlns: 'urn:xmpp:sasl:2' })), 'SASL_UNEXPECTED'],
    ['of TLS', scripted(xml('proceed', { xmlns: 'urn:ietf:params:xml:ns:xmpp-tls' })), 'SASL_UNEXPECTED'],
    ['an auth', scripted(sasl('auth')), 'SASL_UNEXPECTED'],
    ['with elements in it', scramStream((final) => [sasl('success', final, sasl('x'))]), 'SASL_UNEXPECTED'],
  ])('%s', async (_name, stream, code) => {
    const error = await refusal(() => signIn(stream, offered('SCRAM-SHA-1', 'PLAIN'), make(), link));
    expect(error.code).toBe(code);
    expect(error.layer).toBe('sasl');
    expect(stream.events.map(([event]) => event)).toEqual(['PCJ_AUTHNEGOTIATE']);
    expect(stream.names).not.toContain('PLAIN');
  });
});

describe('S-SASL-7: strict base64', () => {
  it.each(['=AAA', 'BBBB=CCC', 'QUJ\n D', 'QUK=', '-_-_', ' ', '\n', 'QUI'])('%j in a challenge', async (text) => {
    const stream = scripted(sasl('challenge', text));
    const error = await refusal(() => signIn(stream, offered('SCRAM-SHA-1'), make(), link));
    expect(error.code).toBe('SASL_BAD_BASE64');
    expect(stream.names).toEqual(['auth', 'abort']);
  });

  it('in a success', async () => {
    const stream = scramStream((final) => [sasl('success', `${final.toString('base64')}\n`)]);
    expect((await refusal(() => signIn(stream, offered('SCRAM-SHA-1'), make(), link))).code).toBe('SASL_BAD_BASE64');
  });

  it('what we send has no line breaks', async () => {
    const stream = scripted(sasl('success'));
    await signIn(stream, offered('PLAIN'), make({ username: 'u'.repeat(200), password: 'p'.repeat(200) }), link);
    expect(stream.sent[0]?.textContent).toMatch(/^[A-Za-z0-9+/]+={0,2}$/);
  });
});

/** A mechanism that has nothing to say. */
const idle: Mechanism = {
  name: 'X-IDLE',
  needs: [],
  showsPassword: false,
  floor: 'neither',
  byDefault: 'never',
  run: () => Promise.resolve(),
};

describe('the exchange and its mechanism', () => {
  const run = (stream: ScriptedStream, mechanism: Mechanism) =>
    runExchange(stream, SASL, mechanism, mechanismSettings());

  it('a mechanism that says nothing ends with success all the same', async () => {
    const stream = scripted(sasl('success'));
    expect((await run(stream, idle)).localName).toBe('success');
    expect(stream.sent[0]?.textContent).toBe('=');
    const error = await refusal(() => run(scripted(sasl('challenge')), idle));
    expect(error.code).toBe('SASL_UNEXPECTED');
    expect(error.message).toContain('sent a challenge');
  });

  it('nothing to say to a challenge is an empty response', async () => {
    const stream = scripted(sasl('challenge', Buffer.from('x')), sasl('success'));
    const silent: Mechanism = {
      ...idle,
      async run(exchange) {
        await exchange.challenge(Buffer.of(1));
        await exchange.say(null);
      },
    };
    await run(stream, silent);
    expect(stream.sent.map(String)).toEqual([
      `<auth xmlns='${NS.SASL}' mechanism='X-IDLE'>AQ==</auth>`,
      `<response xmlns='${NS.SASL}'/>`,
    ]);
  });

  it('one that has something to say when success is there already is not satisfied', async () => {
    const stream = scripted(sasl('success'), sasl('success'));
    const talkative: Mechanism = {
      ...idle,
      async run(exchange) {
        await exchange.say(null);
        await exchange.say(Buffer.of(1));
      },
    };
    expect((await refusal(() => run(stream, talkative))).code).toBe('SASL_SERVER_NOT_AUTHENTICATED');
    expect(stream.names).toEqual(['auth']);
  });

  it('gives the success back, and reads nothing behind it', async () => {
    const success = sasl('success');
    const stream = new ScriptedStream(() => [success, sasl('failure')]);
    expect(await run(stream, idle)).toBe(success);
    expect((await stream.next()).localName).toBe('failure');
  });
});

describe('a profile with other elements', () => {
  const ns = 'urn:example:profile';
  const el = (name: string, ...children: (Element | string)[]) => xml(name, { xmlns: ns }, ...children);
  /** The initial response and the last data stand in elements of their own, and empty data are empty elements. */
  const other: SaslProfile = {
    name: 'sasl2',
    begin: (mechanism, initial) =>
      xml('begin', { xmlns: ns, mechanism }, initial === null ? undefined : el('initial', initial.toString('base64'))),
    response: (data) => el('answer', data.toString('base64')),
    abort: () => el('stop'),
    read(element) {
      if (element.is('ask', ns)) return { type: 'challenge', data: element };
      if (element.is('done', ns)) return { type: 'success', data: element.getChild('last', ns) };
      return null;
    },
  };
  const scram = SCRAM.find(({ name }) => name === 'SCRAM-SHA-1')!;
  const settings = mechanismSettings();

  /** A server of this profile that ends in the given way. */
  const server = (end: (final: string) => Element) => {
    const played = new ScramServer('sha1', 'pencil');
    return new ScriptedStream((element) => {
      if (element.localName === 'begin') return [el('ask', played.challenge(decode(element)).toString('base64'))];
      return element.localName === 'answer' ? [end(played.final(decode(element)).toString('base64'))] : [];
    });
  };

  it('runs the same mechanism, and leaves the rest of its success to the caller', async () => {
    const stream = server((final) => el('done', el('last', final), el('who', 'user@example.com')));
    const success = await runExchange(stream, other, scram, settings);
    expect(success.getChildText('who', ns)).toBe('user@example.com');
    expect(stream.names).toEqual(['begin', 'answer']);
    expect(stream.sent[0]?.getAttribute('mechanism')).toBe('SCRAM-SHA-1');
  });

  it.each([
    ['no proof', () => el('done', el('who', 'user@example.com')), 'SCRAM_SERVER_SIGNATURE', []],
    ['a wrong proof in a challenge', () => el('ask', 'dj1BQUFB'), 'SCRAM_SERVER_SIGNATURE', ['stop']],
    ['what is no base64', () => el('done', el('last', '?')), 'SASL_BAD_BASE64', []],
    ['a success of RFC 6120', () => sasl('success'), 'SASL_UNEXPECTED', []],
  ] as const)('%s is refused as in the other', async (_what, end, code, behind) => {
    const stream = server(end);
    expect((await refusal(() => runExchange(stream, other, scram, settings))).code).toBe(code);
    expect(stream.names).toEqual(['begin', 'answer', ...behind]);
  });
});

describe('S-SASL-10, A-NEG-11: bounds', () => {
  it('no more than ten challenges', async () => {
    const challenge = sasl('challenge', Buffer.from('rspauth=x'));
    const loop: Mechanism = {
      ...idle,
      async run(exchange) {
        for (let said = null; ; said = Buffer.of(1)) await exchange.challenge(said);
      },
    };
    const stream = new ScriptedStream(() => [challenge]);
    expect((await refusal(() => runExchange(stream, SASL, loop, mechanismSettings()))).code).toBe('SASL_LIMIT');
    expect(stream.names).toEqual(['auth', ...Array.from({ length: 10 }, () => 'response'), 'abort']);
  });

  it('no challenge of more than 64 KiB', async () => {
    const stream = scripted(sasl('challenge', Buffer.alloc(1 << 20)));
    expect((await refusal(() => signIn(stream, offered('SCRAM-SHA-1'), make(), link))).code).toBe('SASL_LIMIT');
  });

  it('a challenge in the wrong state aborts', async () => {
    const stream = scripted(sasl('challenge'));
    expect((await refusal(() => signIn(stream, offered('PLAIN'), make(), link))).code).toBe('SASL_UNEXPECTED');
    expect(stream.names).toEqual(['auth', 'abort']);
  });

  it('a nonce that is not ours gets no proof', async () => {
    const stream = scripted(sasl('challenge', Buffer.from('r=evil,s=QSXCR+Q6sek8bf92,i=4096')));
    expect((await refusal(() => signIn(stream, offered('SCRAM-SHA-1'), make(), link))).code).toBe('SCRAM_NONCE');
    expect(stream.names).toEqual(['auth', 'abort']);
  });
});

describe('S-SASL-8: failures', () => {
  it.each([
    ['not-authorized', 'not-authorized', false],
    ['account-disabled', 'account-disabled', false],
    ['credentials-expired', 'credentials-expired', false],
    ['temporary-auth-failure', 'temporary-auth-failure', true],
    ['encryption-required', 'encryption-required', false],
    ['mechanism-too-weak', 'mechanism-too-weak', false],
    ['invalid-mechanism', 'invalid-mechanism', false],
    ['invented', 'not-authorized', false],
    ['__proto__', 'not-authorized', false],
  ])('%s', async (name, condition, retryable) => {
    const text = xml('text', { xmlns: 'urn:ietf:params:xml:ns:xmpp-sasl', 'xml:lang': 'en' }, 'try\u202e again');
    const stream = scripted(sasl('failure', undefined, sasl(name), text));
    const error = await refusal(() => signIn(stream, offered('PLAIN'), make(), link));
    expect(error).toMatchObject({
      code: 'SASL_FAILURE',
      layer: 'sasl',
      phase: 'auth',
      origin: 'peer',
      condition,
      retryable,
      lang: 'en',
    });
    expect(error.text).toBe('try\\u202e again');
    expect(error.message).not.toContain('again');
  });

  it('an empty one', async () => {
    const stream = scripted(sasl('failure'));
    const error = await refusal(() => signIn(stream, offered('PLAIN'), make(), link));
    expect([error.code, error.condition]).toEqual(['SASL_FAILURE', 'not-authorized']);
  });

  it('S-SASL-3: a failed SCRAM leads to no second try', async () => {
    const stream = scramStream(() => [sasl('failure', undefined, sasl('not-authorized'))]);
    await refusal(() => signIn(stream, offered('SCRAM-SHA-1', 'PLAIN'), make(), link));
    expect(stream.names).toEqual(['auth', 'response']);
  });

  it('OAUTHBEARER tells the status', async () => {
    const stream = new ScriptedStream((element) =>
      element.localName === 'auth'
        ? [sasl('challenge', Buffer.from('{"status":"invalid_token"}'))]
        : [sasl('failure', undefined, sasl('not-authorized'))],
    );
    const settings = make({ mechanisms: ['OAUTHBEARER'], username: 'user', password: 'token' });
    expect((await refusal(() => signIn(stream, offered('OAUTHBEARER'), settings, link))).message).toContain(
      'invalid_token',
    );
    expect(decode(stream.sent[0]!).toString()).toBe('n,a=user@example.com,\x01auth=Bearer token\x01\x01');
    expect(decode(stream.sent[1]!)).toEqual(Buffer.of(1));
  });
});

describe('S-SASL-3: downgrade', () => {
  it('after a sign-in with SCRAM, PLAIN alone is refused and nothing is sent', async () => {
    const settings = make();
    await signIn(scramStream(), offered('SCRAM-SHA-1', 'PLAIN'), settings, link);
    const stream = scripted(sasl('success'));
    expect((await refusal(() => signIn(stream, offered('PLAIN'), settings, link))).code).toBe('SASL_DOWNGRADE');
    expect(stream.sent).toEqual([]);
    expect(stream.events).toEqual([]);
  });

  it('a wrong password does not undo that', async () => {
    const settings = make({ password: 'wrong' });
    await refusal(() => signIn(scramStream(), offered('SCRAM-SHA-1'), settings, link));
    expect((await refusal(() => signIn(scripted(), offered('PLAIN'), settings, link))).code).toBe('SASL_DOWNGRADE');
  });

  it('a failed offer in clear makes no memory', async () => {
    const settings = make({ password: 'wrong' });
    await refusal(() => signIn(scramStream(), offered('SCRAM-SHA-1'), settings, { verified: false, bindings: null }));
    expect(await signIn(scripted(sasl('success')), offered('PLAIN'), settings, link)).toBe('PLAIN');
  });

  it('a sign-in with SCRAM in clear is remembered, for the server has proved itself', async () => {
    const settings = make();
    await signIn(scramStream(), offered('SCRAM-SHA-1'), settings, { verified: false, bindings: null });
    expect((await refusal(() => signIn(scripted(), offered('PLAIN'), settings, link))).code).toBe('SASL_DOWNGRADE');
  });

  it('without a memory of its own the process remembers', async () => {
    const settings = make();
    const server = scramStream();
    await signIn(server, offered('SCRAM-SHA-1'), settings, link);
    expect((await refusal(() => signIn(scripted(), offered('PLAIN'), settings, link))).code).toBe('SASL_DOWNGRADE');
  });
});

it('features without mechanisms', async () => {
  const error = await refusal(() => signIn(scripted(), xml('features', {}), make(), link));
  expect(error.code).toBe('SASL_NO_ACCEPTABLE_MECHANISM');
});

it('an error of the stream goes through as it is, without an abort', async () => {
  const stream = new ScriptedStream(() => []);
  await expect(signIn(stream, offered('PLAIN'), make(), link)).rejects.toThrow('the script is over');
  expect(stream.names).toEqual(['auth']);
});

it('S-SASL-16: no error shows the password or a proof', async () => {
  const password = 'correct horse battery';
  const streams = [
    scripted(sasl('failure')),
    scripted(sasl('success')),
    scripted(sasl('challenge', Buffer.from('r=evil,s=AAAA,i=4096'))),
    scramStream(() => [sasl('success')]),
  ];
  for (const stream of streams) {
    for (const mechanism of ['SCRAM-SHA-1', 'DIGEST-MD5'] as const) {
      const settings = make({ password, mechanisms: [mechanism] });
      const error: unknown = await signIn(stream, offered(mechanism), settings, link).catch(
        (reason: unknown) => reason,
      );
      const shown = inspect(error, { depth: 9, showHidden: true });
      expect(shown).not.toContain(password);
      for (const element of stream.sent) {
        if (element.textContent.length > 8) expect(shown).not.toContain(element.textContent);
      }
    }
  }
});
