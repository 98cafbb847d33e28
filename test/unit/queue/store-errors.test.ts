import { expect, it } from 'vitest';
import { BrokerError } from 'xmpp-broker';
import { asStoreError } from '../../../src/queue/store-errors.js';
import { asStanza } from '../../../src/stanza/outbound.js';

const { proxy, revoke } = Proxy.revocable({}, {});
revoke();

/** What can be thrown and not be read. */
const UNREADABLE: readonly (readonly [string, unknown])[] = [
  ['an object without a prototype', Object.create(null)],
  ['a revoked proxy', proxy],
  [
    'an error whose message throws',
    Object.defineProperty(new Error(), 'message', {
      get: () => {
        throw new Error('not to be read');
      },
    }),
  ],
];

it.each(UNREADABLE)('a store that throws %s has failed', (_, thrown) => {
  const error = asStoreError(thrown);
  expect(error).toBeInstanceOf(BrokerError);
  expect(error).toMatchObject({ code: 'QUEUE_STORE_FAILED', sent: 'no' });
});

it.each(UNREADABLE)('a DOM that throws %s is no stanza', (_, thrown) => {
  const node = {
    get nodeType(): number {
      throw thrown;
    },
  };
  expect(() => asStanza(node, 'jabber:client')).toThrow(expect.objectContaining({ code: 'USAGE_NOT_ONE_STANZA' }));
});
