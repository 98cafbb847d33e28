import { expect, test } from 'vitest';
import { BrokerError, StanzaError, type Broker, type StanzaErrorCondition } from 'xmpp-broker';
import { stillInside } from '../../../src/muc/self-ping.js';

/** A broker whose request ends like that. */
const answering = (answer: () => unknown): Broker =>
  ({ request: () => new Promise((resolve) => resolve(answer())) }) as unknown as Broker;

const thrown = (error: Error) => () => {
  throw error;
};

const ANSWERS: readonly (readonly [StanzaErrorCondition, boolean])[] = [
  ['service-unavailable', true],
  ['feature-not-implemented', true],
  ['item-not-found', true],
  ['remote-server-not-found', true],
  ['remote-server-timeout', true],
  ['not-acceptable', false],
  ['not-allowed', false],
  ['bad-request', false],
  ['undefined-condition', false],
];

test.each(ANSWERS)(
  'S-PING-5: a ping to ourselves that is answered with %s: in the room, %s',
  async (condition, inside) => {
    expect(await stillInside(answering(thrown(new StanzaError(condition))), 'room@muc/me', {})).toBe(inside);
  },
);

test('S-PING-5: a result means that we are in the room, and so does what cannot be known', async () => {
  expect(
    await stillInside(
      answering(() => null),
      'room@muc/me',
      {},
    ),
  ).toBe(true);
  const lost = new BrokerError('RTS_DISCONNECTED', 'the link was lost', { layer: 'rts' });
  expect(await stillInside(answering(thrown(lost)), 'room@muc/me', {})).toBe(true);
});
