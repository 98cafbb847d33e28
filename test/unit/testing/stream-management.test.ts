import { describe, expect, test } from 'vitest';
import { LoopbackServer, type LoopbackManagementOptions } from 'xmpp-broker/testing';
import { parse } from '../../../src/xml/tokenizer/parse.js';
import { ACCOUNTS, RawClient } from './raw-client.js';

const start = (streamManagement: LoopbackManagementOptions | false = { requestEvery: 0 }) =>
  LoopbackServer.start({ ...ACCOUNTS, streamManagement });

/** Enables stream management; returns the id to resume with. */
async function enable(client: RawClient): Promise<string> {
  await client.send("<enable xmlns='urn:xmpp:sm:3' resume='true'/>");
  const [, id = ''] = await client.wire.match(/<enabled xmlns='urn:xmpp:sm:3' id='([^']+)' resume='true' max='\d+'\/>/);
  return id;
}

/** A client that has signed in, and now may resume. */
async function returning(server: LoopbackServer, username = 'alice'): Promise<RawClient> {
  const client = await RawClient.dial(server);
  await client.open();
  await client.starttls();
  await client.open();
  await client.plain(username);
  await client.open();
  return client;
}

const resume = (client: RawClient, previd: string, h: number | string) =>
  client.send(`<resume xmlns='urn:xmpp:sm:3' previd='${previd}' h='${h}'/>`);

function message(id: number | string): ReturnType<typeof parse> {
  return parse(`<message from='bob@localhost/x' to='alice@localhost/desk' id='${id}'/>`);
}

describe('counting', () => {
  test('counts what the client sends, and asks for its count', async () => {
    await using server = await start({ requestEvery: 3 });
    const alice = await RawClient.bound(server, 'alice', 'desk');
    await alice.send("<r xmlns='urn:xmpp:sm:3'/><presence/>");
    await enable(alice);
    await alice.send("<r xmlns='urn:xmpp:sm:3'/>");
    await alice.expect("<a xmlns='urn:xmpp:sm:3' h='0'/>");
    await alice.send("<message to='bob@localhost' type='error'/><iq type='result' id='1'/><r xmlns='urn:xmpp:sm:3'/>");
    await alice.expect("h='2'/>");
    for (let id = 0; id < 3; id++) server.route(message(id));
    await alice.expect(/id='2'\/><r xmlns='urn:xmpp:sm:3'\/>/);
    alice.close();
  });

  test.each([
    [
      'more than was sent',
      "<a xmlns='urn:xmpp:sm:3' h='2'/>",
      "<handled-count-too-high xmlns='urn:xmpp:sm:3' h='2' send-count='1'/>",
    ],
    [
      'less than before',
      "<a xmlns='urn:xmpp:sm:3' h='1'/><a xmlns='urn:xmpp:sm:3' h='0'/>",
      "<handled-count-too-high xmlns='urn:xmpp:sm:3' h='0' send-count='1'/>",
    ],
    ['no number', "<a xmlns='urn:xmpp:sm:3' h='1e0'/>", '<undefined-condition'],
    ['nothing', "<a xmlns='urn:xmpp:sm:3'/>", '<undefined-condition'],
    ['too much', "<a xmlns='urn:xmpp:sm:3' h='4294967296'/>", '<undefined-condition'],
  ])('refuses a client that acknowledges %s', async (_what, sent, expected) => {
    await using server = await start();
    const alice = await RawClient.bound(server, 'alice', 'desk');
    await enable(alice);
    server.route(message(1));
    await alice.expect("id='1'");
    await alice.send(sent);
    await alice.expect(expected);
    alice.close();
  });

  test('is refused twice, before binding, and where there is none', async () => {
    await using server = await start();
    const alice = await RawClient.bound(server, 'alice', 'desk');
    await enable(alice);
    await alice.send("<enable xmlns='urn:xmpp:sm:3'/>");
    await alice.expect('<unexpected-request');
    await alice.send("<resume xmlns='urn:xmpp:sm:3' previd='x' h='0'/>");
    await alice.expect('<unexpected-request');
    alice.close();
    await using without = await start(false);
    const bob = await RawClient.bound(without, 'bob');
    expect(bob.wire.received.toString()).not.toContain('urn:xmpp:sm');
    await bob.send("<enable xmlns='urn:xmpp:sm:3'/>");
    await bob.expect('<feature-not-implemented');
    bob.close();
  });

  test('goes around at 2^32', async () => {
    await using server = await start({ requestEvery: 0, startCount: 2 ** 32 - 2 });
    const alice = await RawClient.bound(server, 'alice', 'desk');
    const id = await enable(alice);
    await alice.send(
      "<iq type='result' id='x'/><iq type='result' id='x'/><iq type='result' id='x'/><r xmlns='urn:xmpp:sm:3'/>",
    );
    await alice.expect("<a xmlns='urn:xmpp:sm:3' h='1'/>");
    for (let n = 0; n < 4; n++) server.route(message(n));
    await alice.expect("id='3'");
    alice.close();
    const again = await returning(server);
    await resume(again, id, 1);
    expect(await again.expect(/<resumed[^>]*\/>.*?<r[^>]*\/>/)).toMatch(/h='1'\/><message [^>]*id='3'\/><r/);
    again.close();
  });

  test('ends a session whose client acknowledges nothing', async () => {
    await using server = await start({ requestEvery: 0, unackedLimit: 3 });
    const alice = await RawClient.bound(server, 'alice', 'desk');
    await enable(alice);
    const ended = server.events.once('ended');
    for (let id = 0; id < 4; id++) server.route(message(id));
    await alice.expect('<resource-constraint');
    expect((await ended).jid.toString()).toBe('alice@localhost/desk');
    alice.close();
  });
});

describe('resuming', () => {
  test('goes on where the connection was cut', async () => {
    await using server = await start();
    const alice = await RawClient.available(server, 'alice', 'desk');
    const id = await enable(alice);
    for (let n = 1; n <= 3; n++) server.route(message(n));
    await alice.expect("id='3'");
    await alice.send(
      "<message to='bob@localhost' type='error'/><a xmlns='urn:xmpp:sm:3' h='1'/><r xmlns='urn:xmpp:sm:3'/>",
    );
    await alice.expect("h='1'");
    const closed = server.events.once('closed');
    expect(server.cut('alice@localhost/desk')).toBe(1);
    await closed;
    // It is still there for the others, and what comes meanwhile waits.
    server.route(message(4));
    const back = await returning(server);
    const session = server.events.once('session');
    await resume(back, id, 2);
    const answer = await back.expect(/<resumed[^>]*\/>.*<r[^>]*\/>/);
    expect(answer).toMatch(
      new RegExp(
        `^<resumed xmlns='urn:xmpp:sm:3' previd='${id}' h='1'/><message [^>]*id='3'/><message [^>]*id='4'><delay xmlns='urn:xmpp:delay' from='localhost' stamp='[^']+'/></message><r xmlns='urn:xmpp:sm:3'/>$`,
      ),
    );
    expect(await session).toMatchObject({ resumed: true });
    // Without binding, under the old address, still available.
    await back.send("<a xmlns='urn:xmpp:sm:3' h='4'/><message to='alice@localhost' id='own'/>");
    await back.expect("<message to='alice@localhost' id='own' from='alice@localhost/desk'/>");
    alice.close();
    back.close();
  });

  test('takes the session from a connection that still seems alive', async () => {
    await using server = await start();
    const alice = await RawClient.bound(server, 'alice', 'desk');
    const id = await enable(alice);
    server.stall('alice@localhost/desk');
    const back = await returning(server);
    await resume(back, id, 0);
    await back.expect('<resumed');
    expect(server.find('alice@localhost/desk')).toHaveLength(1);
    server.route(message(1));
    await back.expect("id='1'");
    expect(alice.wire.unread).toBe('');
    alice.close();
    back.close();
  });

  test('is refused for others, and what is unknown', async () => {
    await using server = await start();
    const alice = await RawClient.bound(server, 'alice', 'desk');
    const id = await enable(alice);
    const bob = await returning(server, 'bob');
    await resume(bob, id, 0);
    await bob.expect(
      "<failed xmlns='urn:xmpp:sm:3'><item-not-found xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></failed>",
    );
    await resume(bob, 'unknown', 0);
    await bob.expect('<item-not-found');
    // A resource can be bound on the same stream.
    expect(await bob.bind('x')).toBe('bob@localhost/x');
    alice.close();
    bob.close();
  });

  test.each([true, false])('is refused when the session is over, the count told: %s', async (failedCount) => {
    await using server = await start({ requestEvery: 0, failedCount });
    const alice = await RawClient.bound(server, 'alice', 'desk');
    const id = await enable(alice);
    await alice.send("<message to='bob@localhost' type='error'/><r xmlns='urn:xmpp:sm:3'/>");
    await alice.expect("h='1'");
    const closed = server.events.once('closed');
    server.cutAll();
    await closed;
    server.forgetSessions();
    const back = await returning(server);
    await resume(back, id, 0);
    const failed = await back.expect('</failed>');
    expect(failed.includes("h='1'")).toBe(failedCount);
    alice.close();
    back.close();
  });

  test('is not possible after an orderly end, a kick, or the time', async () => {
    await using server = await start({ max: 0, requestEvery: 0 });
    const ways: ((client: RawClient) => unknown)[] = [
      (client) => client.send('</stream:stream>'),
      () => server.kick('alice@localhost'),
      (client) => {
        client.close();
      },
    ];
    for (const leave of ways) {
      const alice = await RawClient.bound(server, 'alice', 'desk');
      const id = await enable(alice);
      const ended = server.events.once('ended');
      leave(alice);
      await ended;
      const back = await returning(server);
      await resume(back, id, 0);
      await back.expect('<item-not-found');
      alice.close();
      back.close();
    }
  });

  test('failing that, messages go to another resource, or back', async () => {
    await using server = await start();
    const bob = await RawClient.available(server, 'bob', 'sofa');
    const alice = await RawClient.available(server, 'alice', 'desk');
    await enable(alice);
    await bob.send("<message to='alice@localhost/desk' id='1'/>");
    await alice.expect("id='1'");
    const closed = server.events.once('closed');
    alice.close();
    await closed;
    const phone = await RawClient.available(server, 'alice', 'phone');
    server.forgetSessions();
    await phone.expect("id='1'");
    const gone = server.events.once('closed');
    phone.close();
    await gone;
    await bob.send("<message to='alice@localhost/desk' id='2'/>");
    await bob.expect(/<message type='error' id='2'/);
    bob.close();
  });

  test('outlives a restart that keeps sessions, and no other', async () => {
    await using server = await start();
    for (const keepSessions of [true, false]) {
      const alice = await RawClient.bound(server, 'alice', 'desk');
      const id = await enable(alice);
      await server.restart({ keepSessions });
      const back = await returning(server);
      await resume(back, id, 0);
      const answer = await back.expect(/<(?:resumed|failed)[^>]*>/);
      expect(answer).toContain(keepSessions ? '<resumed' : '<failed');
      alice.close();
      await back.send('</stream:stream>');
      await back.wire.ended;
      back.close();
    }
  });
});
