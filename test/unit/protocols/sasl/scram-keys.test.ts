import { inspect } from 'node:util';
import { describe, expect, it } from 'vitest';
import { Scram, type ScramSettings } from '../../../../src/protocols/sasl/scram.js';
import { deriveKeys, ScramKeyCache } from '../../../../src/protocols/sasl/scram-keys.js';
import { codeOf } from './support.js';

const NONCE = 'rOprNGfwEbeRWgbNEkqO';

const base: ScramSettings = {
  hash: 'sha256',
  binding: { flag: 'n' },
  username: 'user',
  password: 'pencil',
  nonce: NONCE,
};

const scram = (settings: Partial<ScramSettings> = {}) =>
  new Scram({ ...base, cache: new ScramKeyCache(), ...settings });

/** A client that has sent its first message. */
async function started(settings: Partial<ScramSettings> = {}): Promise<Scram> {
  const client = scram(settings);
  await client.start();
  return client;
}

/** What the client answers to a server-first message. */
const answer = async (message: string | Buffer, settings: Partial<ScramSettings> = {}): Promise<string> =>
  (await (await started(settings)).challenge(Buffer.from(message))).toString();

const SALT = 'W22ZaJ0SNY7soEsUEjb6gQ==';

const first = (fields: { r?: string; s?: string; i?: string } = {}) =>
  `r=${fields.r ?? `${NONCE}more`},s=${fields.s ?? SALT},i=${fields.i ?? '4096'}`;

describe('S-SCRAM-5: key derivation', () => {
  it('leaves the event loop free', async () => {
    let turns = 0;
    let running = true;
    const turn = () => {
      turns++;
      if (running) setImmediate(turn);
    };
    setImmediate(turn);
    await answer(first({ i: '200000' }));
    running = false;
    expect(turns).toBeGreaterThan(10);
  });

  it('its result is thrown away when the attempt was given up meanwhile', async () => {
    const controller = new AbortController();
    const client = await started({ signal: controller.signal });
    const response = client.challenge(Buffer.from(first()));
    controller.abort(new Error('timeout'));
    expect(await codeOf(() => response)).toBe('SASL_ABORTED');
    expect(await codeOf(() => client.success(Buffer.from('v=AAAA')))).toBe('SASL_SERVER_NOT_AUTHENTICATED');
  });
});

describe('S-SCRAM-10: the cache of keys', () => {
  const source = { hash: 'sha1', salt: Buffer.from('salt'), iterations: 4096, password: 'pencil' } as const;

  it('gives the same keys again, and others when anything differs', async () => {
    const cache = new ScramKeyCache();
    const keys = await cache.keys('a', source);
    expect(await cache.keys('a', { ...source, salt: Buffer.from('salt') })).toBe(keys);
    expect(await deriveKeys(source)).toEqual(keys);
    const others = [
      await cache.keys('b', source),
      await cache.keys('a', { ...source, salt: Buffer.from('pepper') }),
      await cache.keys('a', { ...source, iterations: 4097 }),
      await cache.keys('a', { ...source, password: 'other' }),
      await cache.keys('a', { ...source, hash: 'sha256' }),
    ];
    expect(others).not.toContain(keys);
    expect(cache.size).toBe(6);
  });

  it('is bounded; the least recently used goes first', async () => {
    const cache = new ScramKeyCache(2);
    const one = await cache.keys('1', source);
    await cache.keys('2', source);
    expect(await cache.keys('1', source)).toBe(one);
    await cache.keys('3', source);
    expect(cache.size).toBe(2);
    expect(await cache.keys('1', source)).toBe(one);
  });

  it('shows nothing of a password', async () => {
    const cache = new ScramKeyCache();
    await cache.keys('account', { ...source, password: 'correct horse' });
    const shown = inspect(cache, { depth: 9, showHidden: true }) + JSON.stringify(cache);
    expect(shown).not.toContain('correct horse');
    expect(shown).not.toContain('account');
  });
});
