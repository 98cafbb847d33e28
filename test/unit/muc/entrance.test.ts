import { expect, it, vi } from 'vitest';
import { xml, type Broker } from 'xmpp-broker';
import { Entrance } from '../../../src/muc/entrance.js';

const CONFLICT = xml(
  'presence',
  { type: 'error' },
  xml('error', { type: 'cancel' }, xml('conflict', { xmlns: 'urn:ietf:params:xml:ns:xmpp-stanzas' })),
);

it('our own ghost, met after every lost session, neither keeps us out nor makes the nickname longer', () => {
  const broker = { state: 'ready', output: vi.fn() } as unknown as Broker;
  const owner = { jid: 'lobby@rooms.localhost', newest: null, notAsked: vi.fn() };
  const entrance = new Entrance(broker, { nick: 'bob' }, owner);
  entrance.begin();
  entrance.ask();
  for (let session = 0; session < 20; session += 1) {
    expect(entrance.nick).toBe('bob');
    expect(entrance.refused(CONFLICT)).toBeNull();
    expect(entrance.nick).toBe('bob_');
    entrance.entered('bob_');
    entrance.comeBack();
  }
  // What the program has asked for meanwhile is what it wants.
  entrance.entered('bob');
  entrance.renamed('robert');
  entrance.comeBack();
  expect(entrance.nick).toBe('robert');
  entrance.stop();
});

it('does not go on for ever with names that are taken', () => {
  const broker = { state: 'ready', output: vi.fn() } as unknown as Broker;
  const owner = { jid: 'lobby@rooms.localhost', newest: null, notAsked: vi.fn() };
  const entrance = new Entrance(broker, { nick: 'bob' }, owner);
  entrance.begin();
  entrance.ask();
  let tries = 0;
  while (entrance.refused(CONFLICT) === null) tries += 1;
  expect(tries).toBe(5);
  expect(entrance.nick).toBe('bob_____');
  entrance.stop();
});
