import { inspect } from 'node:util';
import { describe, expect, it } from 'vitest';
import { SCRAM } from '../../../../src/protocols/sasl/scram.js';
import { deriveKeys, KEYS_LIMIT, ScramKeyCache } from '../../../../src/protocols/sasl/scram-keys.js';
import { codeOf, MechanismRun } from './support.js';

/** A client that has sent its first message, and a server-first message for it. */
async function started(iterations: number, signal?: AbortSignal) {
  const client = new MechanismRun(
    SCRAM.find(({ name }) => name === 'SCRAM-SHA-256')!,
    { signal },
  );
  const nonce = (await client.start())!.toString().split('r=')[1] ?? '';
  return { client, first: Buffer.from(`r=${nonce}more,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=${String(iterations)}`) };
}

describe('S-SCRAM-5: key derivation', () => {
  it('leaves the event loop free', async () => {
    let turns = 0;
    let running = true;
    const turn = () => {
      turns++;
      if (running) setImmediate(turn);
    };
    setImmediate(turn);
    const { client, first } = await started(200_000);
    await client.challenge(first);
    running = false;
    expect(turns).toBeGreaterThan(10);
  });

  it('its result is thrown away when the attempt was given up meanwhile', async () => {
    const controller = new AbortController();
    const { client, first } = await started(4096, controller.signal);
    const response = client.challenge(first);
    controller.abort(new Error('timeout'));
    expect(await codeOf(() => response)).toBe('SASL_ABORTED');
    expect(client.aborted).toBe(true);
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
    const cache = new ScramKeyCache();
    const quick = { ...source, iterations: 1 };
    const one = await cache.keys('one', quick);
    const two = await cache.keys('two', quick);
    expect(await cache.keys('one', quick)).toBe(one);
    for (let i = 1; i < KEYS_LIMIT; i++) await cache.keys(String(i), quick);
    expect(cache.size).toBe(KEYS_LIMIT);
    expect(await cache.keys('one', quick)).toBe(one);
    expect(await cache.keys('two', quick)).not.toBe(two);
  });

  it('shows nothing of a password', async () => {
    const cache = new ScramKeyCache();
    await cache.keys('account', { ...source, password: 'correct horse' });
    const shown = inspect(cache, { depth: 9, showHidden: true }) + JSON.stringify(cache);
    expect(shown).not.toContain('correct horse');
    expect(shown).not.toContain('account');
  });
});
