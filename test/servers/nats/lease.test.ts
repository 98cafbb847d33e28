// L-1: one holder in each epoch. Whoever was overtaken can write nothing any more, and no clocks are compared.
import { jetstream } from '@nats-io/jetstream';
import { Kvm } from '@nats-io/kv';
import { afterEach, expect, it } from 'vitest';
import { prepareNats } from 'xmpp-broker/nats';
import { openLink } from '../../../src/nats/connection.js';
import { Lease } from '../../../src/nats/lease.js';
import { describeServer, Nats, sharedServer } from '../harness/index.js';

const leases: Lease[] = [];
afterEach(() => {
  for (const lease of leases.splice(0)) lease.stop();
});

describeServer('nats', 'L-1: the lease', () => {
  const nats = sharedServer(async () => {
    const server = await Nats.start();
    await prepareNats({ servers: Nats.url(server) });
    return server;
  });
  const never = new AbortController().signal;
  const nobody = (): void => undefined;

  async function lease(key: string, id: string, ttlMs = 1_500) {
    const link = await openLink({ servers: Nats.url(await nats()) }, 'test');
    const kv = await new Kvm(jetstream(link.connection)).open('XMPP_HOLD');
    const made = new Lease({ link, kv, key, id, ttlMs, what: 'the queue "q"' });
    leases.push(made);
    return { made, kv, link };
  }

  it('is taken when it is free, released or silent; epochs rise, and what was written is there', async () => {
    const a = await lease('a', 'one');
    expect(await a.made.take(never, nobody)).toEqual({ epoch: 1, after: 'free', lastEpoch: 0, body: null, at: 0 });
    await a.made.write({ marks: 1 });
    await a.made.release({ marks: 2 });
    const b = await lease('a', 'two');
    const second = await b.made.take(never, nobody);
    expect(second).toMatchObject({ epoch: 2, after: 'released', lastEpoch: 1, body: { marks: 2 } });
    // When NATS took the record, by its clock, which is that of this machine here.
    expect(Math.abs(second.at - Date.now())).toBeLessThan(60_000);
    await b.link.release();
    const c = await lease('a', 'three');
    const waits: string[] = [];
    const taken = await c.made.take(never, (holder) => waits.push(holder));
    expect(taken).toMatchObject({ epoch: 3, after: 'expired', body: { marks: 2 } });
    expect(waits).toEqual([expect.stringContaining(String(process.pid))]);
  });

  it('who was overtaken, such as one that stood still, cannot write, and hears it', async () => {
    // It never stops by its own clock, as if that stood still, too.
    const frozen = await lease('b', 'one', Number.POSITIVE_INFINITY);
    await frozen.made.take(never, nobody);
    const next = await lease('b', 'two');
    const taken = await next.made.take(never, nobody);
    expect(taken).toMatchObject({ epoch: 2, after: 'expired' });
    const lost = new Promise<unknown>((resolve) => {
      frozen.made.keep(resolve);
    });
    await expect(frozen.made.write('late')).rejects.toMatchObject({ code: 'QUEUE_FENCED' });
    expect(await lost).toMatchObject({ code: 'QUEUE_FENCED', retryable: true });
    expect(frozen.made.isHeld).toBe(false);
    await next.made.write('mine');
    expect((await next.kv.get('b'))?.json<{ body: unknown }>().body).toBe('mine');
  });

  it('says for certain whether it is still held, also without an answer', async () => {
    const { made, link } = await lease('e', 'one');
    await made.take(never, nobody);
    made.keep(nobody);
    await made.settle();
    expect(made.isHeld).toBe(true);
    await link.release();
    await made.settle(); // its own clock says when it is over
    expect(made.isHeld).toBe(false);
    const frozen = await lease('f', 'one', Number.POSITIVE_INFINITY);
    await frozen.made.take(never, nobody);
    const next = await lease('f', 'two');
    await next.made.take(never, nobody);
    const lost = new Promise<unknown>((resolve) => {
      frozen.made.keep(resolve);
    });
    await frozen.made.settle();
    expect(await lost).toMatchObject({ code: 'QUEUE_FENCED' });
  });

  it('looking whether it is still held does not undo what is being written', async () => {
    const { made, kv } = await lease('c', 'one');
    await made.take(never, nobody);
    made.keep(nobody);
    await made.write('old');
    const writing = made.write('new');
    await Promise.all([writing, made.check(), made.check()]);
    expect((await kv.get('c'))?.json<{ body: unknown }>().body).toBe('new');
  });

  it('a clock that is wrong by a day changes nothing', async () => {
    const a = await lease('d', 'one');
    await a.made.take(never, nobody);
    const found = (await a.kv.get('d'))!;
    const record = found.json<{ since: number }>();
    await a.kv.update(
      'd',
      JSON.stringify({ ...record, since: record.since + 86_400_000, released: true }),
      found.revision,
    );
    const b = await lease('d', 'two');
    expect(await b.made.take(never, nobody)).toMatchObject({ epoch: 2, after: 'released' });
  });

  it('a record of another version is left alone: QUEUE_VERSION', async () => {
    const { made, kv } = await lease('e', 'one');
    await kv.put('e', '{"v":2}');
    await expect(made.take(never, nobody)).rejects.toMatchObject({ code: 'QUEUE_VERSION' });
  });
});
