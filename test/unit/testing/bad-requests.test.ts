// What the services of the loopback server say to requests that are not as they should be, and to those at their limits.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { LoopbackServer } from 'xmpp-broker/testing';
import { JID } from '../../../src/jid/jid.js';
import { PubSubNode } from '../../../src/testing/services/pubsub-node.js';
import { Rosters } from '../../../src/testing/services/roster.js';
import { OfflineMessages } from '../../../src/testing/services/offline.js';
import { Archives } from '../../../src/testing/services/archive.js';
import type { Host } from '../../../src/testing/services/host.js';
import { parse } from '../../../src/xml/tokenizer/parse.js';
import { ACCOUNTS, RawClient } from './raw-client.js';

let server: LoopbackServer;
let alice: RawClient;
let bob: RawClient;

beforeAll(async () => {
  server = await LoopbackServer.start({ ...ACCOUNTS, services: { archive: true } });
  alice = await RawClient.bound(server, 'alice', 'desk');
  bob = await RawClient.bound(server, 'bob', 'sofa');
});

afterAll(async () => {
  alice.close();
  bob.close();
  await server.stop();
});

let asked = 0;

/** What a request is answered: its type, and the condition of an error or what is in the result. */
async function answer(client: RawClient, type: string, to: string | null, payload: string): Promise<string> {
  const id = `q${String((asked += 1))}`;
  await client.send(`<iq id='${id}' type='${type}'${to === null ? '' : ` to='${to}'`}>${payload}</iq>`);
  const [, text = ''] = await client.wire.match(new RegExp(`(<iq[^>]* id='${id}'[^>]*/>|<iq[^>]* id='${id}'.*?</iq>)`));
  const condition = /<error[^>]*><([a-z-]+)/.exec(text)?.[1];
  return condition ?? text.replace(/^<iq[^>]*>/, '').replace('</iq>', '');
}

const pubsub = (inside: string) => `<pubsub xmlns='http://jabber.org/protocol/pubsub'>${inside}</pubsub>`;
const owner = (inside: string) => `<pubsub xmlns='http://jabber.org/protocol/pubsub#owner'>${inside}</pubsub>`;
const info = (node: string) => `<query xmlns='http://jabber.org/protocol/disco#info'${node}/>`;
const items = (node: string) => `<query xmlns='http://jabber.org/protocol/disco#items'${node}/>`;
const ping = "<ping xmlns='urn:xmpp:ping'/>";
const roster = (inside: string) => `<query xmlns='jabber:iq:roster'>${inside}</query>`;
const mam = (inside: string) => `<query xmlns='urn:xmpp:mam:2'>${inside}</query>`;
const form = (inside: string) => `<x xmlns='jabber:x:data' type='submit'>${inside}</x>`;

describe('the service that publishes', () => {
  beforeAll(async () => {
    await answer(alice, 'set', 'pubsub.localhost', pubsub("<create node='n'/>"));
    for (const id of ['1', '2']) {
      await answer(
        alice,
        'set',
        'pubsub.localhost',
        pubsub(`<publish node='n'><item id='${id}'><p xmlns='p'/></item></publish>`),
      );
    }
  });

  test.each([
    ['no action', 'set', pubsub(''), 'bad-request'],
    ['an action that there is not', 'set', pubsub("<affiliations node='n'/>"), 'feature-not-implemented'],
    ['a node without a name', 'set', pubsub("<create node=''/>"), 'bad-request'],
    ['a node that is there', 'set', pubsub("<create node='n'/>"), 'conflict'],
    ['something for no node', 'set', pubsub("<publish><item id='1'/></publish>"), 'item-not-found'],
    ['two items at once', 'set', pubsub("<publish node='n'><item/><item/></publish>"), 'bad-request'],
    ['nothing to be taken back', 'set', pubsub("<retract node='n'/>"), 'bad-request'],
    ['an item to be taken back that has no name', 'set', pubsub("<retract node='n'><item/></retract>"), 'bad-request'],
    [
      'an item to be taken back that there is not',
      'set',
      pubsub("<retract node='n'><item id='9'/></retract>"),
      'item-not-found',
    ],
    ['a subscription of another one', 'set', pubsub("<subscribe node='n' jid='bob@localhost'/>"), 'forbidden'],
    ['a subscription of nobody', 'set', pubsub("<subscribe node='n'/>"), 'forbidden'],
    ['an end of no subscription', 'set', pubsub("<unsubscribe node='n' jid='alice@localhost'/>"), 'unexpected-request'],
    ['subscriptions to a node that there is not', 'get', pubsub("<subscriptions node='gone'/>"), 'item-not-found'],
    ['items of a node that there is not', 'get', pubsub("<items node='gone'/>"), 'item-not-found'],
    ['something of an owner that there is not', 'get', owner("<configure node='n'/>"), 'feature-not-implemented'],
    ['something else', 'get', "<x xmlns='x'/>", 'service-unavailable'],
    ['to set what is only read', 'set', ping, 'service-unavailable'],
    ['what it is to say of a node that there is not', 'get', info(" node='gone'"), 'item-not-found'],
    ['what is in a node that there is not', 'get', items(" node='gone'"), 'item-not-found'],
  ])('refuses %s', async (_, type, payload, condition) => {
    expect(await answer(alice, type, 'pubsub.localhost', payload)).toBe(condition);
  });

  test.each([
    ['ping', ping, ''],
    ['what it has', items(''), "<item jid='pubsub.localhost' node='n'/>"],
    [
      'what a node has',
      items(" node='n'"),
      "<item jid='pubsub.localhost' name='1'/><item jid='pubsub.localhost' name='2'/>",
    ],
    ['what a node is', info(" node='n'"), "<identity category='pubsub' type='leaf'/>"],
    ['no item of a node', pubsub("<items node='n' max_items='0'/>"), "<items node='n'/>"],
    ['the newest item', pubsub("<items node='n' max_items='1'/>"), "<items node='n'><item id='2'>"],
    [
      'items by name, of which one has none',
      pubsub("<items node='n'><item/><item id='1'/></items>"),
      "<items node='n'><item id='1'>",
    ],
    ['no subscriptions', pubsub("<subscriptions node='n'/>"), "<subscriptions node='n'/>"],
  ])('answers %s', async (_, payload, found) => {
    expect(await answer(alice, 'get', 'pubsub.localhost', payload)).toContain(found);
  });

  test('does not answer answers and presence, and sends messages back', async () => {
    for (const stanza of [
      "<iq id='r' type='result' to='pubsub.localhost'/>",
      "<message id='e' type='error' to='pubsub.localhost'/>",
      "<presence to='pubsub.localhost'/>",
      "<message id='m' to='pubsub.localhost'/>",
    ]) {
      await alice.send(stanza);
    }
    expect(await alice.expect('</message>')).toMatch(/^<message [^>]*id='m'[^>]*><error[^>]*><service-unavailable/);
  });

  test.each(['true', '1', '0', null])('tells of what was taken back as it is asked: %j', async (notify) => {
    const told = notify === 'true' || notify === '1';
    const name = `told ${String(notify)}`;
    await answer(alice, 'set', 'pubsub.localhost', pubsub(`<create node='${name}'/>`));
    await answer(alice, 'set', 'pubsub.localhost', pubsub(`<publish node='${name}'><item id='x'/></publish>`));
    await answer(bob, 'set', 'pubsub.localhost', pubsub(`<subscribe node='${name}' jid='bob@localhost/sofa'/>`));
    const said = notify === null ? '' : ` notify='${notify}'`;
    await answer(alice, 'set', 'pubsub.localhost', pubsub(`<retract node='${name}'${said}><item id='x'/></retract>`));
    await answer(alice, 'set', 'pubsub.localhost', owner(`<delete node='${name}'/>`));
    const heard = await bob.expect(new RegExp(`<delete node='${name}'/></event></message>`));
    expect(heard.includes("<retract id='x'/>")).toBe(told);
  });
});

describe('accounts', () => {
  test.each([
    ['a node at another account', 'set', 'alice@localhost', pubsub("<publish node='n'><item/></publish>"), 'forbidden'],
    ['two contacts at once', 'set', null, roster("<item jid='a@b'/><item jid='c@d'/>"), 'bad-request'],
    ['no contact', 'set', null, roster(''), 'bad-request'],
    ['a contact without an address', 'set', null, roster('<item/>'), 'bad-request'],
    ['oneself as a contact', 'set', null, roster("<item jid='bob@localhost'/>"), 'not-allowed'],
    ['an end of no contact', 'set', null, roster("<item jid='x@y' subscription='remove'/>"), 'item-not-found'],
    ['the roster of another one', 'get', 'alice@localhost', roster(''), 'service-unavailable'],
    ['the archive of another one', 'set', 'alice@localhost', mam(''), 'service-unavailable'],
    [
      'messages with somebody who can be nobody',
      'set',
      null,
      mam(form("<field var='with'><value>@@</value></field>")),
      'bad-request',
    ],
    ['messages of no time', 'set', null, mam(form("<field var='start'><value>soon</value></field>")), 'bad-request'],
    [
      'messages behind one that there is not',
      'set',
      null,
      mam("<set xmlns='http://jabber.org/protocol/rsm'><after>x</after></set>"),
      'item-not-found',
    ],
    ['what a node of theirs is', 'get', 'alice@localhost', info(" node='n'"), 'service-unavailable'],
  ])('refuse %s', async (_, type, to, payload, condition) => {
    expect(await answer(bob, type, to, payload)).toBe(condition);
  });

  test('take fields without a name or a value for empty ones', async () => {
    const fields = "<field/><field var='with'/><field><value>x</value></field>";
    expect(await answer(bob, 'set', null, mam(form(fields)))).toContain("<fin xmlns='urn:xmpp:mam:2' complete='true'>");
  });

  test('list nobody who belongs to them', async () => {
    expect(await answer(bob, 'get', 'bob@localhost', items(''))).toBe(
      "<query xmlns='http://jabber.org/protocol/disco#items'/>",
    );
  });

  test('drop what does not fit how subscriptions stand', async () => {
    // Ends of what never was, in both directions, an approval that nobody asked for, and oneself.
    for (const type of ['unsubscribe', 'unsubscribed', 'subscribed'])
      await alice.send(`<presence type='${type}' to='bob@localhost'/>`);
    await alice.send("<presence type='subscribe' to='alice@localhost'/>");
    expect(await answer(alice, 'get', null, roster(''))).toBe("<query xmlns='jabber:iq:roster'/>");
    expect(await answer(bob, 'get', null, roster(''))).toBe("<query xmlns='jabber:iq:roster'/>");
  });

  test('ask once, however often it is said, and say at once what was granted before', async () => {
    await alice.send("<presence type='subscribe' to='bob@localhost'/><presence type='subscribe' to='bob@localhost'/>");
    expect(await answer(alice, 'get', null, roster(''))).toContain("subscription='none' ask='subscribe'");
    await bob.send("<presence type='subscribed' to='alice@localhost'/>");
    await alice.expect(/subscription='to'/);
    await alice.send("<presence type='subscribe' to='bob@localhost'/>");
    await answer(alice, 'get', null, ping);
    await alice.send("<presence type='unsubscribe' to='bob@localhost'/>");
    await alice.expect(/subscription='none'/);
    expect(await answer(alice, 'get', null, roster(''))).not.toContain('ask=');
  });
});

describe('a client that is bound', () => {
  test.each(['128', '-129', '1.5', 'high', ''])('has the priority 0 with the priority %j', async (priority) => {
    const client = await RawClient.bound(server, 'bob', 'low');
    const next = await RawClient.bound(server, 'bob', 'next');
    await next.send('<presence/>');
    await next.expect("from='bob@localhost/next'");
    await client.send(`<presence><priority>${priority}</priority></presence>`);
    await client.expect("from='bob@localhost/low'");
    await alice.send("<message to='bob@localhost' id='p'/>");
    // Both have the same, and the last one gets it.
    await client.expect("id='p'");
    client.close();
    next.close();
  });

  test.each([
    ['an element that is no stanza', "<x xmlns='x'/>"],
    ['half a word of client states', "<asleep xmlns='urn:xmpp:csi:0'/>"],
    ['what stream management does not know', "<what xmlns='urn:xmpp:sm:3'/>"],
  ])('ends its stream with %s', async (_, sent) => {
    const client = await RawClient.bound(server, 'bob', 'odd');
    await client.send(sent);
    await client.expect('<unsupported-stanza-type');
    client.close();
  });

  test('may say in which state it is, and gets the answers that are due', async () => {
    const client = await RawClient.bound(server, 'bob', 'state');
    await client.send("<inactive xmlns='urn:xmpp:csi:0'/><active xmlns='urn:xmpp:csi:0'/><r xmlns='urn:xmpp:sm:3'/>");
    await client.send("<a xmlns='urn:xmpp:sm:3' h='0'/><resume xmlns='urn:xmpp:sm:3' previd='x' h='0'/>");
    await client.expect(/^<failed[^>]*><unexpected-request/);
    client.close();
  });
});

describe('limits', () => {
  const nobody: Host = {
    domain: 'localhost',
    route: () => undefined,
    addService: () => undefined,
    resources: () => [],
    hasAccount: () => true,
  };
  const message = parse("<message xmlns='jabber:client' from='a@b'><body>x</body></message>");

  test('a node has its newest items, and so many subscribers, of which each may come again', () => {
    const node = new PubSubNode('n', 'a@b');
    for (let id = 0; id < 103; id += 1) node.publish(String(id), null);
    expect([node.items.size, [...node.items.keys()][0]]).toEqual([100, '3']);
    for (let id = 0; id < 1000; id += 1) node.subscribe(`${String(id)}@b`);
    node.subscribe('7@b');
    expect(() => node.subscribe('1000@b')).toThrow('resource-constraint');
    expect(node.subscribers.size).toBe(1000);
  });

  test('so many contacts has an account, and so many accounts have some', () => {
    const rosters = new Rosters();
    for (let n = 0; n < 1000; n += 1) rosters.add('a', `${String(n)}@b`);
    expect(() => rosters.add('a', 'x@b')).toThrow('resource-constraint');
    for (let n = 1; n < 1000; n += 1) rosters.add(`a${String(n)}`, 'x@b');
    expect(() => rosters.add('z', 'x@b')).toThrow('resource-constraint');
    rosters.remove('a', 'gone@b');
    rosters.remove('nobody', 'x@b');
    rosters.remove('a1', 'x@b');
    expect(rosters.add('z', 'x@b')).toMatchObject({ listed: false });
  });

  test('so many messages wait for an account, each with one date of the server', () => {
    const offline = new OfflineMessages(nobody);
    const got: string[] = [];
    const again = parse(
      "<message xmlns='jabber:client'><body>y</body><delay xmlns='urn:xmpp:delay' from='localhost'/></message>",
    );
    expect(offline.keep(again, JID.parse('a@localhost'))).toBe(true);
    for (let n = 1; n < 100; n += 1) offline.keep(message, JID.parse('a@localhost'));
    expect(offline.keep(message, JID.parse('a@localhost'))).toBe(false);
    const jid = JID.parse('a@localhost/x');
    const resource = { jid, priority: 0, presence: null, presenceAt: 0, interested: false };
    offline.deliver({
      ...resource,
      deliver: (stanza) => void got.push(String(stanza.getChildren('delay', 'urn:xmpp:delay').length)),
    });
    expect(new Set(got)).toEqual(new Set(['1']));
    expect(got).toHaveLength(100);
  });

  test('so many messages has an archive, and none of what nobody sent', () => {
    const archives = new Archives(nobody);
    const own = JID.parse('a@localhost');
    const first = archives.keep(own, JID.parse('b@c'), message);
    for (let n = 0; n < 1000; n += 1) archives.keep(own, JID.parse('b@c'), message);
    const copy = (id: string) =>
      parse(
        `<message xmlns='jabber:client' from='b@c'><body>x</body><stanza-id xmlns='urn:xmpp:sid:0' id='${id}' by='a@localhost'/></message>`,
      );
    // The oldest is gone, so it is a new one.
    const given = copy(first ?? '');
    expect(archives.incoming(given, own)).not.toBe(given);
    const unsent = parse("<message xmlns='jabber:client'><body>x</body></message>");
    expect(archives.incoming(unsent, own).getChild('stanza-id', 'urn:xmpp:sid:0')).toBeNull();
  });
});
