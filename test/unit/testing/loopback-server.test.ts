import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import { setImmediate } from 'node:timers/promises';
import { inspect } from 'node:util';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { LoopbackServer, type LoopbackConnection, type LoopbackOptions } from 'xmpp-broker/testing';
import { xml } from '../../../src/xml/builder.js';
import { Element } from '../../../src/xml/element.js';
import { parse } from '../../../src/xml/tokenizer/parse.js';
import { QName } from '../../../src/xml/qname.js';
import { Conversation } from '../../wire/support/conversation.js';
import { ACCOUNTS, RawClient } from './raw-client.js';

const FULL: LoopbackOptions = {
  ...ACCOUNTS,
  components: { 'echo.localhost': 'geheim' },
  routerUsers: { jabberd: 'verdeckt' },
};

describe('options', () => {
  test.each<[string, unknown, RegExp]>([
    ['no object', 'localhost', /the options must be an object, not a string/],
    ['an unknown name', { acounts: {} }, /acounts is no option; did you mean accounts\?/],
    [
      'an unknown name further down',
      { tls: { startls: 'off' } },
      /tls\.startls is no option; did you mean tls\.starttls\?/,
    ],
    [
      'no mechanism for tokens',
      { sasl2: { fast: { mechanisms: [] } } },
      /sasl2\.fast\.mechanisms must be a list of HT-/,
    ],
    ['SASL2 that is no object', { sasl2: true }, /sasl2 must be false or an object, not true/],
    ['tokens without a life', { sasl2: { fast: { seconds: 0 } } }, /sasl2\.fast\.seconds must be a whole number/],
    ['a bad domain', { domain: 'a b' }, /domain is no domain: "a b" is not a JID/],
    ['an address elsewhere', { host: '192.0.2.1' }, /host must be an address of the loopback/],
    ['a bad port', { ports: { client: 70_000 } }, /ports\.client must be a whole number from 0 to 65535, not 70000/],
    [
      'a bad user name',
      { accounts: { 'a b': 'x' } },
      /accounts\.a b has a name that is no local part of a JID: .* is not a JID/,
    ],
    ['an empty password', { accounts: { alice: '' } }, /accounts\.alice must be a password/],
    ['a password that cannot be prepared', { accounts: { alice: '\u0007' } }, /SASLprep/],
    [
      'a component with the domain of the server',
      { components: { localhost: 'x' } },
      /components\.localhost has a name that is the server's own domain/,
    ],
    ['a component without secret', { components: { 'a.localhost': '' } }, /components\.a\.localhost must be a secret/],
    [
      'a router user with a bad acl',
      { routerUsers: { a: { password: 'x', acl: 'none' } } },
      /routerUsers\.a\.acl must be 'all' or 'own'/,
    ],
    [
      'an unknown mechanism',
      { mechanisms: ['SCRAM-MD5'] },
      /mechanisms must be a list of SCRAM.*, without "SCRAM-MD5"/,
    ],
    ['a certificate without key', { tls: { cert: 'x' } }, /tls\.cert and tls\.key are needed together/],
    ['a limit that is none', { limits: { depth: 0 } }, /limits\.depth must be .*, not 0/],
    [
      'a time that is none',
      { timeouts: { close: Infinity } },
      /timeouts\.close must be a whole number of milliseconds/,
    ],
    [
      'more than one mistake',
      { legacy: 1, bind: { conflict: 'no' } },
      /2 problems:\n- legacy must be false or an object, not 1\n- bind\.conflict must be/,
    ],
    ['a certificate that is none', { accounts: {}, tls: { cert: 'x', key: 'y' } }, /cannot be used/],
    [
      'E4: a path for a certificate',
      { accounts: {}, tls: { cert: './c.pem', key: 'y' } },
      /tls\.cert looks like a path/,
    ],
  ])('refuse %s', async (_what, options, expected) => {
    const start = LoopbackServer.start(options as LoopbackOptions);
    await expect(start).rejects.toMatchObject({ code: 'USAGE_LOOPBACK', layer: 'usage' });
    await expect(start).rejects.toThrow(expected);
  });

  test('take every side on its own', async () => {
    await using none = await LoopbackServer.start();
    for (const side of ['client', 'clientDirectTls', 'component', 'componentDirectTls', 'router'] as const) {
      expect(() => none.ports[side]).toThrow(expect.objectContaining({ code: 'USAGE_LOOPBACK' }));
    }
    expect(() => none.ca).toThrow(/made no certificates/);
    await using clear = await LoopbackServer.start({ accounts: {}, tls: false });
    expect(clear.ports.client).toBeGreaterThan(0);
    expect(() => clear.ports.clientDirectTls).toThrow(/and TLS/);
  });

  test('take names and passwords as data', async () => {
    const accounts = JSON.parse('{"__proto__":"one","constructor":"two"}') as Record<string, string>;
    await using server = await LoopbackServer.start({ accounts, mechanisms: ['PLAIN'] });
    for (const [name, password] of Object.entries(accounts)) {
      const client = await RawClient.dial(server);
      await client.open();
      await client.auth('PLAIN', Buffer.from(`\0${name}\0${password}`).toString('base64'));
      await client.expect('<success');
      client.close();
    }
  });

  test('take a certificate of one’s own', async () => {
    await using first = await LoopbackServer.start(ACCOUNTS);
    const { cert, key } = await first.issueClientCertificate('alice');
    await using server = await LoopbackServer.start({ ...ACCOUNTS, tls: { cert, key } });
    expect(() => server.ca).toThrow(/was given its own/);
    const client = await RawClient.dial(server);
    await client.open();
    await client.send("<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>");
    await client.expect(/<proceed [^>]*>/);
    await client.wire.startTlsAsClient({ rejectUnauthorized: false, servername: 'localhost' });
    expect(client.wire.tls?.getPeerX509Certificate()?.subject).toBe('CN=alice@localhost');
    client.close();
  });
});

describe('the server', () => {
  test('shows no secrets', async () => {
    await using server = await LoopbackServer.start(FULL);
    const shown = inspect(server, { depth: 10, showHidden: true }) + JSON.stringify(server);
    expect(shown).not.toMatch(/secret|hidden|geheim|verdeckt/);
  });

  test('may share a machine with others', async () => {
    await using first = await LoopbackServer.start(FULL);
    await using second = await LoopbackServer.start(FULL);
    const ports = [first, second].flatMap(({ ports }) => [
      ports.client,
      ports.clientDirectTls,
      ports.component,
      ports.router,
    ]);
    expect(new Set(ports).size).toBe(8);
    expect(first.ca).not.toBe(second.ca);
  });

  test('listens on another loopback address, and on given ports', async () => {
    const taken = createServer().listen(0, '127.0.0.1');
    await once(taken, 'listening');
    const { port } = taken.address() as { port: number };
    await expect(LoopbackServer.start({ ...ACCOUNTS, ports: { client: port } })).rejects.toMatchObject({
      code: 'LOOPBACK_LISTEN',
    });
    taken.close();
    await once(taken, 'close');
    await using server = await LoopbackServer.start({ ...ACCOUNTS, host: '::1', ports: { client: port } });
    expect(server.ports.client).toBe(port);
    const client = await RawClient.dial(server);
    await client.open();
    client.close();
  });

  test('says goodbye when it stops, and is gone', async () => {
    const server = await LoopbackServer.start(FULL);
    const alice = await RawClient.bound(server, 'alice');
    const silent = await Conversation.dial(server.ports.client);
    const direct = await Conversation.dial(server.ports.clientDirectTls);
    const { port } = { port: server.ports.client };
    const stopped = server.stop();
    await alice.expect('<system-shutdown');
    await alice.send('</stream:stream>');
    await stopped;
    expect(server.connections).toEqual([]);
    expect(await silent.expectEnd()).toContain('<system-shutdown');
    expect(await direct.expectEnd()).toBe('');
    const refused = connect({ port, host: '127.0.0.1' });
    await expect(once(refused, 'connect')).rejects.toMatchObject({ code: 'ECONNREFUSED' });
    await server.stop();
    for (const wire of [alice.wire, silent, direct]) wire.destroy();
  });

  test('says nothing when it stops abruptly', async () => {
    const server = await LoopbackServer.start(FULL);
    const alice = await RawClient.bound(server, 'alice');
    await server.stop({ abrupt: true });
    expect(await alice.wire.expectEnd()).toBe('');
    alice.close();
  });

  test('cuts off a client that does not close', async () => {
    const server = await LoopbackServer.start({ ...ACCOUNTS, timeouts: { close: 20 } });
    const alice = await RawClient.bound(server, 'alice');
    alice.wire.pause();
    await server.stop();
    alice.close();
  });

  test('comes back on the same ports, and knows what it knew', async () => {
    await using server = await LoopbackServer.start(FULL);
    const { client, component, router } = server.ports;
    server.setAccount('carol', 'new');
    await server.restart();
    expect(server.ports).toMatchObject({ client, component, router });
    await server.stop();
    await server.restart({ abrupt: true });
    const bob = await RawClient.bound(server, 'bob');
    bob.close();
  });

  test('takes turns at stopping and starting', async () => {
    await using server = await LoopbackServer.start(FULL);
    await Promise.all([server.stop(), server.restart(), server.stop(), server.restart()]);
    const bob = await RawClient.bound(server, 'bob');
    bob.close();
  });

  test('counts its connections, and tells of them', async () => {
    await using server = await LoopbackServer.start(FULL);
    const connections: LoopbackConnection[] = [];
    server.subscribe('connection', (connection) => {
      connections.push(connection);
    });
    const closed = server.events.once('closed');
    const alice = await RawClient.bound(server, 'alice', 'r');
    expect(connections.map(({ id, side, secure, closed }) => ({ id, side, secure, closed }))).toEqual([
      { id: 1, side: 'client', secure: true, closed: false },
    ]);
    expect(connections[0]!.addresses.map(String)).toEqual(['alice@localhost/r']);
    await alice.send('</stream:stream>');
    await alice.expect('</stream:stream>');
    alice.close();
    expect(await closed).toMatchObject({ connection: connections[0], fault: null, error: null });
    expect(connections[0]!.closed).toBe(true);
    expect(() => connections[0]!.inject(xml('message'))).not.toThrow();
    connections[0]!.kick();
    connections[0]!.cut();
  });

  test('tells what broke a connection', async () => {
    await using server = await LoopbackServer.start(FULL);
    const alice = await RawClient.bound(server, 'alice', 'r');
    const closed = server.events.once('closed');
    alice.wire.reset();
    expect((await closed).error).toMatchObject({ code: 'TCP_RESET', layer: 'tcp' });
  });

  test('shows what it reads and writes', async () => {
    await using server = await LoopbackServer.start(FULL);
    const seen: string[] = [];
    server.subscribe('received', ({ element }) => {
      seen.push(`> ${element.localName}`);
    });
    server.subscribe('sent', ({ xml }) => {
      seen.push(`< ${typeof xml === 'string' ? xml : xml.localName}`);
    });
    const alice = await RawClient.bound(server, 'alice', 'r');
    await alice.send('</stream:stream>');
    await alice.wire.expectEnd();
    const opening = ['> stream', '< stream', '< features'];
    expect(seen).toEqual([
      ...opening,
      '> starttls',
      '< proceed',
      ...opening,
      '> auth',
      '< success',
      ...opening,
      '> iq',
      '< iq',
      '< </stream:stream>',
    ]);
    alice.close();
  });

  test('finds addresses, and acts on all it finds', async () => {
    await using server = await LoopbackServer.start(FULL);
    const one = await RawClient.bound(server, 'alice', 'one');
    const two = await RawClient.bound(server, 'alice', 'two');
    expect(server.find('alice@localhost')).toHaveLength(2);
    expect(server.find('alice@localhost/one')).toHaveLength(1);
    expect(() => server.find('@')).toThrow(expect.objectContaining({ code: 'USAGE_JID' }));
    expect(server.inject('alice@localhost', "<message><body>it's raw</body></message>")).toBe(2);
    for (const client of [one, two]) await client.expect("it's raw");
    expect(server.inject(server.find('alice@localhost/two')[0]!, xml('message', { id: 'element' }))).toBe(1);
    await two.expect("<message id='element'/>");
    expect(() => server.inject('alice@localhost', 7 as unknown as string)).toThrow(
      expect.objectContaining({ code: 'USAGE_LOOPBACK' }),
    );
    expect(server.kick('alice@localhost/one', 'policy-violation')).toBe(1);
    await one.expect('<policy-violation');
    expect(server.kick('nobody@localhost')).toBe(0);
    expect(server.cutAll()).toBe(2);
    await two.wire.expectEnd();
    one.close();
    two.close();
  });

  test('stalls a link: nothing is read, nothing written, and TCP does not notice', async () => {
    await using server = await LoopbackServer.start(FULL);
    const alice = await RawClient.bound(server, 'alice', 'r');
    let read = 0;
    server.subscribe('received', () => {
      read++;
    });
    expect(server.stall('alice@localhost/r')).toBe(1);
    await alice.send("<iq type='get' id='p' to='localhost'><ping xmlns='urn:xmpp:ping'/></iq>");
    server.route(parse("<message from='bob@localhost' to='alice@localhost/r'/>"));
    // What another client does comes and goes meanwhile.
    const bob = await RawClient.bound(server, 'bob');
    expect(alice.wire.unread).toBe('');
    expect(read).toBe(6);
    const closed = server.events.once('closed');
    server.cut('alice@localhost/r');
    await closed;
    bob.close();
    alice.close();
  });

  test('refuses what it cannot write, and users it cannot have', async () => {
    await using server = await LoopbackServer.start(FULL);
    const alice = await RawClient.bound(server, 'alice', 'r');
    expect(() => server.kick('alice@localhost', 'no condition')).toThrow(
      expect.objectContaining({ code: 'XML_BAD_NAME' }),
    );
    expect(() => server.kick('alice@localhost', 'reset', { text: '\0' })).toThrow(
      expect.objectContaining({ code: 'XML_UNSERIALIZABLE' }),
    );
    expect(() => server.refuse({ condition: '' })).toThrow(expect.objectContaining({ code: 'XML_BAD_NAME' }));
    const broken = new Element(new QName(null, 'a b', null));
    expect(() => server.inject('alice@localhost', broken)).toThrow(
      expect.objectContaining({ code: 'XML_UNSERIALIZABLE' }),
    );
    expect(() => server.setAccount('a b', 'x')).toThrow(expect.objectContaining({ code: 'USAGE_JID' }));
    for (const password of ['', '\u0007', 7 as unknown as string]) {
      expect(() => server.setAccount('carol', password)).toThrow(expect.objectContaining({ code: 'USAGE_LOOPBACK' }));
    }
    for (const [name, secret] of [
      ['localhost', 'x'],
      ['new.localhost', ''],
    ] as const) {
      expect(() => server.setComponent(name, secret)).toThrow(expect.objectContaining({ code: 'USAGE_LOOPBACK' }));
    }
    // None of it touched the connection.
    server.inject('alice@localhost', '<mark/>');
    await alice.expect('<mark/>');
    alice.close();
  });

  test('tells of a handler that throws, and goes on', async () => {
    const errors: unknown[] = [];
    await using server = await LoopbackServer.start({
      ...FULL,
      onHandlerError: (error, event) => errors.push([event, error]),
    });
    const mistake = new Error('expected 1 to be 2');
    server.subscribe('connection', () => {
      throw mistake;
    });
    const alice = await RawClient.bound(server, 'alice', 'r');
    expect(errors).toEqual([['connection', mistake]]);
    alice.close();

    await using other = await LoopbackServer.start(FULL);
    const warned = once(process, 'warning');
    other.subscribe('connection', () => {
      throw mistake;
    });
    const bob = await RawClient.dial(other);
    expect((await warned)[0]).toMatchObject({
      name: 'LoopbackServerWarning',
      message: expect.stringContaining('expected 1 to be 2') as string,
    });
    bob.close();
  });

  test('cannot be fired by others', async () => {
    await using server = await LoopbackServer.start(FULL);
    expect(() => server.events.publish('closed')).toThrow(expect.objectContaining({ code: 'USAGE_EVENT_RESERVED' }));
  });
});

describe('bad peers', () => {
  test('do it no harm, whatever they send', async () => {
    await using server = await LoopbackServer.start({ ...FULL, timeouts: { negotiation: 2000, close: 20 } });
    const { client, clientDirectTls, component, router } = server.ports;
    const header = RawClient.header('localhost');
    const piece = fc.oneof(
      fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes)),
      fc
        .constantFrom(
          header,
          header.replace('jabber:client', 'jabber:component:accept'),
          header.replace('jabber:client', 'http://jabberd.jabberstudio.org/ns/component/1.0'),
          "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='SCRAM-SHA-1'>biwsbj1hbGljZSxyPWFiYw==</auth>",
          "<response xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>Yz1iaXdz</response>",
          "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='DIGEST-MD5'/>",
          "<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>",
          "<iq type='set' id='1'><query xmlns='jabber:iq:auth'><username>@</username></query></iq>",
          '<handshake/>',
          '<message to="@"/>',
          '<?xml version="1.0"?>',
          '</stream:stream>',
          '<',
        )
        .map((text) => Buffer.from(text)),
    );
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(client, clientDirectTls, component, router),
        fc.array(piece, { maxLength: 8 }),
        async (port, pieces) => {
          const wire = await Conversation.dial(port);
          for (const bytes of pieces) await wire.sendBytes(bytes);
          wire.end();
          await wire.ended;
          wire.destroy();
        },
      ),
      { numRuns: 150 },
    );
    const alice = await RawClient.bound(server, 'alice');
    alice.close();
  });

  test('that never read are held back, and cut off in the end', async () => {
    await using server = await LoopbackServer.start({ ...ACCOUNTS, streamManagement: false });
    const deaf = await RawClient.bound(server, 'alice', 'deaf');
    deaf.wire.pause();
    const closed = server.events.once('closed');
    const text = xml(
      'message',
      { from: 'bob@localhost', to: 'alice@localhost/deaf' },
      xml('body', {}, 'x'.repeat(1_000_000)),
    );
    let sent = 0;
    while (server.connections.some((connection) => !connection.closed) && sent < 200) {
      server.route(text);
      sent++;
      await setImmediate();
    }
    expect(sent).toBeGreaterThan(50);
    expect(sent).toBeLessThan(100);
    expect((await closed).error).toMatchObject({ code: 'LOOPBACK_CONGESTED' });
    deaf.close();
  });

  test('that do not read what they ask for are not read from', async () => {
    await using server = await LoopbackServer.start(ACCOUNTS);
    const client = await RawClient.bound(server, 'alice', 'r');
    // More than the server would keep for a peer before it cuts the connection.
    const stanzas = 750;
    let received = 0;
    const all = new Promise<void>((resolve) => {
      server.subscribe('received', () => {
        received++;
        if (received === stanzas) resolve();
      });
    });
    client.wire.pause();
    const writing = client.send(
      `<message to='alice@localhost/r'><body>${'x'.repeat(100_000)}</body></message>`.repeat(stanzas),
    );
    let before: number;
    let still = 0;
    do {
      before = received;
      await setImmediate();
      still = received === before ? still + 1 : 0;
    } while (still < 100);
    expect(received).toBeLessThan(stanzas);
    // It goes on as soon as somebody reads.
    client.wire.resume();
    await writing;
    await all;
    expect(server.find('alice@localhost/r')[0]?.closed).toBe(false);
    client.close();
  });
});
