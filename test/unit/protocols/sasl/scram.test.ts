import { inspect } from 'node:util';
import fc from 'fast-check';
import { describe, expect, it, vi } from 'vitest';
import { BrokerError } from '../../../../src/errors.js';
import type { BindingPlan } from '../../../../src/protocols/sasl/binding-plan.js';
import type { MechanismSettings } from '../../../../src/protocols/sasl/mechanism.js';
import { makeOffer, offerText } from '../../../../src/protocols/sasl/offer.js';
import { SCRAM } from '../../../../src/protocols/sasl/scram.js';
import type { ScramHash } from '../../../../src/protocols/sasl/scram-keys.js';
import { codeOf, MechanismRun, refusal, ScramServer } from './support.js';

const random = vi.hoisted(() => ({ nonce: null as string | null }));
vi.mock(import('node:crypto'), async (importOriginal) => {
  const crypto = await importOriginal();
  const randomBytes = (size: number) =>
    random.nonce === null ? crypto.randomBytes(size) : Buffer.from(random.nonce, 'base64');
  return { ...crypto, randomBytes: randomBytes };
});

const NONCE = 'rOprNGfwEbeRWgbNEkqO';
const NAMES = { sha1: 'SCRAM-SHA-1', sha256: 'SCRAM-SHA-256', sha512: 'SCRAM-SHA-512' } as const;

interface Own extends Partial<MechanismSettings> {
  hash?: ScramHash;
  plus?: boolean;
  /** Null for a random one. */
  nonce?: string | null;
}

function scram({ hash = 'sha256', plus = false, nonce = NONCE, ...own }: Own = {}): MechanismRun {
  random.nonce = nonce;
  return new MechanismRun(
    SCRAM.find(({ name }) => name === NAMES[hash] + (plus ? '-PLUS' : ''))!,
    own,
  );
}

/** The first message. */
const firstOf = async (own: Own = {}): Promise<string> => (await scram(own).start())!.toString();

/** A client that has sent its first message. */
async function started(own: Own = {}): Promise<MechanismRun> {
  const client = scram(own);
  await client.start();
  return client;
}

/** What the client answers to a server-first message. */
const answer = async (message: string | Buffer, own: Own = {}): Promise<string> =>
  (await (await started(own)).challenge(Buffer.from(message))).toString();

/** A client that has sent its proof, and the right server-final message. */
async function proved(own: Own = {}) {
  const client = scram(own);
  const server = new ScramServer(own.hash ?? 'sha256', 'pencil');
  const proof = await client.challenge(server.challenge((await client.start())!));
  return { client, final: server.final(proof) };
}

const SALT = 'W22ZaJ0SNY7soEsUEjb6gQ==';
const first = (fields: { r?: string; s?: string; i?: string } = {}) =>
  `r=${fields.r ?? `${NONCE}more`},s=${fields.s ?? SALT},i=${fields.i ?? '4096'}`;

describe('S-SCRAM-11: vectors', () => {
  const vectors = [
    {
      name: 'RFC 5802 §5',
      hash: 'sha1',
      user: 'user',
      password: 'pencil',
      nonce: 'fyko+d2lbbFgONRv9qkxdawL',
      first: 'n,,n=user,r=fyko+d2lbbFgONRv9qkxdawL',
      server: 'r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,s=QSXCR+Q6sek8bf92,i=4096',
      final: 'c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=',
      proof: 'v=rmF9pqV8S7suAoZWja4dJRkFsKQ=',
    },
    {
      name: 'RFC 7677 §3',
      hash: 'sha256',
      user: 'user',
      password: 'pencil',
      nonce: NONCE,
      first: `n,,n=user,r=${NONCE}`,
      server: `r=${NONCE}%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096`,
      final: `c=biws,r=${NONCE}%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=`,
      proof: 'v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=',
    },
    {
      name: 'the same with SHA-512, from another implementation',
      hash: 'sha512',
      user: 'user',
      password: 'pencil',
      nonce: NONCE,
      first: `n,,n=user,r=${NONCE}`,
      server: `r=${NONCE}%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096`,
      final: `c=biws,r=${NONCE}%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=gMGXRcevScNtxZ6/8lQYpGtnsNAc3mGcmNomv+xnoOMw+3R2xNJdMNnzMlTN8PPC6wdp6dybEmDYXYTxwnYPJQ==`,
      proof: 'v=ZQnYEgWQMFmmsM8aQMF0nDDCy/AgCzkwk8CmMZYcMg0vSVlKDanekLtifDSeVGT4+5ZxXnJq199RVG2rR7N7Zw==',
    },
    {
      name: 'as ejabberd answered',
      hash: 'sha256',
      user: 'alice',
      password: 'secret',
      nonce: 'qzY1Spahqr0vgWt0',
      first: 'n,,n=alice,r=qzY1Spahqr0vgWt0',
      server: 'r=qzY1Spahqr0vgWt0eaCZQW4N+b436uquyBPyAg==,s=2i4TlcLdSKnbK2ycBBWjVQ==,i=4096',
      final: 'c=biws,r=qzY1Spahqr0vgWt0eaCZQW4N+b436uquyBPyAg==,p=GFWWYRps6Beihc4/1PjFQeA5nW9k0iwVuLW/JPlvIeg=',
      proof: 'v=8H0l8k/pYRPHVNpichDfVgK9eHs42lXh4N1+DvoxAg0=',
    },
  ] as const;

  it.each(vectors)('$name', async (vector) => {
    const { hash, user: username, password, nonce } = vector;
    const client = scram({ hash, username, password, nonce });
    expect((await client.start())!.toString()).toBe(vector.first);
    expect((await client.challenge(Buffer.from(vector.server))).toString()).toBe(vector.final);
    await client.success(Buffer.from(vector.proof));
  });
});

describe('S-SCRAM-1: the client nonce', () => {
  it('is at least 18 random bytes, printable, without a comma', async () => {
    const nonces = new Set<string>();
    for (let i = 0; i < 100; i++) {
      const message = await firstOf({ nonce: null });
      const nonce = /^n,,n=user,r=([!-+\--~]+)$/.exec(message)?.[1] ?? '';
      expect(nonce.length).toBeGreaterThanOrEqual(24);
      nonces.add(nonce);
    }
    expect(nonces.size).toBe(100);
  });
});

describe('S-SCRAM-2, A-NEG-10: the server nonce is checked before a proof is made', () => {
  it.each([
    ['another', 'evil'],
    ['ours alone', NONCE],
    ['ours in other case', `${NONCE.toUpperCase()}x`],
    ['not ASCII', `${NONCE}\u00e4`],
    ['a space', `${NONCE} x`],
    ['of 40 000 characters', `${NONCE}${'x'.repeat(40_000)}`],
  ])('%s', async (_name, r) => {
    expect(await codeOf(() => answer(first({ r })))).toBe('SCRAM_NONCE');
  });

  it('empty', async () => {
    expect(await codeOf(() => answer(first({ r: '' })))).toBe('SCRAM_MALFORMED');
  });

  it('given twice', async () => {
    expect(await codeOf(() => answer(`r=${NONCE}x,${first()}`))).toBe('SCRAM_MALFORMED');
    expect(await codeOf(() => answer(`${first()},r=${NONCE}x`))).toBe('SCRAM_MALFORMED');
  });

  it('does not ask for the password when it is wrong', async () => {
    let asked = 0;
    const password = () => {
      asked++;
      return 'pencil';
    };
    for (const message of [first({ r: 'evil' }), first({ i: '1' }), first({ s: '' }), `m=x,${first()}`]) {
      await refusal(() => answer(message, { password }));
    }
    expect(asked).toBe(0);
    await answer(first(), { password });
    expect(asked).toBe(1);
  });
});

describe('S-SCRAM-3: attributes', () => {
  it.each([`m=ext,${first()}`, `${first()},m=ext`])('a mandatory extension fails: %s', async (message) => {
    expect(await codeOf(() => answer(message))).toBe('SCRAM_EXTENSION');
  });

  it('an unknown optional extension is ignored, and signed', async () => {
    const server = new ScramServer('sha256', 'pencil');
    server.extension = ',x=19C6532F,y=\u00fc=1';
    const client = scram();
    const proof = await client.challenge(server.challenge((await client.start())!));
    await client.success(server.final(proof));
  });

  it.each([
    `s=${SALT},r=${NONCE}x,i=4096`,
    `r=${NONCE}x,i=4096,s=${SALT}`,
    `r=${NONCE}x,s=${SALT}`,
    `r=${NONCE}x`,
    '',
    ',',
    `r${NONCE}x,s=${SALT},i=4096`,
    `${first()},`,
    `${first()},xx=1`,
    `${first()},x=`,
    `${first()},x=a\0b`,
    `${first()},h=a,h=a`,
    `${first()},s=${SALT}`,
    ` ${first()}`,
    `\ufeff${first()}`,
  ])('wrong order or form: %j', async (message) => {
    expect(await codeOf(() => answer(message))).toBe('SCRAM_MALFORMED');
  });

  it('no UTF-8', async () => {
    const bytes = Buffer.concat([Buffer.from(`${first()},x=`), Buffer.from([0xc0, 0xaf])]);
    expect(await codeOf(() => answer(bytes))).toBe('SCRAM_MALFORMED');
  });
});

describe('S-SCRAM-4, A-NEG-9: iterations', () => {
  it.each([
    '0',
    '1',
    '4095',
    '1000001',
    '2147483648',
    '99999999999999999999',
    '007',
    '04096',
    '4e3',
    '-4096',
    '+4096',
    '4096.0',
    '0x1000',
    ' 4096',
    '4096 ',
    '\uff14\uff10\uff19\uff16',
    'NaN',
    '9'.repeat(40_000),
  ])('%s is refused before the key derivation', async (i) => {
    let derived = false;
    const password = () => {
      derived = true;
      return 'pencil';
    };
    const error = await refusal(() => answer(first({ i }), { password }));
    expect(error.code).toBe('SCRAM_ITERATIONS');
    expect(error.message).toContain('4096');
    expect(error.message).toContain('1000000');
    expect(error.message.length).toBeLessThan(200);
    expect(derived).toBe(false);
  });

  it.each(['4096', '1000000'])('%s is taken', async (i) => {
    expect(await answer(first({ i }), { hash: 'sha1' })).toContain(',p=');
  });

  it('the limits are options', async () => {
    expect(await codeOf(() => answer(first({ i: '4096' }), { iterations: { min: 10_000 } }))).toBe('SCRAM_ITERATIONS');
    expect(await codeOf(() => answer(first({ i: '5000' }), { iterations: { max: 4999 } }))).toBe('SCRAM_ITERATIONS');
    expect(await answer(first({ i: '1' }), { iterations: { min: 1 } })).toContain(',p=');
  });
});

describe('A-NEG-10: the salt', () => {
  it.each([
    'QUK',
    'QUK=x',
    'QU K=',
    'QUL=',
    '=',
    '====',
    'QUI-',
    Buffer.alloc(1025).toString('base64'),
    'A'.repeat(40_000),
  ])('%# is refused', async (s) => {
    expect(await codeOf(() => answer(first({ s })))).toBe('SCRAM_SALT');
  });

  it('empty is refused', async () => {
    expect(await codeOf(() => answer(first({ s: '' })))).toBe('SCRAM_MALFORMED');
  });

  it('of 1 and of 1024 bytes is taken', async () => {
    expect(await answer(first({ s: 'AA==' }))).toContain(',p=');
    expect(await answer(first({ s: Buffer.alloc(1024, 7).toString('base64') }))).toContain(',p=');
  });
});

describe('S-SCRAM-6: the server has to prove itself', () => {
  it('with the signature in the success', async () => {
    const { client, final } = await proved();
    await client.success(final);
  });

  it('S-SASL-6: or in a last challenge', async () => {
    const { client, final } = await proved();
    expect(await client.challenge(final)).toHaveLength(0);
    await client.success(null);
  });

  it('S-SASL-6: a last challenge, and an empty success', async () => {
    const { client, final } = await proved();
    await client.challenge(final);
    await client.success(Buffer.alloc(0));
  });

  it.each([
    ['none', null],
    ['an empty one', Buffer.alloc(0)],
    ['one of another key', Buffer.from('v=rmF9pqV8S7suAoZWja4dJRkFsKQ=')],
    ['zeros', Buffer.from(`v=${Buffer.alloc(32).toString('base64')}`)],
  ])('success with %s', async (_name, data) => {
    const { client } = await proved();
    expect(await codeOf(() => client.success(data))).toBe('SCRAM_SERVER_SIGNATURE');
  });

  it.each([
    ['truncated', (v: string) => v.slice(0, -4)],
    ['with more base64 behind it', (v: string) => `${v}AAAA`],
    ['with other padding bits', (v: string) => v.replace(/.=$/, (c) => (c === 'B=' ? 'C=' : 'B='))],
    ['without padding', (v: string) => v.replace(/=+$/, '')],
    ['with a line break', (v: string) => `${v}\n`],
    ['its last bit changed', (v: string) => v.replace(/^v=./, (c) => (c === 'v=A' ? 'v=B' : 'v=A'))],
  ])('%s', async (_name, change) => {
    for (const way of ['success', 'challenge'] as const) {
      const { client, final } = await proved();
      const changed = Buffer.from(change(final.toString()));
      const code = await codeOf(() => client[way](changed));
      expect(code).toBe('SCRAM_SERVER_SIGNATURE');
    }
  });

  it.each([
    ['without data', null],
    ['with data', Buffer.from('v=AAAA')],
  ])('S-SASL-9: success without an exchange, %s', async (_name, data) => {
    const client = await started();
    expect(await codeOf(() => client.success(data))).toBe('SASL_SERVER_NOT_AUTHENTICATED');
  });

  it('S-SASL-10: a challenge, or a second signature, behind the last one', async () => {
    for (const way of ['challenge', 'success'] as const) {
      const { client, final } = await proved();
      await client.challenge(final);
      expect(await codeOf(() => client[way](final))).toBe('SASL_UNEXPECTED');
    }
  });

  it('success while keys are derived', async () => {
    const client = await started();
    const response = client.challenge(Buffer.from(first()));
    const success = codeOf(() => client.success(null));
    expect((await response).toString()).toContain(',p=');
    expect(await success).toBe('SCRAM_SERVER_SIGNATURE');
  });

  it('a wrong password ends in a refusal, not in a sign-in', async () => {
    const client = scram({ password: 'other' });
    const server = new ScramServer('sha256', 'pencil');
    const proof = await client.challenge(server.challenge((await client.start())!));
    const error = await refusal(() => client.success(server.final(proof)));
    expect([error.code, error.condition]).toEqual(['SCRAM_SERVER_ERROR', 'invalid-proof']);
  });
});

describe('S-SCRAM-7: errors in the last message', () => {
  it.each([
    ['invalid-proof', 'invalid-proof'],
    ['unknown-user', 'unknown-user'],
    ['channel-bindings-dont-match', 'channel-bindings-dont-match'],
    ['made-up', 'other-error'],
    ['__proto__', 'other-error'],
  ])('e=%s', async (value, condition) => {
    const { client } = await proved();
    const error = await refusal(() => client.challenge(Buffer.from(`e=${value}`)));
    expect([error.code, error.condition, error.text]).toEqual(['SCRAM_SERVER_ERROR', condition, value]);
  });

  it.each(['x=1', 'v', '', 'v=', 'v=AAAA,v=AAAA', 'e=x,v=AAAA', 'v=AAAA,e=x'])('malformed: %j', async (message) => {
    const { client } = await proved();
    expect(await codeOf(() => client.challenge(Buffer.from(message)))).toBe('SCRAM_MALFORMED');
    expect(client.aborted).toBe(true);
  });

  it('an extension behind the signature', async () => {
    const one = await proved();
    await one.client.success(Buffer.concat([one.final, Buffer.from(',x=1')]));
    const two = await proved();
    expect(await codeOf(() => two.client.success(Buffer.concat([two.final, Buffer.from(',m=1')])))).toBe(
      'SCRAM_EXTENSION',
    );
  });
});

describe('S-SCRAM-8: names and passwords', () => {
  it.each([
    ['a,b=c', 'a=2Cb=3Dc'],
    ['=2C', '=3D2C'],
    ['I\u00adX', 'IX'],
    ['\u00aa', 'a'],
    ['\u2168', 'IX'],
    ['USER', 'USER'],
  ])('user name %s is sent as %s', async (username, sent) => {
    expect(await firstOf({ username })).toBe(`n,,n=${sent},r=${NONCE}`);
  });

  it.each(['', '\u00ad', '\u0007', '\u06271', '\ud800', '\u{1f600}', 'x\u0378', 'x'.repeat(5000) + '\u00e4'])(
    'user name %j is refused',
    async (username) => {
      expect(await codeOf(() => firstOf({ username }))).toBe('SASL_PREP');
    },
  );

  it.each([
    ['I\u00adX', 'IX'],
    ['\u2168', 'IX'],
    ['pa\u00a0ss', 'pa ss'],
  ])('password %j is used as %j', async (password, prepared) => {
    expect(await answer(first(), { password })).toBe(await answer(first(), { password: prepared }));
  });

  it.each(['\u00ad', 'se\u0007cret\u00e4', '\ud800', 'pass\u{1f600}'])(
    'password %j is refused, and not shown',
    async (password) => {
      const error = await refusal(() => answer(first(), { password }));
      expect(error.code).toBe('SASL_PREP');
      expect(inspect(error)).not.toContain(password);
      expect(error.message).not.toContain('cret');
    },
  );

  it.each([
    ['empty', ''],
    ['undefined', undefined],
    ['a number', 7],
    ['from a function, empty', () => ''],
    ['from a function, null', () => null],
    ['from a function that throws', () => Promise.reject(new Error('vault is closed'))],
    ['too long', 'x'.repeat(4097)],
  ])('password %s', async (_name, password) => {
    expect(await codeOf(() => answer(first(), { password: password as string }))).toBe('USAGE_PASSWORD');
  });

  it('the password may come from a function, now or later', async () => {
    const expected = await answer(first());
    expect(await answer(first(), { password: () => 'pencil' })).toBe(expected);
    expect(await answer(first(), { password: () => Promise.resolve('pencil') })).toBe(expected);
  });

  it('S-SASL-12: authzid only when acting for another', async () => {
    expect(await firstOf({ authzid: 'boss,=@example.com' })).toBe(`n,a=boss=2C=3D@example.com,n=user,r=${NONCE}`);
    expect(await codeOf(() => firstOf({ authzid: '\u0007' }))).toBe('SASL_PREP');
  });
});

describe('S-SCRAM-9: channel binding input', () => {
  const cannot: BindingPlan = { chosen: null, flag: 'n', suspicious: false, lacks: null };
  const boundTo = (data: string): BindingPlan => ({
    ...cannot,
    chosen: { type: 'tls-exporter', data: Buffer.from(data) },
  });
  const c = (message: string) => Buffer.from(/^c=([^,]*)/.exec(message)?.[1] ?? '', 'base64').toString();

  it('is the header as sent, and the data', async () => {
    expect(c(await answer(first()))).toBe('n,,');
    expect(c(await answer(first(), { binding: { ...cannot, flag: 'y' } }))).toBe('y,,');
    expect(c(await answer(first(), { authzid: 'x' }))).toBe('n,a=x,');
    const own = { plus: true, binding: boundTo('THIS IS FAKE CB DATA') };
    expect(await answer(first(), own)).toMatch(/^c=cD10bHMtZXhwb3J0ZXIsLFRISVMgSVMgRkFLRSBDQiBEQVRB,/);
    expect(await firstOf(own)).toMatch(/^p=tls-exporter,,n=user,/);
    // Without -PLUS the data are not used.
    expect(c(await answer(first(), { binding: own.binding }))).toBe('n,,');
  });

  it('a change of the data changes the proof', async () => {
    const proof = async (data: string) =>
      (await answer(first(), { plus: true, binding: boundTo(data) })).split(',p=')[1];
    expect(await proof('a')).not.toBe(await proof('b'));
  });
});

describe('S-CB-7: XEP-0474', () => {
  const offer = makeOffer(['SCRAM-SHA-1-PLUS', 'SCRAM-SHA-1'], ['tls-server-end-point', 'tls-exporter']);

  it('the text that is hashed', () => {
    expect(offerText(offer)).toBe('SCRAM-SHA-1\x1eSCRAM-SHA-1-PLUS\x1ftls-exporter\x1etls-server-end-point');
    expect(offerText(makeOffer(['PLAIN']))).toBe('PLAIN');
    expect(offerText(makeOffer(['PLAIN'], []))).toBe('PLAIN\x1f');
    expect(offerText(makeOffer(['b', '\u{1f600}', '\uffee', 'B', 'b']))).toBe('B\x1eb\x1eb\x1e\uffee\x1e\u{1f600}');
  });

  it('the vector of the XEP is accepted', async () => {
    const message = `${first()},h=G6k/rBLDqgOhRRaCuuatSDFkJ08=`;
    expect(await answer(message, { hash: 'sha1', offer })).toContain(',p=');
  });

  it.each([
    makeOffer(['SCRAM-SHA-1'], ['tls-server-end-point', 'tls-exporter']),
    makeOffer(['SCRAM-SHA-1-PLUS', 'SCRAM-SHA-1'], ['tls-server-end-point']),
    makeOffer(['SCRAM-SHA-1-PLUS', 'SCRAM-SHA-1']),
    makeOffer(['SCRAM-SHA-1-PLUS', 'SCRAM-SHA-1', 'PLAIN'], ['tls-server-end-point', 'tls-exporter']),
  ])('another offer than the server signed: %#', async (changed) => {
    const message = `${first()},h=G6k/rBLDqgOhRRaCuuatSDFkJ08=`;
    expect(await codeOf(() => answer(message, { hash: 'sha1', offer: changed }))).toBe('SASL_DOWNGRADE');
  });

  it('the hash is that of the mechanism', async () => {
    const message = `${first()},h=G6k/rBLDqgOhRRaCuuatSDFkJ08=`;
    expect(await codeOf(() => answer(message, { hash: 'sha256', offer }))).toBe('SASL_DOWNGRADE');
  });

  it('S-CB-6: where the offer is suspicious the hash has to be there', async () => {
    const binding: BindingPlan = { chosen: null, flag: 'n', suspicious: true, lacks: null };
    expect(await codeOf(() => answer(first(), { offer, binding }))).toBe('SASL_DOWNGRADE');
    const signed = `${first()},h=G6k/rBLDqgOhRRaCuuatSDFkJ08=`;
    expect(await answer(signed, { hash: 'sha1', offer, binding })).toContain(',p=');
  });
});

describe('modern 10.5: XEP-0515', () => {
  it.each([
    ['TLSv1.3', '0304'],
    ['TLSv1.2', '0303'],
    ['TLSv1.3', null],
    [null, null],
  ])('inside %s, the server says %s: accepted', async (tlsVersion, said) => {
    const message = said === null ? first() : `${first()},t=${said}`;
    expect(await answer(message, { tlsVersion })).toContain(',p=');
  });

  it.each([
    ['TLSv1.3', '0303'],
    ['TLSv1.2', '0304'],
    ['TLSv1.3', '0302'],
    ['TLSv1.3', 'TLSv1.3'],
    ['TLSv1.4', '0304'],
    ['constructor', '0304'],
    [null, '0304'],
    [undefined, '0303'],
  ])('inside %s, the server says %s: somebody is in between', async (tlsVersion, said) => {
    const error = await refusal(() => answer(`${first()},t=${said}`, { tlsVersion }));
    expect(error.code).toBe('SASL_DOWNGRADE');
    expect(error.message).toContain('XEP-0515');
  });
});

describe('hostile servers', () => {
  const part = fc.oneof(
    fc.string({ maxLength: 20 }),
    fc.constantFrom(
      'r=',
      's=',
      'i=',
      'm=',
      'v=',
      'e=',
      'h=',
      ',',
      '=',
      NONCE,
      SALT,
      '4096',
      '\0',
      '\u00e4',
      '1000000000',
    ),
  );

  it('whatever comes, the answer is an error of ours or a complete message', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(part, { maxLength: 12 }), async (parts) => {
        const client = await started({ hash: 'sha1', iterations: { min: 1, max: 5000 } });
        const message = Buffer.from(parts.join(''));
        try {
          expect((await client.challenge(message)).toString()).toMatch(/^c=.*,r=.*,p=.*$/);
          await client.success(message);
          expect.unreachable('a server without proof was believed');
        } catch (error) {
          expect(error).toBeInstanceOf(BrokerError);
          expect((error as BrokerError).layer).toBe('sasl');
        }
      }),
      { numRuns: 2000 },
    );
  });

  it('no changed byte of the last message is believed', async () => {
    const { final } = await proved({ hash: 'sha1' });
    for (let i = 0; i < final.length; i++) {
      const { client } = await proved({ hash: 'sha1' });
      const changed = Buffer.from(final);
      changed[i] = changed[i]! ^ 1;
      await refusal(() => client.success(changed));
    }
  });
});
