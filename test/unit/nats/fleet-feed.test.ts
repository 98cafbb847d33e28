import { describe, expect, it, onTestFinished, vi } from 'vitest';
import type { FeedMessage, FeedOwner } from '../../../src/nats/feed.js';
import { ShardFeed } from '../../../src/nats/fleet-feed.js';

/** A message of the shard's consumer. */
const message = (token: string, sequence: number): FeedMessage =>
  ({
    sequence,
    deliveries: 1,
    at: 0,
    message: { subject: `xmpp.out.f.0.${token}`, reply: `ack.${String(sequence)}`, data: new Uint8Array(10) },
  }) as unknown as FeedMessage;

/** The queue of an account, with so much room. */
class Queue implements FeedOwner {
  readonly got: number[] = [];
  caught = 0;
  failures = 0;
  readonly losses: number[] = [];
  constructor(public stanzas = 1_000) {}

  room(): { stanzas: number; bytes: number } {
    return { stanzas: this.stanzas, bytes: 1_000 };
  }
  arrived({ sequence }: FeedMessage): void {
    this.got.push(sequence);
    this.stanzas -= 1;
  }
  caughtUp(): void {
    this.caught += 1;
  }
  failed(): void {
    this.failures += 1;
  }
  lost(from: number): void {
    this.losses.push(from);
  }
}

function shard(): { feed: ShardFeed; answers: string[]; again: { count: number } } {
  const answers: string[] = [];
  const again = { count: 0 };
  const feed = new ShardFeed({
    caughtUp: () => undefined,
    failed: () => undefined,
    answer: (reply, text) => {
      answers.push(`${reply} ${text.split(' ')[0] ?? ''}`);
    },
  });
  feed.reads(() => {
    again.count += 1;
  });
  return { feed, answers, again };
}

describe('the feed of a shard', () => {
  it('keeps what comes before the queue is open, and hands it over first', async () => {
    const { feed, answers } = shard();
    for (const sequence of [1, 3]) feed.arrived(message('a', sequence));
    feed.arrived(message('b', 2));
    const a = new Queue();
    await feed.feed('a', a).start();
    expect([a.got, a.caught]).toEqual([[1, 3], 1]);
    feed.arrived(message('a', 4));
    expect([a.got, answers]).toEqual([[1, 3, 4], []]);
  });

  it('hands over no more than there is room for of what was kept', async () => {
    const { feed, answers } = shard();
    for (const sequence of [1, 2, 3]) feed.arrived(message('a', sequence));
    const a = new Queue(2);
    await feed.feed('a', a).start();
    expect([a.got, answers]).toEqual([[1, 2], ['ack.3 -NAK']]);
  });

  it('lets everything behind a stanza wait for which there was no room', async () => {
    const { feed, answers } = shard();
    const a = new Queue(1);
    const b = new Queue();
    await feed.feed('a', a).start();
    await feed.feed('b', b).start();
    for (const sequence of [1, 2, 3]) feed.arrived(message('a', sequence));
    feed.arrived(message('b', 4));
    expect([a.got, b.got, answers]).toEqual([[1], [4], ['ack.2 -NAK', 'ack.3 -NAK']]);
    a.stanzas = 10;
    // In another order than that in which they were put.
    for (const sequence of [3, 5, 2, 5, 3, 5]) feed.arrived(message('a', sequence));
    expect(a.got).toEqual([1, 2, 3, 5]);
  });

  it('J-2 waits for nothing that somebody took out of the stream: everything is brought again, in order', async () => {
    let now = 0;
    const clock = vi.spyOn(performance, 'now').mockImplementation(() => now);
    onTestFinished(() => {
      clock.mockRestore();
    });
    const { feed, answers, again } = shard();
    const a = new Queue(1);
    await feed.feed('a', a).start();
    for (const sequence of [1, 2, 3]) feed.arrived(message('a', sequence));
    a.stanzas = 10;
    // 2 was purged, and 3, which has to be behind it, comes again and again.
    for (now of [1_000, 5_000, 11_000]) feed.arrived(message('a', 3));
    expect([a.got, again.count, answers.length]).toEqual([[1], 0, 5]);
    now = 11_001;
    feed.arrived(message('a', 3));
    expect([a.got, again.count]).toEqual([[1], 1]);
    for (const sequence of [3, 4]) feed.arrived(message('a', sequence));
    expect([a.got, again.count]).toEqual([[1, 3, 4], 1]);
  });

  it('J-1 waits for nothing that the stream has lost', async () => {
    const { feed } = shard();
    const a = new Queue(1);
    await feed.feed('a', a).start();
    for (const sequence of [1, 2, 3]) feed.arrived(message('a', sequence));
    feed.arrived(message('b', 4));
    feed.lost(2);
    expect(a.losses).toEqual([2]);
    a.stanzas = 10;
    // Its place is that of another one now.
    feed.arrived(message('a', 3));
    const b = new Queue();
    await feed.feed('b', b).start();
    expect([a.got, b.got]).toEqual([[1, 3], []]);
  });

  it('gives back what is for nobody, once all accounts are there', async () => {
    const { feed, answers } = shard();
    const a = new Queue();
    await feed.feed('a', a).start();
    feed.arrived(message('nobody', 1));
    expect(answers).toEqual([]);
    feed.complete();
    feed.arrived(message('nobody', 2));
    expect(answers).toEqual(['ack.1 -NAK', 'ack.2 -NAK']);
    const late = new Queue();
    await feed.feed('nobody', late).start();
    feed.arrived(message('nobody', 1));
    expect(late.got).toEqual([1]);
  });

  it('has NATS bring again what a queue had that was closed, when it is opened once more', async () => {
    const { feed, answers, again } = shard();
    const first = new Queue();
    const one = feed.feed('a', first);
    await one.start();
    feed.complete();
    feed.arrived(message('a', 1));
    one.stop();
    feed.arrived(message('a', 2));
    expect([first.got, answers, again.count]).toEqual([[1], ['ack.2 -NAK'], 0]);
    const second = new Queue();
    await feed.feed('a', second).start();
    expect(again.count).toBe(1);
    for (const sequence of [1, 2]) feed.arrived(message('a', sequence));
    expect([second.got, second.caught]).toEqual([[1, 2], 1]);
  });

  it('takes only so much for an account without a queue', () => {
    const { feed, answers } = shard();
    for (let sequence = 1; sequence <= 10_002; sequence += 1) feed.arrived(message('a', sequence));
    expect(answers).toEqual(['ack.10001 -NAK', 'ack.10002 -NAK']);
  });
});
