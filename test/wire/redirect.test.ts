import { describe, expect, it } from 'vitest';
import { NS, XMPP } from 'xmpp-broker';
import { authenticate, CLIENT, greet, welcome, welcomeBack } from './support/client.js';
import {
  BIND,
  failure,
  features,
  mechanisms,
  OPENING,
  SM,
  streamHeader,
  TestAuthority,
  useRig,
} from './support/index.js';

const rig = useRig(CLIENT);

const elsewhere = (host: string) =>
  `<stream:error><see-other-host xmlns='${NS.STREAMS}'>${host}</see-other-host></stream:error></stream:stream>`;

describe('see-other-host', () => {
  it('S-ERR-7: inside verified TLS it is followed: same domain, same checks', async () => {
    const other = await rig.listen();
    const { server, connected, recorded, broker } = await rig.dialled();
    await server.expect(OPENING);
    await server.send(streamHeader() + elsewhere(`127.0.0.1:${String(other.port)}`));
    const next = await other.accept();
    expect(next.tls).toMatchObject({ servername: 'localhost' });
    await welcome(next);
    await connected;
    expect(next.received.toString()).toContain("to='localhost'");
    expect(recorded.short.filter((name) => name === 'CONNECT')).toHaveLength(2);
    expect(recorded.short).toContain('CONNECTFAIL');
    expect(broker.state).toBe('ready');
  });

  it('S-ERR-7: the certificate there must be the one of the domain', async () => {
    const stranger = await TestAuthority.create();
    const honeypot = await rig.listen('direct', await stranger.issue());
    const { server, connected } = await rig.dialled();
    await server.expect(OPENING);
    await server.send(streamHeader() + elsewhere(`127.0.0.1:${String(honeypot.port)}`));
    expect(await failure(connected)).toMatchObject({ code: 'TLS_CERT_UNTRUSTED' });
  });

  it.each([
    ['right after the header', streamHeader()],
    ['behind features', streamHeader() + features(mechanisms('PLAIN'))],
    ['in place of the header', ''],
  ])('S-ERR-7 A-NEG-13: in clear, %s: nobody is dialled', async (_, before) => {
    const honeypot = await rig.listen('plain');
    const { server, connected } = await rig.dialled({}, 'plain');
    await server.expect(OPENING);
    const error = elsewhere(`127.0.0.1:${String(honeypot.port)}`);
    await server.send(
      before === '' ? error.replace('<stream:error>', `<stream:error xmlns:stream='${NS.STREAM}'>`) : before + error,
    );
    server.end();
    expect(await failure(connected)).toMatchObject({
      code: 'REDIRECT_UNTRUSTED',
      condition: 'see-other-host',
      retryable: false,
    });
    expect(honeypot.conversations).toEqual([]);
  });

  it('S-ERR-7: over TLS that was not checked: nobody is dialled', async () => {
    const honeypot = await rig.listen();
    const { server, connected } = await rig.dialled({ tls: { insecureSkipVerify: true } });
    await server.expect(OPENING);
    await server.send(streamHeader() + elsewhere(`127.0.0.1:${String(honeypot.port)}`));
    expect(await failure(connected)).toMatchObject({ code: 'REDIRECT_UNTRUSTED' });
    expect(honeypot.conversations).toEqual([]);
  });

  it('S-ERR-7 A-NEG-13: a chain and a loop stop after three', async () => {
    const peer = await rig.listen();
    const { broker } = rig.broker(peer, { tls: { policy: 'direct' } });
    const connected = broker.connect();
    for (let hop = 0; hop < 4; hop++) {
      const server = await peer.accept();
      await server.expect(OPENING);
      await server.send(streamHeader() + elsewhere(`127.0.0.1:${String(peer.port)}`));
      server.end();
    }
    expect(await failure(connected)).toMatchObject({ code: 'STREAM_ERROR', condition: 'see-other-host' });
    expect(peer.conversations).toHaveLength(4);
    expect(broker.state).toBe('disconnected');
  });

  it('S-ERR-7: also of a ready link; redirects are counted over ready links', async () => {
    const peer = await rig.listen();
    const { broker, recorded } = rig.broker(peer, {
      tls: { policy: 'direct' },
      reconnect: { firstDelayMs: 1, maxDelayMs: 1, resumeDelayMs: 1 },
    });
    const connected = broker.connect();
    for (let hop = 0; hop < 4; hop++) {
      const server = await peer.accept();
      await welcome(server, { enabled: "id='x'" });
      if (hop === 0) await connected;
      await server.send(elsewhere(`127.0.0.1:${String(peer.port)}`));
      server.end();
    }
    // The fourth is a lost link like others: the next attempt waits.
    await broker.events.once('PCJ_RECONNECTING');
    expect(recorded.short.filter((name) => name === 'READY')).toHaveLength(4);
    expect(recorded.short.filter((name) => name === 'RECONNECTING')).toHaveLength(1);
  });

  const NO_PLACES = [
    'user@127.0.0.1:5222',
    '127.0.0.1:0',
    '127.0.0.1:99999',
    '127.0.0.1:5222/path',
    '127.0.0.1 :5222',
    'http://127.0.0.1:5222',
    '[::1',
    '-host:5222',
    '127.0.0.1:',
    '127.0.0.1:+5222',
    '',
    'x'.repeat(100_000),
    'a b',
  ];

  it.each(NO_PLACES.map((place) => [place.slice(0, 40), place]))(
    'A-NEG-13 A6: %j is no place to go, and the old one is worth another try',
    async (_, place) => {
      const { server, connected } = await rig.dialled();
      await server.expect(OPENING);
      await server.send(streamHeader() + elsewhere(place));
      server.end();
      expect(await failure(connected)).toMatchObject({ condition: 'see-other-host', retryable: true });
    },
  );
});

describe('the location of a session', () => {
  it('S-SM-6: a session is resumed where the server wants it, once', async () => {
    const other = await rig.listen();
    const peer = await rig.listen();
    const { broker } = rig.broker(peer, {
      tls: { policy: 'direct' },
      reconnect: { firstDelayMs: 1, maxDelayMs: 1, resumeDelayMs: 1 },
    });
    const connected = broker.connect();
    const first = await peer.accept();
    await welcome(first, { enabled: `resume='true' id='s' location='127.0.0.1:${String(other.port)}'` });
    await connected;
    first.reset();
    const there = await other.accept();
    await authenticate(there);
    await greet(there, features(BIND, SM), { id: 'auth-2' });
    expect(await there.expect(/<resume [^>]*\/>/)).toContain("previd='s'");
    there.reset();
    // It did not work out: back to where the options say.
    const back = await peer.accept();
    await welcomeBack(back);
    const ready = broker.events.once('PCJ_READY');
    await back.send(`<resumed xmlns='${NS.SM}' previd='s' h='0'/>`);
    expect(await ready).toMatchObject({ resumed: true });
  });

  it.each(['user@127.0.0.1:1', '127.0.0.1:0', 'http://127.0.0.1', ''])(
    'A-NEG-13: location %j is not used',
    async (place) => {
      const peer = await rig.listen();
      const { broker } = rig.broker(peer, { tls: { policy: 'direct' }, reconnect: { resumeDelayMs: 1 } });
      const connected = broker.connect();
      const first = await peer.accept();
      await welcome(first, { enabled: `resume='true' id='s' location='${place}'` });
      await connected;
      first.reset();
      await welcomeBack(await peer.accept());
    },
  );

  it('S-SM-6: nor is one from a server that was not verified', async () => {
    const honeypot = await rig.listen('plain');
    const peer = await rig.listen();
    const { broker } = rig.broker(peer, {
      connectionType: XMPP.with({ mechanisms: ['ANONYMOUS'] }),
      tls: { policy: 'direct', insecureSkipVerify: true },
      reconnect: { resumeDelayMs: 1 },
    });
    const connected = broker.connect();
    const first = await peer.accept();
    await greet(first, features(mechanisms('ANONYMOUS')), { id: 'a' });
    await first.expect('</auth>');
    await first.send(`<success xmlns='${NS.SASL}'/>`);
    await greet(first, features(BIND, SM), { id: 'b' });
    const [, id = ''] = await first.match(/<iq[^>]* id='([^']+)'[^>]*>.*?<\/iq>/);
    await first.send(`<iq type='result' id='${id}'><bind xmlns='${NS.BIND}'><jid>alice@localhost/x</jid></bind></iq>`);
    await first.expect(/<enable [^>]*\/>/);
    await first.send(`<enabled xmlns='${NS.SM}' resume='true' id='s' location='127.0.0.1:${String(honeypot.port)}'/>`);
    await connected;
    first.reset();
    await (await peer.accept()).expect(OPENING);
    expect(honeypot.conversations).toEqual([]);
  });
});
