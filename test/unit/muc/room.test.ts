import { expect, test } from 'vitest';
import { Broker, COMPONENT, NS, xml } from 'xmpp-broker';
import { Room } from 'xmpp-broker/muc';
import { stampOf } from '../../../src/muc/room-message.js';
import { redacted } from '../../../src/stanza/redaction.js';

const ROOM = 'lobby@rooms.localhost';
const delay = (from: string, stamp: string) => xml('delay', { xmlns: NS.DELAY, from, stamp });

test('the password of a room is in no event and no log', () => {
  const presence = xml(
    'presence',
    { to: `${ROOM}/nick` },
    xml('x', { xmlns: NS.MUC }, xml('password', {}, 'hush-hush')),
  );
  expect(redacted(presence).toString()).not.toContain('hush-hush');
  // What is sent is untouched.
  expect(presence.toString()).toContain('hush-hush');
  const plain = xml('presence', { to: `${ROOM}/nick` }, xml('x', { xmlns: NS.MUC }));
  expect(redacted(plain)).toBe(plain);
});

test('a sender cannot say when something was said in a room', () => {
  const said = xml(
    'message',
    {},
    delay('mallory@localhost', '2001-01-01T00:00:00Z'),
    delay(ROOM, '2020-05-05T05:05:05Z'),
  );
  expect(stampOf(said, ROOM)?.toISOString()).toBe('2020-05-05T05:05:05.000Z');
  const future = xml('message', {}, delay('mallory@localhost', '2999-01-01T00:00:00Z'));
  expect(stampOf(future, ROOM)?.getTime()).toBeLessThanOrEqual(Date.now());
  expect(stampOf(xml('message', {}, delay(ROOM, 'nonsense')), ROOM)).toBeNull();
  expect(stampOf(xml('message'), ROOM)).toBeNull();
});

test('join() does not hang on a broker that was halted', async () => {
  const options = { connectionType: COMPONENT, jid: 'c.localhost', host: '127.0.0.1', port: 1, password: 's' };
  const broker = new Broker({ ...options, logger: false });
  const room = new Room(broker, ROOM, { nick: 'n' });
  const waiting = room.join();
  broker.halt();
  await expect(waiting).rejects.toMatchObject({ code: 'MUC_OFFLINE' });
  await expect(room.join()).rejects.toMatchObject({ code: 'MUC_OFFLINE' });
});
