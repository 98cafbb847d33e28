import { createHash } from 'node:crypto';
import { xml } from '@xmpp/client';
import { component } from '@xmpp/component';
import { describe, expect, test } from 'vitest';
import { LoopbackServer, type LoopbackOptions } from 'xmpp-broker/testing';
import { parse } from '../../../src/xml/tokenizer/parse.js';
import { Conversation } from '../../wire/support/conversation.js';

const OPTIONS: LoopbackOptions = { components: { 'echo.localhost': 'secret', 'other.localhost': 'geheim' } };

const header = (to: string, xmlns = 'jabber:component:accept') =>
  `<?xml version='1.0'?><stream:stream xmlns='${xmlns}' xmlns:stream='http://etherx.jabber.org/streams' to='${to}'>`;

const digest = (id: string, secret: string) =>
  createHash('sha1')
    .update(id + secret)
    .digest('hex');

/** Opens a stream and shakes hands. */
async function attach(server: LoopbackServer, name: string, secret: string): Promise<Conversation> {
  const peer = await Conversation.dial(server.ports.component);
  await peer.send(header(name));
  const [, id = ''] = await peer.match(/<stream:stream [^>]*id='([^']+)'[^>]*>/);
  await peer.send(`<handshake>${digest(id, secret)}</handshake>`);
  await peer.expect('<handshake/>');
  return peer;
}

describe('the component side', () => {
  test('shakes hands and delivers in both directions', async () => {
    await using server = await LoopbackServer.start(OPTIONS);
    const session = server.events.once('session');
    const echo = await attach(server, 'echo.localhost', 'secret');
    expect((await session).jid.toString()).toBe('echo.localhost');
    const other = await attach(server, 'other.localhost', 'geheim');
    await other.send(
      "<message from='a@other.localhost/r' to='b@echo.localhost' id='1'><body>a &amp; b</body></message>",
    );
    // Nothing names a namespace: the stanza is in that of the component's stream.
    expect(await echo.expect('</message>')).toBe(
      "<message from='a@other.localhost/r' to='b@echo.localhost' id='1'><body>a &amp; b</body></message>",
    );
    // A missing sender is filled in.
    await echo.send("<message to='a@other.localhost'/>");
    expect(await other.expect(/<message.*?\/>/)).toBe("<message to='a@other.localhost' from='echo.localhost'/>");
    echo.destroy();
    other.destroy();
  });

  test('leaves stanzas of other namespaces inside a stanza as they are', async () => {
    await using server = await LoopbackServer.start(OPTIONS);
    const echo = await attach(server, 'echo.localhost', 'secret');
    const inner =
      "<forwarded xmlns='urn:xmpp:forward:0'><message xmlns='jabber:client'><body>x</body></message></forwarded>";
    await echo.send(`<message to='b@echo.localhost' from='echo.localhost'>${inner}</message>`);
    expect(await echo.expect('</forwarded></message>')).toContain(inner);
    echo.destroy();
  });

  test('refuses a wrong secret, an unknown name, a wrong namespace and stanzas before the handshake', async () => {
    await using server = await LoopbackServer.start(OPTIONS);
    const cases = [
      { header: header('echo.localhost'), then: '<handshake>0000</handshake>', condition: 'not-authorized' },
      { header: header('echo.localhost'), then: "<message to='x@y'/>", condition: 'not-authorized' },
      { header: header('nobody.localhost'), then: '', condition: 'host-unknown' },
      { header: header('not a name'), then: '', condition: 'host-unknown' },
      { header: header('echo.localhost', 'jabber:client'), then: '', condition: 'invalid-namespace' },
      {
        header: "<stream xmlns='jabber:component:accept' to='echo.localhost'>",
        then: '',
        condition: 'invalid-namespace',
      },
      { header: 'GET / HTTP/1.1\r\n\r\n', then: '', condition: 'not-well-formed' },
      { header: '<!DOCTYPE x>', then: '', condition: 'restricted-xml' },
    ];
    for (const { header, then, condition } of cases) {
      const peer = await Conversation.dial(server.ports.component);
      const closed = server.events.once('closed');
      await peer.send(header + then);
      await peer.expect(
        new RegExp(
          `<stream:stream [^>]*id='[^']*'[^>]*><stream:error><${condition} xmlns='[^']*'/>.*</stream:error></stream:stream>`,
        ),
      );
      await peer.send('</stream:stream>');
      await peer.expectEnd();
      peer.end();
      expect((await closed).fault).toBe(condition);
    }
  });

  test('gives an unknown name an empty stream id', async () => {
    await using server = await LoopbackServer.start(OPTIONS);
    const peer = await Conversation.dial(server.ports.component);
    await peer.send(header('nobody.localhost'));
    expect(await peer.expect(/<stream:stream [^>]*>/)).toContain(" id='' from='nobody.localhost'");
    peer.destroy();
  });

  test('closes for a foreign sender and bounces what has no recipient', async () => {
    await using server = await LoopbackServer.start(OPTIONS);
    const echo = await attach(server, 'echo.localhost', 'secret');
    const undeliverable = server.events.once('undeliverable');
    await echo.send("<message id='m'><body/></message>");
    expect(await echo.expect('</message>')).toMatch(
      /<message type='error' id='m' to='echo.localhost'><error type='modify'><bad-request/,
    );
    expect((await undeliverable).condition).toBe('bad-request');
    await echo.send(
      "<message id='n' to='x@nowhere.example'/><message id='o' to='x@other.localhost'/><iq id='p' to='localhost'/>",
    );
    expect(await echo.expect('</message>')).toMatch(/id='n'.*remote-server-not-found/);
    expect(await echo.expect('</message>')).toMatch(/id='o'.*service-unavailable/);
    expect(await echo.expect('</iq>')).toMatch(/id='p'.*bad-request/);
    await echo.send("<message to='x@other.localhost' from='x@other.localhost'/>");
    await echo.expect('<invalid-from');
    echo.destroy();
  });

  test('never answers an error or a result', async () => {
    await using server = await LoopbackServer.start(OPTIONS);
    const echo = await attach(server, 'echo.localhost', 'secret');
    await echo.send(
      "<message type='error' to='x@nowhere.example'/><iq type='result' id='1' to='x@nowhere.example'/>" +
        "<iq type='error' id='1' to='x@localhost'/><message to='x@echo.localhost' id='after'/>",
    );
    expect(await echo.expect(/<.*?\/>/)).toContain("id='after'");
    echo.destroy();
  });

  test.each([
    ['refuse', 'second'],
    ['replace', 'first'],
  ] as const)('with componentConflict %s the %s connection gets a conflict', async (componentConflict, loser) => {
    await using server = await LoopbackServer.start({ ...OPTIONS, componentConflict });
    const first = await attach(server, 'echo.localhost', 'secret');
    const second = await Conversation.dial(server.ports.component);
    await second.send(header('echo.localhost'));
    const [, id = ''] = await second.match(/id='([^']+)'[^>]*>/);
    await second.send(`<handshake>${digest(id, 'secret')}</handshake>`);
    await (loser === 'first' ? first : second).expect('<conflict');
    if (loser === 'first') await second.expect('<handshake/>');
    const winner = loser === 'first' ? second : first;
    await winner.send("<message to='x@echo.localhost' id='mine'/>");
    await winner.expect("id='mine'");
    first.destroy();
    second.destroy();
  });

  test('shares a name by sender', async () => {
    await using server = await LoopbackServer.start({ ...OPTIONS, componentConflict: 'share' });
    const links = [await attach(server, 'echo.localhost', 'secret'), await attach(server, 'echo.localhost', 'secret')];
    for (let n = 0; n < 40; n++) {
      for (const resource of ['r', 's']) {
        server.route(parse(`<message from='user${n}@localhost/${resource}' to='x@echo.localhost' id='${n}'/>`));
      }
    }
    server.inject('echo.localhost', '<done/>');
    const received = await Promise.all(links.map((link) => link.expect('<done/>')));
    const ids = received.map((text) => [...text.matchAll(/id='(\d+)'/g)].map(([, id]) => id));
    for (const [index, own] of ids.entries()) {
      expect(own.length).toBeGreaterThan(0);
      expect(own.filter((id) => ids[1 - index]!.includes(id))).toEqual([]);
    }
    expect(ids.flat()).toHaveLength(80);
    const gone = server.events.once('closed');
    links[0]!.destroy();
    await gone;
    for (let n = 0; n < 20; n++)
      server.route(parse(`<message from='u${n}@localhost' to='x@echo.localhost' id='${n}'/>`));
    server.inject('echo.localhost', '<done/>');
    expect((await links[1]!.expect('<done/>')).match(/<message/g)).toHaveLength(20);
    links[1]!.destroy();
  });

  test('serves an independent implementation', async () => {
    await using server = await LoopbackServer.start(OPTIONS);
    const other = await attach(server, 'other.localhost', 'geheim');
    const echo = component({
      service: `xmpp://127.0.0.1:${server.ports.component}`,
      domain: 'echo.localhost',
      password: 'secret',
    });
    echo.on('error', () => undefined);
    echo.on('stanza', (stanza) => {
      const { name, attrs } = stanza;
      void echo.send(
        xml(name, { to: attrs.from ?? '', from: attrs.to ?? '' }, xml('body', {}, stanza.getChildText('body') ?? '')),
      );
    });
    await echo.start();
    await other.send("<message to='x@echo.localhost' id='e'><body>hello</body></message>");
    expect(await other.expect('</message>')).toContain('<body>hello</body>');
    await echo.stop();
    other.destroy();
  });

  test('speaks TLS from the start on a port of its own, when it is told to', async () => {
    await using clear = await LoopbackServer.start(OPTIONS);
    expect(() => clear.ports.componentDirectTls).toThrow(/needs the options components and tls/);
    await using server = await LoopbackServer.start({ ...OPTIONS, tls: {} });
    const peer = await Conversation.dial(server.ports.componentDirectTls);
    await peer.startTlsAsClient({ ca: server.ca, servername: 'echo.localhost' });
    await peer.send(header('echo.localhost'));
    const [, id = ''] = await peer.match(/id='([^']+)'[^>]*>/);
    await peer.send(`<handshake>${digest(id, 'secret')}</handshake>`);
    await peer.expect('<handshake/>');
    expect(server.connections.map(({ secure, side }) => ({ secure, side }))).toEqual([
      { secure: true, side: 'componentDirectTls' },
    ]);
    peer.destroy();
  });

  test('can be added and removed', async () => {
    await using server = await LoopbackServer.start({ components: {} });
    server.setComponent('New.localhost', 'fresh');
    const peer = await attach(server, 'new.localhost', 'fresh');
    server.setComponent('new.localhost', null);
    await peer.send("<message to='x@new.localhost' id='still'/>");
    await peer.expect("id='still'");
    const late = await Conversation.dial(server.ports.component);
    await late.send(header('new.localhost'));
    await late.expect('<host-unknown');
    peer.destroy();
    late.destroy();
  });

  test('is found by the names it has', async () => {
    await using server = await LoopbackServer.start(OPTIONS);
    const echo = await attach(server, 'echo.localhost', 'secret');
    expect(server.find('echo.localhost').map(({ side, secure }) => ({ side, secure }))).toEqual([
      { side: 'component', secure: false },
    ]);
    expect(server.find('other.localhost')).toEqual([]);
    const ended = server.events.once('ended');
    expect(server.kick('echo.localhost', 'policy-violation', { text: 'enough' })).toBe(1);
    await echo.expect(
      "<policy-violation xmlns='urn:ietf:params:xml:ns:xmpp-streams'/><text xmlns='urn:ietf:params:xml:ns:xmpp-streams'>enough</text>",
    );
    expect((await ended).jid.toString()).toBe('echo.localhost');
    echo.destroy();
  });
});
