import { expect, it, onTestFinished, vi } from 'vitest';
import type { KV } from '@nats-io/kv';
import type { NatsLink } from '../../../src/nats/connection.js';
import { Lease } from '../../../src/nats/lease.js';

/** Blocks the event loop, as a process does that gets no processor. */
function busy(ms: number): void {
  const until = Date.now() + ms;
  while (Date.now() < until);
}

/** A bucket whose answers come as packets do: behind the timers of a turn of the event loop. */
function bucket(): KV {
  let revision = 0;
  const answered = (): Promise<number> =>
    new Promise((resolve) => {
      setImmediate(() => {
        resolve((revision += 1));
      });
    });
  return { get: () => Promise.resolve(null), create: answered, update: answered } as unknown as KV;
}

it('L-1 a holder that was busy while the answer of NATS came stays the holder', async () => {
  let now = 0;
  const clock = vi.spyOn(performance, 'now').mockImplementation(() => now);
  onTestFinished(() => {
    clock.mockRestore();
  });
  const link = Object.create(null) as NatsLink;
  const lease = new Lease({ link, kv: bucket(), key: 'k', id: 'me', ttlMs: 3_000, what: 'the queue' });
  await lease.take(new AbortController().signal, () => undefined);
  // Ten milliseconds before its time is over it writes; when it looks again, that time is over, and the answer is there.
  now = 2_490;
  const lost: string[] = [];
  lease.keep(({ message }) => lost.push(message));
  const written = lease.write({});
  busy(50);
  now = 2_600;
  await written;
  await new Promise((resolve) => setImmediate(resolve));
  expect([lost, lease.isHeld]).toEqual([[], true]);
  lease.stop();
});

it('L-1 a holder that gets no answer lets go, also when its timer comes a moment early', async () => {
  let now = 0;
  const clock = vi.spyOn(performance, 'now').mockImplementation(() => now);
  onTestFinished(() => {
    clock.mockRestore();
  });
  const link = Object.create(null) as NatsLink;
  const lease = new Lease({ link, kv: bucket(), key: 'k', id: 'me', ttlMs: 3_000, what: 'the queue' });
  await lease.take(new AbortController().signal, () => undefined);
  now = 2_499;
  const lost = new Promise<string>((resolve) => {
    lease.keep(({ code }) => {
      resolve(code);
    });
  });
  // The timer fires behind a millisecond, and the clock that counts is not there yet.
  now = 2_499.9;
  await new Promise((resolve) => setTimeout(resolve, 20));
  expect(lease.isHeld).toBe(true);
  now = 2_500;
  expect(await lost).toBe('QUEUE_FENCED');
});

it('L-1 who waits takes it as soon as its time is over, however long the answers of NATS take', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
  onTestFinished(() => {
    vi.useRealTimers();
  });
  const record = {
    v: 1,
    id: 'other',
    host: 'h',
    pid: 1,
    epoch: 1,
    ttlMs: 3_000,
    since: 0,
    n: 1,
    released: false,
    body: 1,
  };
  const entry = { string: () => JSON.stringify(record), revision: 7, created: new Date(5) };
  const kv = {
    get: () => new Promise((resolve) => setTimeout(() => resolve(entry), 11)),
    update: () => Promise.resolve(8),
  } as unknown as KV;
  const lease = new Lease({
    link: Object.create(null) as NatsLink,
    kv,
    key: 'k',
    id: 'me',
    ttlMs: 3_000,
    what: 'the queue',
  });
  const taking = lease.take(new AbortController().signal, () => undefined);
  // It is first seen with the first answer, and looked at once more when the time is over.
  await vi.advanceTimersByTimeAsync(11 + 3_000 - 1);
  expect(lease.isHeld).toBe(false);
  await vi.advanceTimersByTimeAsync(1 + 11);
  expect(await taking).toEqual({ epoch: 2, after: 'expired', lastEpoch: 1, body: 1, at: 5 });
});

it.each(['check', 'settle'] as const)('%s() writes the record with what was under way to it', async (asks) => {
  const written: unknown[] = [];
  const kv = bucket();
  const { update } = kv;
  kv.update = (key, text, ...rest) => {
    written.push((JSON.parse(text as string) as { body: unknown }).body);
    return update(key, text, ...rest);
  };
  const link = Object.create(null) as NatsLink;
  const lease = new Lease({ link, kv, key: 'k', id: 'me', ttlMs: 60_000, what: 'the queue' });
  await lease.take(new AbortController().signal, () => undefined);
  lease.keep(() => undefined);
  const under = lease.write({ marks: 'new' });
  await lease[asks]();
  await under;
  expect(written).toEqual([{ marks: 'new' }, { marks: 'new' }]);
  lease.stop();
});
