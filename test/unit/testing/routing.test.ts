import { describe, expect, test } from 'vitest';
import { LoopbackServer } from 'xmpp-broker/testing';
import { parse } from '../../../src/xml/tokenizer/parse.js';
import { ACCOUNTS, RawClient } from './raw-client.js';

/** Everything the client is sent until the mark arrives, which is written behind what was routed before. */
async function until(server: LoopbackServer, client: RawClient, address: string): Promise<string> {
  server.inject(address, '<mark/>');
  return (await client.expect('<mark/>')).replace('<mark/>', '');
}

describe('messages between clients', () => {
  test('carry the true sender', async () => {
    await using server = await LoopbackServer.start(ACCOUNTS);
    const alice = await RawClient.bound(server, 'alice', 'desk');
    const bob = await RawClient.available(server, 'bob', 'sofa');
    await alice.send("<message to='bob@localhost/sofa' id='1'><body>hi</body></message>");
    expect(await bob.expect('</message>')).toBe(
      "<message to='bob@localhost/sofa' id='1' from='alice@localhost/desk'><body>hi</body></message>",
    );
    await alice.send("<message from='alice@localhost' to='BOB@LOCALHOST' id='2'/>");
    expect(await bob.expect(/<message.*?\/>/)).toContain("from='alice@localhost/desk'");
    await alice.send("<message from='bob@localhost' to='bob@localhost' id='3'/>");
    await alice.expect('<invalid-from');
    alice.close();
    bob.close();
  });

  test('to an account go to the resource with the highest priority, the latest of them', async () => {
    await using server = await LoopbackServer.start(ACCOUNTS);
    const alice = await RawClient.bound(server, 'alice');
    const clients = new Map<string, RawClient>();
    for (const [resource, priority] of Object.entries({ low: '1', old: '5', late: '5', never: '-1' })) {
      const client = await RawClient.bound(server, 'bob', resource);
      await client.send(`<presence><priority>${priority}</priority></presence>`);
      await client.expect(new RegExp(`from='bob@localhost/${resource}'>.*?</presence>`));
      clients.set(resource, client);
    }
    const send = async (id: string) => {
      const late = clients.get('late')!;
      await alice.send(`<message to='bob@localhost' id='${id}'/>`);
      return late;
    };
    await (await send('m1')).expect("id='m1'");
    // A headline goes to all that want messages.
    await alice.send("<message to='bob@localhost' type='headline' id='h'/>");
    for (const resource of ['low', 'old', 'late']) await clients.get(resource)!.expect("id='h'");
    await clients.get('late')!.send("<presence type='unavailable'/>");
    await clients.get('old')!.expect(/type='unavailable' from='bob@localhost\/late'/);
    await send('m2');
    await clients.get('old')!.expect("id='m2'");
    expect(await until(server, clients.get('never')!, 'bob@localhost/never')).not.toContain('<message');
    for (const client of [alice, ...clients.values()]) client.close();
  });

  test('without a recipient come back', async () => {
    await using server = await LoopbackServer.start({ ...ACCOUNTS, components: { 'known.localhost': 's' } });
    const alice = await RawClient.available(server, 'alice', 'desk');
    const cases = [
      ["<message id='a' to='bob@localhost'/>", 'service-unavailable'],
      ["<message id='a' to='bob@localhost/gone'/>", 'service-unavailable'],
      ["<message id='a' to='nobody@localhost'/>", 'service-unavailable'],
      ["<message id='a' to='alice@localhost' type='groupchat'/>", 'service-unavailable'],
      ["<message id='a' to='localhost'/>", 'service-unavailable'],
      ["<message id='a' to='x@known.localhost'/>", 'service-unavailable'],
      ["<message id='a' to='x@unknown.localhost'/>", 'remote-server-not-found'],
      ["<message id='a' to='@@'/>", 'jid-malformed'],
      ["<iq id='a' type='get' to='bob@localhost/gone'><x xmlns='x'/></iq>", 'service-unavailable'],
      ["<iq id='a' type='get' to='bob@localhost'><x xmlns='x'/></iq>", 'service-unavailable'],
      ["<iq id='a' type='get'><x xmlns='x'/></iq>", 'service-unavailable'],
      ["<iq id='a' type='get' to='localhost'/>", 'bad-request'],
      ["<iq id='a' type='get' to='localhost'><x xmlns='x'/><x xmlns='x'/></iq>", 'bad-request'],
      ["<iq id='a' type='fetch' to='localhost'/>", 'bad-request'],
      ["<iq type='get' to='localhost'><x xmlns='x'/></iq>", 'bad-request'],
      ["<presence id='a' type='invisible'/>", 'bad-request'],
    ] as const;
    for (const [stanza, condition] of cases) {
      await alice.send(stanza);
      const answer = await alice.expect(/<\/error><\/(?:iq|message|presence)>/);
      expect(answer, stanza).toContain(`<${condition} `);
      expect(answer, stanza).toMatch(/^<\w+ type='error'/);
      expect(answer, stanza).toContain("to='alice@localhost/desk'");
    }
    alice.close();
  });

  test('that are errors are dropped, and told as undeliverable', async () => {
    await using server = await LoopbackServer.start(ACCOUNTS);
    const alice = await RawClient.available(server, 'alice', 'desk');
    const undeliverable = server.events.once('undeliverable');
    await alice.send(
      "<message type='error' to='bob@localhost' id='e'/><iq type='result' to='bob@localhost/x' id='r'/>",
    );
    expect((await undeliverable).stanza.getAttribute('id')).toBe('e');
    expect(await until(server, alice, 'alice@localhost')).toBe('');
    alice.close();
  });

  test('can be put in by the test', async () => {
    await using server = await LoopbackServer.start(ACCOUNTS);
    const alice = await RawClient.available(server, 'alice', 'desk');
    server.route(parse("<message from='ghost@localhost/x' to='alice@localhost'><body>boo</body></message>"));
    expect(await alice.expect('</message>')).toBe(
      "<message from='ghost@localhost/x' to='alice@localhost'><body>boo</body></message>",
    );
    expect(() => server.route(parse("<message to='alice@localhost'/>"))).toThrow(
      expect.objectContaining({ code: 'USAGE_LOOPBACK' }),
    );
    expect(() => server.route(parse("<r from='a@b' to='alice@localhost'/>"))).toThrow(
      expect.objectContaining({ code: 'USAGE_LOOPBACK' }),
    );
    alice.close();
  });
});

describe('presence', () => {
  test('is seen by all resources of the account, and by those it is sent to', async () => {
    await using server = await LoopbackServer.start(ACCOUNTS);
    const bob = await RawClient.available(server, 'bob', 'sofa');
    const desk = await RawClient.available(server, 'alice', 'desk');
    const phone = await RawClient.bound(server, 'alice', 'phone');
    await phone.send('<presence><show>away</show></presence>');
    await desk.expect("<presence from='alice@localhost/phone'><show>away</show></presence>");
    // It sees who is there, and itself.
    await phone.expect("<presence from='alice@localhost/desk'/><presence from='alice@localhost/phone'>");
    await phone.send("<presence to='bob@localhost'/>");
    await bob.expect("<presence to='bob@localhost' from='alice@localhost/phone'/>");
    await phone.send("<presence to='bob@localhost' type='subscribe'/>");
    await bob.expect("<presence to='bob@localhost' type='subscribe' from='alice@localhost'/>");
    phone.wire.end();
    await desk.expect("<presence type='unavailable' from='alice@localhost/phone'/>");
    await bob.expect("<presence type='unavailable' from='alice@localhost/phone' to='bob@localhost'/>");
    for (const client of [bob, desk, phone]) client.close();
  });
});

describe('the server itself', () => {
  test('answers pings, service discovery and an empty roster', async () => {
    await using server = await LoopbackServer.start({ ...ACCOUNTS, components: { 'echo.localhost': 's' } });
    const alice = await RawClient.available(server, 'alice', 'desk');
    const ask = async (to: string, type: string, payload: string) => {
      await alice.send(`<iq type='${type}' id='q'${to === '' ? '' : ` to='${to}'`}>${payload}</iq>`);
      return alice.expect(/<iq [^>]*id='q'[^>]*(?:\/>|>.*<\/iq>)/);
    };
    const info = "<query xmlns='http://jabber.org/protocol/disco#info'/>";
    expect(await ask('localhost', 'get', "<ping xmlns='urn:xmpp:ping'/>")).toBe(
      "<iq type='result' id='q' from='localhost' to='alice@localhost/desk'/>",
    );
    expect(await ask('', 'get', "<ping xmlns='urn:xmpp:ping'/>")).toContain("type='result'");
    expect(await ask('localhost', 'get', info)).toMatch(
      /<identity category='server' type='im'.*<feature var='urn:xmpp:ping'\/>/,
    );
    expect(await ask('alice@localhost', 'get', info)).toContain("<identity category='account' type='registered'/>");
    expect(await ask('localhost', 'get', "<query xmlns='http://jabber.org/protocol/disco#items'/>")).toContain(
      "<item jid='echo.localhost'/>",
    );
    expect(await ask('', 'get', "<query xmlns='jabber:iq:roster'/>")).toContain("<query xmlns='jabber:iq:roster'/>");
    expect(await ask('bob@localhost', 'get', "<query xmlns='jabber:iq:roster'/>")).toContain('service-unavailable');
    expect(await ask('', 'set', "<session xmlns='urn:ietf:params:xml:ns:xmpp-session'/>")).toContain("type='result'");
    expect(await ask('localhost', 'set', "<ping xmlns='urn:xmpp:ping'/>")).toContain('service-unavailable');
    alice.close();
  });

  test('passes requests between clients on', async () => {
    await using server = await LoopbackServer.start(ACCOUNTS);
    const alice = await RawClient.bound(server, 'alice', 'desk');
    const bob = await RawClient.bound(server, 'bob', 'sofa');
    await alice.send("<iq type='get' id='q' to='bob@localhost/sofa'><ping xmlns='urn:xmpp:ping'/></iq>");
    await bob.expect(
      "<iq type='get' id='q' to='bob@localhost/sofa' from='alice@localhost/desk'><ping xmlns='urn:xmpp:ping'/></iq>",
    );
    await bob.send("<iq type='result' id='q' to='alice@localhost/desk'/>");
    await alice.expect("<iq type='result' id='q' to='alice@localhost/desk' from='bob@localhost/sofa'/>");
    alice.close();
    bob.close();
  });

  test('refuses what is no stanza', async () => {
    await using server = await LoopbackServer.start(ACCOUNTS);
    const alice = await RawClient.bound(server, 'alice', 'desk');
    await alice.send("<foo xmlns='urn:bar'/>");
    await alice.expect('<unsupported-stanza-type');
    alice.close();
  });
});
