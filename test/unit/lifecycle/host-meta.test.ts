import { expect, it } from 'vitest';
import { readHostMeta } from '../../../src/lifecycle/host-meta.js';

it('a connector that throws what is no error is told as what cannot be read', async () => {
  const asked: number[] = [];
  const connect = (_host: string, port: number): never => {
    asked.push(port);
    // eslint-disable-next-line @typescript-eslint/only-throw-error -- what programs give may do so
    throw 'no error';
  };
  const read = readHostMeta('example.org', connect, new AbortController().signal);
  await expect(read).rejects.toMatchObject({ code: 'RESOLVE_HOST_META' });
  await expect(read).rejects.toThrow(/host-meta\S*: it cannot be read/);
  expect(asked).toEqual([443, 443]);
});
