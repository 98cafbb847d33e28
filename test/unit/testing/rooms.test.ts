import { describe, expect, test } from 'vitest';
import { parse } from 'xmpp-broker';
import { LoopbackServer } from 'xmpp-broker/testing';
import { roomCases } from '../../servers/support/room-cases.js';
import { startLoopback } from '../../servers/support/loopback-site.js';
import { ACCOUNTS, RawClient } from './raw-client.js';

// The same as on Prosody and ejabberd.
describe('rooms of the loopback server', () => {
  roomCases(() => startLoopback({ services: { rooms: 'rooms.localhost' } }), { locks: true });
});

const MUC = 'http://jabber.org/protocol/muc';
const ROOM = 'tea@conference.localhost';

async function inside(server: LoopbackServer, username: string, nick: string, asked = ''): Promise<RawClient> {
  const client = await RawClient.bound(server, username, 'r');
  await client.send(`<presence to='${ROOM}/${nick}'><x xmlns='${MUC}'>${asked}</x></presence>`);
  await client.expect(/<subject\/>.*?<\/message>|<subject>.*?<\/message>/);
  return client;
}

const configured = (fields: Record<string, string>) =>
  `<iq type='set' id='c' to='${ROOM}'><query xmlns='${MUC}#owner'><x xmlns='jabber:x:data' type='submit'>${Object.entries(
    fields,
  )
    .map(([name, value]) => `<field var='muc#roomconfig_${name}'><value>${value}</value></field>`)
    .join('')}</x></query></iq>`;

const pair = async (server: LoopbackServer, fields: Record<string, string> = {}) => {
  const alice = await inside(server, 'alice', 'Alice');
  await alice.send(configured(fields));
  await alice.expect(/<iq type='result'[^>]*\/>/);
  return { alice, bob: await inside(server, 'bob', 'Bob') };
};

describe('on the wire', () => {
  test('what is written when somebody comes, speaks, and is put out', async () => {
    await using server = await LoopbackServer.start(ACCOUNTS);
    const alice = await RawClient.bound(server, 'alice', 'r');
    await alice.send(`<presence to='${ROOM}/Alice' id='p'><x xmlns='${MUC}'/></presence>`);
    expect(await alice.expect(/<subject\/><\/message>/)).toBe(
      `<presence to='alice@localhost/r' id='p' from='${ROOM}/Alice'><x xmlns='${MUC}#user'>` +
        "<item affiliation='owner' role='moderator' jid='alice@localhost/r'/><status code='201'/><status code='110'/></x></presence>" +
        `<message type='groupchat' from='${ROOM}' to='alice@localhost/r'><subject/></message>`,
    );
    await alice.send(configured({}));
    await alice.expect(/<iq type='result'[^>]*\/>/);
    const bob = await inside(server, 'bob', 'Bob');
    expect(await alice.expect(/<\/presence>/)).toBe(
      `<presence to='alice@localhost/r' from='${ROOM}/Bob'><x xmlns='${MUC}#user'><item affiliation='none' role='participant' jid='bob@localhost/r'/></x></presence>`,
    );
    await bob.send(`<message to='${ROOM}' type='groupchat' id='m'><body>hi</body></message>`);
    const said = (to: string) =>
      `<message to='${to}@localhost/r' type='groupchat' id='m' from='${ROOM}/Bob'><body>hi</body></message>`;
    expect(await alice.expect('</message>')).toBe(said('alice'));
    expect(await bob.expect('</message>')).toBe(said('bob'));
    await alice.send(
      `<iq type='set' id='k' to='${ROOM}'><query xmlns='${MUC}#admin'><item nick='Bob' role='none'><reason>why</reason></item></query></iq>`,
    );
    expect(await bob.expect('</presence>')).toBe(
      `<presence from='${ROOM}/Bob' type='unavailable' to='bob@localhost/r'><x xmlns='${MUC}#user'><item affiliation='none' role='none' jid='bob@localhost/r'>` +
        "<actor nick='Alice'/><reason>why</reason></item><status code='307'/><status code='110'/></x></presence>",
    );
    for (const client of [alice, bob]) client.close();
  });

  test('whoever goes without a word is gone from the room', async () => {
    await using server = await LoopbackServer.start({ ...ACCOUNTS, streamManagement: false });
    const { alice, bob } = await pair(server);
    server.cut('bob@localhost');
    await alice.expect(new RegExp(`type='unavailable' from='${ROOM}/Bob'`));
    for (const client of [alice, bob]) client.close();
  });

  test('those who cannot be reached any more are put out, however many', async () => {
    await using server = await LoopbackServer.start({ ...ACCOUNTS, components: { 'bots.localhost': 'secret' } });
    const alice = await inside(server, 'alice', 'Alice');
    await alice.send(configured({}));
    await alice.expect(/<iq type='result'[^>]*\/>/);
    for (let n = 0; n < 900; n++) {
      const [from, to] = [`b@bots.localhost/${String(n)}`, `${ROOM}/Bot${String(n)}`];
      server.route(parse(`<presence from='${from}' to='${to}'><x xmlns='${MUC}'/></presence>`));
    }
    await alice.send(`<message to='${ROOM}' type='groupchat' id='m'><body>anybody?</body></message>`);
    await alice.expect("id='m'");
    await alice.send(`<iq type='get' id='n' to='${ROOM}'><query xmlns='http://jabber.org/protocol/disco#info'/></iq>`);
    expect(await alice.expect(/<iq[^>]*id='n'.*<\/iq>/)).toMatch(/roominfo_occupants' type='text-single'><value>1</);
    alice.close();
  });

  test('visitors of a moderated room have no voice', async () => {
    await using server = await LoopbackServer.start(ACCOUNTS);
    const { alice, bob } = await pair(server, { moderatedroom: '1' });
    await bob.send(`<message to='${ROOM}' type='groupchat' id='m'><body>hi</body></message>`);
    await bob.expect('<forbidden');
    await alice.send(
      `<iq type='set' id='v' to='${ROOM}'><query xmlns='${MUC}#admin'><item nick='Bob' role='participant'/></query></iq>`,
    );
    await bob.expect("role='participant'");
    await bob.send(`<message to='${ROOM}' type='groupchat' id='n'><body>hi</body></message>`);
    await alice.expect("id='n'");
    for (const client of [alice, bob]) client.close();
  });

  test('history is as long as it was asked for', async () => {
    await using server = await LoopbackServer.start(ACCOUNTS);
    const alice = await inside(server, 'alice', 'Alice');
    await alice.send(configured({ historylength: '3' }));
    for (const id of ['1', '2', '3', '4']) {
      await alice.send(`<message to='${ROOM}' type='groupchat' id='m${id}'><body>${id}</body></message>`);
      await alice.expect(`id='m${id}'`);
    }
    const told = async (asked: string) => {
      const bob = await RawClient.bound(server, 'bob', 'r');
      await bob.send(`<presence to='${ROOM}/Bob'><x xmlns='${MUC}'>${asked}</x></presence>`);
      const text = await bob.expect('<subject/></message>');
      bob.close();
      await alice.expect("type='unavailable'");
      return [...text.matchAll(/id='(m\d)'/g)].map(([, id]) => id);
    };
    expect(await told('')).toEqual(['m2', 'm3', 'm4']);
    expect(await told("<history maxstanzas='2'/>")).toEqual(['m3', 'm4']);
    expect(await told("<history maxstanzas='0'/>")).toEqual([]);
    expect(await told("<history maxchars='0'/>")).toEqual([]);
    expect(await told("<history seconds='60'/>")).toEqual(['m2', 'm3', 'm4']);
    expect(await told("<history since='2999-01-01T00:00:00Z'/>")).toEqual([]);
    alice.close();
  });

  test.each([
    [`<presence to='${ROOM}'><x xmlns='${MUC}'/></presence>`, 'jid-malformed'],
    [`<presence to='other@conference.localhost/x'/>`, 'item-not-found'],
    [`<presence to='${ROOM}/Alice'/>`, 'conflict'],
    [`<message to='other@conference.localhost' type='groupchat'><body/></message>`, 'item-not-found'],
    [`<message to='${ROOM}/Nobody' type='chat'><body/></message>`, 'item-not-found'],
    [`<message to='${ROOM}/Alice' type='groupchat'><body/></message>`, 'bad-request'],
    [`<message to='${ROOM}' type='chat'><body/></message>`, 'service-unavailable'],
    [`<message to='conference.localhost'><body/></message>`, 'service-unavailable'],
    [`<iq type='get' id='i' to='conference.localhost'><x xmlns='y'/></iq>`, 'service-unavailable'],
    [`<iq type='get' id='i' to='${ROOM}'><x xmlns='y'/></iq>`, 'service-unavailable'],
    [`<iq type='set' id='i' to='${ROOM}'><query xmlns='${MUC}#admin'/></iq>`, 'bad-request'],
    [
      `<iq type='set' id='i' to='${ROOM}'><query xmlns='${MUC}#admin'><item nick='Alice' role='none'/></query></iq>`,
      'not-allowed',
    ],
    [
      `<iq type='get' id='i' to='${ROOM}'><query xmlns='${MUC}#admin'><item affiliation='owner'/></query></iq>`,
      'forbidden',
    ],
  ])('%s is refused with %s', async (stanza, condition) => {
    await using server = await LoopbackServer.start(ACCOUNTS);
    const { alice, bob } = await pair(server);
    await bob.send(stanza);
    expect(await bob.expect(/type='error'.*<\/error>/)).toContain(`<${condition} `);
    for (const client of [alice, bob]) client.close();
  });

  test('the last owner stays one', async () => {
    await using server = await LoopbackServer.start(ACCOUNTS);
    const alice = await inside(server, 'alice', 'Alice');
    await alice.send(
      `<iq type='set' id='i' to='${ROOM}'><query xmlns='${MUC}#admin'><item jid='alice@localhost' affiliation='none'/></query></iq>`,
    );
    await alice.expect('<conflict');
    alice.close();
  });
});

describe('the option services', () => {
  const items = "<iq type='get' id='d' to='localhost'><query xmlns='http://jabber.org/protocol/disco#items'/></iq>";
  test.each([
    [{}, 'conference.localhost', true],
    [{ services: false as const }, 'conference.localhost', false],
    [{ services: { rooms: false as const } }, 'conference.localhost', false],
    [{ services: { rooms: 'rooms.localhost' } }, 'rooms.localhost', true],
  ])('%o: %s is there: %s', async (options, name, there) => {
    await using server = await LoopbackServer.start({ ...ACCOUNTS, ...options });
    const alice = await RawClient.bound(server, 'alice');
    await alice.send(items);
    expect((await alice.expect('</iq>')).includes(`'${name}'`)).toBe(there);
    await alice.send(`<presence to='a@${name}/x'><x xmlns='${MUC}'/></presence>`);
    await alice.expect(there ? "code='201'" : '<remote-server-not-found');
    alice.close();
  });

  test('a component of that name takes its place, and another domain cannot be both', async () => {
    const components = { 'conference.localhost': 'secret' };
    await using server = await LoopbackServer.start({ ...ACCOUNTS, components });
    const alice = await RawClient.bound(server, 'alice');
    await alice.send(`<presence to='a@conference.localhost/x'><x xmlns='${MUC}'/></presence>`);
    await alice.expect('<service-unavailable');
    alice.close();
    for (const rooms of ['conference.localhost', 'localhost']) {
      const start = LoopbackServer.start({ ...ACCOUNTS, components, services: { rooms } });
      await expect(start).rejects.toThrow('services.rooms is the domain of something else');
    }
  });
});
