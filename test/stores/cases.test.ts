// D-6: what a broker relies on in a store.
import { it } from 'vitest';
import { queueStoreCases } from 'xmpp-broker/testing';
import { sqliteStore } from 'xmpp-broker/queue/sqlite';
import { describeStore, file } from './support/place.js';

describeStore('D-6: queueStoreCases', () => {
  const cases = queueStoreCases(() => Promise.resolve(sqliteStore({ file: file() })));
  it.each(cases.map((one) => [one.name, one] as const))('%s', (_, one) => one.run());
});
