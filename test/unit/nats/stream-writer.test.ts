import type { MsgHdrs } from '@nats-io/transport-node';
import fc from 'fast-check';
import { describe, expect, it, vi, beforeEach, afterEach } from 'vitest';
import { BrokerError } from '../../../src/errors.js';
import { StreamWriter, type Message, type StreamWriterOwner } from '../../../src/nats/stream-writer.js';

const away = (): BrokerError => new BrokerError('NATS_UNREACHABLE', 'away', { layer: 'nats' });

const message = (id: string, subject = 's', ordered = false): Message => ({
  id,
  subject,
  ordered,
  text: '',
  from: null,
  headers: undefined as never,
});

/** A stream that does as it is told: what is under way is decided by the test. */
class Stream implements StreamWriterOwner {
  readonly stored: string[] = [];
  readonly told: string[] = [];
  readonly underWay: { readonly message: Message; settle(works: boolean): void }[] = [];
  /** Ids that it knows: a second one is the first one again. */
  readonly known = new Set<string>();

  publish(message: Message): Promise<unknown> {
    return new Promise<void>((resolve, reject) => {
      this.underWay.push({
        message,
        settle: (works) => {
          if (works) {
            if (!this.known.has(message.id)) this.stored.push(message.id);
            this.known.add(message.id);
            resolve();
          } else reject(new Error('no'));
        },
      });
    });
  }

  failure(): { error: BrokerError; final: boolean } {
    return { error: away(), final: false };
  }

  away(): BrokerError {
    return away();
  }

  failing(error: BrokerError): void {
    this.told.push(error.code);
  }

  working(): void {
    this.told.push('works');
  }

  lost(error: BrokerError): void {
    this.told.push(`lost ${error.code}`);
  }

  settleAll(works: boolean): void {
    for (const one of this.underWay.splice(0)) one.settle(works);
  }
}

describe('StreamWriter', () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  it('whatever fails and whenever: everything is stored once, what is ordered in its order, and all promises settle', async () => {
    const step = fc.oneof(
      fc.record({ do: fc.constant('write' as const), subject: fc.nat(2), ordered: fc.boolean() }),
      fc.record({ do: fc.constantFrom('works' as const, 'fails' as const), at: fc.nat(20) }),
      fc.record({ do: fc.constantFrom('down' as const, 'up' as const, 'later' as const) }),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (steps) => {
        const stream = new Stream();
        const writer = new StreamWriter(stream);
        const written: { id: string; subject: string; ordered: boolean }[] = [];
        let settled = 0;
        for (const one of steps) {
          if (one.do === 'write') {
            const subject = `${one.ordered ? 'o' : 'u'}${one.subject}`;
            const next = { id: String(written.length), subject, ordered: one.ordered };
            written.push(next);
            void writer.write(message(next.id, subject, one.ordered)).then(() => (settled += 1));
          } else if (one.do === 'works' || one.do === 'fails') {
            const [picked] = stream.underWay.splice(one.at % (stream.underWay.length || 1), 1);
            picked?.settle(one.do === 'works');
          } else if (one.do === 'later') await vi.advanceTimersByTimeAsync(5_000);
          else if (one.do === 'up') writer.up(false);
          else writer.down();
          await Promise.resolve();
        }
        writer.up(false);
        for (let round = 0; writer.size > 0 && round < 500; round += 1) {
          stream.settleAll(true);
          await vi.advanceTimersByTimeAsync(2_000);
        }
        await Promise.resolve();
        expect(settled).toBe(written.length);
        expect([...stream.stored].sort()).toEqual(written.map(({ id }) => id).sort());
        for (const subject of new Set(written.filter(({ ordered }) => ordered).map((one) => one.subject))) {
          const ids = written.filter((one) => one.subject === subject).map(({ id }) => id);
          expect(stream.stored.filter((id) => ids.includes(id))).toEqual(ids);
        }
        await writer.close(0);
        expect(vi.getTimerCount()).toBe(0);
      }),
      { numRuns: 300 },
    );
  });

  it('an outage is told once, and each minute while it goes on; without a connection, too', async () => {
    const stream = new Stream();
    const writer = new StreamWriter(stream);
    void writer.write(message('1'));
    for (let second = 0; second < 130; second += 1) {
      stream.settleAll(false);
      await vi.advanceTimersByTimeAsync(1_000);
    }
    expect(stream.told).toEqual(['NATS_UNREACHABLE', 'NATS_UNREACHABLE', 'NATS_UNREACHABLE']);
    writer.down();
    expect(stream.underWay.length).toBeLessThan(2);
    await vi.advanceTimersByTimeAsync(70_000);
    expect(stream.told).toHaveLength(4);
    writer.up(false);
    stream.settleAll(true);
    await vi.advanceTimersByTimeAsync(0);
    expect(stream.told[4]).toBe('works');
    expect(writer.size).toBe(0);
    await writer.close(0);
  });

  it('behind another nats-server what was tried before is flagged, and only that', () => {
    const stream = new Stream();
    const writer = new StreamWriter(stream);
    const made = ['tried', 'new'].map((id) => ({ ...message(id), headers: new Map() as unknown as MsgHdrs }));
    const flags = (): boolean[] => made.map(({ headers }) => headers.has('Xmpp-Duplicate'));
    const [tried, fresh] = made as [Message, Message];
    void writer.write(tried);
    writer.down();
    void writer.write(fresh);
    writer.up(false);
    expect(flags()).toEqual([false, false]);
    writer.down();
    writer.up(true);
    expect(flags()).toEqual([true, true]);
    void writer.write(message('later'));
    expect(stream.underWay.map(({ message: { id } }) => id)).toEqual([
      'tried',
      'tried',
      'new',
      'tried',
      'new',
      'later',
    ]);
    writer.release();
  });

  it('the same id is the same message; of lost links no more is kept than asked for, the newest', async () => {
    const stream = new Stream();
    const writer = new StreamWriter(stream);
    writer.down();
    const first = writer.write(message('1'));
    expect(writer.write(message('1'))).toBe(first);
    for (let id = 2; id <= 5; id += 1) void writer.write(message(String(id)));
    expect(writer.age(3)).toBe(2);
    await first;
    expect(writer.size).toBe(3);
    expect(writer.age(3)).toBe(0);
    writer.up(false);
    expect(stream.underWay.map(({ message: { id } }) => id)).toEqual(['3', '4', '5']);
    // Nothing settles behind its end but what is released.
    const closing = writer.close(1_000);
    await vi.advanceTimersByTimeAsync(1_000);
    expect(await closing).toBe(3);
    writer.release();
    expect(writer.size).toBe(0);
  });
});
