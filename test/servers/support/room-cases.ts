import { expect, test } from 'vitest';
import { NS, StanzaError, xml, type Broker, type BrokerOptions, type Element } from 'xmpp-broker';
import { Room, type RoomEvents, type RoomOptions } from 'xmpp-broker/muc';
import { failure } from '../../support/failure.js';
import { Proxy } from '../harness/index.js';
import { useCaseSite } from './case-site.js';
import type { Signable } from './client-site.js';
import { Collected } from './collected.js';

/** A server with rooms at rooms.localhost, for alice and bob. */
export interface RoomServer extends Signable {
  restart(): Promise<void>;
  dispose(): Promise<void>;
}

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

/** @param locks whether others are kept out of a room while it is being set up */
export function roomCases(start: () => Promise<RoomServer>, { locks }: { locks: boolean }): void {
  const { server, clients } = useCaseSite(start);

  const client = async (username: string, options: Partial<BrokerOptions> = {}) =>
    (await clients.ready(server(), { username, resource: 'desk', ...options })).broker;
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

  /** Sets fields of the room's form (XEP-0045 §10.2). */
  const configure = (broker: Broker, jid: string, fields: Record<string, string>) => {
    const all = { FORM_TYPE: `${NS.MUC}#roomconfig`, ...fields };
    const form = Object.entries(all).map(([name, value]) => xml('field', { var: name }, xml('value', {}, value)));
    const x = xml('x', { xmlns: NS.DATA_FORMS, type: 'submit' }, form);
    return broker.request(xml('iq', { type: 'set', to: jid }, xml('query', { xmlns: NS.MUC_OWNER }, x)));
  };

  test('a room with a password is for those who know it', async () => {
    const jid = newRoom();
    const owner = await client('alice');
    await enter(owner, jid, 'Alice');
    await configure(owner, jid, {
      'muc#roomconfig_passwordprotectedroom': '1',
      'muc#roomconfig_roomsecret': 'sesame',
    });
    const broker = await client('bob');
    const bob = new Room(broker, jid, { nick: 'Bob', retry: QUICK });
    await expect(bob.join()).rejects.toMatchObject({ condition: 'not-authorized' });
    await bob[Symbol.asyncDispose]();
    expect((await enter(broker, jid, 'Bob', { password: 'sesame' })).room.state).toBe('inside');
  });

  test('a room for members: not let in, made a member, put out again', async () => {
    const jid = newRoom();
    const owner = await client('alice');
    await enter(owner, jid, 'Alice');
    await configure(owner, jid, { 'muc#roomconfig_membersonly': '1' });
    const broker = await client('bob');
    const bob = new Room(broker, jid, { nick: 'Bob', retry: QUICK });
    await expect(bob.join()).rejects.toMatchObject({ condition: 'registration-required' });
    await bob[Symbol.asyncDispose]();
    await administer(owner, jid, { jid: 'bob@localhost', affiliation: 'member' });
    const { events } = await enter(broker, jid, 'Bob');
    await administer(owner, jid, { jid: 'bob@localhost', affiliation: 'none' });
    expect(await events.until('left')).toMatchObject({ departure: 'not-a-member', again: false });
  });

  test('roles and affiliations are seen by all', async () => {
    const jid = newRoom();
    const owner = await client('alice');
    const alice = await enter(owner, jid, 'Alice');
    const bob = await enter(await client('bob'), jid, 'Bob');
    const came = await alice.events.until('occupant');
    expect(came).toMatchObject({ occupant: { nick: 'Bob', role: 'participant', affiliation: 'none' } });
    expect(bob.room.occupants.get('Alice')).toMatchObject({ role: 'moderator', affiliation: 'owner' });
    await administer(owner, jid, { nick: 'Bob', role: 'moderator' });
    expect(await bob.events.until('occupant')).toMatchObject({ occupant: { nick: 'Bob', role: 'moderator' } });
    await administer(owner, jid, { jid: 'bob@localhost', affiliation: 'admin' });
    await alice.events.until('occupant', ({ occupant }) => occupant.affiliation === 'admin');
    const list = xml('query', { xmlns: NS.MUC_ADMIN }, xml('item', { affiliation: 'admin' }));
    const answer = await owner.request(xml('iq', { type: 'get', to: jid }, list));
    expect(answer.getChild('query', NS.MUC_ADMIN)?.getChild('item')?.getAttribute('jid')).toBe('bob@localhost');
  });

  test('what is not for everybody is refused', async () => {
    const jid = newRoom();
    await enter(await client('alice'), jid, 'Alice');
    const broker = await client('bob');
    const ask = (payload: Element, type = 'set', to = jid) => broker.request(xml('iq', { type, to }, payload));
    const owner = (...children: Element[]) => xml('query', { xmlns: NS.MUC_OWNER }, children);
    const admin = (item: Record<string, string>) => xml('query', { xmlns: NS.MUC_ADMIN }, xml('item', item));
    await expect(ask(xml('ping', { xmlns: NS.PING }), 'get', `${jid}/Bob`)).rejects.toMatchObject({
      condition: 'not-acceptable',
    });
    await enter(broker, jid, 'Bob');
    await expect(ask(owner(), 'get')).rejects.toMatchObject({ condition: 'forbidden' });
    await expect(ask(owner(xml('destroy')))).rejects.toMatchObject({ condition: 'forbidden' });
    const putOut = ask(admin({ nick: 'Alice', role: 'none' }));
    expect((await failure(putOut)).condition).toMatch(/^(?:not-allowed|forbidden)$/);
    await ask(xml('ping', { xmlns: NS.PING }), 'get', `${jid}/Bob`);
  });

  test('service discovery tells of the service and of a room', async () => {
    const jid = newRoom();
    const broker = await client('alice');
    await enter(broker, jid, 'Alice');
    for (const to of [jid, 'rooms.localhost']) {
      const answer = await broker.request(xml('iq', { type: 'get', to }, xml('query', { xmlns: NS.DISCO_INFO })));
      const query = answer.getChild('query', NS.DISCO_INFO);
      expect(query?.getChild('identity')?.getAttribute('category')).toBe('conference');
      expect(query?.getChildren('feature').map((feature) => feature.getAttribute('var'))).toContain(NS.MUC);
    }
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
    expect(first).toBe(locks ? 'refused' : 'entered');
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
    const proxy = await Proxy.listen(server().ports.starttls);
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
    await server().restart();
    expect(await bob.events.until('left')).toMatchObject({ again: true });
    expect(await bob.events.until('joined', ({ again }) => again)).toMatchObject({ nick: 'Bob' });
    bob.room.send('back');
    expect(await bob.events.until('message')).toMatchObject({ body: 'back', mine: true });
  });
}
