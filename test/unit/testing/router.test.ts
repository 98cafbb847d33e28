import { createHash } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { LoopbackServer, type LoopbackOptions } from 'xmpp-broker/testing';
import { parse } from '../../../src/xml/tokenizer/parse.js';
import { Conversation } from '../../wire/support/conversation.js';
import { ACCOUNTS, RawClient } from './raw-client.js';

const NS = 'http://jabberd.jabberstudio.org/ns/component/1.0';
const OPTIONS: LoopbackOptions = {
  ...ACCOUNTS,
  routerUsers: { jabberd: 'secret', 'comp.localhost': { password: 'secret', acl: 'own' } },
};

const HEADER = `<?xml version='1.0'?><stream:stream xmlns='${NS}' xmlns:stream='http://etherx.jabber.org/streams' to='localhost' version='1.0'>`;

const md5 = (data: string | Buffer) => createHash('md5').update(data).digest();

/** A peer of the router, driven by hand. */
class Peer {
  constructor(readonly wire: Conversation) {}

  static async open(server: LoopbackServer, tls = false): Promise<Peer> {
    const peer = new Peer(await Conversation.dial(server.ports.router));
    await peer.wire.send(HEADER);
    const features = await peer.wire.expect('</stream:features>');
    expect(features).toContain("<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>");
    if (!tls) return peer;
    await peer.wire.send("<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>");
    await peer.wire.expect(/<proceed [^>]*>/);
    await peer.wire.startTlsAsClient({ ca: server.ca, servername: 'localhost' });
    await peer.wire.send(HEADER);
    expect(await peer.wire.expect('</stream:features>')).not.toContain('starttls');
    return peer;
  }

  /** Signs in and gets the empty features that say "bind now". */
  static async ready(server: LoopbackServer, username = 'jabberd', tls = false): Promise<Peer> {
    const peer = await Peer.open(server, tls);
    expect(await peer.signIn(username, 'secret')).toBe('success');
    await peer.wire.send(HEADER);
    await peer.wire.expect(/<stream:features><\/stream:features>|<stream:features\/>/);
    return peer;
  }

  /** Ready, and bound to a name; what the router tells after that is taken. */
  static async bound(server: LoopbackServer, name: string, more = ''): Promise<Peer> {
    const peer = await Peer.ready(server);
    expect(await peer.bind(name, more)).toMatch(/^<bind (?!.*error)/);
    await peer.wire.expect('</route>');
    return peer;
  }

  async signIn(username: string, password: string): Promise<string> {
    await this.wire.send("<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='DIGEST-MD5'/>");
    const [, data = ''] = await this.wire.match(/<challenge [^>]*>([^<]*)<\/challenge>/);
    const challenge = Buffer.from(data, 'base64').toString();
    const nonce = /nonce="([^"]+)"/.exec(challenge)?.[1] ?? '';
    expect(challenge).toMatch(/^realm="jabberd-router",/);
    const uri = 'jabberd-router/jabberd-router';
    const user = md5(`${username}:jabberd-router:${password}`);
    const session = md5(Buffer.concat([user, Buffer.from(`:${nonce}:cn`)])).toString('hex');
    const answer = (operation: string) =>
      md5(`${session}:${nonce}:00000001:cn:auth:${md5(`${operation}:${uri}`).toString('hex')}`).toString('hex');
    const fields = `username="${username}",realm="jabberd-router",nonce="${nonce}",cnonce="cn",nc=00000001,qop=auth,digest-uri="${uri}",response=${answer('AUTHENTICATE')},charset=utf-8`;
    await this.wire.send(
      `<response xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>${Buffer.from(fields).toString('base64')}</response>`,
    );
    const [, outcome = '', proof = ''] = await this.wire.match(/<(success|failure) [^>]*>(.*?)<\/\1>/);
    if (outcome === 'success') expect(Buffer.from(proof, 'base64').toString()).toBe(`rspauth=${answer('')}`);
    return outcome === 'success' ? outcome : proof;
  }

  /** Binds a name and returns the router's answer. */
  async bind(name: string, more = '', children = ''): Promise<string> {
    const said = name === '' ? '' : ` name='${name}'`;
    await this.wire.send(`<bind xmlns='${NS}'${said} id='b'${more}>${children}</bind>`);
    return this.wire.expect(/<bind [^>]*\/>|<bind .*?<\/bind>/);
  }

  async route(from: string, to: string, stanza: string, more = ''): Promise<void> {
    const target = to === '' ? '' : ` to='${to}'`;
    await this.wire.send(`<route xmlns='${NS}' from='${from}'${target}${more}>${stanza}</route>`);
  }

  /** The next route. Before it the router may tell of names that come and go, and nothing else. */
  async next(): Promise<string> {
    const text = await this.wire.expect(/<route .*?<\/route>/);
    return text.replace(/^(?:<presence [^>]*\/>)*/, '');
  }

  close(): void {
    this.wire.destroy();
  }
}

const message = (attributes: string) => `<message xmlns='jabber:client' ${attributes}><body>x</body></message>`;

describe('signing in', () => {
  test.each([false, true])('with DIGEST-MD5, TLS: %s', async (tls) => {
    await using server = await LoopbackServer.start(OPTIONS);
    const authenticated = server.events.once('authenticated');
    const peer = await Peer.ready(server, 'jabberd', tls);
    expect(await authenticated).toMatchObject({ username: 'jabberd', mechanism: 'DIGEST-MD5' });
    peer.close();
  });

  test('refuses other mechanisms, wrong passwords and unknown users', async () => {
    await using server = await LoopbackServer.start(OPTIONS);
    const peer = await Peer.open(server);
    await peer.wire.send("<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>AGEAYg==</auth>");
    await peer.wire.expect('<invalid-mechanism/></failure>');
    expect(await peer.signIn('jabberd', 'wrong')).toContain('<not-authorized/>');
    expect(await peer.signIn('nobody', 'secret')).toContain('<not-authorized/>');
    // The accounts of the server are no users of its router.
    expect(await peer.signIn('alice', 'secret')).toContain('<not-authorized/>');
    expect(await peer.signIn('jabberd', 'secret')).toBe('success');
    peer.close();
  });

  test.each([
    ['an old version', HEADER.replace("version='1.0'>", "version='0.9'>"), 'unsupported-version'],
    ['another namespace', HEADER.replace(NS, 'jabber:client'), 'invalid-namespace'],
  ])('refuses %s', async (_what, header, condition) => {
    await using server = await LoopbackServer.start(OPTIONS);
    const peer = await Conversation.dial(server.ports.router);
    await peer.send(header);
    await peer.expect(`<${condition}`);
    peer.destroy();
  });

  test('works without TLS where there is none', async () => {
    await using server = await LoopbackServer.start({ routerUsers: { jabberd: 'secret' }, tls: false });
    const peer = new Peer(await Conversation.dial(server.ports.router));
    await peer.wire.send(HEADER);
    expect(await peer.wire.expect('</stream:features>')).not.toContain('starttls');
    expect(await peer.signIn('jabberd', 'secret')).toBe('success');
    peer.close();
  });
});

describe('binding names', () => {
  test('answers without the name, then tells the names there are, then asks what this is', async () => {
    await using server = await LoopbackServer.start({ ...OPTIONS, components: { 'old.localhost': 's' } });
    const peer = await Peer.ready(server);
    const session = server.events.once('session');
    expect(await peer.bind('svc.localhost', " multi='1'")).toBe(`<bind id='b' multi='1'/>`);
    const told = await peer.wire.expect('</route>');
    for (const name of ['sm', 'localhost', 'c2s']) expect(told).toContain(`<presence from='${name}'/>`);
    expect(told).toMatch(
      /<route to='svc.localhost' from='sm'><iq xmlns='jabber:client' type='get' to='svc.localhost' from='sm' id='[^']+'><query xmlns='http:\/\/jabber.org\/protocol\/disco#info'\/><\/iq><\/route>$/,
    );
    expect((await session).jid.toString()).toBe('svc.localhost');
    // The answer goes nowhere, silently.
    await peer.route(
      'svc.localhost',
      'sm',
      "<iq xmlns='jabber:client' type='result' id='1' to='sm' from='svc.localhost'/>",
    );
    await peer.route('svc.localhost', 'svc.localhost', message("id='own'"));
    expect(await peer.next()).toContain("id='own'");
    peer.close();
  });

  test('refuses with 400, 403, 404 and 409', async () => {
    await using server = await LoopbackServer.start(OPTIONS);
    const own = await Peer.ready(server, 'comp.localhost');
    expect(await own.bind('other.localhost')).toContain("error='403'");
    expect(await own.bind('comp.localhost')).not.toContain('error');
    const peer = await Peer.ready(server);
    for (const taken of ['comp.localhost', 'localhost', 'sm', 'c2s']) {
      expect(await peer.bind(taken), taken).toContain("error='409'");
    }
    expect(await peer.bind('')).toContain("error='400'");
    expect(await peer.bind('', '', '<name>foo.localhost</name>')).toMatch(/error='400'.*<name>foo.localhost<\/name>/);
    expect(await peer.bind('user@svc.localhost')).toContain("error='400'");
    await peer.wire.send(`<unbind xmlns='${NS}' name='comp.localhost'/>`);
    await peer.wire.expect("<unbind error='404'/>");
    own.close();
    peer.close();
  });

  test('tells the others when a name comes and goes', async () => {
    await using server = await LoopbackServer.start(OPTIONS);
    const watcher = await Peer.bound(server, 'watch.localhost');
    const peer = await Peer.bound(server, 'svc.localhost');
    await watcher.wire.expect("<presence from='svc.localhost'/>");
    expect(await peer.bind('second.localhost')).not.toContain('error');
    await watcher.wire.expect("<presence from='second.localhost'/>");
    await peer.wire.send(`<unbind xmlns='${NS}' name='second.localhost' id='u'/>`);
    await peer.wire.expect("<unbind id='u'/>");
    await watcher.wire.expect("<presence type='unavailable' from='second.localhost'/>");
    await peer.wire.send('</stream:stream>');
    await peer.wire.expect('</stream:stream>');
    await watcher.wire.expect("<presence type='unavailable' from='svc.localhost'/>");
    watcher.close();
    peer.close();
  });

  test('shares a name by recipient when all say multi', async () => {
    await using server = await LoopbackServer.start(OPTIONS);
    const watcher = await Peer.bound(server, 'watch.localhost');
    const first = await Peer.bound(server, 'multi.localhost', " multi='1'");
    const second = await Peer.ready(server);
    expect(await second.bind('multi.localhost')).toContain("error='409'");
    expect(await second.bind('multi.localhost', " multi='to'")).not.toContain('error');
    await second.wire.expect('</route>');
    for (let n = 0; n < 40; n++)
      await watcher.route('watch.localhost', 'multi.localhost', message(`to='u${n % 20}@multi.localhost' id='${n}'`));
    await watcher.route('watch.localhost', '', '<done/>', " type='broadcast'");
    const ids = [];
    for (const peer of [first, second]) {
      const text = await peer.wire.expect('<done/></route>');
      ids.push([...text.matchAll(/id='(\d+)'><body/g)].map(([, id]) => Number(id)));
    }
    expect(ids.flat()).toHaveLength(40);
    for (const own of ids) expect(new Set(own.map((id) => (id + 20) % 40))).toEqual(new Set(own));
    // It is gone only with the last one.
    const presences = watcher.wire.expect("type='unavailable' from='multi.localhost'/>");
    first.wire.end();
    await first.wire.ended;
    await watcher.route('watch.localhost', 'multi.localhost', message("to='u1@multi.localhost' id='rest'"));
    expect(await second.next()).toContain("id='rest'");
    second.wire.end();
    expect((await presences).match(/<presence from='multi.localhost'\/>/g)).toHaveLength(2);
    for (const peer of [watcher, first, second]) peer.close();
  });
});

describe('routing', () => {
  test('wraps what clients send, and unwraps what is for them', async () => {
    await using server = await LoopbackServer.start(OPTIONS);
    const peer = await Peer.bound(server, 'svc.localhost');
    const alice = await RawClient.available(server, 'alice', 'r1');
    await alice.send("<message to='joe@svc.localhost/x' id='1'><body>to native</body></message>");
    expect(await peer.next()).toBe(
      "<route to='svc.localhost' from='sm'><message xmlns='jabber:client' to='joe@svc.localhost/x' id='1' from='alice@localhost/r1'><body>to native</body></message></route>",
    );
    for (const [from, to] of [
      ['svc.localhost', 'localhost'],
      ['joe@svc.localhost/x', 'alice@localhost'],
    ] as const) {
      await peer.route(from, to, message("from='joe@svc.localhost/x' to='alice@localhost' id='2'"));
      await alice.expect("<message from='joe@svc.localhost/x' to='alice@localhost' id='2'><body>x</body></message>");
    }
    await peer.route(
      'svc.localhost',
      'localhost',
      "<iq xmlns='jabber:client' from='svc.localhost' to='localhost' type='get' id='8'><ping xmlns='urn:xmpp:ping'/></iq>",
    );
    expect(await peer.next()).toBe(
      "<route to='svc.localhost' from='sm'><iq xmlns='jabber:client' type='result' id='8' from='localhost' to='svc.localhost'/></route>",
    );
    await peer.route('svc.localhost', 'localhost', message("from='joe@svc.localhost' to='nobody@localhost' id='9'"));
    expect(await peer.next()).toMatch(
      /<message xmlns='jabber:client' type='error' id='9' from='nobody@localhost' to='joe@svc.localhost'>.*<service-unavailable/,
    );
    peer.close();
    alice.close();
  });

  test('gives routes back with 400, 401 and 404, and never answers an error', async () => {
    await using server = await LoopbackServer.start(OPTIONS);
    const peer = await Peer.bound(server, 'svc.localhost');
    const stanza = message("id='6' to='x@nowhere.localhost' from='joe@svc.localhost'");
    await peer.route('svc.localhost', 'nowhere.localhost', stanza, " error='404'");
    await peer.route('svc.localhost', 'nowhere.localhost', stanza);
    expect(await peer.next()).toBe(`<route from='svc.localhost' to='nowhere.localhost' error='404'>${stanza}</route>`);
    await peer.route('evil.localhost', 'localhost', stanza);
    expect(await peer.next()).toContain("<route from='evil.localhost' to='localhost' error='401'>");
    await peer.route('svc.localhost', '', stanza);
    expect(await peer.next()).toContain("error='400'");
    await peer.wire.send(`<route xmlns='${NS}' from='svc.localhost' to='localhost'/>`);
    await peer.wire.expect("<route from='svc.localhost' to='localhost' error='400'/>");
    peer.close();
  });

  test('gives a stanza of no proper namespace back, its addresses not swapped', async () => {
    await using server = await LoopbackServer.start(OPTIONS);
    const peer = await Peer.bound(server, 'svc.localhost');
    await peer.route('svc.localhost', 'localhost', "<message from='joe@svc.localhost' to='alice@localhost' id='3'/>");
    expect(await peer.next()).toMatch(
      /^<route to='svc.localhost' from='sm'><message from='joe@svc.localhost' to='alice@localhost' id='3' type='error'><error code='400' type='modify'><bad-request /,
    );
    peer.close();
  });

  test('drops what is not wrapped', async () => {
    await using server = await LoopbackServer.start(OPTIONS);
    const peer = await Peer.bound(server, 'svc.localhost');
    await peer.wire.send(
      `${message("to='alice@localhost'")}<presence xmlns='${NS}' from='svc.localhost'/><foo xmlns='bar'/>`,
    );
    await peer.route('svc.localhost', 'svc.localhost', message("id='still here'"));
    expect(await peer.next()).toContain("id='still here'");
    peer.close();
  });

  test('reaches components of XEP-0114, and they reach the router', async () => {
    await using server = await LoopbackServer.start({ ...OPTIONS, components: { 'old.localhost': 's' } });
    const peer = await Peer.bound(server, 'svc.localhost');
    const old = await Conversation.dial(server.ports.component);
    await old.send(
      "<stream:stream xmlns='jabber:component:accept' xmlns:stream='http://etherx.jabber.org/streams' to='old.localhost'>",
    );
    const [, id = ''] = await old.match(/ id='([^']+)'[^>]*>/);
    await old.send(`<handshake>${createHash('sha1').update(`${id}s`).digest('hex')}</handshake>`);
    await old.expect('<handshake/>');
    await peer.wire.expect("<presence from='old.localhost'/>");
    await peer.route('svc.localhost', 'old.localhost', message("from='a@svc.localhost' to='b@old.localhost' id='1'"));
    await old.expect("<message from='a@svc.localhost' to='b@old.localhost' id='1'><body>x</body></message>");
    await old.send("<message from='b@old.localhost' to='a@svc.localhost' id='2'/>");
    expect(await peer.next()).toBe(
      "<route to='svc.localhost' from='old.localhost'><message xmlns='jabber:client' from='b@old.localhost' to='a@svc.localhost' id='2'/></route>",
    );
    expect(await peer.bind('old.localhost')).toContain("error='409'");
    peer.close();
    old.destroy();
  });

  test('gives the default link what is for unknown names', async () => {
    await using server = await LoopbackServer.start(OPTIONS);
    const peer = await Peer.bound(server, 'svc.localhost');
    const fallback = await Peer.ready(server);
    expect(await fallback.bind('dflt.localhost', '', '<default/>')).toBe("<bind id='b'><default/></bind>");
    await fallback.next();
    expect(await peer.bind('more.localhost', '', '<default/>')).toContain("error='409'");
    const alice = await RawClient.bound(server, 'alice', 'r1');
    await alice.send("<message to='who@remote.example' id='D1'/>");
    expect(await fallback.next()).toMatch(/^<route to='remote.example' from='sm'><message .*id='D1'/);
    await peer.route('svc.localhost', 'remote.example', message("id='D2'"));
    expect(await fallback.next()).toMatch(/^<route from='svc.localhost' to='remote.example'><message .*id='D2'/);
    const closed = server.events.once('closed');
    fallback.close();
    await closed;
    await peer.route('svc.localhost', 'remote.example', message("id='D3'"));
    await peer.wire.expect("error='404'");
    peer.close();
    alice.close();
  });

  test('copies every route to whom asked for a log', async () => {
    await using server = await LoopbackServer.start(OPTIONS);
    const log = await Peer.ready(server);
    await log.bind('log.localhost', '', '<log/>');
    await log.wire.expect(/<route to='log.localhost' from='sm'>.*?<\/route>/);
    const peer = await Peer.bound(server, 'svc.localhost');
    await peer.route('svc.localhost', 'svc.localhost', message("id='L1'"));
    await log.wire.expect(/<route from='svc.localhost' to='svc.localhost' type='log'><message [^>]*id='L1'/);
    server.route(parse("<message from='alice@localhost/x' to='joe@svc.localhost' id='L2'/>"));
    await log.wire.expect(/<route to='svc.localhost' from='sm' type='log'><message [^>]*id='L2'/);
    log.close();
    peer.close();
  });

  test('broadcasts to all others', async () => {
    await using server = await LoopbackServer.start(OPTIONS);
    const peers = [
      await Peer.bound(server, 'a.localhost'),
      await Peer.bound(server, 'b.localhost'),
      await Peer.bound(server, 'c.localhost'),
    ];
    await peers[0]!.route('a.localhost', '', "<x xmlns='urn:test'/>", " type='broadcast'");
    for (const peer of peers.slice(1)) {
      expect(await peer.next()).toBe("<route from='a.localhost' type='broadcast'><x xmlns='urn:test'/></route>");
    }
    await peers[0]!.route('a.localhost', 'a.localhost', message("id='own'"));
    expect(await peers[0]!.next()).toContain("id='own'");
    for (const peer of peers) peer.close();
  });

  test('holds everything between two throttles', async () => {
    await using server = await LoopbackServer.start(OPTIONS);
    const peer = await Peer.bound(server, 'svc.localhost');
    await peer.wire.send(`<throttle xmlns='${NS}'/>`);
    await peer.wire.expect('<throttle/>');
    for (let n = 0; n < 3; n++)
      server.route(parse(`<message from='alice@localhost/x' to='joe@svc.localhost' id='T${n}'/>`));
    await peer.wire.send(`<throttle xmlns='${NS}'/>`);
    expect(await peer.wire.expect(/id='T2'\/><\/route>/)).toMatch(/^<throttle\/><route .*id='T0'.*id='T1'/);
    peer.close();
  });
});
