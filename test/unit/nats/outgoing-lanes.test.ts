import type { JetStreamClient } from '@nats-io/jetstream';
import type { MsgHdrs } from '@nats-io/transport-node';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { BrokerError } from '../../../src/errors.js';
import { OutgoingLanes } from '../../../src/nats/outgoing-lanes.js';
import { WINDOW } from '../../../src/nats/outgoing.js';

/** JetStream that answers when it is told to. */
class Stream {
  readonly stored: string[] = [];
  readonly told: string[] = [];
  /** Queues that it takes nothing of. */
  readonly full = new Set<string>();
  readonly #asked: (() => void)[] = [];
  readonly #js = {
    publish: (queue: string, xml: string) =>
      new Promise((resolve, reject) => {
        this.#asked.push(() => {
          if (this.full.has(queue)) reject(new Error('full'));
          else resolve({ seq: this.stored.push(xml) });
        });
      }),
  } as unknown as JetStreamClient;
  readonly lanes = new OutgoingLanes(
    {
      error: (cause) => new BrokerError('QUEUE_FULL', 'full', { layer: 'nats', cause }),
      failing: () => void this.told.push('fail'),
      working: () => void this.told.push('ready'),
    },
    600_000,
  );

  constructor() {
    this.lanes.open(this.#js);
  }

  get asked(): number {
    return this.#asked.length;
  }

  output(queue: string, xml: string): void {
    this.lanes.add(queue, {
      subject: queue,
      xml,
      headers: () => new Map() as unknown as MsgHdrs,
      stored: () => undefined,
      failed: () => undefined,
      outsized: () => undefined,
    });
  }

  async answer(): Promise<void> {
    for (const one of this.#asked.splice(0)) one();
    await vi.advanceTimersByTimeAsync(0);
  }
}

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

const ORDER = Array.from({ length: 20 }, (_, at) => at);

it('what all queues have on its way is bounded; they take turns, and each is in order', async () => {
  const stream = new Stream();
  for (let at = 0; at < 20; at += 1)
    for (let queue = 0; queue < 100; queue += 1) stream.output(`q${queue}`, `${queue} ${at}`);
  expect([stream.asked, stream.lanes.size]).toEqual([WINDOW, 2_000]);
  let most = 0;
  while (stream.lanes.size > 0) {
    most = Math.max(most, stream.asked);
    await stream.answer();
  }
  expect([most, stream.stored.length, stream.lanes.cost]).toEqual([WINDOW, 2_000, 0]);
  const ofOne = stream.stored.filter((xml) => xml.startsWith('7 ')).map((xml) => Number(xml.slice(2)));
  expect(ofOne).toEqual(ORDER);
  const firsts = stream.stored.slice(0, 1_000).map((xml) => xml.split(' ')[0]);
  expect(new Set(firsts).size).toBe(100);
});

it('a queue that is full waits, the others go on; it is told once, and when it is over', async () => {
  const stream = new Stream();
  stream.full.add('a');
  for (const at of ORDER) {
    stream.output('a', `a${at}`);
    stream.output('b', `b${at}`);
  }
  for (let round = 0; round < 10; round += 1) {
    await stream.answer();
    await vi.advanceTimersByTimeAsync(500);
  }
  expect([stream.stored, stream.lanes.size]).toEqual([ORDER.map((at) => `b${at}`), 20]);
  stream.output('c', 'c');
  await stream.answer();
  expect([stream.stored.at(-1), stream.told]).toEqual(['c', ['fail']]);
  stream.full.clear();
  while (stream.lanes.size > 0) {
    await vi.advanceTimersByTimeAsync(500);
    await stream.answer();
  }
  expect(stream.stored.slice(-20)).toEqual(ORDER.map((at) => `a${at}`));
  expect([stream.told, stream.lanes.cost]).toEqual([['fail', 'ready'], 0]);
});

it('closed, nothing is published, and answers that come late change nothing', async () => {
  const stream = new Stream();
  for (const at of ORDER) stream.output(`q${at}`, 'x');
  stream.lanes.close(new BrokerError('PUBLISHER_CLOSED', 'closed', { layer: 'usage' }));
  await stream.answer();
  expect([stream.lanes.size, stream.lanes.cost, stream.asked, vi.getTimerCount()]).toEqual([0, 0, 0, 0]);
});
