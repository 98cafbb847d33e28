import * as transport from '@nats-io/transport-node';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import type { NatsClient } from '../../../src/nats/client.js';
import { headerRoom, headersOf } from '../../../src/nats/message.js';
import { HEADER_ROOM } from '../../../src/nats/streams.js';
import { subjectToken } from '../../../src/nats/subjects.js';

const client = { transport } as unknown as NatsClient;

it('the headers of any stanza fit into the room that is left for them', () => {
  const key = fc.oneof(
    fc.string({ minLength: 1, maxLength: 256, unit: 'binary' }),
    fc.constantFrom('\u2603'.repeat(256)),
  );
  fc.assert(
    fc.property(key, fc.string({ minLength: 1, unit: 'binary' }), fc.string({ minLength: 1 }), (key, queue, name) => {
      fc.pre(key.isWellFormed());
      const facts = { key, queue, at: Date.now(), xmlns: null, producer: subjectToken(name), possibleDuplicate: true };
      const headers = headersOf(client, facts) as unknown as { encode(): Uint8Array };
      expect(headers.encode().length).toBeLessThanOrEqual(headerRoom(key));
    }),
  );
  expect(headerRoom('a'.repeat(64))).toBe(HEADER_ROOM);
});
