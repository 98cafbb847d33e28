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
  /** What was flagged, as often as it was published so. */
  readonly late: string[] = [];
  /** Of what the holder has told. */
  readonly reported = new Set<string>();
  /** Queues that it takes nothing of. */
  full = new Set<string>();
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
      headers: (isLate) => {
        if (isLate) this.late.push(xml);
        return new Map() as unknown as MsgHdrs;
      },
      stored: () => undefined,
      isTold: () => this.reported.has(xml),
      failed: () => undefined,
      outsized: () => undefined,
    });
  }

  async answer(behindEach: () => void = () => undefined): Promise<void> {
    for (const one of this.#asked.splice(0)) {
      one();
      behindEach();
    }
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
  stream.output('first', 'first');
  await stream.answer();
  for (let at = 0; at < 20; at += 1)
    for (let queue = 0; queue < 100; queue += 1) stream.output(`q${queue}`, `${queue} ${at}`);
  expect([stream.asked, stream.lanes.size]).toEqual([WINDOW, 2_000]);
  let most = 0;
  while (stream.lanes.size > 0) {
    most = Math.max(most, stream.asked);
    await stream.answer();
  }
  expect([most, stream.stored.length, stream.lanes.cost]).toEqual([WINDOW, 2_001, 0]);
  const ofOne = stream.stored.filter((xml) => xml.startsWith('7 ')).map((xml) => Number(xml.slice(2)));
  expect(ofOne).toEqual(ORDER);
  const firsts = stream.stored.slice(0, 1_000).map((xml) => xml.split(' ')[0]);
  expect(new Set(firsts).size).toBe(101);
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

it('while the connection is dialled again nothing is published; then all of it, from the first that is in doubt on', async () => {
  const stream = new Stream();
  for (const at of ORDER) stream.output(`q${at % 3}`, String(at));
  stream.lanes.down();
  // The answers come all the same, as those of requests that are given up do.
  stream.full = new Set(['q0', 'q1', 'q2']);
  await stream.answer();
  for (let at = 20; at < 40; at += 1) stream.output(`q${at % 4}`, String(at));
  await vi.advanceTimersByTimeAsync(5_000);
  expect([stream.asked, stream.stored, stream.lanes.size]).toEqual([0, [], 40]);
  stream.full = new Set();
  stream.lanes.again(false);
  while (stream.asked > 0) await stream.answer();
  const ofOne = stream.stored.map(Number).filter((at) => (at < 20 ? at % 3 : at % 4) === 1);
  expect([stream.lanes.size, ofOne]).toEqual([0, [...ofOne].sort((a, b) => a - b)]);
});

it('behind another nats-server what was published before is flagged: it may be done with, and its id forgotten', async () => {
  const stream = new Stream();
  stream.output('a', 'a1');
  await stream.answer();
  for (const xml of ['a2', 'a3']) stream.output('a', xml);
  stream.lanes.down();
  stream.output('a', 'a4');
  stream.full.add('a');
  await stream.answer();
  stream.lanes.again(true);
  stream.full.clear();
  while (stream.lanes.size > 0) await stream.answer();
  expect([stream.stored, stream.late]).toEqual([
    ['a1', 'a2', 'a3', 'a4'],
    ['a2', 'a3'],
  ]);
});

it('JetStream that begins to take stanzas in the midst of what is on its way gets them in order', async () => {
  const stream = new Stream();
  stream.full.add('a');
  for (const at of ORDER) stream.output('a', `a${at}`);
  while (stream.lanes.size > 0) {
    // Each of those that are asked for sees another answer, as while a server starts.
    await stream.answer(() => void stream.full.delete('a'));
    await vi.advanceTimersByTimeAsync(500);
  }
  expect(stream.stored).toEqual(ORDER.map((at) => `a${at}`));
});

it('closed, nothing is published, and answers that come late change nothing', async () => {
  const stream = new Stream();
  for (const at of ORDER) stream.output(`q${at}`, 'x');
  stream.lanes.close(new BrokerError('PUBLISHER_CLOSED', 'closed', { layer: 'usage' }));
  await stream.answer();
  expect([stream.lanes.size, stream.lanes.cost, stream.asked, vi.getTimerCount()]).toEqual([0, 0, 0, 0]);
});

it('J-1 what its holder has told of is not published once more, though the answer to it was lost', async () => {
  const stream = new Stream();
  stream.output('a', 'first');
  await stream.answer();
  for (const xml of ['1', '2', '3', '4']) stream.output('a', xml);
  stream.full.add('a');
  stream.lanes.down();
  stream.lanes.again(true);
  // It is told before the next try, and between two tries.
  stream.reported.add('1').add('2');
  await stream.answer();
  stream.full.clear();
  await vi.advanceTimersByTimeAsync(500);
  stream.reported.add('4');
  await stream.answer();
  await stream.answer();
  expect([stream.stored, stream.late]).toEqual([['first', '3'], ['3']]);
  expect([stream.lanes.size, stream.lanes.cost, stream.told]).toEqual([0, 0, ['fail', 'ready']]);
});
