import { describe, expect, it } from 'vitest';
import { NS, XMPP, type BrokerError, type TlsFacts } from 'xmpp-broker';
import { CLIENT, greet, iqId, JID, PASSWORD, secure, welcome } from './support/client.js';
import {
  BIND,
  failure,
  features,
  mechanisms,
  OPENING,
  PROCEED,
  selfSigned,
  SM,
  STARTTLS,
  stopClock,
  streamHeader,
  TAIL,
  TestAuthority,
  useRig,
  type Conversation,
  type Identity,
} from './support/index.js';

const rig = useRig(CLIENT);

/** Nothing that proves or shows a password, in any dialect. */
function expectNoCredentials(server: Conversation): void {
  const said = server.received.toString();
  expect(said).not.toMatch(/<auth|<response|jabber:iq:auth|<handshake/);
  expect(said).not.toContain(PASSWORD);
  expect(said).not.toContain(Buffer.from(`\0alice\0${PASSWORD}`).toString('base64'));
}

/** The end of an attempt whose TLS failed: nothing more is written, so no stream is ended. */
const TLS_TAIL = ['SSLFAIL', ...TAIL.slice(1)];

describe('STARTTLS', () => {
  it('S-TLS-1 S-TLS-5 S-TLS-8: TLS comes first, then a new stream, then SASL; the facts are told', async () => {
    const { server, connected, recorded } = await rig.dialled({}, 'plain');
    await greet(server, features(STARTTLS, mechanisms('PLAIN', 'SCRAM-SHA-256')), { id: 'clear-1' });
    await secure(server, rig.identity);
    expectNoCredentials(server);
    await welcome(server);
    await connected;
    const facts = recorded.last('PCJ_SSLSUCCESS') as TlsFacts;
    expect(facts).toMatchObject({ version: 'TLSv1.3', verified: true, verifiedBy: 'DNS:localhost', alpn: null });
    expect(server.received.toString()).not.toContain('</stream:stream>');
  });

  it.each([
    ['is not offered', features(mechanisms('PLAIN', 'SCRAM-SHA-1'))],
    ['stands in another namespace', features("<starttls xmlns='urn:example:tls'/>", mechanisms('PLAIN'))],
    ['has another name', features(`<begintls xmlns='${NS.TLS}'/>`, mechanisms('PLAIN'))],
  ])('S-TLS-2 A-NEG-4: it is asked for all the same when it %s', async (_, offer) => {
    const { server, connected } = await rig.dialled({}, 'plain');
    await greet(server, offer);
    await secure(server, rig.identity);
    await welcome(server);
    await connected;
  });

  it.each([
    ['refuses it', `<failure xmlns='${NS.TLS}'/></stream:stream>`, 'TLS_REFUSED', true],
    ['goes on as if nothing was', features(mechanisms('PLAIN')), 'STREAM_UNEXPECTED', false],
    ['answers in another namespace', "<proceed xmlns='urn:example:tls'/>", 'STREAM_UNEXPECTED', false],
    ['answers with content', `<proceed xmlns='${NS.TLS}'><x/></proceed>`, 'STREAM_UNEXPECTED', false],
    ['answers with an unasked failure of SASL', `<failure xmlns='${NS.SASL}'/>`, 'STREAM_UNEXPECTED', false],
  ])('S-TLS-2 S-TLS-7 S-TLS-12 A-NEG-4: a server that %s gets no credentials', async (_, bytes, code, retryable) => {
    const { server, connected, recorded } = await rig.dialled({}, 'plain');
    await greet(server, features(mechanisms('PLAIN')));
    await server.expect('<starttls');
    await server.expect('/>');
    await server.send(bytes);
    expect(await failure(connected)).toMatchObject({ code, retryable });
    await server.expectEnd();
    expectNoCredentials(server);
    expect(recorded.short.slice(-5)).toEqual(['SSLFAIL', ...TAIL]);
  });

  it('S-TLS-2 A-NEG-4: a reset when TLS is asked for, five times: never in clear', async () => {
    const peer = await rig.listen('plain');
    const { broker, recorded } = rig.broker(peer, {
      reconnect: { initial: true, firstDelayMs: 1, maxDelayMs: 1, maxAttempts: 4 },
    });
    const connected = broker.connect();
    for (let attempt = 0; attempt < 5; attempt++) {
      const server = await peer.accept();
      await greet(server, features(mechanisms('PLAIN')));
      await server.expect('<starttls');
      server.reset();
    }
    const error = await failure(connected);
    expect(error.retryable).toBe(true);
    for (const server of peer.conversations) expectNoCredentials(server);
    expect(recorded.short.filter((name) => name === 'SSLFAIL')).toHaveLength(5);
  });

  it('S-TLS-12: <proceed/> that nobody asked for', async () => {
    const { server, connected } = await rig.dialled({}, 'plain');
    await server.expect(OPENING);
    await server.send(streamHeader() + PROCEED);
    expect(await failure(connected)).toMatchObject({ code: 'STREAM_UNEXPECTED' });
    expectNoCredentials(server);
  });

  it('S-TLS-6 S-CONN-5: an offer of TLS inside TLS is ignored, with a warning', async () => {
    const { server, connected, recorded } = await rig.dialled();
    await greet(server, features(STARTTLS, mechanisms('PLAIN')), { id: 'a' });
    await server.expect('</auth>');
    expect(recorded.last('PCJ_PROTOCOLERROR')).toMatchObject({ code: 'TLS_NESTED_OFFER' });
    expect(server.received.toString()).not.toContain('<starttls');
    server.reset();
    await failure(connected);
  });

  const INJECTED: readonly [string, string][] = [
    ['a blank', ' '],
    ['a line end', '\n'],
    ['half a tag', '<'],
    ['a stanza', "<message from='admin@localhost'/>"],
    ['features', features(mechanisms('PLAIN'))],
    ['a whole stream', `${streamHeader({ id: 'fake' })}${features(mechanisms('PLAIN'))}<success xmlns='${NS.SASL}'/>`],
  ];

  it.each(INJECTED)('S-TLS-4 S-TLS-11 A-NEG-5: %s right behind <proceed/>', async (_, injected) => {
    const { server, connected, recorded } = await rig.dialled({}, 'plain');
    await greet(server, features(STARTTLS));
    await server.expect('<starttls');
    await server.expect('/>');
    await server.send(PROCEED + injected);
    expect(await failure(connected)).toMatchObject({ code: 'TLS_PLAINTEXT_INJECTION', retryable: false });
    // No ClientHello, no XML.
    expect(await server.expectEnd()).toBe('');
    expect(recorded.short.slice(-4)).toEqual(TLS_TAIL);
    expect(recorded.short).not.toContain('NODERECEIVED');
  });

  it.each(INJECTED)('S-TLS-4 S-TLS-11 A-NEG-5: %s in the next segment, then TLS', async (_, injected) => {
    const { server, connected, recorded } = await rig.dialled({}, 'plain');
    await greet(server, features(STARTTLS));
    await server.expect('<starttls');
    await server.expect('/>');
    await server.send(PROCEED);
    await server.send(injected);
    void server.startTls(rig.identity).catch(() => undefined);
    const error = await failure(connected);
    expect(['TLS_PLAINTEXT_INJECTION', 'TLS_PROTOCOL', 'TLS_HANDSHAKE']).toContain(error.code);
    await server.ended;
    expect(recorded.short.slice(-4)).toEqual(TLS_TAIL);
    expect(recorded.short.filter((name) => name === 'STREAMSTART')).toHaveLength(1);
  });

  it('S-TLS-3 A-NEG-6: what was said before TLS is forgotten', async () => {
    const { server, connected, broker, recorded } = await rig.dialled({}, 'plain');
    const limits = "<limits xmlns='urn:xmpp:stream-limits:0'><max-bytes>10</max-bytes></limits>";
    const poison = features(STARTTLS, mechanisms('X-POISON'), SM, limits);
    await greet(server, poison, { id: 'poison', from: 'evil.example', extra: "xml:lang='xx'" });
    await secure(server, rig.identity);
    await greet(server, features(mechanisms('PLAIN')), { id: 'good-1' });
    await server.expect('</auth>');
    await server.send(`<success xmlns='${NS.SASL}'/>`);
    await greet(server, features(BIND), { id: 'good-2', extra: "xml:lang='eo'" });
    const id = await iqId(server);
    await server.send(`<iq type='result' id='${id}'><bind xmlns='${NS.BIND}'><jid>${JID}</jid></bind></iq>`);
    await connected;
    expect(broker.sid).toBe('good-2');
    expect(broker.lang).toBe('eo');
    expect(recorded.short).not.toContain('SM_ENABLED');
    broker.output(`<message to='bob@localhost'><body>longer than ten bytes</body></message>`);
    await server.expect('</message>');
  });

  it('S-TLS-11: a failed handshake: no XML, and the connection is closed', async () => {
    const stranger = await (await TestAuthority.create()).issue();
    const { server, connected, recorded } = await rig.dialled({}, 'plain');
    await greet(server, features(STARTTLS));
    await server.expect('<starttls');
    await server.expect('/>');
    await server.send(PROCEED);
    const before = server.received.toString();
    void server.startTls(stranger).catch(() => undefined);
    expect(await failure(connected)).toMatchObject({ code: 'TLS_CERT_UNTRUSTED', retryable: false });
    await server.ended;
    expect(server.received.toString()).toBe(before);
    expect(recorded.short.slice(-4)).toEqual(TLS_TAIL);
  });

  it('S-TLS-13: no early data, and no ticket is taken up on the next connection', async () => {
    const peer = await rig.listen();
    const { broker } = rig.broker(peer, { tls: { policy: 'direct' } });
    for (let round = 0; round < 2; round++) {
      const connected = broker.connect();
      const server = await peer.accept();
      expect(server.tls?.isSessionReused()).toBe(false);
      await welcome(server, { enabled: 'max="1"' });
      await connected;
      const closed = broker.closed;
      server.reset();
      await closed;
    }
  });
});

describe('tls.policy', () => {
  it('preferred: without an offer in clear, with one inside TLS', async () => {
    const clear = await rig.dialled({ tls: { policy: 'preferred' } }, 'plain');
    await greet(clear.server, features(mechanisms('PLAIN')));
    // PLAIN is still not for a stream in clear.
    expect(await failure(clear.connected)).toMatchObject({ code: 'SASL_NO_ACCEPTABLE_MECHANISM' });
    expectNoCredentials(clear.server);
    const secured = await rig.dialled({ tls: { policy: 'preferred' } }, 'plain');
    await greet(secured.server, features(STARTTLS));
    await secure(secured.server, rig.identity);
    await welcome(secured.server);
    await secured.connected;
  });

  it('disabled: a server that requires TLS is told from one that is broken', async () => {
    const { server, connected } = await rig.dialled({ tls: { policy: 'disabled' } }, 'plain');
    await greet(server, features(`<starttls xmlns='${NS.TLS}'><required/></starttls>`));
    expect(await failure(connected)).toMatchObject({ code: 'TLS_REQUIRED', retryable: false });
  });

  it('S-CONN-5: direct: SNI and ALPN, no STARTTLS', async () => {
    const peer = await rig.listen('direct', { ...rig.identity, ...{ ALPNProtocols: ['xmpp-client'] } });
    const { broker, recorded } = rig.broker(peer, { tls: { policy: 'direct' } });
    const connected = broker.connect();
    const server = await peer.accept();
    expect(server.tls).toMatchObject({ servername: 'localhost', alpnProtocol: 'xmpp-client' });
    await welcome(server);
    await connected;
    expect(recorded.last('PCJ_SSLSUCCESS')).toMatchObject({ alpn: 'xmpp-client' });
    expect(recorded.short.slice(0, 6)).toEqual([
      ...['CONNECT', 'CONNECTING', 'CONNECTED', 'SSLNEGOTIATE', 'SSLSUCCESS', 'STREAMSTART'],
    ]);
  });
});

describe('certificates', () => {
  it('S-CERT-1 S-CERT-3: for the dialled host instead of the domain', async () => {
    const identity = await rig.authority.issue({ names: [{ dns: 'a.cdn.example' }, { ip: '127.0.0.1' }] });
    const peer = await rig.listen('direct', identity);
    const { broker, recorded } = rig.broker(peer, { tls: { policy: 'direct' } });
    const error = await failure(broker.connect());
    expect(error).toMatchObject({ code: 'TLS_CERT_HOST_MISMATCH', retryable: false, phase: 'tls' });
    expect(error.message).toContain('a.cdn.example');
    expect(recorded.short.slice(-4)).toEqual(TLS_TAIL);
  });

  it('S-CERT-10: one that expires while the stream is open ends it with reset', async () => {
    const clock = stopClock();
    const hour = 3_600_000;
    const identity = await rig.authority.issue({ notAfter: new Date(Date.now() + hour) });
    const peer = await rig.listen('direct', identity);
    const { broker, recorded } = rig.broker(peer, { tls: { policy: 'direct' }, liveness: false });
    const connected = broker.connect();
    const server = await peer.accept();
    await welcome(server);
    await connected;
    const closed = broker.closed;
    await clock.pass(hour - 1_000); // certificates count whole seconds
    expect(broker.state).toBe('ready');
    await clock.pass(1_000);
    await server.expect('<reset');
    await server.expect('</stream:stream>');
    expect(await clock.until(closed)).toMatchObject({ error: { code: 'TLS_CERT_EXPIRED_LIVE', retryable: true } });
    expect(recorded.short.slice(-2)).toEqual(['SOCKETFAIL', 'SOCKETDISCONNECT']);
  });

  it.each([
    ['has expired', { notBefore: new Date(Date.now() - 1_000_000), notAfter: new Date(Date.now() - 1_000) }, 0],
    ['has an end that cannot be read', {}, 1],
  ])('faults C7: not checked, one that %s ends no link, and is told once', async (_, options, warnings) => {
    const identity = await selfSigned(options);
    const peer = await rig.listen('direct', warnings === 0 ? identity : unreadableEnd(identity));
    const connectionType = XMPP.with({ mechanisms: ['ANONYMOUS'] });
    const tls = { policy: 'direct', ca: undefined, insecureSkipVerify: true } as const;
    const { broker, recorded } = rig.broker(peer, { connectionType, tls });
    const connected = broker.connect();
    const server = await peer.accept();
    await greet(server, features(mechanisms('ANONYMOUS')));
    await server.expect(/<auth[^>]*>/);
    await server.send(`<success xmlns='${NS.SASL}'/>`);
    await greet(server, features(BIND), { id: 'auth-1' });
    const id = await iqId(server);
    await server.send(`<iq type='result' id='${id}'><bind xmlns='${NS.BIND}'><jid>${JID}</jid></bind></iq>`);
    await connected;
    // A watchdog for the certificate would bark in the next turns.
    for (let turn = 0; turn < 3; turn += 1) await new Promise((resolve) => setTimeout(resolve, 1));
    broker.output("<message to='bob@localhost'/>");
    await server.expect(/<message[^>]*>/);
    expect(broker.state).toBe('ready');
    expect(recorded.names.filter((name) => name === 'PCJ_PROTOCOLERROR')).toHaveLength(warnings);
    if (warnings > 0) expect(recorded.last('PCJ_PROTOCOLERROR')).toMatchObject({ code: 'TLS_CERT_MALFORMED' });
  });

  it('faults E1: self-signed with CA:TRUE, first refused, then pinned as the error says, or given as tls.ca', async () => {
    const identity = await selfSigned({ ca: true, usages: null, names: [{ dns: 'localhost' }] });
    const peer = await rig.listen('direct', identity);
    const policy = 'direct' as const;
    const refused = await failure(rig.broker(peer, { tls: { policy } }).broker.connect());
    expect(refused).toMatchObject({ code: 'TLS_CERT_SELF_SIGNED', retryable: false });
    await peer.accept();
    const [, pin = ''] = /pin: '([^']+)', pinOnly: true/.exec(refused.message) ?? [];
    for (const [tls, verifiedBy] of [
      [{ policy, ca: undefined, pin, pinOnly: true }, `PIN:${pin}`],
      [{ policy, ca: identity.cert }, 'DNS:localhost'],
    ] as const) {
      const { broker, recorded } = rig.broker(peer, { tls });
      const connected = broker.connect();
      // PLAIN is used: the server is known to be the right one.
      await welcome(await peer.accept());
      await connected;
      expect(recorded.last('PCJ_SSLSUCCESS')).toMatchObject({ verified: true, verifiedBy });
    }
  });

  it('S-TLS-15: switched off by name only, and then nothing counts as verified', async () => {
    const stranger = await TestAuthority.create();
    const peer = await rig.listen('direct', await stranger.issue());
    const { broker, recorded } = rig.broker(peer, { tls: { policy: 'direct', insecureSkipVerify: true } });
    const connected = broker.connect();
    const server = await peer.accept();
    await greet(server, features(mechanisms('PLAIN')));
    const error: BrokerError = await failure(connected);
    expect(error).toMatchObject({ code: 'SASL_NO_ACCEPTABLE_MECHANISM' });
    expect(recorded.last('PCJ_SSLSUCCESS')).toMatchObject({ verified: false, verifiedBy: 'none' });
    expectNoCredentials(server);
  });
});

/** The same certificate, with a letter in its end. */
function unreadableEnd(identity: Identity): Identity {
  const der = Buffer.from(identity.der);
  const begin = der.indexOf(Buffer.of(0x17, 13));
  der.write('x', der.indexOf(Buffer.of(0x17, 13), begin + 1) + 4);
  return {
    ...identity,
    der,
    cert: `-----BEGIN CERTIFICATE-----\n${der.toString('base64')}\n-----END CERTIFICATE-----\n`,
  };
}
