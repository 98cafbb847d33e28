import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { BrokerError, fileTokenStore, type FastToken } from 'xmpp-broker';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'xmpp-broker-tokens-'));
});
afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

const token = (secret: string, more: Partial<FastToken> = {}): FastToken => ({
  token: secret,
  mechanism: 'HT-SHA-256-EXPR',
  expiry: '2030-01-01T00:00:00Z',
  userAgentId: '0e5b4d8a-6bc5-4f6a-9d3a-2f9f6ab0c3de',
  ...more,
});

const refusal = async (promise: unknown): Promise<BrokerError> => {
  const error: unknown = await (promise as Promise<unknown>).then(
    () => null,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(BrokerError);
  return error as BrokerError;
};

describe('fileTokenStore()', () => {
  it('S-S2-6: keeps tokens by account over the life of the process, in a file for its owner only', async () => {
    const path = join(folder, 'tokens.json');
    const store = fileTokenStore(path);
    expect(await store.load('a@x')).toBeNull();
    await store.save('nobody@x', null);
    expect(readdirSync(folder)).toEqual([]);
    await store.save('a@x', token('one', { previous: 'zero' }));
    await store.save('b@x', token('two'));
    await store.save('__proto__', token('three'));
    const again = fileTokenStore(path);
    expect(await again.load('a@x')).toEqual(token('one', { previous: 'zero' }));
    expect(await again.load('__proto__')).toEqual(token('three'));
    expect(await again.load('toString')).toBeNull();
    await again.save('a@x', null);
    expect(await store.load('a@x')).toBeNull();
    expect(await store.load('b@x')).toEqual(token('two'));
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(readdirSync(folder)).toEqual(['tokens.json']);
  });

  it('writes one after the other, each time a whole file', async () => {
    const store = fileTokenStore(join(folder, 't'));
    const names = Array.from({ length: 30 }, (_, n) => `u${String(n)}@x`);
    await Promise.all(names.map(async (name) => store.save(name, token(name))));
    for (const name of names) expect(await store.load(name)).toEqual(token(name));
  });

  it.each([0o640, 0o604, 0o666, 0o610])('refuses a file of mode %o', async (mode) => {
    const path = join(folder, 't');
    writeFileSync(path, '{}');
    chmodSync(path, mode);
    const store = fileTokenStore(path);
    for (const tried of [() => store.load('a@x'), () => store.save('a@x', token('secret'))]) {
      expect(await refusal(tried())).toMatchObject({ code: 'USAGE_TOKEN_FILE', layer: 'usage' });
    }
    expect(readFileSync(path, 'utf8')).toBe('{}');
  });

  it('refuses a folder that anybody may write to, unless only owners may remove from it', async () => {
    const open = join(folder, 'open');
    mkdirSync(open);
    chmodSync(open, 0o777);
    expect(await refusal(fileTokenStore(join(open, 't')).load('a@x'))).toMatchObject({ code: 'USAGE_TOKEN_FILE' });
    chmodSync(open, 0o1777);
    expect(await fileTokenStore(join(open, 't')).load('a@x')).toBeNull();
  });

  it.each(['{"a@x":{"token":"half-of-a-secret', '7', 'null', '', 'half-of-a-secret'])(
    'a file with %j is refused, and nothing of it is shown',
    async (text) => {
      const path = join(folder, 't');
      writeFileSync(path, text, { mode: 0o600 });
      const error = await refusal(fileTokenStore(path).load('a@x'));
      expect(error.code).toBe('USAGE_TOKEN_FILE');
      expect(inspect(error, { depth: 9 })).not.toContain('half-of-a-secret');
    },
  );

  it('what is no token in it is not given', async () => {
    const path = join(folder, 't');
    const odd = { 'a@x': 7, 'b@x': { token: 'x' }, 'c@x': token('x', { mechanism: 'PLAIN' }), 'd@x': token('good') };
    writeFileSync(path, JSON.stringify(odd), { mode: 0o600 });
    const store = fileTokenStore(path);
    for (const name of ['a@x', 'b@x', 'c@x']) expect(await store.load(name)).toBeNull();
    expect(await store.load('d@x')).toEqual(token('good'));
  });

  it('a folder that is not there, and a file that is a folder', async () => {
    await expect(fileTokenStore(join(folder, 'none', 't')).load('a@x')).rejects.toMatchObject({ code: 'ENOENT' });
    expect(await refusal(fileTokenStore(folder).load('a@x'))).toMatchObject({ code: 'USAGE_TOKEN_FILE' });
  });

  it('shows neither tokens nor more than its two methods', async () => {
    const store = fileTokenStore(join(folder, 't'));
    await store.save('a@x', token('secret'));
    expect(Object.keys(store)).toEqual(['load', 'save']);
    expect(inspect(store, { depth: 9, showHidden: true })).not.toContain('secret');
  });
});
