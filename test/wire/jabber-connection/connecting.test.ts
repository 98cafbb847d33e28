import { describe, expect, it } from 'vitest';
import { JABBER_NS, NS, XMPP } from 'xmpp-broker';
import { acceptDigest, header, message, open, sha1, useConnections } from '../support/connection.js';
import { BIND, failure, features, mechanisms, OPENING, stopClock, streamHeader } from '../support/index.js';
import { DOMAIN, readIq } from '../support/legacy.js';

const { NS_ACCEPT } = JABBER_NS.stream;

const { rig, make } = useConnections();

describe('connect and auth', () => {
  it('a client: the stream first, then jabber:iq:auth with what auth() was given', async () => {
    const peer = await rig.listen();
    const connection = make(peer);
    expect(connection.connected).toBe(false);
    const connected = connection.connect();
    const server = await peer.accept();
    const opened = await server.expect(OPENING);
    expect(opened).toContain(`to='${DOMAIN}'`);
    expect(opened).not.toContain('version=');
    await server.send(header());
    await connected;
    expect(connection.connected).toBe(true);
    expect(server.received.toString()).not.toContain('<iq');
    const signedIn = connection.auth('juliet', 'r0m30', 'balcony');
    const set = await acceptDigest(server);
    await signedIn;
    expect(set).toContain('<username>juliet</username>');
    expect(set).toContain(`<digest>${sha1('S1r0m30')}</digest>`);
    expect(set).toContain('<resource>balcony</resource>');
    expect(connection.broker.jid?.toString()).toBe(`juliet@${DOMAIN}/balcony`);
    expect(connection.lastError).toBeNull();
  });

  it('[X] a component: its digest is made of the id, however late the header comes', async () => {
    const peer = await rig.listen();
    const connection = make(peer, { ns: NS_ACCEPT });
    const connected = connection.connect();
    const server = await peer.accept();
    await server.expect(OPENING);
    await server.sendSplit(header('late', NS_ACCEPT), [10]);
    await connected;
    const signedIn = connection.auth('secret');
    await server.expect(`>${sha1('latesecret')}</handshake>`);
    await server.send('<handshake/>');
    await signedIn;
    expect(connection.broker.jid?.toString()).toBe(DOMAIN);
  });

  it('the password may be a function, and features may come at any time', async () => {
    const peer = await rig.listen();
    const connection = make(peer);
    const connected = connection.connect();
    const server = await peer.accept();
    await open(server, '<stream:features/>');
    await connected;
    await server.send('<stream:features/>');
    const signedIn = connection.auth('juliet', () => Promise.resolve('r0m30'), 'balcony');
    expect(await acceptDigest(server)).toContain(sha1('S1r0m30'));
    await signedIn;
  });

  it('a program may take its time before auth()', async () => {
    const clock = stopClock();
    const peer = await rig.listen();
    const connection = make(peer);
    const connected = connection.connect();
    const server = await peer.accept();
    await open(server);
    await connected;
    await clock.pass(3 * connection.broker.config.timeouts.stream); // longer than a server may take
    expect(connection.connected).toBe(true);
    const signedIn = connection.auth('juliet', 'r0m30', 'balcony');
    await acceptDigest(server);
    await signedIn;
  });

  it('TLS is the default: STARTTLS inside auth(), direct TLS inside connect()', async () => {
    const starttls = await rig.listen();
    const one = make(starttls, { tls: { ca: rig.authority.ca } });
    const connected = one.connect();
    const server = await starttls.accept();
    await open(server);
    await connected;
    const signedIn = one.auth('juliet', 'r0m30', 'balcony');
    await server.expect(/<starttls[^>]*>/);
    await server.send(`<proceed xmlns='${NS.TLS}'/>`);
    await server.startTls(rig.identity);
    await open(server);
    // The stream outside had the same id: it is refused.
    expect(await failure(signedIn)).toMatchObject({ code: 'STREAM_ID_REUSED' });

    const direct = await rig.listen('direct');
    const two = make(direct, { tls: { policy: 'direct', ca: rig.authority.ca } });
    const secured = two.connect();
    const inside = await direct.accept();
    await open(inside);
    await secured;
    const done = two.auth('juliet', 'r0m30', 'balcony');
    await acceptDigest(inside);
    await done;
  });

  it('another dialect: XMPP with SASL', async () => {
    const peer = await rig.listen('direct');
    const connection = make(peer, { dialect: XMPP, tls: { policy: 'direct', ca: rig.authority.ca } });
    const connected = connection.connect();
    const server = await peer.accept();
    await server.expect(/<stream:stream[^>]*version='1\.0'[^>]*>/);
    await server.send(streamHeader({ id: 'A', from: DOMAIN }) + features(mechanisms('PLAIN')));
    await connected;
    const signedIn = connection.auth('juliet', 'r0m30');
    const [, plain = ''] = await server.match(/<auth[^>]*mechanism='PLAIN'[^>]*>([^<]*)<\/auth>/);
    expect(plain).toBe('AGp1bGlldAByMG0zMA==');
    await server.send(`<success xmlns='${NS.SASL}'/>`);
    await server.expect(OPENING);
    await server.send(streamHeader({ id: 'B', from: DOMAIN }) + features(BIND));
    const bind = await readIq(server);
    await server.send(
      `<iq type='result' id='${bind.id}'><bind xmlns='${NS.BIND}'><jid>juliet@${DOMAIN}/x</jid></bind></iq>`,
    );
    await signedIn;
    expect(connection.broker.jid?.toString()).toBe(`juliet@${DOMAIN}/x`);
  });
});

describe('what goes wrong on the way', () => {
  it('refused TCP: connect() rejects, lastError tells', async () => {
    const peer = await rig.listen();
    peer.refuse();
    await peer.close();
    const connection = make(peer);
    const error = await failure(connection.connect());
    expect(error).toMatchObject({ code: 'TCP_REFUSED' });
    expect(connection.lastError).toBe(error);
    expect(connection.connected).toBe(false);
  });

  it.each([
    ['[X] in the way of RFC 6120', `<host-unknown xmlns='${NS.STREAMS}'/>`, 'host-unknown', undefined],
    ['as old text', 'no such host here', 'undefined-condition', 'no such host here'],
  ])('a stream error %s behind the header stops connect()', async (_, content, condition, text) => {
    const peer = await rig.listen();
    const connection = make(peer);
    const connected = failure(connection.connect());
    const server = await peer.accept();
    await open(server, `<stream:error>${content}</stream:error></stream:stream>`);
    const error = await connected;
    expect(error).toMatchObject({ code: 'STREAM_ERROR', condition });
    expect(error.text).toBe(text);
    expect(connection.lastError).toMatchObject({ condition });
    expect(await failure(connection.auth('a', 'b', 'c'))).toMatchObject({ condition });
  });

  it('a server that leaves before auth(): auth() rejects with the reason', async () => {
    const peer = await rig.listen();
    const connection = make(peer);
    const connected = connection.connect();
    const server = await peer.accept();
    await open(server);
    await connected;
    await server.send(`<stream:error><system-shutdown xmlns='${NS.STREAMS}'/></stream:error></stream:stream>`);
    server.end();
    await connection.broker.closed;
    expect(connection.connected).toBe(false);
    expect(await failure(connection.auth('a', 'b', 'c'))).toMatchObject({ condition: 'system-shutdown' });
    expect(await connection.process()).toBe(false);
  });

  it('[X] an error to the request for the fields, and a refused password, reject auth()', async () => {
    for (const step of ['get', 'set']) {
      const peer = await rig.listen();
      const connection = make(peer);
      const connected = connection.connect();
      const server = await peer.accept();
      await open(server);
      await connected;
      const signedIn = failure(connection.auth('juliet', 'wrong', 'balcony'));
      let { id } = await readIq(server);
      if (step === 'set') {
        await server.send(`<iq type='result' id='${id}'><query xmlns='jabber:iq:auth'><digest/></query></iq>`);
        ({ id } = await readIq(server));
      }
      await server.send(`<iq type='error' id='${id}'><error code='401'/></iq>`);
      const error = await signedIn;
      expect(error).toMatchObject({ code: 'LEGACY_REFUSED', condition: 'not-authorized' });
      expect(connection.lastError).toMatchObject({ code: 'LEGACY_REFUSED' });
      expect(connection.connected).toBe(false);
    }
  });

  it('a bad secret arrives as a stream error', async () => {
    const peer = await rig.listen();
    const connection = make(peer, { ns: NS_ACCEPT });
    const connected = connection.connect();
    const server = await peer.accept();
    await open(server, '', NS_ACCEPT);
    await connected;
    const signedIn = failure(connection.auth('wrong'));
    await server.expect('</handshake>');
    await server.send(`<stream:error><not-authorized xmlns='${NS.STREAMS}'/></stream:error></stream:stream>`);
    expect(await signedIn).toMatchObject({ code: 'STREAM_ERROR', condition: 'not-authorized' });
  });

  it('a server that talks without end before auth() is left', async () => {
    const peer = await rig.listen();
    const connection = make(peer);
    const connected = connection.connect();
    const server = await peer.accept();
    await open(server);
    await connected;
    await server.send("<x xmlns='urn:x'/>".repeat(30));
    await connection.broker.closed;
    expect(connection.lastError).toMatchObject({ code: 'STREAM_UNEXPECTED' });
  });

  it('an early stanza is refused', async () => {
    const peer = await rig.listen();
    const connection = make(peer);
    const connected = connection.connect();
    const server = await peer.accept();
    await open(server);
    await connected;
    await server.send(message('early'));
    await connection.broker.closed;
    expect(connection.lastError).toMatchObject({ code: 'STREAM_EARLY_STANZA' });
  });

  it('an abort signal, and disconnect(), end connect()', async () => {
    const peer = await rig.listen();
    const controller = new AbortController();
    const one = make(peer);
    const aborted = failure(one.connect({ signal: controller.signal }));
    await peer.accept();
    controller.abort();
    expect(await aborted).toMatchObject({ code: 'CONNECT_ABORTED' });
    const two = make(peer);
    const given = failure(two.connect());
    await peer.accept();
    await two.disconnect();
    expect(await given).toMatchObject({ code: 'CONNECT_ABORTED' });
  });

  it('calls that are not in order, or miss something', async () => {
    const peer = await rig.listen();
    const connection = make(peer);
    expect(await failure(connection.auth('a', 'b', 'c'))).toMatchObject({ code: 'USAGE_AUTH' });
    expect(await failure(connection.process())).toMatchObject({ code: 'USAGE_PROCESS' });
    expect(await failure(connection.start())).toMatchObject({ code: 'USAGE_PROCESS' });
    expect(() => connection.send('<presence/>')).toThrow(expect.objectContaining({ code: 'CONNECTION_NOT_READY' }));
    expect(await failure(connection.ask('<iq/>'))).toMatchObject({ code: 'CONNECTION_NOT_READY' });
    const connected = connection.connect();
    expect(await failure(connection.connect())).toMatchObject({ code: 'USAGE_CONNECTED' });
    const server = await peer.accept();
    await open(server);
    await connected;
    expect(() => connection.send('<presence/>')).toThrow(expect.objectContaining({ code: 'CONNECTION_NOT_READY' }));
    for (const args of [['juliet'], ['juliet', ''], ['', 'b', 'c'], ['a', 'b'], ['a', 'b', '']]) {
      const [first = '', ...rest] = args;
      const error = await failure(connection.auth(first, ...(rest as [string, string])));
      expect(error).toMatchObject({ code: 'USAGE_AUTH' });
    }
    const whole = await failure(connection.auth(`juliet@${connection.broker.config.domain}`, 'r0m30', 'balcony'));
    expect(whole).toMatchObject({
      code: 'USAGE_AUTH',
      message: expect.stringContaining("in front of the '@'") as string,
    });
    const signedIn = connection.auth('juliet', 'r0m30', 'balcony');
    expect(await failure(connection.auth('juliet', 'r0m30', 'balcony'))).toMatchObject({ code: 'USAGE_AUTH' });
    await acceptDigest(server);
    await signedIn;
    const component = make(peer, { ns: NS_ACCEPT });
    expect(await failure(component.auth('a', 'b', 'c'))).toMatchObject({ code: 'USAGE_AUTH' });
    expect(await failure(component.auth(''))).toMatchObject({ code: 'USAGE_AUTH' });
  });
});
