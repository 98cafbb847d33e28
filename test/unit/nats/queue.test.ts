import { expect, it } from 'vitest';
import { NatsQueue, type NatsQueueParts } from '../../../src/nats/queue.js';
import type { SessionRecord } from '../../../src/queue/store.js';

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
    { marks: [], session },
    { marks: [], session },
  ]);
});
