// D-6: what a broker relies on in a store, for queues over NATS.
import { it } from 'vitest';
import { natsStore } from 'xmpp-broker/nats';
import { queueStoreCases } from 'xmpp-broker/testing';
import { describeServer, Nats, sharedServer } from '../harness/index.js';

describeServer('nats', 'D-6: queueStoreCases', () => {
  const nats = sharedServer(() => Nats.start());
  let made = 0;
  const cases = queueStoreCases(async () => {
    made += 1;
    return natsStore({ connection: { servers: Nats.url(await nats()) }, prefix: `case${made}`, ttlMs: 1_500 });
  });
  it.each(cases.map((one) => [one.name, one] as const))('%s', (_, one) => one.run());
});
