import { describe, expect, it, vi } from 'vitest';
import { NS, type BrokerError, type BrokerOptions, type Element } from 'xmpp-broker';
import { Room, type RoomOptions } from 'xmpp-broker/muc';
import { CLIENT, JID } from './support/client.js';
import { failure, stopClock, useRig, type Ready } from './support/index.js';

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

/** What the room tells of somebody, or of us. */
const told = (
  nick: string,
  { type = '', codes = [] as number[], item = "affiliation='none' role='participant'" } = {},
) =>
  `<presence from='${ROOM}/${nick}' to='${JID}'${type === '' ? '' : ` type='${type}'`}><x xmlns='${NS.MUC_USER}'><item ${item}/>${codes
    .map((code) => `<status code='${String(code)}'/>`)
    .join('')}</x></presence>`;
const said = (inside: string, type = " type='groupchat'", nick = '/bob'): string =>
  `<message from='${ROOM}${nick}' to='${JID}'${type}>${inside}</message>`;
const refusal = (condition: string, nick = 'n', type = 'cancel') =>
  `<presence from='${ROOM}/${nick}' to='${JID}' type='error'><error type='${type}'><${condition} xmlns='${NS.STANZAS}'/></error></presence>`;
/** An iq of ours, answered with that. */
const answered = async (server: Ready['server'], inside = '', type = 'result'): Promise<string> => {
  const [text] = await server.match(/<iq [^>]*?to='lobby@[^>]*>.*?<\/iq>/s);
  const [, id = ''] = / id='([^']+)'/.exec(text) ?? [];
  const [, to = ''] = / to='([^']+)'/.exec(text) ?? [];
  await server.send(`<iq type='${type}' id='${id}' from='${to}' to='${JID}'>${inside}</iq>`);
  return text;
};

/** A room and everything that it fires, in words. */
async function outside(options: Partial<RoomOptions> = {}, broker: Partial<BrokerOptions> = {}) {
  const ready = await rig.ready(broker);
  const room = new Room(ready.broker, ROOM, { nick: 'n', ...options });
  const events: string[] = [];
  room.subscribe('joined', ({ created, again }) => events.push(`joined ${String(created)} ${String(again)}`));
  room.subscribe('left', ({ departure, again, error }) =>
    events.push(`left ${departure} ${String(again)} ${error === null ? '' : error.code}`.trim()),
  );
  room.subscribe('occupant', ({ change, occupant, before, departure }) =>
    events.push([change, occupant.nick, before === null ? 'new' : 'known', departure ?? ''].join(' ').trim()),
  );
  room.subscribe('subject', ({ subject, nick }) => events.push(`subject ${subject} ${String(nick)}`));
  room.subscribe('message', ({ body, mine, history, private: isPrivate }) =>
    events.push(`message ${String(body)} ${String(mine)} ${String(history)} ${String(isPrivate)}`),
  );
  return { ...ready, room, events };
}

async function inside(options: Partial<RoomOptions> = {}) {
  const all = await outside(options);
  const joined = all.room.join();
  await all.server.expect('</presence>');
  await all.server.send(self());
  await joined;
  all.events.length = 0;
  return all;
}

/** Everything that was sent so far has arrived. */
async function heard({ broker, server }: Pick<Ready, 'broker' | 'server'>): Promise<void> {
  const last = new Promise<void>((resolve) => {
    broker.subscribe('PCJ_NODERECEIVED', (stanza) => {
      if (stanza.getAttribute('id') === 'last') resolve();
    });
  });
  await server.send(`<message id='last' from='x@y' to='${JID}'/>`);
  await last;
}

describe('a room that we are in', () => {
  it('tells who comes, changes, is called otherwise and goes', async () => {
    const all = await inside();
    const { room, server, events } = all;
    await server.send(told('bob') + told('bob', { item: "affiliation='member' role='moderator'" }));
    await server.send(told('bob', { type: 'unavailable', codes: [303], item: "nick='robert'" }));
    await server.send(told('carol', { type: 'unavailable', codes: [303], item: "nick='caroline'" }));
    await server.send(told('robert', { type: 'unavailable', codes: [307] }));
    await server.send(told('nobody', { type: 'unavailable' }) + `<presence from='${ROOM}/dave' to='${JID}'/>`);
    await server.send(
      `<presence from='${ROOM}' to='${JID}'/><iq type='result' id='x' from='${ROOM}/bob' to='${JID}'/>`,
    );
    await heard(all);
    expect(events).toEqual([
      'entered bob new',
      'changed bob known',
      'renamed robert known',
      'renamed caroline new',
      'left robert known kicked',
      'left nobody new left',
      'entered dave new',
    ]);
    expect(room.occupants.get('dave')).toMatchObject({ affiliation: 'none', role: 'none', jid: null });
  });

  it('tells what is said, to all or to us alone, and what is none of it', async () => {
    const all = await inside();
    const { room, server, events } = all;
    await server.send(said('<body>old</body><delay xmlns="urn:xmpp:delay" stamp="2020-01-01T00:00:00Z"/>'));
    await server.send(
      said('<subject>tea</subject>') + said('<body>hi</body>') + said('<body>me</body>', undefined, '/n'),
    );
    await server.send(said('<body>psst</body>', " type='chat'") + said('<x/>', '', '') + said('', " type='error'"));
    await heard(all);
    expect(events).toEqual([
      'message old false true false',
      'subject tea bob',
      'message hi false false false',
      'message me true false false',
      'message psst false false true',
    ]);
    expect([room.subject, room.newest === null]).toEqual(['tea', false]);
  });

  it('takes no content, subject, event or second room that is none', async () => {
    const { broker, room } = await inside();
    const code = (work: () => unknown): string => {
      try {
        work();
      } catch (error) {
        return (error as BrokerError).code;
      }
      return 'none';
    };
    expect(code(() => room.send(7 as never))).toBe('USAGE_ROOM');
    expect(code(() => room.setSubject(7 as never))).toBe('USAGE_ROOM');
    expect(code(() => room.subscribe('other' as never, () => undefined))).toBe('USAGE_ROOM');
    expect(code(() => new Room(broker, ROOM, { nick: 'm' }))).toBe('USAGE_ROOM_TAKEN');
    for (const address of ['rooms.localhost', `${ROOM}/n`, 7]) {
      expect(code(() => new Room(broker, address as string, { nick: 'm' }))).toBe('USAGE_ROOM');
    }
    for (const history of [{ seconds: -1 }, { maxStanzas: 0.5 }, { since: new Date(NaN) }, { since: 1 as never }]) {
      expect(code(() => new Room(broker, 'b@c', { nick: 'm', history }))).toBe('USAGE_ROOM');
    }
    await room.join();
  });

  it('is left once; who is put out instead is out, too', async () => {
    const { room, server, events } = await inside();
    const [first, second] = [room.leave('bye'), room.leave()];
    await server.expect('<status>bye</status>');
    await server.send(told('n', { type: 'unavailable', codes: [110, 307] }));
    await Promise.all([first, second]);
    expect(events).toEqual(['left left false']);
    await room.leave();
    expect(room.state).toBe('outside');
    await server.send(told('bob') + said('<body>late</body>'));
    expect(() => room.send('x')).toThrow(expect.objectContaining({ code: 'MUC_OUTSIDE' }) as Error);
  });

  it('is left where the link ends before the room says so', async () => {
    const { broker, room, server, events } = await inside();
    const leaving = room.leave();
    await server.expect("type='unavailable'");
    const gone = broker.events.once('PCJ_SOCKETDISCONNECT');
    server.destroy();
    await gone;
    await leaving;
    expect(events).toEqual(['left left false']);
  });

  it('is lost with the broker that comes to rest', async () => {
    const { broker, room, server, events } = await inside();
    const rest = broker.shutdown();
    await server.expect('</stream:stream>');
    await server.send('</stream:stream>');
    await rest;
    await expect.poll(() => events).toEqual(['left lost false MUC_OFFLINE']);
    expect(room.occupants.size).toBe(0);
  });
});

describe('a room that is quiet', () => {
  it.each([
    ['is asked whether we are in it', '', 'result', []],
    [
      'and says that we are not is entered again',
      `<error type='cancel'><not-acceptable xmlns='${NS.STANZAS}'/></error>`,
      'error',
      ['left lost true'],
    ],
  ])('%s', async (_, answer, type, then) => {
    const clock = stopClock();
    const all = await inside({ pingMs: 10_000 });
    await clock.pass(10_000);
    expect(await answered(all.server, answer, type)).toContain(`to='${ROOM}/n'`);
    await heard(all);
    expect(all.events).toEqual(then);
    expect(all.room.state).toBe(then.length === 0 ? 'inside' : 'entering');
    if (then.length > 0) return;
    await clock.pass(10_000);
    expect(await answered(all.server)).toContain('urn:xmpp:ping');
  });
});

describe('a room that does not let us in', () => {
  it.each(['forbidden', 'registration-required'])('for good: %s', async (condition) => {
    const { room, server } = await outside();
    const joining = room.join();
    await server.expect('</presence>');
    // One of somebody else is none of ours.
    await server.send(refusal('conflict', 'other') + refusal(condition));
    expect(await failure(joining)).toMatchObject({ condition });
    expect(room.state).toBe('outside');
  });

  it.each<[string, RoomOptions['onNickConflict'], string | null]>([
    ['another nickname of ours', undefined, 'n_'],
    ['one that the program gives', () => 'm', 'm'],
    ['none', () => 7 as never, null],
    [
      'one that fails',
      () => {
        throw new Error('oops');
      },
      null,
    ],
  ])('under a name that is taken: %s', async (_, onNickConflict, nick) => {
    const { room, server } = await outside({ onNickConflict });
    const joining = room.join();
    await server.expect('</presence>');
    await server.send(refusal('conflict'));
    if (nick === null) {
      expect(await failure(joining)).toMatchObject({ condition: 'conflict' });
      return;
    }
    await server.expect(`to='${ROOM}/${nick}'`);
    await server.send(told(nick, { codes: [110] }));
    await joining;
    expect(room.nick).toBe(nick);
  });

  it('because its password cannot be had', async () => {
    const { room, events } = await outside({ password: () => Promise.reject(new Error('locked')) });
    expect(await failure(room.join())).toMatchObject({ code: 'MUC_NOT_ASKED' });
    expect(events).toEqual([]);
  });

  it('because we left before its password was there', async () => {
    let give: (password: string) => void = () => undefined;
    const { room, broker, server } = await outside({ password: () => new Promise((resolve) => (give = resolve)) });
    const joining = failure(room.join());
    await room.leave();
    expect(await joining).toMatchObject({ code: 'MUC_LEFT' });
    give('s3cret');
    await heard({ broker, server });
    expect(server.received.toString()).not.toContain('s3cret');
  });
});

describe('a room that is not there', () => {
  const made = told('n', { codes: [110, 201] });

  it('is made and set up as the program wants it', async () => {
    const create = vi.fn((form: Element) => form);
    const { room, server, events } = await outside({ create });
    const joining = room.join();
    await server.expect('</presence>');
    await server.send(made + said('<subject/>', undefined, ''));
    await answered(server, `<query xmlns='${NS.MUC_OWNER}'><x xmlns='${NS.DATA_FORMS}' type='form'/></query>`);
    await answered(server);
    await joining;
    expect(create).toHaveBeenCalledOnce();
    expect(events).toEqual(['joined true false']);
  });

  it.each<[string, Partial<RoomOptions>, string | null]>([
    ['that is not to be made', { create: false }, null],
    ['that gives no form', { create: (form) => form }, '<query xmlns="http://jabber.org/protocol/muc#owner"/>'],
  ])('is destroyed: one %s', async (_, options, form) => {
    const { room, server, events } = await outside(options);
    const joining = failure(room.join());
    await server.expect('</presence>');
    await server.send(made);
    if (form !== null) await answered(server, form);
    const asked = server.expect('<destroy/>');
    await asked;
    await server.send(told('n', { type: 'unavailable', codes: [110] }));
    const [, id = ''] = / id='([^']+)'[^>]*><query[^>]*><destroy/.exec(server.received.toString()) ?? [];
    await server.send(`<iq type='result' id='${id}' from='${ROOM}' to='${JID}'/>`);
    expect(await joining).toMatchObject({ code: 'MUC_NOT_CREATED' });
    expect(events).toEqual([]);
  });

  it('is nothing to us any more when we leave while it is set up', async () => {
    const all = await outside();
    const joining = failure(all.room.join());
    await all.server.expect('</presence>');
    await all.server.send(made);
    await all.server.expect('</iq>');
    await all.room.leave();
    expect(await joining).toMatchObject({ code: 'MUC_LEFT' });
    await heard(all);
    expect(all.events).toEqual([]);
  });
});
