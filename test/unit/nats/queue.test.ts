import * as transport from '@nats-io/transport-node';
import { expect, it } from 'vitest';
import type { FeedMessage, FeedOwner } from '../../../src/nats/feed.js';
import { NatsQueue, type NatsQueueParts } from '../../../src/nats/queue.js';
import { Subjects } from '../../../src/nats/subjects.js';
import type { SessionRecord, StoredStanza } from '../../../src/queue/store.js';

it('does not take a session back that is about to be kept when the stream loses stanzas', async () => {
  const session = { id: 'sm', jid: 'a@b/c', sent: 1, acked: 1, handled: 7, at: 0 } as SessionRecord;
  const written: unknown[] = [];
  const answers: (() => void)[] = [];
  const lease = {
    isHeld: true,
    write: (body: unknown) => {
      written.push(body);
      return new Promise<void>((resolve) => void answers.push(resolve));
    },
  };
  const parts = {
    lease,
    feed: () => null,
    link: { maxPayload: 1_000_000 },
    owner: { queue: 'q' },
    reports: { tell: () => undefined },
  };
  const taken = { epoch: 1, after: 'free', lastEpoch: 0, body: null, at: 0 } as const;
  const queue = new NatsQueue(parts as unknown as NatsQueueParts, taken);
  const committed = queue.commit([{ kind: 'session', session }]);
  await expect.poll(() => written).toHaveLength(1);
  queue.lost(5);
  for (const answer of answers) answer();
  await committed;
  await expect.poll(() => written).toHaveLength(2);
  expect(written).toEqual([
    { marks: [], done: [], session },
    { marks: [], done: [], session },
  ]);
});

/** A queue of a NATS that the test plays. */
function played() {
  const buried: string[] = [];
  const arrived: StoredStanza[] = [];
  const found: { feed: FeedOwner | null; flushed: () => void } = { feed: null, flushed: () => undefined };
  const parts = {
    lease: { isHeld: true, keep: () => undefined, write: () => Promise.resolve() },
    feed: (owner: FeedOwner) => ({ start: () => void (found.feed = owner), stop: () => undefined }),
    link: {
      maxPayload: 1_000_000,
      client: { transport },
      connection: {
        subscribe: () => ({ unsubscribe: () => undefined }),
        flush: () => new Promise<void>((resolve) => (found.flushed = resolve)),
      },
    },
    js: { publish: (_: string, text: string) => void buried.push(text) },
    subjects: new Subjects('xmpp'),
    owner: {
      queue: 'q',
      xmlns: 'jabber:client',
      room: () => ({ stanzas: 10, bytes: 10_000 }),
      arrived: (stanzas: readonly StoredStanza[]) => void arrived.push(...stanzas),
    },
    reports: { tell: () => undefined },
  };
  const taken = { epoch: 1, after: 'free', lastEpoch: 0, body: null, at: 0 } as const;
  const queue = new NatsQueue(parts as unknown as NatsQueueParts, taken);
  return { queue, found, buried, arrived };
}

/** As JetStream brings it. */
function brought(sequence: number, text: string): FeedMessage {
  const headers = transport.headers();
  headers.set('Xmpp-Key', `k${sequence}`);
  const message = { headers, reply: `$JS.ACK.${sequence}`, string: () => text };
  return { sequence, deliveries: 1, at: sequence, message } as unknown as FeedMessage;
}

it('keeps the text of a stanza that the stream has lost as its dead letter', async () => {
  const { queue, buried } = played();
  queue.arrived(brought(1, '<message/>'));
  queue.lost(1);
  await queue.commit([{ kind: 'end', key: 'k1', outcome: 'failed', code: 'QUEUE_POISON', xml: '<message/>' }]);
  expect(buried).toEqual(['<message/>']);
});

it('counts what came and was not handed over, before it is opened and behind that', async () => {
  const { queue, found, arrived } = played();
  const opened = queue.begin(new AbortController().signal);
  await expect.poll(() => found.feed).not.toBeNull();
  const room = { stanzas: 10, bytes: 10_000 };
  queue.arrived(brought(1, 'x'.repeat(100)));
  expect(queue.room()).toEqual({ stanzas: 9, bytes: 10_000 - 356 });
  queue.caughtUp();
  await new Promise(setImmediate);
  queue.arrived(brought(2, 'x'.repeat(200)));
  expect(queue.room()).toEqual({ stanzas: 8, bytes: 10_000 - 812 });
  found.flushed();
  await opened;
  expect(queue.held.map(({ key }) => key)).toEqual(['k1', 'k2']);
  expect(queue.room()).toEqual(room);
  queue.arrived(brought(3, 'x'.repeat(300)));
  expect(queue.room()).toEqual({ stanzas: 9, bytes: 10_000 - 556 });
  await expect.poll(() => arrived.map(({ key }) => key)).toEqual(['k3']);
  expect(queue.room()).toEqual(room);
});
