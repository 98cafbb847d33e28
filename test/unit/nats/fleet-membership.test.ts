import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { BrokerError } from '../../../src/errors.js';
import { readBeat } from '../../../src/nats/fleet-beat.js';
import type { HeldShard, ShardSource } from '../../../src/nats/fleet-contract.js';
import { FleetMembership } from '../../../src/nats/fleet-membership.js';

/** Leases in memory, for members that hear each other at once. */
class World {
  readonly told: string[] = [];
  readonly members: FleetMembership[] = [];
  readonly holders = new Map<number, string>();
  readonly failures: string[] = [];
  readonly lose = new Map<number, (error: BrokerError) => void>();
  /** Closing what works with a shard waits for it. */
  closing: Promise<void> = Promise.resolve();
  broken = new Set<string>();

  member(id: string): FleetMembership {
    const source: ShardSource = {
      take: async (shard, signal, onLost) => {
        if (this.broken.has(id)) throw new BrokerError('NATS_DENIED', 'no', { layer: 'nats' });
        while (this.holders.has(shard)) {
          await new Promise((resolve) => setTimeout(resolve, 50));
          signal.throwIfAborted();
        }
        this.holders.set(shard, id);
        this.lose.set(shard, onLost);
        return this.#held(shard);
      },
    };
    const tell = (text: string): void => {
      this.told.push(text);
      for (const other of this.members) if (other !== member) other.hear(text);
    };
    const member = new FleetMembership(
      { id, shards: 4, source, tell },
      {
        gained: () => undefined,
        releasing: () => this.closing,
        lost: () => undefined,
        failed: ({ code }) => this.failures.push(`${id} ${code}`),
      },
    );
    this.members.push(member);
    member.start();
    return member;
  }

  #held(shard: number): HeldShard {
    const release = (): Promise<void> => {
      this.holders.delete(shard);
      return Promise.resolve();
    };
    return { epoch: 1, store: Object.create(null) as HeldShard['store'], begin: () => undefined, release };
  }
}

function world(): World {
  vi.useFakeTimers();
  onTestFinished(() => {
    vi.useRealTimers();
  });
  return new World();
}

describe('a member', () => {
  it('listens first, then takes everything, and gives half of it to a second one', async () => {
    const all = world();
    const a = all.member('a');
    await vi.advanceTimersByTimeAsync(900);
    expect(a.held).toEqual([]);
    await vi.advanceTimersByTimeAsync(300);
    expect([a.held, a.size]).toEqual([[0, 1, 2, 3], 1]);
    const b = all.member('b');
    await vi.advanceTimersByTimeAsync(6_000);
    expect([a.held, b.held, a.size, b.size]).toEqual([[0, 1], [2, 3], 2, 2]);
  });

  it('waits, when it leaves, for what it was just releasing, and then says that it is gone', async () => {
    const all = world();
    const a = all.member('a');
    await vi.advanceTimersByTimeAsync(1_500);
    let close: () => void = () => undefined;
    all.closing = new Promise((resolve) => {
      close = resolve;
    });
    all.member('b');
    await vi.advanceTimersByTimeAsync(3_000);
    let left = false;
    void a.leave().then(() => (left = true));
    await vi.advanceTimersByTimeAsync(3_000);
    expect([left, readBeat(all.told.at(-1) ?? '')?.isLast]).toEqual([false, false]);
    close();
    await vi.advanceTimersByTimeAsync(10);
    const last = all.told.map(readBeat).filter((beat) => beat?.isLast === true);
    expect([left, a.held, last.map((beat) => beat?.id)]).toEqual([true, [], ['a']]);
  });

  it('takes nothing for a while when taking failed, so that the others do', async () => {
    const all = world();
    all.broken.add('a');
    const a = all.member('a');
    const b = all.member('b');
    await vi.advanceTimersByTimeAsync(4_000);
    expect([a.held, b.held]).toEqual([[], [0, 1, 2, 3]]);
    expect(new Set(all.failures)).toEqual(new Set(['a NATS_DENIED']));
    all.broken.clear();
    await vi.advanceTimersByTimeAsync(20_000);
    expect([a.held.length, b.held.length]).toEqual([2, 2]);
  });

  it('takes again what it lost', async () => {
    const all = world();
    const a = all.member('a');
    await vi.advanceTimersByTimeAsync(1_500);
    all.holders.delete(2);
    all.lose.get(2)?.(new BrokerError('QUEUE_FENCED', 'away', { layer: 'queue' }));
    expect(a.held).toEqual([0, 1, 3]);
    await vi.advanceTimersByTimeAsync(500);
    expect(a.held).toEqual([0, 1, 2, 3]);
  });

  it('is not irritated by what it hears', async () => {
    const all = world();
    const a = all.member('a');
    for (const text of ['', '{}', '[]', 'null', '{"v":1}']) a.hear(text);
    await vi.advanceTimersByTimeAsync(1_500);
    expect(a.held).toEqual([0, 1, 2, 3]);
  });
});
