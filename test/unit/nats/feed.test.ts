import type { JetStreamManager } from '@nats-io/jetstream';
import type { Msg } from '@nats-io/transport-node';
import { expect, it } from 'vitest';
import type { NatsLink } from '../../../src/nats/connection.js';
import { Feed } from '../../../src/nats/feed.js';

/** JetStream that makes a consumer when it is told to, and who writes down what it was asked. */
class Stream {
  /** Place of its newest message. */
  last = 0;
  /** What was subscribed last. */
  bring: (message: Msg) => void = () => undefined;
  readonly asked: string[] = [];
  readonly #ends: (() => void)[] = [];

  feed(): Feed {
    const link = {
      connection: {
        publish: () => void this.asked.push('pull'),
        subscribe: (_: string, { callback }: { callback(error: null, message: Msg): void }) => {
          this.bring = (message) => callback(null, message);
          return { getSubject: () => 'inbox', unsubscribe: () => undefined };
        },
      },
      isClosed: false,
      newInbox: () => 'inbox',
      error: (cause: unknown) => cause,
    } as unknown as NatsLink;
    const consumers = {
      delete: () => Promise.resolve(true),
      add: () => {
        this.asked.push('make');
        return new Promise((resolve) => {
          this.#ends.push(() => {
            resolve({ num_pending: 0 });
          });
        });
      },
    };
    const owner = {
      room: () => ({ stanzas: 10, bytes: 10_000 }),
      arrived: () => undefined,
      caughtUp: () => void this.asked.push('caught up'),
      failed: () => undefined,
      lost: (from: number) => void this.asked.push(`lost from ${from}`),
    };
    const options = { stream: 's', consumer: 'c', subject: 'x', ackWaitMs: 1_000, maxPending: 10 };
    const streams = { info: () => Promise.resolve({ state: { last_seq: this.last } }) };
    return new Feed(link, { consumers, streams } as unknown as JetStreamManager, options, owner);
  }

  /** The consumers that are asked for are there. */
  made(): void {
    for (const end of this.#ends.splice(0)) end();
  }
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

it('makes its consumer once when the connection comes back before, and while it begins', async () => {
  const stream = new Stream();
  const feed = stream.feed();
  feed.again();
  await turn();
  expect(stream.asked).toEqual([]);
  const started = feed.start();
  await turn();
  feed.again();
  await turn();
  stream.made();
  await started;
  expect(stream.asked).toEqual(['make', 'caught up', 'pull']);
  feed.again();
  await turn();
  stream.made();
  await turn();
  expect(stream.asked.slice(3)).toEqual(['make', 'pull']);
  feed.stop();
});

it('J-1 goes on behind a loss of what was newest, and tells from where on', async () => {
  const stream = new Stream();
  const feed = stream.feed();
  const again = async (): Promise<void> => {
    stream.asked.length = 0;
    feed.again();
    await turn();
    stream.made();
    await turn();
  };
  const started = feed.start();
  await turn();
  stream.made();
  await started;
  stream.bring({ reply: '$JS.ACK.s.c.1.9.1.1700000000000000000.0' } as Msg);
  stream.last = 9;
  await again();
  expect(stream.asked).toEqual(['make', 'pull']);
  stream.last = 5;
  await again();
  expect(stream.asked).toEqual(['make', 'lost from 6', 'pull']);
  // It is told once.
  await again();
  expect(stream.asked).toEqual(['make', 'pull']);
  feed.stop();
});
