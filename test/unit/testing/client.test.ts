import { connect } from 'node:tls';
import { once } from 'node:events';
import { describe, expect, test } from 'vitest';
import { LoopbackServer } from 'xmpp-broker/testing';
import { ACCOUNTS, RawClient } from './raw-client.js';

describe('opening a stream', () => {
  test('shows what the connection allows', async () => {
    await using server = await LoopbackServer.start(ACCOUNTS);
    const client = await RawClient.dial(server);
    const clear = await client.open();
    expect(clear).toContain("<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>");
    expect(clear).toContain('<mechanism>SCRAM-SHA-256</mechanism>');
    expect(clear).not.toMatch(/PLUS|PLAIN|sasl-channel-binding/);
    const tls = server.events.once('tls');
    await client.starttls();
    expect(await tls).toMatchObject({ version: 'TLSv1.3', servername: 'localhost', alpn: null });
    const secured = await client.open();
    expect(secured).not.toContain('starttls');
    expect(secured).toContain('<mechanism>SCRAM-SHA-256-PLUS</mechanism>');
    expect(secured).toContain('<mechanism>PLAIN</mechanism>');
    expect(secured).toContain("<channel-binding type='tls-exporter'/><channel-binding type='tls-server-end-point'/>");
    await client.plain('alice');
    const authenticated = await client.open();
    expect(authenticated).toContain("<bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/>");
    expect(authenticated).toContain("<session xmlns='urn:ietf:params:xml:ns:xmpp-session'><optional/></session>");
    expect(authenticated).toContain("<sm xmlns='urn:xmpp:sm:3'/>");
    client.close();
  });

  test.each([
    ['an unknown domain', RawClient.header('example.org'), 'host-unknown'],
    ['no domain', RawClient.header('').replace(" to=''", ''), 'host-unknown'],
    ['a later version that is none', RawClient.header('localhost', 'one'), 'unsupported-version'],
    ['another namespace', RawClient.header('localhost').replace('jabber:client', 'jabber:server'), 'invalid-namespace'],
    ['a root of another namespace', '<html>', 'invalid-namespace'],
    ['a comment', '<!-- -->', 'restricted-xml'],
    ['another encoding', "<?xml version='1.0' encoding='ISO-8859-1'?>", 'unsupported-encoding'],
    ['a stanza before signing in', `${RawClient.header('localhost')}<message/>`, 'not-authorized'],
  ])('refuses %s', async (_what, bytes, condition) => {
    await using server = await LoopbackServer.start(ACCOUNTS);
    const client = await RawClient.dial(server);
    await client.send(bytes);
    await client.expect(new RegExp(`<stream:stream [^>]*>.*<stream:error><${condition} .*</stream:stream>`));
    client.wire.end();
    await client.wire.ended;
  });

  test.each(['1.0', '01.00', '1.1', '2.0'])('answers version %s with features', async (version) => {
    await using server = await LoopbackServer.start(ACCOUNTS);
    const client = await RawClient.dial(server);
    await client.send(RawClient.header('localhost', version));
    expect(await client.expect('</stream:features>')).toContain(" version='1.0'");
    client.close();
  });

  test('never uses a stream id twice', async () => {
    await using server = await LoopbackServer.start(ACCOUNTS);
    const ids = new Set<string>();
    for (let n = 0; n < 5; n++) {
      const client = await RawClient.dial(server);
      ids.add(/ id='([^']+)'/.exec(await client.open())?.[1] ?? '');
      await client.starttls();
      ids.add(/ id='([^']+)'/.exec(await client.open())?.[1] ?? '');
      client.close();
    }
    expect(ids.size).toBe(10);
  });

  test('gives up on a client that says nothing', async () => {
    await using server = await LoopbackServer.start({ ...ACCOUNTS, timeouts: { negotiation: 30, close: 30 } });
    const client = await RawClient.dial(server);
    await client.expect('<connection-timeout');
    await client.wire.ended;
    const direct = await RawClient.dial(server, server.ports.clientDirectTls);
    expect(await direct.wire.expectEnd()).toBe('');
    direct.close();
  });

  test('keeps within its limits', async () => {
    await using server = await LoopbackServer.start({ ...ACCOUNTS, limits: { stanzaBytes: 1000 } });
    const client = await RawClient.bound(server, 'alice');
    await client.send(`<message><body>${'x'.repeat(2000)}`);
    await client.expect('<policy-violation');
    client.close();
  });
});

describe('TLS', () => {
  test('is wanted first when it is required', async () => {
    await using server = await LoopbackServer.start({ ...ACCOUNTS, tls: { starttls: 'required' } });
    const client = await RawClient.dial(server);
    expect(await client.open()).toMatch(/<stream:features><starttls [^>]*><required\/><\/starttls><\/stream:features>/);
    await client.auth('PLAIN', 'AGFsaWNlAHNlY3JldA==');
    await client.expect('<encryption-required/></failure>');
    await client.starttls();
    expect(await client.open()).toContain('PLAIN');
    client.close();
  });

  test('is refused where there is none', async () => {
    await using server = await LoopbackServer.start({ ...ACCOUNTS, tls: { starttls: 'off' } });
    const client = await RawClient.dial(server);
    expect(await client.open()).not.toContain('starttls');
    await client.send("<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>");
    await client.expect("<failure xmlns='urn:ietf:params:xml:ns:xmpp-tls'/></stream:stream>");
    client.close();
  });

  test('ends a connection that speaks before the handshake', async () => {
    await using server = await LoopbackServer.start(ACCOUNTS);
    const client = await RawClient.dial(server);
    await client.open();
    await client.send(`<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>${RawClient.header('localhost')}`);
    await client.wire.ended;
    expect(client.wire.received.toString()).not.toContain('PLAIN');
  });

  test('reports a handshake that fails, and writes no XML', async () => {
    await using server = await LoopbackServer.start(ACCOUNTS);
    const client = await RawClient.dial(server);
    await client.open();
    const closed = server.events.once('closed');
    await client.send("<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>");
    await client.expect(/<proceed [^>]*>/);
    await client.send('this is no ClientHello');
    expect((await closed).error).toMatchObject({ code: 'TLS_HANDSHAKE', layer: 'tls' });
    await client.wire.ended;
    expect(client.wire.unread).not.toContain('<');
  });

  test('comes first on the port for direct TLS, with ALPN', async () => {
    await using server = await LoopbackServer.start(ACCOUNTS);
    const tls = server.events.once('tls');
    const socket = connect({
      port: server.ports.clientDirectTls,
      host: server.host,
      ca: server.ca,
      servername: 'localhost',
      ALPNProtocols: ['xmpp-client'],
    });
    await once(socket, 'secureConnect');
    expect(socket.authorized).toBe(true);
    expect((await tls).alpn).toBe('xmpp-client');
    socket.setEncoding('utf8').write(RawClient.header('localhost'));
    let text = '';
    while (!text.includes('</stream:features>')) text += ((await once(socket, 'data')) as [string])[0];
    expect(text).not.toContain('starttls');
    expect(text).toContain('PLUS');
    socket.destroy();
  });

  test('has a certificate for the domain, the components and the addresses', async () => {
    await using server = await LoopbackServer.start({
      domain: 'xmpp.example',
      accounts: {},
      components: { 'gateway.example': 's' },
      tls: { names: ['extra.example', 'bücher.example'] },
    });
    const wire = connect({
      port: server.ports.clientDirectTls,
      host: server.host,
      ca: server.ca,
      servername: 'xmpp.example',
    });
    await once(wire, 'secureConnect');
    const { subjectaltname } = wire.getPeerCertificate();
    for (const name of ['xmpp.example', 'gateway.example', 'extra.example', 'xn--bcher-kva.example', '127.0.0.1']) {
      expect(subjectaltname).toContain(name);
    }
    wire.destroy();
  });

  test('can be bound to a version', async () => {
    await using server = await LoopbackServer.start({ ...ACCOUNTS, tls: { maxVersion: 'TLSv1.2' } });
    const client = await RawClient.dial(server);
    await client.open();
    await client.starttls();
    expect(client.wire.tls?.getProtocol()).toBe('TLSv1.2');
    client.close();
  });
});

describe('binding a resource', () => {
  test('uses the one that is asked for, or makes one up', async () => {
    await using server = await LoopbackServer.start(ACCOUNTS);
    const client = await RawClient.dial(server);
    await client.open();
    await client.starttls();
    await client.open();
    await client.plain('alice');
    await client.open();
    const session = server.events.once('session');
    expect(await client.bind('Büro')).toBe('alice@localhost/Büro');
    expect((await session).jid.toString()).toBe('alice@localhost/Büro');
    const other = await RawClient.bound(server, 'alice');
    expect(other.wire.received.toString()).toMatch(/<jid>alice@localhost\/[\w-]{12}<\/jid>/);
    client.close();
    other.close();
  });

  test('wants a resource before anything else, and a proper one', async () => {
    await using server = await LoopbackServer.start(ACCOUNTS);
    for (const [sent, expected] of [
      ["<iq type='get' id='1'><ping xmlns='urn:xmpp:ping'/></iq>", '<not-authorized'],
      [
        "<iq type='set' id='1'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><resource>\u0085</resource></bind></iq>",
        '<bad-request',
      ],
      ["<enable xmlns='urn:xmpp:sm:3'/>", "<failed xmlns='urn:xmpp:sm:3'><unexpected-request"],
    ] as const) {
      const client = await RawClient.dial(server);
      await client.open();
      await client.starttls();
      await client.open();
      await client.plain('alice');
      await client.open();
      await client.send(sent);
      await client.expect(expected);
      client.close();
    }
  });

  test.each(['replace', 'refuse', 'rename'] as const)('with conflict %s', async (conflict) => {
    await using server = await LoopbackServer.start({ ...ACCOUNTS, bind: { conflict } });
    const first = await RawClient.bound(server, 'alice', 'desk');
    const second = await RawClient.dial(server);
    await second.open();
    await second.starttls();
    await second.open();
    await second.plain('alice');
    await second.open();
    const bind = "<bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><resource>desk</resource></bind>";
    await second.send(`<iq type='set' id='b'>${bind}</iq>`);
    const answer = await second.expect('</iq>');
    if (conflict === 'refuse') {
      expect(answer).toMatch(/type='error'.*<conflict/);
      expect(await second.bind('sofa')).toBe('alice@localhost/sofa');
    } else if (conflict === 'rename') {
      expect(answer).toMatch(/<jid>alice@localhost\/(?!desk<)/);
    } else {
      expect(answer).toContain('<jid>alice@localhost/desk</jid>');
      await first.expect('<conflict');
    }
    // Whoever is called so now can be reached.
    const owner = conflict === 'replace' ? second : first;
    await second.send("<iq type='get' id='p' to='alice@localhost/desk'><ping xmlns='urn:xmpp:ping'/></iq>");
    await owner.expect("id='p'");
    first.close();
    second.close();
  });

  test('makes up every resource when told so', async () => {
    await using server = await LoopbackServer.start({ ...ACCOUNTS, bind: { assigned: true, session: 'required' } });
    const client = await RawClient.dial(server);
    await client.open();
    await client.starttls();
    await client.open();
    await client.plain('alice');
    expect(await client.open()).toContain("<session xmlns='urn:ietf:params:xml:ns:xmpp-session'/>");
    expect(await client.bind('desk')).not.toBe('alice@localhost/desk');
    await client.send("<iq type='set' id='s'><session xmlns='urn:ietf:params:xml:ns:xmpp-session'/></iq>");
    await client.expect(/<iq type='result' id='s'[^>]*\/>/);
    client.close();
  });
});

describe('refusing streams', () => {
  test.each(['open', 'tls', 'authenticated'] as const)('sends clients elsewhere at the stage %s', async (stage) => {
    await using server = await LoopbackServer.start(ACCOUNTS);
    server.refuse({ condition: 'see-other-host', content: '[::1]:5222', stage });
    const client = await RawClient.dial(server);
    const elsewhere = '>[::1]:5222</see-other-host>';
    if (stage !== 'open') {
      expect(await client.open()).toContain('starttls');
      await client.starttls();
    }
    if (stage === 'authenticated') {
      expect(await client.open()).toContain('mechanisms');
      await client.plain('alice');
    }
    expect(await client.open()).toContain(elsewhere);
    server.refuse(null);
    const other = await RawClient.bound(server, 'alice');
    client.close();
    other.close();
  });
});
