// The rooms of the loopback server, asked without a connection: who is told what, and what is refused to whom.
import { describe, expect, test } from 'vitest';
import { parse, type Element } from 'xmpp-broker';
import { Rooms } from '../../../src/testing/services/rooms.js';

const MUC = 'http://jabber.org/protocol/muc';
const DOMAIN = 'muc.localhost';
const ROOM = `tea@${DOMAIN}`;
const PING = "<ping xmlns='urn:xmpp:ping'/>";
const ITEMS = "<query xmlns='http://jabber.org/protocol/disco#items'/>";
const INFO = "<query xmlns='http://jabber.org/protocol/disco#info'/>";

/** What is told in a few words: of an error its condition, of a presence of the room its codes. */
function words(stanza: Element): string {
  const error = stanza.getChild('error')?.firstElementChild;
  if (error != null) return error.localName;
  const x = stanza.getChild('x', `${MUC}#user`);
  const codes = x?.getChildren('status').map((status) => status.getAttribute('code')) ?? [];
  return [stanza.localName, stanza.getAttribute('type'), ...codes].filter((word) => word !== null).join(' ');
}

/** A service, and what it said since it was asked last. */
function service() {
  const said: Element[] = [];
  const rooms = new Rooms(DOMAIN, (stanza) => said.push(stanza));
  const tell = (from: string, text: string): Element[] => {
    said.length = 0;
    const stanza = parse(text.replace(/^<(\w+)/, `<$1 xmlns='jabber:client' from='${from}'`));
    rooms.deliver(stanza);
    return [...said];
  };
  const ask = (from: string, inside: string, to = ROOM, type = 'set') =>
    tell(from, `<iq type='${type}' id='i' to='${to}'>${inside}</iq>`);
  const owner = (from: string, inside: string, type = 'set') =>
    ask(from, `<query xmlns='${MUC}#owner'>${inside}</query>`, ROOM, type);
  return {
    rooms,
    tell,
    ask,
    owner,
    enter: (from: string, nick: string, inside = '') =>
      tell(from, `<presence to='${ROOM}/${nick}'><x xmlns='${MUC}'>${inside}</x></presence>`),
    admin: (from: string, item: string, type = 'set') =>
      ask(from, `<query xmlns='${MUC}#admin'>${item}</query>`, ROOM, type),
    configure: (from: string, fields: Record<string, string>) => {
      const texts = Object.entries(fields).map(
        ([name, value]) => `<field var='muc#roomconfig_${name}'><value>${value}</value></field>`,
      );
      return owner(from, `<x xmlns='jabber:x:data' type='submit'>${texts.join('')}</x>`);
    },
  };
}

/** One room with its owner and another one in it. */
function room(fields: Record<string, string> = {}) {
  const all = service();
  all.enter('alice@a/1', 'Alice');
  all.configure('alice@a/1', fields);
  all.enter('bob@b/1', 'Bob');
  return all;
}

const to = (name: string, said: readonly Element[]): string[] =>
  said.filter((one) => one.getAttribute('to')?.startsWith(name) === true).map(words);

describe('who may enter', () => {
  test('a room that is being set up is not there for others', () => {
    const { enter } = service();
    expect(to('alice', enter('alice@a/1', 'Alice'))).toEqual(['presence 201 110', 'message groupchat']);
    expect(to('bob', enter('bob@b/1', 'Bob'))).toEqual(['item-not-found']);
  });

  test.each<[string, Record<string, string>, string, string, string[]]>([
    ['with its password', { roomsecret: 'x' }, 'carol@c/1', '<password>x</password>', ['presence', 'presence 110']],
    ['with another password', { roomsecret: 'x' }, 'carol@c/1', '<password>y</password>', ['not-authorized']],
    ['without the password', { roomsecret: 'x' }, 'carol@c/1', '', ['not-authorized']],
    ['that is for members', { membersonly: '1' }, 'carol@c/1', '', ['registration-required']],
    ['that is full', { maxusers: '1' }, 'carol@c/1', '', ['service-unavailable']],
    ['that is full, its owner', { maxusers: '1' }, 'alice@a/2', '', ['presence', 'presence 110']],
    ['in which everybody sees addresses', { whois: 'anyone' }, 'carol@c/1', '', ['presence', 'presence 100 110']],
  ])('a room %s', (_, fields, who, inside, told) => {
    const { enter, configure } = service();
    enter('alice@a/1', 'Alice');
    configure('alice@a/1', fields);
    expect(to(who, enter(who, 'New', inside)).slice(0, 2)).toEqual(told);
  });

  test('an outcast, and one whose nickname is taken, may not; who is in may have another one, or is told again', () => {
    const { enter, admin, tell } = room();
    expect(to('carol', enter('carol@c/1', 'Bob'))).toEqual(['conflict']);
    expect(to('bob', enter('bob@b/1', 'Bobby'))).toEqual(['presence unavailable 303 110', 'presence 110']);
    expect(to('bob', tell('bob@b/1', `<presence to='${ROOM}/Alice'/>`))).toEqual(['conflict']);
    expect(to('bob', tell('bob@b/1', `<presence to='${ROOM}/Robert'/>`))).toEqual([
      'presence unavailable 303 110',
      'presence 110',
    ]);
    expect(to('bob', tell('bob@b/1', `<presence to='${ROOM}/Robert'><show>away</show></presence>`))).toEqual([
      'presence 110',
    ]);
    expect(to('bob', enter('bob@b/1', 'Robert'))).toEqual(['presence', 'presence 110', 'message groupchat']);
    admin('alice@a/1', "<item jid='bob@b' affiliation='outcast'/>");
    expect(to('bob', enter('bob@b/1', 'Bob'))).toEqual(['forbidden']);
    expect(tell('bob@b/1', `<presence to='${ROOM}/Bob' type='probe'/>`)).toEqual([]);
  });
});

describe('what owners do', () => {
  test.each<[string, string, string, string[]]>([
    ['bob@b/1', '<destroy/>', 'set', ['forbidden']],
    ['bob@b/1', '', 'get', ['forbidden']],
    ['alice@a/1', '', 'get', ['iq result']],
    ['alice@a/1', '', 'set', ['bad-request']],
    ['alice@a/1', "<x xmlns='jabber:x:data' type='cancel'/>", 'set', ['iq result']],
    ['alice@a/1', "<x xmlns='jabber:x:data' type='submit'/>", 'set', ['message groupchat 104', 'iq result']],
  ])('%s asks for %j by %s', (who, inside, type, told) => {
    const { owner } = room();
    expect(to(who, owner(who, inside, type))).toEqual(told);
  });

  test.each([
    [{ passwordprotectedroom: '1' }, 'not-acceptable'],
    [{ maxusers: 'many' }, 'not-acceptable'],
    [{ maxusers: 'none', historylength: '7', passwordprotectedroom: '0', roomsecret: 'x' }, 'iq result'],
  ])('a form with %j', (fields, told) => {
    const { configure } = room();
    expect(to('alice', configure('alice@a/1', fields)).at(-1)).toBe(told);
  });

  test('a room that is for members from now on keeps no others', () => {
    const { configure } = room();
    expect(to('bob', configure('alice@a/1', { membersonly: '1' }))).toEqual(['presence unavailable 322 110']);
  });

  test('a room that was never set up is gone when that is cancelled, and any when it is destroyed', () => {
    const fresh = service();
    fresh.enter('alice@a/1', 'Alice');
    const [gone, done] = fresh.owner('alice@a/1', "<x xmlns='jabber:x:data' type='cancel'/>");
    expect([gone, done].map((one) => (one === undefined ? '' : words(one)))).toEqual([
      'presence unavailable 110',
      'iq result',
    ]);
    expect(to('alice', fresh.ask('alice@a/1', PING, ROOM, 'get'))).toEqual(['item-not-found']);
    const used = room();
    const said = used.owner('alice@a/1', `<destroy jid='other@${DOMAIN}'><reason>moved</reason></destroy>`);
    expect(to('bob', said)).toEqual(['presence unavailable 110']);
    expect(said[1]?.toString()).toContain(`<destroy jid='other@${DOMAIN}'><reason>moved</reason></destroy>`);
  });

  test('a room with its settings is described, and one that stays is there without anybody', () => {
    const { configure, ask, rooms } = room();
    const described = () => ask('bob@b/1', INFO, ROOM, 'get').map(String).join('');
    for (const feature of ['public', 'open', 'unmoderated', 'semianonymous', 'unsecured', 'temporary'])
      expect(described()).toContain(`'muc_${feature}'`);
    configure('alice@a/1', {
      ...{
        publicroom: '0',
        membersonly: '1',
        moderatedroom: '1',
        whois: 'anyone',
        roomsecret: 'x',
        persistentroom: '1',
      },
      roomname: 'Tea',
    });
    const hidden = ['hidden', 'membersonly', 'moderated', 'nonanonymous', 'passwordprotected', 'persistent'];
    for (const feature of hidden) expect(described()).toContain(`'muc_${feature}'`);
    expect(described()).toContain("name='Tea'");
    rooms.reset();
    expect(described()).toContain("name='Tea'");
    // Not listed: it is hidden.
    expect(ask('bob@b/1', ITEMS, DOMAIN, 'get').map(String).join('')).not.toContain('<item');
    configure('alice@a/1', { publicroom: '1' });
    expect(ask('bob@b/1', ITEMS, DOMAIN, 'get').map(String).join('')).toContain(`<item jid='${ROOM}' name='Tea'/>`);
  });
});

describe('who may change whom', () => {
  test.each<[string, string, string, string]>([
    ['alice@a/1', "<item nick='Bob' role='moderator'/>", 'set', 'iq result'],
    ['alice@a/1', "<item nick='Bob' role='king'/>", 'set', 'bad-request'],
    ['alice@a/1', "<item nick='Nobody' role='none'/>", 'set', 'item-not-found'],
    ['alice@a/1', "<item role='none'/>", 'set', 'item-not-found'],
    ['bob@b/1', "<item nick='Alice' role='visitor'/>", 'set', 'not-allowed'],
    ['carol@c/1', "<item nick='Bob' role='none'/>", 'set', 'not-allowed'],
    ['alice@a/1', "<item nick='Bob' affiliation='member'/>", 'set', 'iq result'],
    ['alice@a/1', "<item affiliation='member'/>", 'set', 'bad-request'],
    ['alice@a/1', "<item jid='bob@b' affiliation='king'/>", 'set', 'bad-request'],
    ['bob@b/1', "<item jid='carol@c' affiliation='member'/>", 'set', 'not-allowed'],
    ['alice@a/1', "<item affiliation='owner'/>", 'get', 'iq result'],
    ['bob@b/1', "<item affiliation='owner'/>", 'get', 'forbidden'],
    ['alice@a/1', "<item role='participant'/>", 'get', 'iq result'],
    ['bob@b/1', "<item role='participant'/>", 'get', 'forbidden'],
    ['alice@a/1', '<item/>', 'get', 'bad-request'],
    ['alice@a/1', '', 'get', 'bad-request'],
  ])('%s asks for %s by %s: %s', (who, item, type, told) => {
    const { admin } = room();
    expect(to(who, admin(who, item, type)).at(-1)).toBe(told);
  });

  test('an admin changes those below, and nobody else', () => {
    const { admin, enter } = room();
    admin('alice@a/1', "<item jid='bob@b' affiliation='admin'/>");
    enter('carol@c/1', 'Carol');
    const told = (item: string) => to('bob', admin('bob@b/1', item)).at(-1);
    expect(told("<item jid='carol@c' affiliation='member'/>")).toBe('iq result');
    expect(told("<item jid='carol@c' affiliation='admin'/>")).toBe('not-allowed');
    expect(told("<item jid='alice@a' affiliation='none'/>")).toBe('not-allowed');
    expect(told("<item nick='Carol' role='moderator'/>")).toBe('iq result');
    expect(to('carol', admin('bob@b/1', "<item jid='carol@c' affiliation='outcast'/>"))).toEqual([
      'presence unavailable 301 110',
    ]);
  });

  test('who is no member any more leaves a room for members', () => {
    const { admin, enter } = room({ membersonly: '1' });
    admin('alice@a/1', "<item jid='carol@c' affiliation='member'/>");
    enter('carol@c/1', 'Carol');
    expect(to('carol', admin('alice@a/1', "<item jid='carol@c' affiliation='none'/>"))).toEqual([
      'presence unavailable 321 110',
    ]);
  });
});

describe('what is said', () => {
  const message = (inside: string, type = " type='groupchat'", where = ROOM) =>
    `<message to='${where}'${type}>${inside}</message>`;
  const invite = (whom: string, inside = '') =>
    message(`<x xmlns='${MUC}#user'><invite${whom}>${inside}</invite></x>`, '');

  test('a subject is set by whoever may, and told to those who come', () => {
    const { tell, configure, enter } = room();
    expect(to('alice', tell('bob@b/1', message('<subject>tea</subject>')))).toEqual(['message groupchat']);
    configure('alice@a/1', { changesubject: '0' });
    expect(to('bob', tell('bob@b/1', message('<subject>coffee</subject>')))).toEqual(['forbidden']);
    expect(to('bob', tell('alice@a/1', message('<subject>milk</subject>')))).toEqual(['message groupchat']);
    expect(enter('carol@c/1', 'Carol').at(-1)?.getChildText('subject')).toBe('milk');
  });

  test.each<[string, string, string[]]>([
    ['an invitation', invite(" to='carol@c'"), []],
    ['one of nobody', invite(''), ['service-unavailable']],
    ['no invitation', message('<x/>', ''), ['service-unavailable']],
    [
      'something to all by one of those who are not in',
      message('<body>x</body>').replace('<message', "<message id='n'"),
      [],
    ],
  ])('%s', (_, text, told) => {
    const { tell } = room();
    expect(to('bob', tell('bob@b/1', text)).filter((one) => one.includes('-'))).toEqual(told);
  });

  test('who is asked in is told by whom, why, and the password; into a room for members only by those who may', () => {
    const { tell, configure, enter } = room({ roomsecret: 'x' });
    const [asked] = tell('alice@a/1', invite(" to='carol@c'", '<reason>tea</reason>'));
    expect(asked?.toString()).toContain(
      `<invite from='${ROOM}/Alice'><reason>tea</reason></invite><password>x</password>`,
    );
    enter('bob@b/1', 'Bob', '<password>x</password>');
    configure('alice@a/1', { passwordprotectedroom: '0', roomsecret: '' });
    const [plain] = tell('bob@b/1', invite(" to='dave@d'"));
    expect(plain?.toString()).toContain(`<invite from='${ROOM}/Bob'/></x>`);
    tell('alice@a/1', invite(" to='bob@b'"));
    configure('alice@a/1', { membersonly: '1' });
    expect(to('alice', tell('alice@a/1', invite(" to='erin@e'")))).toEqual([]);
    expect(to('erin', enter('erin@e/1', 'Erin'))[0]).toBe('presence');
    expect(to('erin', tell('erin@e/1', invite(" to='frank@f'")))).toEqual(['forbidden']);
    expect(to('frank', tell('alice@a/1', invite(" to='frank@f'")))).toEqual(['message']);
  });

  test('requests go to the one of that name, a ping of oneself to the room', () => {
    const { ask, tell } = room();
    const last = (from: string, inside: string, where: string, type = 'get') =>
      ask(from, inside, where, type).map((one) => `${one.getAttribute('to') ?? ''}: ${words(one)}`);
    expect(last('bob@b/1', PING, `${ROOM}/Bob`)).toEqual(['bob@b/1: iq result']);
    expect(last('bob@b/1', PING, `${ROOM}/Alice`)).toEqual(['alice@a/1: iq get']);
    expect(last('bob@b/1', INFO, `${ROOM}/Bob`)).toEqual(['bob@b/1: iq get']);
    expect(last('carol@c/1', PING, `${ROOM}/Bob`)).toEqual(['carol@c/1: not-acceptable']);
    expect(last('bob@b/1', PING, ROOM)).toEqual(['bob@b/1: iq result']);
    expect(last('bob@b/1', ITEMS, ROOM)).toEqual(['bob@b/1: iq result']);
    expect(last('bob@b/1', "<query xmlns='x'/>", ROOM)).toEqual(['bob@b/1: service-unavailable']);
    expect(last('bob@b/1', '', ROOM)).toEqual([]);
    expect(last('bob@b/1', PING, ROOM, 'result')).toEqual([]);
    expect(last('bob@b/1', PING, DOMAIN)).toEqual(['bob@b/1: iq result']);
    expect(last('bob@b/1', INFO, DOMAIN)).toEqual(['bob@b/1: iq result']);
    expect(last('bob@b/1', "<query xmlns='x'/>", DOMAIN)).toEqual(['bob@b/1: service-unavailable']);
    expect(last('bob@b/1', INFO, DOMAIN, 'set')).toEqual(['bob@b/1: service-unavailable']);
    expect(tell('bob@b/1', `<presence to='${DOMAIN}'/>`)).toEqual([]);
    expect(tell('bob@b/1', "<presence to='@@'/>")).toEqual([]);
  });

  test('an error of an occupant takes it out, and one of anybody else does nothing', () => {
    const { tell } = room();
    expect(tell('carol@c/1', message('', " type='error'"))).toEqual([]);
    expect(to('alice', tell('bob@b/1', message('', " type='error'")))).toEqual(['presence unavailable']);
    expect(tell('bob@b/1', `<presence to='${ROOM}/Bob' type='unavailable'/>`)).toEqual([]);
    expect(tell('bob@b/1', `<presence to='none@${DOMAIN}/Bob' type='unavailable'/>`)).toEqual([]);
    expect(tell('bob@b/1', message('', " type='error'", `none@${DOMAIN}`))).toEqual([]);
  });
});

test('there is an end to rooms, and to what a room remembers of people', () => {
  const { tell, admin, enter } = service();
  for (let k = 0; k < 1_000; k += 1)
    tell('alice@a/1', `<presence to='r${String(k)}@${DOMAIN}/A'><x xmlns='${MUC}'/></presence>`);
  expect(to('alice', enter('alice@a/1', 'Alice'))).toEqual(['resource-constraint']);
  const other = room();
  let told = '';
  for (let k = 0; k < 5_000 && told !== 'resource-constraint'; k += 1) {
    told = to('alice', other.admin('alice@a/1', `<item jid='u${String(k)}@u' affiliation='member'/>`)).at(-1) ?? '';
  }
  expect(told).toBe('resource-constraint');
  expect(to('alice', admin('alice@a/1', '<item/>'))).toEqual(['item-not-found']);
});
