import type { JetStreamManager } from '@nats-io/jetstream';
import { expect, it } from 'vitest';
import type { NatsLink } from '../../../src/nats/connection.js';
import { Feed } from '../../../src/nats/feed.js';

/** JetStream that makes a consumer when it is told to, and who writes down what it was asked. */
class Stream {
  readonly asked: string[] = [];
  readonly #ends: (() => void)[] = [];

  feed(): Feed {
    const link = {
      connection: {
        publish: () => void this.asked.push('pull'),
        subscribe: () => ({ getSubject: () => 'inbox', unsubscribe: () => undefined }),
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
    };
    const options = { stream: 's', consumer: 'c', subject: 'x', ackWaitMs: 1_000, maxPending: 10 };
    return new Feed(link, { consumers } as unknown as JetStreamManager, options, owner);
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
