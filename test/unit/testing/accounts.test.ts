import { describe, expect, test } from 'vitest';
import { LoopbackServer } from 'xmpp-broker/testing';
import { accountCases } from '../../servers/support/account-cases.js';
import { startLoopback } from '../../servers/support/loopback-site.js';
import { ACCOUNTS, RawClient } from './raw-client.js';

// The same as on Prosody.
describe('accounts of the loopback server', () => {
  accountCases(() => startLoopback());
});

/** Everything the client is sent until the mark arrives. */
async function until(server: LoopbackServer, client: RawClient, address: string): Promise<string> {
  server.inject(address, '<mark/>');
  return (await client.expect('<mark/>')).replace('<mark/>', '');
}

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
