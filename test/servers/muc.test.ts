import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { NS, StanzaError, xml, type Broker, type BrokerOptions } from 'xmpp-broker';
import { Room, type RoomEvents, type RoomOptions } from 'xmpp-broker/muc';
import { describeServer, Ejabberd, Prosody, Proxy, type TestServer } from './harness/index.js';
import { Clients, type ClientPort } from './support/client-site.js';
import { Collected } from './support/collected.js';

const SITES = [
  { name: 'prosody' as const, start: () => Prosody.start() },
  { name: 'ejabberd' as const, start: () => Ejabberd.start() },
];

/** Everything that a room told, and a way to wait for something. */
function told(room: Room) {
  const events = new Collected<{ name: keyof RoomEvents; payload: RoomEvents[keyof RoomEvents] }>();
  for (const name of ['joined', 'left', 'message', 'subject', 'occupant'] as const) {
    room.subscribe(name, (payload) => {
      events.add({ name, payload });
    });
  }
  return {
    all: events.all,
    until: async <Name extends keyof RoomEvents>(
      name: Name,
      fits: (payload: RoomEvents[Name]) => boolean = () => true,
    ) =>
      (await events.until((one) => one.name === name && fits(one.payload as RoomEvents[Name])))
        .payload as RoomEvents[Name],
  };
}

let rooms = 0;
const newRoom = () => `room-${String((rooms += 1))}@rooms.localhost`;
const QUICK: RoomOptions['retry'] = { firstDelayMs: 50, maxDelayMs: 200 };

for (const site of SITES) {
  describeServer(site.name, 'rooms', () => {
    let server: TestServer<ClientPort>;
    let clients: Clients;

    beforeAll(async () => {
      server = await site.start();
      clients = new Clients();
    });
    afterEach(async () => {
      await clients[Symbol.asyncDispose]();
    });
    afterAll(async () => {
      await server.dispose();
    });

    const client = async (username: string, options: Partial<BrokerOptions> = {}) =>
      (await clients.ready(server, { username, resource: 'desk', ...options })).broker;
    const enter = async (broker: Broker, jid: string, nick: string, options: Partial<RoomOptions> = {}) => {
      const room = new Room(broker, jid, { nick, retry: QUICK, ...options });
      const events = told(room);
      await room.join();
      return { room, events };
    };
    /** Changes a role or an affiliation, as an owner or moderator (XEP-0045 §8, §9). */
    const administer = (broker: Broker, jid: string, item: Record<string, string>) =>
      broker.request(
        xml(
          'iq',
          { type: 'set', to: jid },
          xml('query', { xmlns: NS.MUC_ADMIN }, xml('item', item, xml('reason', {}, 'why not'))),
        ),
      );

    test('two meet, talk, whisper, set a subject, change names and leave', async () => {
      const jid = newRoom();
      const alice = await enter(await client('alice'), jid, 'Alice');
      expect(alice.events.all[0]).toEqual({ name: 'joined', payload: { nick: 'Alice', created: true, again: false } });
      expect([...alice.room.occupants.keys()]).toEqual(['Alice']);
      const bob = await enter(await client('bob'), jid, 'Bob');
      expect([...bob.room.occupants.keys()].toSorted()).toEqual(['Alice', 'Bob']);
      expect(await alice.events.until('occupant')).toMatchObject({ change: 'entered', occupant: { nick: 'Bob' } });

      alice.room.send('hello');
      expect(await bob.events.until('message')).toMatchObject({
        nick: 'Alice',
        body: 'hello',
        mine: false,
        history: false,
      });
      expect(await alice.events.until('message')).toMatchObject({ mine: true, private: false });
      bob.room.whisper('Alice', 'psst');
      expect(await alice.events.until('message', (m) => m.private)).toMatchObject({
        nick: 'Bob',
        body: 'psst',
        mine: false,
      });
      alice.room.setSubject('tea');
      expect(await bob.events.until('subject', ({ subject }) => subject === 'tea')).toMatchObject({ nick: 'Alice' });
      expect(bob.room.subject).toBe('tea');

      bob.room.setNick('Robert');
      await bob.events.until('occupant', ({ change }) => change === 'renamed');
      expect(bob.room.nick).toBe('Robert');
      expect(await alice.events.until('occupant', ({ change }) => change === 'renamed')).toMatchObject({
        occupant: { nick: 'Robert' },
        before: { nick: 'Bob' },
      });
      await bob.room.leave('bye');
      expect(bob.room.state).toBe('outside');
      expect(await alice.events.until('occupant', ({ change }) => change === 'left')).toMatchObject({
        occupant: { nick: 'Robert' },
        departure: 'left',
      });
      expect([...alice.room.occupants.keys()]).toEqual(['Alice']);
      expect(() => bob.room.send('too late')).toThrow(expect.objectContaining({ code: 'MUC_OUTSIDE' }));
    });

    test('history is told from what is said now, and is not wanted by default', async () => {
      const jid = newRoom();
      const alice = await enter(await client('alice'), jid, 'Alice');
      for (const text of ['one', 'two', 'three']) alice.room.send(text);
      await alice.events.until('message', ({ body }) => body === 'three');
      const broker = await client('bob');
      const bob = await enter(broker, jid, 'Bob', { history: { maxStanzas: 2 } });
      await bob.events.until('subject');
      alice.room.send('four');
      await bob.events.until('message', ({ body }) => body === 'four');
      const heard = bob.events.all.filter(({ name }) => name === 'message').map(({ payload }) => payload);
      expect(heard).toMatchObject([
        { body: 'two', history: true },
        { body: 'three', history: true },
        { body: 'four', history: false },
      ]);
      await bob.room[Symbol.asyncDispose]();
      const again = await enter(broker, jid, 'Bob');
      await again.events.until('subject');
      expect(again.events.all.filter(({ name }) => name === 'message')).toEqual([]);
    });

    test('a nickname that is taken: another one, or the refusal', async () => {
      const jid = newRoom();
      await enter(await client('alice'), jid, 'Bot');
      const broker = await client('bob');
      const bob = await enter(broker, jid, 'Bot');
      expect(bob.room.nick).toBe('Bot_');
      await bob.room[Symbol.asyncDispose]();
      const stubborn = new Room(broker, jid, { nick: 'Bot', onNickConflict: () => null });
      await expect(stubborn.join()).rejects.toMatchObject({ condition: 'conflict' });
      expect(stubborn.state).toBe('outside');
    });

    test('kicked and banned: told, and not entered again', async () => {
      const jid = newRoom();
      const owner = await client('alice');
      await enter(owner, jid, 'Alice');
      const broker = await client('bob');
      const bob = await enter(broker, jid, 'Bob');
      await administer(owner, jid, { nick: 'Bob', role: 'none' });
      expect(await bob.events.until('left')).toMatchObject({ departure: 'kicked', again: false, reason: 'why not' });
      expect(bob.room.state).toBe('outside');
      await bob.room.join();
      await administer(owner, jid, { jid: 'bob@localhost', affiliation: 'outcast' });
      expect(await bob.events.until('left', ({ departure }) => departure === 'banned')).toMatchObject({ again: false });
      await expect(bob.room.join()).rejects.toBeInstanceOf(StanzaError);
    });

    test('destroyed: told with where to go', async () => {
      const jid = newRoom();
      const owner = await client('alice');
      await enter(owner, jid, 'Alice');
      const bob = await enter(await client('bob'), jid, 'Bob');
      const destroy = xml('destroy', { jid: 'other@rooms.localhost' }, xml('reason', {}, 'moved'));
      await owner.request(xml('iq', { type: 'set', to: jid }, xml('query', { xmlns: NS.MUC_OWNER }, destroy)));
      expect(await bob.events.until('left')).toMatchObject({
        departure: 'destroyed',
        again: false,
        alternate: 'other@rooms.localhost',
        reason: 'moved',
      });
    });

    test('a room that is locked is entered when it is there', async () => {
      const jid = newRoom();
      let unlock = (): void => undefined;
      const open = new Promise<void>((resolve) => (unlock = resolve));
      const alice = new Room(await client('alice'), jid, {
        nick: 'Alice',
        create: async () => {
          await open;
          return xml('x', { xmlns: NS.DATA_FORMS, type: 'submit' });
        },
      });
      const made = alice.join();
      const broker = await client('bob');
      const bob = new Room(broker, jid, { nick: 'Bob', retry: QUICK });
      const refused = new Promise<void>((resolve) => {
        broker.match('/presence[@type="error"]', () => resolve());
      });
      const entered = bob.join();
      const first = await Promise.race([refused.then(() => 'refused'), entered.then(() => 'entered')]);
      // ejabberd lets others into a room that is being set up.
      expect(first).toBe(site.name === 'prosody' ? 'refused' : 'entered');
      unlock();
      await Promise.all([made, entered]);
      expect([alice.state, bob.state]).toEqual(['inside', 'inside']);
    });

    test('a room that must not be made is gone again', async () => {
      const room = new Room(await client('alice'), newRoom(), { nick: 'Alice', create: false });
      await expect(room.join()).rejects.toMatchObject({ code: 'MUC_NOT_CREATED' });
      expect(room.state).toBe('outside');
    });

    test('a cut link: resumed, still inside, nothing missed', async () => {
      const jid = newRoom();
      const proxy = await Proxy.listen(server.ports.starttls);
      const alice = await enter(await client('alice'), jid, 'Alice');
      const broker = await client('bob', { port: proxy.port, reconnect: { resumeDelayMs: 20 } });
      const bob = await enter(broker, jid, 'Bob');
      const back = broker.events.once('PCJ_READY');
      proxy.cut();
      alice.room.send('while away');
      expect(await back).toMatchObject({ resumed: true });
      await bob.events.until('message', ({ body }) => body === 'while away');
      expect(bob.events.all.filter(({ name }) => name === 'joined' || name === 'left')).toHaveLength(1);
      await proxy.close();
    });

    test('modern: put out without a word, the room finds out and enters again (XEP-0410)', async () => {
      const jid = newRoom();
      const owner = await client('alice');
      await enter(owner, jid, 'Alice');
      const broker = await client('bob');
      const bob = await enter(broker, jid, 'Bob', { pingMs: 200 });
      // The service forgets us, and our room does not hear of it.
      broker.output(xml('presence', { to: `${jid}/Bob`, type: 'unavailable' }));
      await bob.events.until('left');
      expect(await bob.events.until('joined', ({ again }) => again)).toMatchObject({ nick: 'Bob' });
    });

    test('a server that is restarted: entered again', async () => {
      const jid = newRoom();
      const broker = await client('bob');
      const bob = await enter(broker, jid, 'Bob');
      await server.restart();
      expect(await bob.events.until('left')).toMatchObject({ again: true });
      expect(await bob.events.until('joined', ({ again }) => again)).toMatchObject({ nick: 'Bob' });
      bob.room.send('back');
      expect(await bob.events.until('message')).toMatchObject({ body: 'back', mine: true });
    });
  });
}
