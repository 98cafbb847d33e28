import { expect, it } from 'vitest';
import { NS } from 'xmpp-broker';
import { Room } from 'xmpp-broker/muc';
import { CLIENT, JID } from './support/client.js';
import { useRig } from './support/index.js';

const rig = useRig(CLIENT);

const ROOM = 'lobby@rooms.localhost';

const self = (type = ''): string =>
  `<presence from='${ROOM}/n' to='${JID}'${type}><x xmlns='${NS.MUC_USER}'><item affiliation='member' role='participant'/><status code='110'/></x></presence>`;

it('join() while leaving enters again behind that', async () => {
  const { broker, server } = await rig.ready();
  const room = new Room(broker, ROOM, { nick: 'n' });
  const first = room.join();
  await server.expect('</presence>');
  await server.send(self());
  await first;

  const left = room.leave();
  const again = room.join();
  await server.expect(/<presence [^>]*type='unavailable'/);
  await server.send(self(" type='unavailable'"));
  await left;
  await server.expect(/<presence [^>]*>.*<\/presence>/s);
  await server.send(self());
  await again;
  expect(room.state).toBe('inside');
});
