import { describe, expect, it } from 'vitest';
import { NS, PCJ_NODERECEIVED, xml, type BrokerError } from 'xmpp-broker';
import { authenticate, CLIENT, greet, iqId, JID, secure, welcome } from './support/client.js';
import {
  BIND,
  failure,
  features,
  mechanisms,
  OPENING,
  SM,
  STARTTLS,
  stopClock,
  streamError,
  streamHeader,
  TAIL,
  useRig,
} from './support/index.js';

const rig = useRig(CLIENT);

const attribute = (tag: string, name: string) => new RegExp(`[ ]${name}=['"]([^'"]*)['"]`).exec(tag)?.[1] ?? null;

describe('stream headers', () => {
  it('S-STREAM-1 S-STREAM-2 S-STREAM-4 S-STREAM-5: to, version, no id; from only inside TLS', async () => {
    const { server, connected } = await rig.dialled({}, 'plain');
    const clear = await greet(server, features(STARTTLS));
    await secure(server, rig.identity);
    const inside = await greet(server, features(mechanisms('PLAIN')), { id: 'tls-1' });
    await server.expect('</auth>');
    await server.send(`<success xmlns='${NS.SASL}'/>`);
    const signedIn = await greet(server, features(BIND), { id: 'auth-1' });
    for (const header of [clear, inside, signedIn]) {
      expect(attribute(header, 'to')).toBe('localhost');
      expect(attribute(header, 'version')).toBe('1.0');
      expect(attribute(header, 'id')).toBeNull();
    }
    expect([clear, inside, signedIn].map((header) => attribute(header, 'from'))).toEqual([
      null,
      'alice@localhost',
      'alice@localhost',
    ]);
    const id = await iqId(server);
    await server.send(`<iq type='result' id='${id}'><bind xmlns='${NS.BIND}'><jid>${JID}</jid></bind></iq>`);
    await connected;
    // RFC 6120 §4.3.3: restarts without a closing tag, on the same connection.
    expect(server.received.toString()).not.toContain('</stream:stream>');
  });

  it('S-STREAM-1: to is the domain, whatever host is dialled', async () => {
    const { server } = await rig.dialled({ domain: 'localhost', host: '127.0.0.1' });
    expect(attribute(await server.expect(OPENING), 'to')).toBe('localhost');
  });

  it.each([
    ['01.0', null],
    ['1.00', null],
    ['1.10', null],
    ['2.0', null],
    ['0.9', 'STREAM_VERSION_TOO_OLD'],
    ['1', 'STREAM_BAD_VERSION'],
    ['abc', 'STREAM_BAD_VERSION'],
    ['', 'STREAM_BAD_VERSION'],
    ['1.0.0', 'STREAM_BAD_VERSION'],
  ])('S-STREAM-2: a server of version %j', async (version, code) => {
    const { server, connected } = await rig.dialled();
    await greet(server, features(mechanisms('PLAIN')), { version });
    if (code === null) {
      await server.expect('</auth>');
      return;
    }
    expect(await failure(connected)).toMatchObject({ code, retryable: false });
    await server.expect('<unsupported-version');
    await server.expect('</stream:stream>');
  });

  it('S-STREAM-3: a header without version fails at once, and nothing older is tried', async () => {
    const { server, connected } = await rig.dialled({}, 'plain');
    await greet(server, '', { version: null });
    expect(await failure(connected)).toMatchObject({ code: 'STREAM_VERSION_TOO_OLD', retryable: false });
    await server.expect('</stream:stream>');
    expect(server.received.toString()).not.toContain('jabber:iq:auth');
  });

  it.each([
    [
      'another root namespace',
      `<stream:stream xmlns:stream='urn:x' xmlns='jabber:client' id='1' version='1.0'>`,
      'STREAM_BAD_ROOT',
      'invalid-namespace',
    ],
    [
      'another prefix',
      `<s:stream xmlns:s='${NS.STREAM}' xmlns='jabber:client' id='1' version='1.0'>`,
      'STREAM_BAD_ROOT',
      'bad-namespace-prefix',
    ],
    ['no namespace', "<stream id='1' version='1.0'>", 'STREAM_BAD_ROOT', 'invalid-namespace'],
    ['a web page', '<html><body>', 'STREAM_BAD_ROOT', 'invalid-namespace'],
    [
      'another content namespace',
      streamHeader({ xmlns: 'jabber:server' }),
      'STREAM_BAD_NAMESPACE',
      'invalid-namespace',
    ],
    ['no content namespace', streamHeader({ xmlns: null }), 'STREAM_BAD_NAMESPACE', 'invalid-namespace'],
  ])('S-STREAM-6 S-STREAM-7: %s', async (_, header, code, condition) => {
    const { server, connected, recorded } = await rig.dialled({}, 'plain');
    await server.expect(OPENING);
    await server.send(header);
    expect(await failure(connected)).toMatchObject({ code, retryable: false });
    await server.expect(`<${condition}`);
    await server.expect('</stream:stream>');
    expect(recorded.short.slice(-5)).toEqual(['CONNECTFAIL', ...TAIL]);
  });

  it.each([
    ['HTTP', 'HTTP/1.1 400 Bad Request\r\n\r\n'],
    ['SSH', 'SSH-2.0-OpenSSH_9.2\r\n'],
    ['a mail server', '220 mail.example ESMTP\r\n'],
    ['TLS where none belongs', '\u0015\u0003\u0003\u0000\u0002\u0002\u0028'],
  ])('A-NEG-15: %s', async (_, bytes) => {
    const { server, connected } = await rig.dialled({}, 'plain');
    await server.expect(OPENING);
    await server.send(bytes);
    const error = await failure(connected);
    expect(['STREAM_NOT_XMPP', 'XML_NOT_WELL_FORMED']).toContain(error.code);
    await server.expectEnd();
  });

  it.each([null, ''])('S-STREAM-8: no stream id (%j)', async (id) => {
    const { server, connected } = await rig.dialled();
    await greet(server, features(mechanisms('PLAIN')), { id });
    expect(await failure(connected)).toMatchObject({ code: 'STREAM_NO_ID' });
    await server.expect('</stream:stream>');
    expect(server.received.toString()).not.toContain('<auth');
  });

  it('S-STREAM-9: an id that comes twice is a warning', async () => {
    const { server, connected, recorded } = await rig.dialled();
    await greet(server, features(mechanisms('PLAIN')), { id: 'same' });
    await server.expect('</auth>');
    await server.send(`<success xmlns='${NS.SASL}'/>`);
    await greet(server, features(BIND), { id: 'same' });
    const id = await iqId(server);
    await server.send(`<iq type='result' id='${id}'><bind xmlns='${NS.BIND}'><jid>${JID}</jid></bind></iq>`);
    await connected;
    expect(recorded.last('PCJ_PROTOCOLERROR')).toMatchObject({ code: 'STREAM_ID_REUSED' });
  });

  it('S-STREAM-10: nothing of one stream reaches the next', async () => {
    const { server, connected, broker } = await rig.dialled();
    const extra = "xmlns:x='urn:example:x'";
    await greet(server, features(mechanisms('PLAIN')), { id: 'a', extra });
    await server.expect('</auth>');
    await server.send(`<success xmlns='${NS.SASL}'/>`);
    // The prefix was declared on the stream before: it means nothing now.
    await greet(server, features(BIND, '<x:feature/>'), { id: 'b' });
    expect(await failure(connected)).toMatchObject({ layer: 'xml', condition: 'not-well-formed' });
    expect(broker.state).toBe('disconnected');
  });

  it.each([
    ['evil.example', 'STREAM_FROM_MISMATCH'],
    [null, null],
    ['LOCALHOST', null],
  ])('S-STREAM-11: the server calls itself %j inside TLS', async (from, code) => {
    const { server, connected } = await rig.dialled();
    await greet(server, features(mechanisms('PLAIN')), { from });
    if (code === null) {
      await server.expect('</auth>');
      return;
    }
    expect(await failure(connected)).toMatchObject({ code });
    await server.expect('<invalid-from');
    expect(server.received.toString()).not.toContain('<auth');
  });

  it('S-STREAM-23: the language of the stream is that of stanzas that name none', async () => {
    const { server, connected, broker } = await rig.dialled();
    await authenticate(server);
    await greet(server, features(BIND), { id: 'auth-1', extra: "xml:lang='eo'" });
    const id = await iqId(server);
    await server.send(`<iq type='result' id='${id}'><bind xmlns='${NS.BIND}'><jid>${JID}</jid></bind></iq>`);
    await connected;
    expect(broker.lang).toBe('eo');
    server.reset();
    await broker.closed;
    expect(broker.lang).toBeNull();
  });
});

describe('what belongs where in a stream', () => {
  it.each([
    [
      'right after the header',
      async (server) => {
        await greet(server, "<message from='a@b'><body>early</body></message>");
      },
    ],
    [
      'between features and authentication',
      async (server) => {
        await greet(server, `${features(mechanisms('PLAIN'))}<presence from='a@b'/>`);
      },
    ],
    [
      'inside SASL',
      async (server) => {
        await greet(server, features(mechanisms('PLAIN')));
        await server.expect('</auth>');
        await server.send("<iq type='set' id='1' from='a@b'><x/></iq>");
      },
    ],
  ] as [string, (server: Parameters<typeof greet>[0]) => Promise<void>][])(
    'S-STREAM-14 A-NEG-2: a stanza %s ends the attempt, and nobody sees it',
    async (_, script) => {
      const { server, connected, recorded } = await rig.dialled();
      await script(server);
      const error = await failure(connected);
      expect(['STREAM_EARLY_STANZA', 'STREAM_UNEXPECTED', 'SASL_UNEXPECTED']).toContain(error.code);
      await server.expect('</stream:stream>');
      expect(recorded.short).not.toContain('NODERECEIVED');
      expect(recorded.short.slice(-4)).toEqual(TAIL);
    },
  );

  it('S-STREAM-14: after success, before the header', async () => {
    const { server, connected, recorded } = await rig.dialled();
    await greet(server, features(mechanisms('PLAIN')));
    await server.expect('</auth>');
    await server.send(`<success xmlns='${NS.SASL}'/><message from='a@b'/>`);
    expect(await failure(connected)).toMatchObject({ layer: 'stream' });
    expect(recorded.short).not.toContain('NODERECEIVED');
  });

  it('DECISIONS 24: stanzas between bind and <enabled/> are delivered after READY, in order', async () => {
    const { server, connected, broker } = await rig.dialled();
    const seen: (string | null)[] = [];
    broker.subscribe(PCJ_NODERECEIVED, (node) => seen.push(node.getAttribute('id')));
    await authenticate(server);
    await greet(server, features(BIND, SM), { id: 'auth-1' });
    const id = await iqId(server);
    await server.send(
      `<iq type='result' id='${id}'><bind xmlns='${NS.BIND}'><jid>${JID}</jid></bind></iq><message id='1'/>`,
    );
    await server.expect(/<enable [^>]*\/>/);
    await server.send(`<message id='2'/><enabled xmlns='${NS.SM}'/><message id='3'/>`);
    await connected;
    expect(seen).toEqual([]);
    await broker.events.once(PCJ_NODERECEIVED);
    const all = new Promise<void>((resolve) => {
      const look = () => {
        if (seen.length === 3) resolve();
        else setImmediate(look);
      };
      look();
    });
    await all;
    expect(seen).toEqual(['1', '2', '3']);
  });

  it('S-STREAM-12: features after the negotiation are ignored, with a warning', async () => {
    const { server, broker, recorded } = await rig.ready();
    const arrived = broker.events.once(PCJ_NODERECEIVED);
    await server.send(`${features(STARTTLS, mechanisms('PLAIN'), BIND)}<message id='after'/>`);
    expect((await arrived).getAttribute('id')).toBe('after');
    expect(recorded.last('PCJ_PROTOCOLERROR')).toMatchObject({ code: 'STREAM_UNEXPECTED' });
    expect(server.unread).not.toMatch(/starttls|auth|bind/);
    expect(broker.state).toBe('ready');
  });

  it('S-STREAM-13: what the program sends during the negotiation is held', async () => {
    const { broker, recorded } = rig.broker(await rig.listen(), { tls: { policy: 'direct' } });
    const peer = await rig.listen();
    for (const event of [
      'PCJ_CONNECT',
      'PCJ_CONNECTED',
      'PCJ_STREAMSTART',
      'PCJ_AUTHNEGOTIATE',
      'PCJ_AUTHSUCCESS',
      'PCJ_BINDNEGOTIATE',
      'PCJ_BINDSUCCESS',
      'PCJ_SM_ENABLED',
    ] as const) {
      broker.subscribe(
        event,
        () => void broker.output(xml('message', { to: 'bob@localhost' }, xml('body', {}, event))),
      );
    }
    const connected = broker.connect({ port: peer.port });
    const server = await peer.accept();
    await welcome(server);
    await connected;
    expect(server.received.toString()).not.toContain('<message');
    expect(recorded.short.filter((name) => name === 'NODEQUEUED')).toHaveLength(9);
    expect(broker.queue.size).toBe(9);
    broker.purgeQueue();
    await server.expect('PCJ_CONNECT</body>');
    await server.expect('PCJ_SM_ENABLED</body>');
  });

  it('S-STREAM-15: a feature that must be negotiated and is not known ends the attempt', async () => {
    const { server, connected } = await rig.dialled();
    await welcome(server, {
      after: features(BIND, "<captcha xmlns='urn:example:captcha'><required/></captcha>"),
      enabled: null,
    });
    const error = await failure(connected);
    expect(error).toMatchObject({ code: 'STREAM_FEATURE_REQUIRED' });
    expect(error.message).toContain('urn:example:captcha');
    await server.expect('<unsupported-feature');
  });

  it('S-STREAM-16: after our end nothing is sent, and what still comes is delivered', async () => {
    const { server, broker, recorded } = await rig.ready({ answerRequests: true, timeouts: { close: 5_000 } });
    const seen: (string | null)[] = [];
    broker.subscribe(PCJ_NODERECEIVED, (node) => seen.push(node.getAttribute('id')));
    const closing = broker.shutdown();
    await server.expect('</stream:stream>');
    await server.send(
      `<message id='1'/><iq type='get' id='2'><ping xmlns='${NS.PING}'/></iq><r xmlns='${NS.SM}'/><message id='3'/></stream:stream>`,
    );
    await closing;
    expect(await server.expectEnd()).toBe('');
    expect(seen).toEqual(['1', '2', '3']);
    expect(recorded.last('PCJ_SOCKETDISCONNECT')).toEqual({ clean: true });
  });

  it('S-STREAM-16: a server that never closes gets its time, and the end is not clean', async () => {
    const { server, broker, recorded } = await rig.ready({ timeouts: { close: 60 } });
    const closing = broker.shutdown();
    await server.expect('</stream:stream>');
    await closing;
    expect(recorded.last('PCJ_SOCKETDISCONNECT')).toMatchObject({ clean: false });
    expect(recorded.short.slice(-4)).toEqual(TAIL);
  });

  it('S-STREAM-17: a server that closes first gets our end, and all it said is delivered', async () => {
    const { server, broker, recorded } = await rig.ready();
    const closed = broker.closed;
    await server.send("<message id='last'/></stream:stream>");
    await server.expect('</stream:stream>');
    server.end();
    await closed;
    expect(recorded.short).toContain('NODERECEIVED');
    expect(recorded.last('PCJ_SOCKETDISCONNECT')).toMatchObject({ clean: false, error: { code: 'STREAM_CLOSED' } });
  });

  it('S-STREAM-18: an end of the connection without that of the stream is not clean', async () => {
    const { server, broker, recorded } = await rig.ready();
    const closed = broker.closed;
    server.truncate();
    expect(await closed).toMatchObject({ clean: false });
    expect(recorded.short.slice(-2)).toEqual(['SOCKETFAIL', 'SOCKETDISCONNECT']);
  });

  it('S-STREAM-19: no white space from us in STARTTLS and SASL; that of a ready stream is no element', async () => {
    const { server, connected, broker, recorded } = await rig.dialled({}, 'plain');
    await greet(server, features(STARTTLS));
    await secure(server, rig.identity);
    await welcome(server);
    await connected;
    expect(server.received.toString()).not.toMatch(/>\s+</);
    recorded.clear();
    const arrived = broker.events.once(PCJ_NODERECEIVED);
    await server.send(" \n\t <message id='x'/> ");
    await arrived;
    expect(recorded.short).toEqual(['NODERECEIVED']);
  });

  it.each([
    ['text', 'hello', 'bad-format'],
    ['CDATA', '<![CDATA[<message/>]]>', 'bad-format'],
  ])('S-STREAM-20: %s between stanzas ends the link', async (_, bytes, condition) => {
    const { server, broker } = await rig.ready();
    const closed = broker.closed;
    await server.send(bytes);
    await server.expect(`<${condition}`);
    await server.expect('</stream:stream>');
    expect((await closed).error).toMatchObject({ layer: 'xml' });
  });

  it.each([
    ['a second header', streamHeader({ id: 'again' }), 'STREAM_TIMEOUT'],
    ['an unknown element of the stream', '<stream:unknown/>', 'STREAM_UNEXPECTED'],
    ['something else than features', `<x xmlns='urn:example:x'/>`, 'STREAM_UNEXPECTED'],
  ])('S-STREAM-21: %s in place of the features', async (_, bytes, code) => {
    const clock = stopClock();
    const { server, connected } = await rig.dialled();
    await server.expect(OPENING);
    await server.send(streamHeader() + bytes);
    // What is taken for silence ends in its time, everything else at once.
    if (code !== 'STREAM_TIMEOUT') await server.expect('</stream:stream>');
    const error = await clock.until(failure(connected));
    expect(error).toMatchObject({ code, layer: expect.stringMatching(/stream|xml/) as string });
    expect(server.received.toString()).toContain('</stream:stream>');
  });

  it('S-STREAM-22: unknown elements of other namespaces are delivered, and not counted', async () => {
    const { server, broker } = await rig.ready();
    const arrived = broker.events.once(PCJ_NODERECEIVED);
    await server.send(`<nonza xmlns='urn:example:nonza'/><r xmlns='${NS.SM}'/>`);
    expect((await arrived).namespaceURI).toBe('urn:example:nonza');
    expect(await server.expect(/<a [^>]*\/>/)).toContain("h='0'");
  });

  it('A-NEG-1: features before the header, and features that never come', async () => {
    const early = await rig.dialled();
    await early.server.expect(OPENING);
    await early.server.send(`<stream:features xmlns:stream='${NS.STREAM}'/>`);
    expect(await failure(early.connected)).toMatchObject({ code: 'STREAM_BAD_ROOT' });
    const late = await rig.dialled({ timeouts: { stream: 60 } });
    await greet(late.server, '');
    expect(await failure(late.connected)).toMatchObject({ code: 'STREAM_TIMEOUT', retryable: true, phase: 'auth' });
    expect(late.server.received.toString()).not.toContain('<auth');
  });

  it('A-NEG-1: a header and its end', async () => {
    const { server, connected } = await rig.dialled();
    await greet(server, '</stream:stream>');
    expect(await failure(connected)).toMatchObject({ code: 'STREAM_CLOSED', retryable: true });
  });
});

describe('stream errors', () => {
  const lost = async (bytes: string): Promise<{ error: BrokerError | undefined; names: string[] }> => {
    const { server, broker, recorded } = await rig.ready();
    recorded.clear();
    const closed = broker.closed;
    await server.send(bytes);
    await server.expect('</stream:stream>');
    server.end();
    const { error } = await closed;
    return { error, names: recorded.short };
  };

  it('S-ERR-1: condition, text, language and application condition are told; the stream is closed', async () => {
    const { error, names } = await lost(
      `${streamError('system-shutdown', `<text xmlns='${NS.STREAMS}' xml:lang='en'>bye</text><app xmlns='urn:example:app'/>`)}</stream:stream>`,
    );
    expect(error).toMatchObject({
      code: 'STREAM_ERROR',
      condition: 'system-shutdown',
      text: 'bye',
      lang: 'en',
      appCondition: { ns: 'urn:example:app', name: 'app' },
      retryable: true,
    });
    expect(names).toEqual(['PROTOCOLERROR', 'SOCKETFAIL', 'SOCKETDISCONNECT']);
  });

  it('S-ERR-2: unknown conditions, and old names', async () => {
    expect((await lost(streamError('made-up'))).error?.condition).toBe('undefined-condition');
    expect((await lost(streamError('xml-not-well-formed'))).error?.condition).toBe('not-well-formed');
  });

  it('S-ERR-3: an error in place of the features, in place of the header, and with the end in one packet', async () => {
    const scripts = [
      streamHeader() + streamError('host-unknown'),
      `${streamHeader() + streamError('host-unknown')}</stream:stream>`,
      `<stream:error xmlns:stream='${NS.STREAM}'><host-unknown xmlns='${NS.STREAMS}'/></stream:error>`,
    ];
    for (const bytes of scripts) {
      const { server, connected, recorded } = await rig.dialled({}, 'plain');
      await server.expect(OPENING);
      await server.send(bytes);
      server.end();
      expect(await failure(connected)).toMatchObject({
        code: 'STREAM_ERROR',
        condition: 'host-unknown',
        retryable: false,
      });
      expect(recorded.short.slice(-5)).toEqual(['CONNECTFAIL', ...TAIL]);
    }
  });

  it('S-ERR-3: an error of somebody else in place of the header is no stream error', async () => {
    const { server, connected } = await rig.dialled({}, 'plain');
    await server.expect(OPENING);
    await server.send(`<error xmlns='urn:x'><host-unknown xmlns='${NS.STREAMS}'/></error>`);
    expect((await failure(connected)).code).not.toBe('STREAM_ERROR');
  });

  it('S-ERR-4: text decides nothing; it is capped and made harmless', async () => {
    const { error } = await lost(
      streamError('reset', `<text xmlns='${NS.STREAMS}'>host-unknown \u009b2J${'x'.repeat(5_000)}</text>`),
    );
    expect(error).toMatchObject({ condition: 'reset', retryable: true });
    expect(error?.text?.length).toBeLessThan(1_100);
    expect(error?.text).not.toMatch(/\u009b/);
  });

  it('S-ERR-5: what we find wrong is told: header, error, end, and then the socket is closed', async () => {
    const { server, broker, recorded } = await rig.ready();
    const closed = broker.closed;
    await server.send('<message><body></message>');
    const said = await server.expectEnd();
    expect(said).toBe(`<stream:error><not-well-formed xmlns='${NS.STREAMS}'/></stream:error></stream:stream>`);
    expect(await closed).toMatchObject({ error: { layer: 'xml', sentCondition: 'not-well-formed' } });
    expect(recorded.short.slice(-3)).toEqual(['PROTOCOLERROR', 'SOCKETFAIL', 'SOCKETDISCONNECT']);
  });

  it.each([
    ['reset', true],
    ['system-shutdown', true],
    ['resource-constraint', true],
    ['connection-timeout', true],
    ['internal-server-error', true],
    ['remote-connection-failed', true],
    ['host-gone', true],
    ['not-well-formed', true],
    ['policy-violation', true],
    ['host-unknown', true],
    ['undefined-condition', true],
    ['conflict', false],
    ['not-authorized', false],
  ])('S-ERR-6 A1: after %s another link is worth trying: %s', async (condition, retryable) => {
    expect((await lost(streamError(condition))).error).toMatchObject({ condition, retryable });
  });

  it.each([
    ['empty', '<stream:error/>'],
    ['two conditions', `<stream:error><reset xmlns='${NS.STREAMS}'/><conflict xmlns='${NS.STREAMS}'/></stream:error>`],
    ['another namespace', "<stream:error><reset xmlns='urn:example:x'/></stream:error>"],
  ])('S-ERR-8: %s: it closes all the same', async (_, bytes) => {
    expect((await lost(bytes)).error).toMatchObject({ code: 'STREAM_BAD_ERROR', condition: 'undefined-condition' });
  });
});
