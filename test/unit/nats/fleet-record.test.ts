import { describe, expect, it } from 'vitest';
import { BrokerError } from '../../../src/errors.js';
import { ShardRecord } from '../../../src/nats/fleet-record.js';

const MARKS = [{ h: 1, d: 0, a: 1, f: 0, q: [7, 1] }];

/** A lease whose writes end when they are told to. */
class Written {
  isHeld = true;
  readonly bodies: unknown[] = [];
  readonly #ends: { resolve: () => void; reject: (error: Error) => void }[] = [];

  write(body: unknown): Promise<void> {
    this.bodies.push(structuredClone(body));
    return new Promise((resolve, reject) => {
      this.#ends.push({ resolve, reject });
    });
  }

  settle(): Promise<void> {
    return Promise.resolve();
  }

  release(body: unknown): Promise<void> {
    this.bodies.push({ released: structuredClone(body) });
    return Promise.resolve();
  }

  end(error?: Error): void {
    const end = this.#ends.shift();
    if (error === undefined) end?.resolve();
    else end?.reject(error);
  }
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe('the record of a shard', () => {
  it('has a part for each account that says something', async () => {
    const lease = new Written();
    const record = new ShardRecord(lease, { accounts: { old: { marks: MARKS, session: null } } }, 1_000);
    expect([record.part('old'), record.part('a')]).toEqual([{ marks: MARKS, session: null }, null]);
    const a = record.lease('a').write({ marks: MARKS, session: null });
    lease.end();
    await a;
    const old = record.lease('old').write({ marks: [], session: null });
    lease.end();
    await old;
    expect(lease.bodies).toEqual([
      { accounts: { old: { marks: MARKS, session: null }, a: { marks: MARKS, session: null } } },
      { accounts: { a: { marks: MARKS, session: null } } },
    ]);
  });

  it('J-1 what an account is done with stays in it, with nothing on its way and no session', async () => {
    const lease = new Written();
    const body = { marks: [], done: [1, 7], session: null };
    const record = new ShardRecord(lease, { accounts: { old: body } }, 1_000);
    const written = record.lease('a').write(body);
    lease.end();
    await written;
    expect(lease.bodies).toEqual([{ accounts: { old: body, a: body } }]);
  });

  it.each(['__proto__', 'constructor', 'toString'])('an account may be called %s', async (token) => {
    const lease = new Written();
    const record = new ShardRecord(lease, null, 1_000);
    expect(record.part(token)).toBeNull();
    const written = record.lease(token).write({ marks: MARKS, session: null });
    lease.end();
    await written;
    const read = new ShardRecord(new Written(), JSON.parse(JSON.stringify(lease.bodies[0])), 1_000);
    expect(read.part(token)).toEqual({ marks: MARKS, session: null });
  });

  it('is written once for all who come while a write is under way, and they wait for that one', async () => {
    const lease = new Written();
    const record = new ShardRecord(lease, null, 1_000);
    const done: string[] = [];
    const write = (token: string): void => {
      void record
        .lease(token)
        .write({ marks: MARKS })
        .then(() => done.push(token));
    };
    for (const token of ['a', 'b', 'c']) write(token);
    await turn();
    expect(lease.bodies).toHaveLength(1);
    lease.end();
    await turn();
    expect([done, lease.bodies.length]).toEqual([['a'], 2]);
    expect(lease.bodies[1]).toEqual({ accounts: { a: { marks: MARKS }, b: { marks: MARKS }, c: { marks: MARKS } } });
    write('d');
    lease.end();
    await turn();
    expect([done, lease.bodies.length]).toEqual([['a', 'b', 'c'], 3]);
    lease.end();
    await turn();
    write('e');
    await turn();
    expect([done, lease.bodies.length]).toEqual([['a', 'b', 'c', 'd'], 4]);
  });

  it('fails those whose write failed, and writes again for the others', async () => {
    const lease = new Written();
    const record = new ShardRecord(lease, null, 1_000);
    const first = record.lease('a').write({ marks: MARKS });
    const second = record.lease('b').write({ marks: MARKS });
    lease.end(new Error('away'));
    await expect(first).rejects.toThrow('away');
    await turn();
    lease.end();
    await second;
    expect(lease.bodies).toHaveLength(2);
  });

  it('leaves sessions out where they would be too much', async () => {
    const lease = new Written();
    const record = new ShardRecord(lease, null, 150);
    const session = { id: 's'.repeat(50) };
    void record.lease('a').write({ marks: MARKS, session });
    lease.end();
    await turn();
    void record.lease('b').write({ marks: MARKS, session });
    expect(lease.bodies).toEqual([
      { accounts: { a: { marks: MARKS, session } } },
      { accounts: { a: { marks: MARKS, session: null }, b: { marks: MARKS, session: null } } },
    ]);
  });

  it('is released once, with what each account left', async () => {
    const lease = new Written();
    const record = new ShardRecord(lease, null, 1_000);
    record.releasing();
    await record.lease('a').release({ marks: MARKS });
    await record.lease('b').release({ marks: [] });
    await record.release();
    expect(lease.bodies).toEqual([{ released: { accounts: { a: { marks: MARKS } } } }]);
  });

  it('tells each account once that it is lost', () => {
    const record = new ShardRecord(new Written(), null, 1_000);
    const told: string[] = [];
    for (const token of ['a', 'b', 'c']) {
      record.lease(token).keep(() => {
        told.push(token);
      });
    }
    record.lease('b').stop();
    const error = new BrokerError('QUEUE_FENCED', 'gone', { layer: 'queue' });
    record.lost(error);
    record.lost(error);
    expect(told).toEqual(['a', 'c']);
  });

  it.each([null, 1, 'x', [], {}, { accounts: 1 }, { accounts: { a: null, b: 1 } }])('reads %j as nothing', (body) => {
    expect(new ShardRecord(new Written(), body, 1_000).part('a')).toBeNull();
  });
});
