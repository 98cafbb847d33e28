import { describe, expect, it } from 'vitest';
import { Deferred } from '../../src/deferred.js';

describe('Deferred', () => {
  it('has one outcome, whoever asks before or after', async () => {
    const deferred = new Deferred<number>();
    const before = deferred.promise;
    expect(deferred.settled).toBe(false);
    deferred.resolve(1);
    deferred.resolve(2);
    deferred.reject(new Error('late'));
    expect(deferred.settled).toBe(true);
    expect(deferred.promise).toBe(before);
    await expect(before).resolves.toBe(1);
  });

  it('tells an outcome that came before anybody asked', async () => {
    const won = new Deferred<string>();
    won.resolve('here');
    await expect(won.promise).resolves.toBe('here');
    const lost = new Deferred<string>();
    lost.reject(new Error('gone'));
    await expect(lost.promise).rejects.toThrow('gone');
  });

  it('is no unhandled rejection when nobody waits', async () => {
    const seen: unknown[] = [];
    const onRejection = (reason: unknown) => seen.push(reason);
    process.on('unhandledRejection', onRejection);
    try {
      const asked = new Deferred<void>();
      expect(asked.promise).toBeInstanceOf(Promise);
      asked.reject(new Error('nobody waits'));
      new Deferred<void>().reject(new Error('nobody asked'));
      await new Promise((resolve) => setImmediate(resolve));
    } finally {
      process.off('unhandledRejection', onRejection);
    }
    expect(seen).toEqual([]);
  });
});
