import { describe, expect, test } from 'vitest';
import { LoopbackServer } from 'xmpp-broker/testing';
import { accountCases } from '../../servers/support/account-cases.js';
import { archiveCases } from '../../servers/support/archive-cases.js';
import { startLoopback } from '../../servers/support/loopback-site.js';
import { pubsubCases } from '../../servers/support/pubsub-cases.js';
import { ACCOUNTS, RawClient } from './raw-client.js';

// The same as on Prosody.
describe('accounts of the loopback server', () => {
  accountCases(() => startLoopback());
});
describe('archives of the loopback server', () => {
  archiveCases(() => startLoopback({ services: { archive: true } }));
});
describe('nodes of the loopback server', () => {
  pubsubCases(() => startLoopback());
});

/** Everything the client is sent until the mark arrives. */
async function until(server: LoopbackServer, client: RawClient, address: string): Promise<string> {
  server.inject(address, '<mark/>');
  return (await client.expect('<mark/>')).replace('<mark/>', '');
}

describe('the archive', () => {
  test('keeps nothing that must not be kept, and marks a message once', async () => {
    await using server = await LoopbackServer.start({ ...ACCOUNTS, services: { archive: true } });
    const alice = await RawClient.bound(server, 'alice', 'r');
    const bob = await RawClient.available(server, 'bob', 'r');
    const spoofed = "<stanza-id xmlns='urn:xmpp:sid:0' id='x' by='bob@localhost'/>";
    await alice.send(`<message to='bob@localhost' id='1' type='chat'><body>a</body>${spoofed}</message>`);
    const marks = (await bob.expect('</message>')).match(/<stanza-id [^>]*>/g);
    expect(marks).toHaveLength(1);
    expect(marks?.[0]).not.toContain("id='x'");
    await alice.send("<message to='bob@localhost' type='chat'><body/><no-store xmlns='urn:xmpp:hints'/></message>");
    expect(await bob.expect('</message>')).not.toContain('stanza-id');
    await alice.send("<iq type='set' id='q'><query xmlns='urn:xmpp:mam:2'/></iq>");
    expect(await alice.expect(/<iq[^>]*id='q'.*<\/iq>/)).toContain('<count>1</count>');
    // Prosody 0.12 does not look at resources.
    for (const [resource, count] of [
      ['', 1],
      ['/r', 0],
    ] as const) {
      const field = `<field var='with'><value>bob@localhost${resource}</value></field>`;
      const form = `<x xmlns='jabber:x:data' type='submit'>${field}</x>`;
      await alice.send(`<iq type='set' id='w'><query xmlns='urn:xmpp:mam:2'>${form}</query></iq>`);
      expect(await alice.expect(/<iq[^>]*id='w'.*<\/iq>/)).toContain(`<count>${String(count)}</count>`);
    }
    await alice.send("<iq type='get' id='f'><query xmlns='urn:xmpp:mam:2'/></iq>");
    expect(await alice.expect('</iq>')).toContain("var='with'");
    const form = (name: string) =>
      `<x xmlns='jabber:x:data' type='submit'><field var='${name}'><value>@@</value></field></x>`;
    for (const name of ['with', 'start', 'end']) {
      await alice.send(`<iq type='set' id='b'><query xmlns='urn:xmpp:mam:2'>${form(name)}</query></iq>`);
      await alice.expect('<bad-request');
    }
    for (const client of [alice, bob]) client.close();
  });

  test('and nodes are not there without the services', async () => {
    await using server = await LoopbackServer.start({ ...ACCOUNTS, services: { pubsub: false } });
    const alice = await RawClient.bound(server, 'alice', 'r');
    for (const [to, payload] of [
      ['alice@localhost', "<query xmlns='urn:xmpp:mam:2'/>"],
      ['alice@localhost', "<pubsub xmlns='http://jabber.org/protocol/pubsub'><create node='n'/></pubsub>"],
      ['pubsub.localhost', "<pubsub xmlns='http://jabber.org/protocol/pubsub'><create node='n'/></pubsub>"],
    ] as const) {
      await alice.send(`<iq type='set' id='q' to='${to}'>${payload}</iq>`);
      await alice.expect(/<service-unavailable|<remote-server-not-found/);
    }
    alice.close();
  });
});

describe('nodes', () => {
  test.each([
    ["<pubsub xmlns='P'/>", 'bad-request'],
    ["<pubsub xmlns='P'><create node=''/></pubsub>", 'bad-request'],
    ["<pubsub xmlns='P'><frobnicate/></pubsub>", 'feature-not-implemented'],
    ["<pubsub xmlns='P#owner'><configure node='n'/></pubsub>", 'feature-not-implemented'],
    ["<pubsub xmlns='P'><retract node='n'/></pubsub>", 'bad-request'],
    ["<x xmlns='urn:x'/>", 'service-unavailable'],
  ])('%s is refused with %s', async (payload, condition) => {
    await using server = await LoopbackServer.start(ACCOUNTS);
    const alice = await RawClient.bound(server, 'alice', 'r');
    const ask = (xml: string) =>
      alice.send(
        `<iq type='set' id='q' to='pubsub.localhost'>${xml.replace("'P", "'http://jabber.org/protocol/pubsub")}</iq>`,
      );
    await ask("<pubsub xmlns='P'><create node='n'/></pubsub>");
    await alice.expect(/type='result'[^>]*\/>/);
    await ask(payload);
    expect(await alice.expect('</error>')).toContain(`<${condition} `);
    alice.close();
  });

  test('without a name get one, and keep the last hundred items', async () => {
    await using server = await LoopbackServer.start(ACCOUNTS);
    const alice = await RawClient.bound(server, 'alice', 'r');
    const ask = (xml: string, type = 'set') =>
      alice.send(
        `<iq type='${type}' id='q' to='pubsub.localhost'><pubsub xmlns='http://jabber.org/protocol/pubsub'>${xml}</pubsub></iq>`,
      );
    await ask('<create/>');
    const [, node = ''] = /<create node='([^']+)'/.exec(await alice.expect('</iq>')) ?? [];
    for (let n = 0; n <= 100; n++) {
      await ask(`<publish node='${node}'><item id='i${String(n)}'/></publish>`);
      await alice.expect('</iq>');
    }
    await ask(`<items node='${node}'/>`, 'get');
    const ids = [...(await alice.expect('</iq>')).matchAll(/id='i(\d+)'/g)].map(([, id]) => Number(id));
    expect([ids.length, ids[0], ids.at(-1)]).toEqual([100, 1, 100]);
    await ask(`<items node='${node}' max_items='2'/>`, 'get');
    expect(await alice.expect('</iq>')).toMatch(/id='i99'.*id='i100'/);
    alice.close();
  });

  test('of an account are told its resources, and those who may see it', async () => {
    await using server = await LoopbackServer.start(ACCOUNTS);
    const alice = await RawClient.available(server, 'alice', 'r');
    const bob = await RawClient.available(server, 'bob', 'r');
    await alice.send("<presence type='subscribe' to='bob@localhost'/>");
    await bob.expect("type='subscribe'");
    await bob.send("<presence type='subscribed' to='alice@localhost'/>");
    await alice.expect("from='bob@localhost/r'");
    const P = 'http://jabber.org/protocol/pubsub';
    await bob.send(
      `<iq type='set' id='p'><pubsub xmlns='${P}'><publish node='n'><item id='1'/></publish></pubsub></iq>`,
    );
    await bob.expect(`<event xmlns='${P}#event'><items node='n'><item id='1'/>`);
    await alice.send(`<iq type='get' id='g' to='bob@localhost'><pubsub xmlns='${P}'><items node='n'/></pubsub></iq>`);
    await alice.expect(/<items node='n'><item id='1'\/>/);
    for (const client of [alice, bob]) client.close();
  });
});

describe('subscriptions', () => {
  test('to oneself, and answers that nobody waits for, change nothing', async () => {
    await using server = await LoopbackServer.start(ACCOUNTS);
    const alice = await RawClient.available(server, 'alice', 'r');
    await alice.send("<presence type='subscribe' to='alice@localhost'/>");
    await alice.send("<presence type='subscribed' to='bob@localhost'/>");
    await alice.send("<presence type='unsubscribed' to='bob@localhost'/>");
    await alice.send("<iq type='get' id='p'><ping xmlns='urn:xmpp:ping'/></iq>");
    expect(await alice.expect(/<iq[^>]*id='p'[^>]*>/)).toMatch(/^<iq/);
    alice.close();
  });

  test('an account that is removed has no contacts, and nothing waits for it', async () => {
    await using server = await LoopbackServer.start(ACCOUNTS);
    const alice = await RawClient.available(server, 'alice', 'r');
    await alice.send("<presence type='subscribe' to='bob@localhost'/><message to='bob@localhost'><body/></message>");
    await alice.send("<iq type='get' id='p'><ping xmlns='urn:xmpp:ping'/></iq>");
    await alice.expect("id='p'");
    server.setAccount('bob', null);
    server.setAccount('bob', 'hidden');
    const bob = await RawClient.available(server, 'bob', 'r');
    expect(await until(server, bob, 'bob@localhost')).toBe('');
    for (const client of [alice, bob]) client.close();
  });
});

describe('messages that wait', () => {
  test('are at most a hundred', async () => {
    await using server = await LoopbackServer.start(ACCOUNTS);
    const alice = await RawClient.available(server, 'alice', 'r');
    for (let n = 0; n <= 100; n++) await alice.send(`<message to='bob@localhost' id='m${n}'><body/></message>`);
    expect(await alice.expect('</error></message>')).toContain("id='m100'");
    const bob = await RawClient.bound(server, 'bob', 'r');
    await bob.send('<presence/>');
    const told = await bob.expect(/id='m99'.*?<\/message>/);
    expect([...told.matchAll(/id='m(\d+)'/g)].map(([, n]) => Number(n))).toEqual(
      Array.from({ length: 100 }, (_, n) => n),
    );
    for (const client of [alice, bob]) client.close();
  });

  test.each([
    ["<composing xmlns='http://jabber.org/protocol/chatstates'/>"],
    ["<body/><no-store xmlns='urn:xmpp:hints'/>"],
    [''],
  ])('are worth it: %s is not', async (content) => {
    await using server = await LoopbackServer.start(ACCOUNTS);
    const alice = await RawClient.available(server, 'alice', 'r');
    await alice.send(`<message to='bob@localhost' type='chat'>${content}</message>`);
    await alice.expect('<service-unavailable');
    alice.close();
  });

  test('and contacts are not there without the services', async () => {
    await using server = await LoopbackServer.start({ ...ACCOUNTS, services: { roster: false, offline: false } });
    const alice = await RawClient.available(server, 'alice', 'r');
    await alice.send("<message to='bob@localhost' type='chat'><body/></message>");
    await alice.expect('<service-unavailable');
    await alice.send("<iq type='set' id='r'><query xmlns='jabber:iq:roster'><item jid='bob@localhost'/></query></iq>");
    await alice.expect('<service-unavailable');
    alice.close();
  });
});
