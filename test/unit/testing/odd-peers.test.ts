// Peers of the loopback server that say what they should not, before and behind their sign-in; and the small parts below it.
import { createHash } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { LoopbackServer } from 'xmpp-broker/testing';
import { duplexPair } from '../../../src/testing/duplex-pair.js';
import { withReflectMetadata } from '../../../src/testing/reflect.js';
import { Resumption } from '../../../src/testing/resumption.js';
import type { ClientSession } from '../../../src/testing/client-session.js';
import { accountOf, jidOf } from '../../../src/testing/stanza.js';
import { JID } from '../../../src/jid/jid.js';
import { Conversation } from '../../wire/support/conversation.js';
import { ACCOUNTS, RawClient } from './raw-client.js';

const BIND = "xmlns='urn:ietf:params:xml:ns:xmpp-bind'";

let server: LoopbackServer;
let first: RawClient;

beforeAll(async () => {
  const components = { 'c.localhost': 'secret' };
  server = await LoopbackServer.start({
    ...ACCOUNTS,
    components,
    sasl2: false,
    legacy: {},
    bind: { conflict: 'refuse' },
  });
  first = await RawClient.bound(server, 'alice', 'desk');
});

afterAll(async () => {
  first.close();
  await server.stop();
});

describe('a client', () => {
  test.each([
    ['a stanza', "<message to='a@b'/>", '<not-authorized'],
    ['a request about its sign-in of no type', "<iq id='1'><query xmlns='jabber:iq:auth'/></iq>", '<not-authorized'],
    ['an answer about its sign-in', "<iq id='1' type='result'><query xmlns='jabber:iq:auth'/></iq>", '<not-authorized'],
    ['SASL2 that is not offered', "<authenticate xmlns='urn:xmpp:sasl:2' mechanism='PLAIN'/>", '<not-authorized'],
    ['a word of no namespace', "<auth xmlns='urn:x' mechanism='PLAIN'/>", '<not-authorized'],
  ])('is refused that says %s before it signs in', async (_, said, found) => {
    const client = await RawClient.dial(server);
    await client.open();
    await client.send(said);
    await client.expect(found);
    client.close();
  });

  test.each([
    ['a message', "<message to='a@b'/>", 'a resource has to be bound first'],
    ['a request for something else', "<iq id='1' type='set'><x xmlns='x'/></iq>", 'a resource has to be bound first'],
    ['a question about it', `<iq id='1' type='get'><bind ${BIND}/></iq>`, 'a resource has to be bound first'],
    ['a word of no stanza', `<bind ${BIND}/>`, 'a resource has to be bound first'],
  ])('is refused that says %s before it binds', async (_, said, found) => {
    const client = await signedIn();
    await client.send(said);
    expect(await client.expect('</stream:error>')).toContain(found);
    client.close();
  });

  test('may try again with another resource, and to resume what is not there', async () => {
    const client = await signedIn();
    for (const [said, found] of [
      ["<enable xmlns='urn:xmpp:sm:3'/>", '<unexpected-request'],
      ["<resume xmlns='urn:xmpp:sm:3' h='0'/>", '<item-not-found'],
      [`<iq id='1' type='set'><bind ${BIND}><resource>desk</resource></bind></iq>`, '<conflict'],
      [`<iq id='1' type='set'><bind ${BIND}><resource>${'x'.repeat(1024)}</resource></bind></iq>`, '<bad-request'],
    ] as const) {
      await client.send(said);
      await client.expect(found);
    }
    expect(await client.bind('phone')).toBe('alice@localhost/phone');
    client.close();
  });

  test.each([
    ['no name', '<resource>r</resource><password>secret</password>', 'not-acceptable'],
    [
      'a name that can be none',
      '<username>@</username><resource>r</resource><password>secret</password>',
      'not-acceptable',
    ],
    ['no resource', '<username>alice</username><password>secret</password>', 'not-acceptable'],
    ['nothing to prove it', '<username>alice</username><resource>r</resource>', 'not-acceptable'],
    [
      'the password of nobody',
      '<username>eve</username><resource>r</resource><password>secret</password>',
      'not-authorized',
    ],
    ['the digest of nobody', '<username>eve</username><resource>r</resource><digest>00</digest>', 'not-authorized'],
    ['the hash of nobody', '<username>eve</username><resource>r</resource><hash>00</hash>', 'not-authorized'],
    [
      'a resource that can be none',
      `<username>alice</username><resource>${'x'.repeat(1024)}</resource><password>secret</password>`,
      'not-acceptable',
    ],
    [
      'a resource that is taken',
      '<username>alice</username><resource>desk</resource><password>secret</password>',
      'conflict',
    ],
  ])('by jabber:iq:auth with %s is told so', async (_, fields, condition) => {
    const client = await RawClient.dial(server);
    await client.open();
    await client.send(`<iq type='set' id='s'><query xmlns='jabber:iq:auth'>${fields}</query></iq>`);
    expect(await client.expect('</iq>')).toContain(condition);
    client.close();
  });

  async function signedIn(): Promise<RawClient> {
    const client = await RawClient.dial(server);
    await client.open();
    await client.starttls();
    await client.open();
    await client.plain('alice');
    await client.open();
    return client;
  }
});

describe('a component', () => {
  test.each([
    ['a word of another namespace', "<x xmlns='urn:x'/>", '<unsupported-stanza-type'],
    ['a stanza of another namespace', "<message xmlns='urn:x' to='a@b'/>", '<unsupported-stanza-type'],
    ['something else', '<handshake/>', '<unsupported-stanza-type'],
    ['the name of another one', "<message from='a@evil.localhost' to='a@b'/>", '<invalid-from'],
    ['no name that can be one', "<message from='@@' to='a@b'/>", '<invalid-from'],
  ])('that says %s is cut off', async (_, said, found) => {
    const peer = await attached();
    await peer.send(said);
    await peer.expect(found);
    peer.destroy();
  });

  test('may write in the namespace of clients, and hears what lacks an address', async () => {
    const peer = await attached();
    await peer.send(
      "<message xmlns='jabber:client' to='x@c.localhost' id='1'/><iq type='get' id='2'><q xmlns='q'/></iq>",
    );
    await peer.expect(/<message [^>]*to='x@c.localhost'[^>]*>/);
    await peer.expect(/<iq type='error' id='2'.*<bad-request/);
    peer.destroy();
  });

  async function attached(): Promise<Conversation> {
    const peer = await Conversation.dial(server.ports.component);
    const streams = "xmlns:stream='http://etherx.jabber.org/streams'";
    await peer.send(`<stream:stream xmlns='jabber:component:accept' ${streams} to='c.localhost'>`);
    const [, id = ''] = await peer.match(/<stream:stream [^>]*id='([^']+)'[^>]*>/);
    const digest = createHash('sha1').update(`${id}secret`).digest('hex');
    await peer.send(`<handshake>${digest}</handshake>`);
    await peer.expect('<handshake/>');
    return peer;
  }
});

test('an account has a name', () => {
  for (const name of [null, undefined] as unknown as string[]) {
    expect(() => server.setAccount(name, 'x')).toThrow(expect.objectContaining({ code: 'USAGE_LOOPBACK' }) as Error);
  }
  expect([accountOf(JID.parse('a@b/c')), accountOf(JID.parse('b')), jidOf('@@'), jidOf(null)]).toEqual([
    'a',
    '',
    null,
    null,
  ]);
});

describe('ends in memory', () => {
  test('what is written to one is read at the other, and waits while nobody reads', async () => {
    const [one, other] = duplexPair();
    const large = Buffer.alloc(100_000, 'x');
    let written = false;
    one.write(large, () => (written = true));
    await delay(0);
    expect(written).toBe(false);
    let read = 0;
    other.on('data', (chunk: Buffer) => (read += chunk.length));
    await expect.poll(() => [read, written]).toEqual([100_000, true]);
  });

  test('what is written to one whose other end is gone is lost, and the writer goes on', async () => {
    const [one, other] = duplexPair();
    other.destroy();
    const error = await new Promise((resolve) => one.write('x', resolve));
    expect(error ?? null).toBeNull();
    const [third, fourth] = duplexPair();
    third.destroy(new Error('broken'));
    third.once('error', () => undefined);
    fourth.resume();
    await new Promise((resolve) => fourth.once('end', resolve));
  });
});

test('the counts of so many sessions are remembered', () => {
  const resumption = new Resumption();
  const ended = (id: string | null) =>
    resumption.ended({ management: id === null ? null : { id, handled: Number(id) } } as unknown as ClientSession);
  for (let n = 0; n <= 1000; n += 1) ended(String(n));
  ended(null);
  expect([resumption.countOf('0'), resumption.countOf('1'), resumption.countOf('1000')]).toEqual([undefined, 1, 1000]);
  resumption.forget();
  expect(resumption.countOf('1')).toBeUndefined();
});

describe('metadata, while a package is loaded that wants it,', () => {
  const reflect = Reflect as Record<string, unknown>;
  const names = ['getMetadata', 'getOwnMetadata', 'defineMetadata'];
  type Define = (key: unknown, value: unknown, target: object) => void;
  type Get = (key: unknown, target: object) => unknown;

  test('is kept by object and key, and gone afterwards', async () => {
    const target = {};
    const found = await withReflectMetadata(() => {
      const [get, define] = [reflect['getMetadata'] as Get, reflect['defineMetadata'] as Define];
      define('a', 1, target);
      define('b', 2, target);
      return Promise.resolve([get('a', target), get('b', target), get('c', target), get('a', {})]);
    });
    expect(found).toEqual([1, 2, undefined, undefined]);
    expect(names.filter((name) => name in reflect)).toEqual([]);
  });

  test('is left as it is where the program has it, before or meanwhile', async () => {
    const own = () => undefined;
    for (const load of [() => Promise.resolve(), () => Promise.reject(new Error('no such package'))]) {
      for (const name of names) reflect[name] = own;
      await withReflectMetadata(load).catch(() => undefined);
      expect(names.map((name) => reflect[name])).toEqual([own, own, own]);
      for (const name of names) Reflect.deleteProperty(reflect, name);
      await withReflectMetadata(() => {
        for (const name of names) reflect[name] = own;
        return load();
      }).catch(() => undefined);
      expect(names.map((name) => reflect[name])).toEqual([own, own, own]);
      for (const name of names) Reflect.deleteProperty(reflect, name);
    }
  });
});
