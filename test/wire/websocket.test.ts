import { once } from 'node:events';
import { duplexPair, type Duplex } from 'node:stream';
import { inspect } from 'node:util';
import { describe, expect, it } from 'vitest';
import { Broker, LEGACY, NS, XMPP, xml, type BrokerOptions } from 'xmpp-broker';
import { trace } from '../support/trace.js';
import { failure, stopClock, useRig } from './support/index.js';
import {
  BINARY,
  CLOSE,
  CLOSED,
  closing,
  features,
  frame,
  JID,
  open,
  PASSWORD,
  PING,
  PLAIN,
  PONG,
  TEXT,
  text,
  welcome,
  WEBSOCKET,
  WebSocketPeer,
  type Welcome,
} from './support/web-socket.js';

const rig = useRig(WEBSOCKET);

type Given = Partial<BrokerOptions> & { headers?: Record<string, string>; path?: string };

/** A broker that has dialled, and the server's side. */
async function dialled({ headers, path = '/xmpp-websocket', ...options }: Given = {}, secure = true) {
  const identity = { ...rig.identity, ALPNProtocols: ['http/1.1'] };
  const peer = await rig.listen(secure ? 'direct' : 'plain', identity);
  const url = `${secure ? 'wss' : 'ws'}://localhost:${String(peer.port)}${path}`;
  const broker = rig.add(
    new Broker({
      ...WEBSOCKET.options,
      reconnect: false,
      logger: false,
      websocket: headers === undefined ? url : { url, headers },
      ...options,
      tls: secure ? { ca: rig.authority.ca, ...options.tls } : { policy: 'disabled' },
      timeouts: { close: 150, ...options.timeouts },
    }),
  );
  const recorded = trace(broker);
  const connected = broker.connect();
  const server = new WebSocketPeer(await peer.accept());
  return { broker, recorded, connected, server, peer };
}

/** One that is let in. */
async function ready(options: Given = {}, said: Welcome = {}) {
  const subject = await dialled(options);
  await subject.server.open();
  await welcome(subject.server, said);
  await subject.connected;
  return subject;
}

const OPENED = ['STREAMSTART', 'NODESENT(open)'];
const DIALLED = ['CONNECT', 'CONNECTING', 'CONNECTED'];
const SECURED = ['SSLNEGOTIATE', 'SSLSUCCESS'];
const SIGNED_IN = [
  ...OPENED,
  'AUTHNEGOTIATE',
  'NODESENT(auth)',
  'AUTHSUCCESS',
  ...OPENED,
  'BINDNEGOTIATE',
  'RTS_START',
  'NODESENT(iq)',
  'BINDSUCCESS',
  'NODESENT(enable)',
  'SM_ENABLED',
  'READY',
];
const CLOSING = ['STREAMEND', 'SHUTDOWN_START', 'SOCKETDISCONNECT', 'SHUTDOWN_FINISH'];

describe('modern 5: a stream over WebSocket', () => {
  it('golden order over wss, and of a shutdown', async () => {
    const { broker, recorded, server } = await ready();
    expect(recorded.short).toEqual([...DIALLED, ...SECURED, ...SIGNED_IN]);
    expect(server.conversation.tls?.alpnProtocol).toBe('http/1.1');
    expect(recorded.last('PCJ_STREAMSTART')).toHaveProperty('localName', 'open');
    expect(broker.jid?.toString()).toBe(JID);
    recorded.clear();
    const done = broker.shutdown();
    expect(await server.message()).toContain('<a xmlns=');
    expect(await server.message()).toBe(CLOSED);
    await server.conversation.sendBytes(Buffer.concat([text(CLOSED), closing(1000, 'Stream closed')]));
    expect(await server.next()).toMatchObject({ opcode: CLOSE });
    server.conversation.end();
    await done;
    expect(recorded.short).toEqual(CLOSING);
    expect(recorded.last('PCJ_SOCKETDISCONNECT')).toEqual({ clean: true });
  });

  it('over ws, where the policy says that nothing is protected: the same without TLS', async () => {
    const { recorded, server } = await dialled({}, false);
    await server.open();
    await server.expect(/^<open /);
    expect(recorded.short).toEqual([...DIALLED, ...OPENED]);
    expect(server.request).toContain('\r\nHost: localhost:');
  });

  it('asks as every server understands, and for nothing else', async () => {
    const { server } = await dialled({ path: '/chat?token=t0ken' });
    const request = await server.asked();
    const [first, ...lines] = request.trimEnd().split('\r\n');
    expect(first).toBe('GET /chat?token=t0ken HTTP/1.1');
    const names = lines.map((line) => line.split(':')[0]);
    // modern 5.5: jabberd2 compares their case.
    expect(names.sort()).toEqual(
      ['Connection', 'Host', 'Sec-WebSocket-Key', 'Sec-WebSocket-Protocol', 'Sec-WebSocket-Version', 'Upgrade'].sort(),
    );
    expect(request).toContain('\r\nSec-WebSocket-Protocol: xmpp\r\n'); // modern 5.6: nothing but xmpp
    expect(request).toContain('\r\nConnection: Upgrade\r\n');
  });

  it('says from in <open/> inside TLS, and not outside', async () => {
    const inside = await dialled();
    await inside.server.open();
    expect(await inside.server.message()).toContain("from='alice@localhost'");
    const outside = await dialled({}, false);
    await outside.server.open();
    expect(await outside.server.message()).not.toContain('from=');
  });

  it('modern 5.3: every element is one message with its own namespaces, whatever it is', async () => {
    const { broker, server } = await ready({}, { managed: false });
    const stanzas: [unknown, string][] = [
      [xml('message', { id: 'a' }), "<message xmlns='jabber:client' id='a'/>"],
      ['<presence/>', "<presence xmlns='jabber:client'/>"],
      [xml('message', { xmlns: 'jabber:client' }), "<message xmlns='jabber:client'/>"],
      [xml('other', { xmlns: 'urn:x', a: "b xmlns='" }), "<other xmlns='urn:x' a='b xmlns=&apos;'/>"],
      ["<message><body>stream: 1</body></message>", `<message xmlns='jabber:client' xmlns:stream='${NS.STREAM}'><body>stream: 1</body></message>`], // prettier-ignore
      ["<p:x xmlns:p='urn:p' a='1'><y xmlns='jabber:client'/></p:x>", "<p:x xmlns='jabber:client' a='1' xmlns:p='urn:p'><y/></p:x>"], // prettier-ignore
    ];
    for (const [stanza] of stanzas) broker.output(stanza as string);
    for (const [, written] of stanzas) expect(await server.message()).toBe(written);
  });

  it('requests for acknowledgements, and answers to such, are messages of their own among stanzas', async () => {
    const { broker, server } = await ready();
    await server.send(`<r xmlns='${NS.SM}'/>`, `<r xmlns='${NS.SM}'/>`);
    for (let id = 0; id < 200; id++) broker.output(xml('message', { id, to: 'b@localhost' }));
    let stanzas = 0;
    const kinds = new Set<string>();
    while (stanzas < 200 || !kinds.has('a')) {
      const message = await server.message();
      const [, kind = ''] = /^<(\w+)[^<>]*\/>$/.exec(message) ?? [];
      expect(kind, message).not.toBe('');
      if (kind === 'r') await server.send(`<a xmlns='${NS.SM}' h='${String(stanzas)}'/>`);
      if (kind === 'message') stanzas += 1;
      kinds.add(kind);
    }
    expect([...kinds].sort()).toEqual(['a', 'message', 'r']);
  });

  it('what is output in one turn comes in order, and every ticket is sent', async () => {
    const { broker, server } = await ready({}, { managed: false });
    const tickets = Array.from({ length: 500 }, (_, id) => broker.output(xml('message', { id, to: 'b@localhost' })));
    for (let id = 0; id < 500; id++) expect(await server.message()).toContain(` id='${String(id)}'`);
    await Promise.all(tickets.map(({ sent }) => sent));
  });

  it('delivers messages whole and in fragments, cut anywhere, with pings between', async () => {
    const { broker, server } = await ready({}, { managed: false });
    const received: string[] = [];
    broker.subscribe('PCJ_NODERECEIVED', (stanza) => {
      received.push(stanza.getChildText('body') ?? '');
    });
    const message = (body: string) => `<message xmlns='jabber:client'><body>${body}</body></message>`;
    const fragmented = Buffer.from(message('zwölf'));
    const parts = [
      text(message('ä')),
      frame(TEXT, fragmented.subarray(0, 38), { fin: false }), // in the middle of a character
      frame(PING, 'p'),
      frame(0, fragmented.subarray(38, 40), { fin: false }),
      frame(0, fragmented.subarray(40)),
      text(message('x'.repeat(70_000))),
    ];
    await server.conversation.sendSplit(Buffer.concat(parts), [...Array.from({ length: 200 }, () => 1), 5000]);
    expect(await server.next()).toMatchObject({ opcode: PONG, text: 'p' });
    await expect.poll(() => received.map((body) => body.slice(0, 8))).toEqual(['ä', 'zwölf', 'xxxxxxxx']);
  });

  it('leaves out messages that are empty or blank', async () => {
    const { broker, recorded, server } = await ready({}, { managed: false });
    const arrived = broker.events.once('PCJ_NODERECEIVED');
    await server.send('', ' ', '\r\n\t', ` <message xmlns='jabber:client' id='m'/> `);
    expect((await arrived).getAttribute('id')).toBe('m');
    expect(recorded.short).not.toContain('PROTOCOLERROR');
  });

  it('a flood of messages before anybody reads is held back, empty ones too', async () => {
    const asked: (() => void)[] = [];
    const password = () => new Promise<string>((resolve) => asked.push(() => resolve(PASSWORD)));
    const { broker, connected, server } = await dialled({ password });
    await server.open();
    await server.expect(/^<open /);
    await server.send(open('s1'), features(PLAIN));
    await expect.poll(() => asked.length).toBe(1);
    // While the program looks for its password.
    const flood = Buffer.concat(Array.from({ length: 20_000 }, () => frame(TEXT, '')));
    for (let times = 0; times < 50; times += 1) await server.conversation.sendBytes(flood);
    const large = text(`<other xmlns='urn:x'>${'x'.repeat(900_000)}</other>`);
    const stuck = (async () => {
      for (let times = 0; times < 60; times += 1) await server.conversation.sendBytes(large);
    })();
    const done = await Promise.race([
      stuck.then(() => true),
      new Promise((resolve) => setTimeout(resolve, 500, false)),
    ]);
    expect(done).toBe(false); // TCP holds it back
    broker.halt();
    await failure(connected);
    server.conversation.destroy();
    await stuck;
  });

  it('modern 5.5: an offer of STARTTLS is a warning, also a required one', async () => {
    const { recorded, connected, server } = await dialled({}, false);
    await server.open();
    await server.expect(/^<open /);
    await server.send(open('s1'), features(`<starttls xmlns='${NS.TLS}'><required/></starttls>${PLAIN}`));
    const error = await failure(connected);
    expect(error).toMatchObject({ code: 'SASL_NO_ACCEPTABLE_MECHANISM' }); // PLAIN is not sent in clear
    expect(recorded.last('PCJ_PROTOCOLERROR')).toMatchObject({ code: 'TLS_NESTED_OFFER' });
    expect(recorded.short).not.toContain('SSLNEGOTIATE');
  });

  it('LEGACY works over it', async () => {
    const connectionType = LEGACY.with({ insist: true });
    const { broker, connected, server } = await dialled({ connectionType, resource: 'desk' });
    await server.open();
    expect(await server.message()).toContain("version='1.0'");
    await server.send(open('s1'));
    const id = (message: string) => /id='([^']+)'/.exec(message)?.[1] ?? '';
    const get = await server.message();
    expect(get).toContain("<iq xmlns='jabber:client'");
    const fields = `<query xmlns='jabber:iq:auth'><username/><digest/><resource/></query>`;
    await server.send(`<iq xmlns='jabber:client' type='result' id='${id(get)}'>${fields}</iq>`);
    const set = await server.message();
    await server.send(`<iq xmlns='jabber:client' type='result' id='${id(set)}'/>`);
    await connected;
    expect(broker.jid?.toString()).toBe('alice@localhost/desk');
  });
});

describe('modern 5: silence', () => {
  it.each([
    ['stream management', true, /^<r /],
    ['a ping', false, /^<iq .*<ping /],
  ])(
    'modern 5.1, 5.2: below the limit of XEP-0478 by %s, never by white space or a ping frame',
    async (_, managed, asked) => {
      const clock = stopClock();
      const sm = managed ? `<sm xmlns='${NS.SM}'/>` : '';
      const limits = `<limits xmlns='urn:xmpp:stream-limits:0'><idle-seconds>30</idle-seconds></limits>`;
      const after = `<bind xmlns='${NS.BIND}'/>${sm}${limits}`;
      const { server } = await ready({ liveness: false }, { managed, after });
      await clock.pass(20_500);
      await server.expect(asked);
    },
  );

  it('modern 5.2: the server is asked for a sign of life, and one that gives none is dead', async () => {
    const { broker, server } = await ready({ liveness: { intervalMs: 30, timeoutMs: 200 } }, { managed: false });
    const failed = broker.events.once('PCJ_SOCKETFAIL');
    await server.expect(/^<iq .*<ping /);
    expect(await failed).toMatchObject({ code: 'LIVENESS_TIMEOUT' });
    expect(await server.message()).toBe(
      `<stream:error xmlns='jabber:client' xmlns:stream='${NS.STREAM}'><connection-timeout xmlns='${NS.STREAMS}'/></stream:error>`,
    );
    expect(await server.message()).toBe(CLOSED);
  });
});

describe('modern 5: answers that open no WebSocket', () => {
  const answers: [string, (server: WebSocketPeer) => string, string, RegExp, boolean][] = [
    ['404', () => 'HTTP/1.1 404 Not Found\r\nContent-Type: text/html\r\n\r\nbody t0ken', 'WS_REFUSED', /404 Not Found, with text\/html; is the path/, false], // prettier-ignore
    ['401', () => 'HTTP/1.1 401 Unauthorized\r\n\r\n', 'WS_REFUSED', /401 Unauthorized; is something missing in websocket.headers/, false], // prettier-ignore
    ['503', () => 'HTTP/1.1 503 Busy\r\n\r\n', 'WS_REFUSED', /503 Busy/, true],
    ['302', () => 'HTTP/1.1 302 Found\r\nLocation: wss://localhost/?t0ken\r\n\r\n', 'WS_REFUSED', /302 Found; redirects are not followed/, false], // prettier-ignore
    ['200', () => 'HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n', 'WS_REFUSED', /200 OK/, false],
    ['no HTTP', () => '<stream:stream>', 'WS_REFUSED', /no HTTP/, false],
    ['too much', () => `HTTP/1.1 101 Y\r\nA: ${'a'.repeat(100_000)}`, 'WS_REFUSED', /no HTTP/, false],
    ['no subprotocol', (server) => server.answer({ 'Sec-WebSocket-Protocol': null }), 'WS_SUBPROTOCOL', /subprotocol none in place of xmpp/, false], // prettier-ignore
    ['modern 5.6: another', (server) => server.answer({ 'Sec-WebSocket-Protocol': 'foo, xmpp' }), 'WS_SUBPROTOCOL', /foo, xmpp/, false], // prettier-ignore
    ['a wrong accept', (server) => server.answer({ 'Sec-WebSocket-Accept': 'x' }), 'WS_BAD_ACCEPT', /Accept/, false],
    ['no accept', (server) => server.answer({ 'Sec-WebSocket-Accept': null }), 'WS_BAD_ACCEPT', /Accept/, false],
    ['another upgrade', (server) => server.answer({ Upgrade: 'h2c' }), 'WS_BAD_ACCEPT', /Upgrade/, false],
    ['an extension', (server) => server.answer({ 'Sec-WebSocket-Extensions': 'permessage-deflate' }), 'WS_BAD_ACCEPT', /Extensions/, false], // prettier-ignore
  ];

  it.each(answers)('%s', async (_, answer, code, said, retryable) => {
    const { recorded, connected, server } = await dialled();
    await server.asked();
    await server.conversation.send(answer(server));
    const error = await failure(connected);
    expect(error).toMatchObject({ code, layer: 'websocket', retryable });
    expect(error.message).toMatch(said);
    expect(error.message).not.toContain('t0ken');
    expect(recorded.short).toEqual([...DIALLED, ...SECURED, 'CONNECTFAIL', ...CLOSING.slice(1)]);
    await server.conversation.ended;
  });

  it('the end of the connection', async () => {
    const { connected, server } = await dialled();
    await server.asked();
    server.conversation.destroy();
    expect(await failure(connected)).toMatchObject({ code: 'WS_REFUSED', retryable: true });
  });

  it.each([
    ['a stanza', "<message xmlns='jabber:client'/>", 'STREAM_UNEXPECTED'],
    ['the end', CLOSED, 'STREAM_CLOSED'],
  ])('%s in place of <open/>', async (_, said, code) => {
    const { connected, server } = await dialled();
    await server.open();
    await server.expect(/^<open /);
    await server.send(said);
    expect(await failure(connected)).toMatchObject({ code });
  });

  it('a second <open/> in place of features', async () => {
    const { connected, server } = await dialled();
    await server.open();
    await server.expect(/^<open /);
    await server.send(open('s1'), open('s2'));
    expect(await failure(connected)).toMatchObject({
      code: 'STREAM_UNEXPECTED',
      message: expect.stringContaining('the server sent a second stream header where an element belongs') as string,
    });
  });

  it('a word before it was asked', async () => {
    const peer = await rig.listen('plain');
    const broker = rig.add(
      new Broker({
        ...WEBSOCKET.options,
        connectionType: XMPP,
        websocket: `ws://localhost:${String(peer.port)}/`,
        tls: { policy: 'disabled' },
        reconnect: false,
        logger: false,
      }),
    );
    const connected = broker.connect();
    await (await peer.accept()).send('SSH-2.0-x\r\n');
    expect((await failure(connected)).code).toMatch(/^(?:WS_REFUSED|STREAM_NOT_XMPP)$/);
  });

  it.each([
    ['at once', (far: Duplex) => far.write('220 mail ready\r\n')] as const,
    ['and ends', (far: Duplex) => far.end('no\r\n')] as const,
  ])("a word before it was asked, in a connector's stream: %s", async (_, speak) => {
    const [near, far] = duplexPair();
    speak(far);
    await once(near, 'readable');
    const broker = rig.add(
      new Broker({
        ...WEBSOCKET.options,
        websocket: 'ws://localhost/',
        connector: () => near,
        tls: { policy: 'disabled' },
        timeouts: { stream: 5_000 },
        reconnect: false,
        logger: false,
      }),
    );
    expect(await failure(broker.connect())).toMatchObject({
      code: 'WS_REFUSED',
      message: expect.stringContaining('before it was asked') as string,
    });
  });

  it('nothing, or a little at a time', async () => {
    const { connected, server } = await dialled({ timeouts: { stream: 100 } });
    await server.asked();
    const trickle = setInterval(() => void server.conversation.send('HTTP/1.1 101 '), 10);
    const error = await failure(connected);
    clearInterval(trickle);
    expect(['STREAM_TIMEOUT', 'WS_REFUSED']).toContain(error.code);
  });

  it('the right one, cut at every byte', async () => {
    const { connected, server } = await dialled();
    await server.asked();
    await server.conversation.sendSplit(server.answer(), [1]);
    await welcome(server);
    await connected;
  });

  it('the right one, with the first messages behind it', async () => {
    const { connected, server } = await dialled();
    await server.asked();
    await server.conversation.sendBytes(Buffer.concat([Buffer.from(server.answer()), text(' ')]));
    await welcome(server);
    await connected;
  });

  it('an abort in the middle', async () => {
    const { broker, connected, server } = await dialled();
    await server.asked();
    await broker.shutdown();
    expect(await failure(connected)).toMatchObject({ code: 'CONNECT_ABORTED' });
    await server.conversation.ended;
  });
});

describe('modern 5: frames that are not allowed', () => {
  const message = "<message xmlns='jabber:client'/>";
  const frames: [string, Buffer, string, RegExp][] = [
    ['binary', frame(BINARY, message), 'WS_BAD_FRAME', /binary/],
    ['masked', frame(TEXT, message, { masked: true }), 'WS_BAD_FRAME', /MASK/],
    ['compressed', frame(TEXT, message, { reserved: 4 }), 'WS_BAD_FRAME', /RSV1/],
    ['of an unknown kind', frame(3, message), 'WS_BAD_FRAME', /opcode/],
    ['a continuation of nothing', frame(0, message), 'WS_BAD_FRAME', /opcode/],
    ['a second text inside a fragmented one', Buffer.concat([frame(TEXT, '<a', { fin: false }), text('/>')]), 'WS_BAD_FRAME', /opcode/], // prettier-ignore
    ['a ping in fragments', frame(PING, 'x', { fin: false }), 'WS_BAD_FRAME', /FIN/],
    ['a ping of 126 bytes', frame(PING, 'x'.repeat(126)), 'WS_BAD_FRAME', /length/],
    ['no UTF-8', frame(TEXT, Buffer.from([0x3c, 0xc3, 0x28])), 'WS_BAD_FRAME', /UTF-8/],
    ['a character that is cut off at the end', Buffer.concat([frame(TEXT, Buffer.from([0x3c, 0xc3]), { fin: false }), frame(0, '')]), 'WS_BAD_FRAME', /UTF-8/], // prettier-ignore
    ['larger than the limit', frame(TEXT, `<message xmlns='jabber:client'><body>${'x'.repeat(5000)}</body></message>`), 'WS_BAD_FRAME', /limits\.stanzaBytes/], // prettier-ignore
    ['larger than the limit in fragments', Buffer.concat(Array.from({ length: 6 }, (_, i) => frame(i === 0 ? TEXT : 0, `<m>${'x'.repeat(1000)}`, { fin: false }))), 'WS_BAD_FRAME', /limits\.stanzaBytes/], // prettier-ignore
    ['two elements', text(message + message), 'WS_BAD_FRAME', /more than one element/],
    ['half an element', text('<message>'), 'WS_BAD_FRAME', /no complete element/],
    ['an end', text('</stream:stream>'), 'WS_BAD_FRAME', /ends what was not begun/],
    ['text', text('hello'), 'XML_STREAM_TEXT', /text/],
    ['an XML declaration', text(`<?xml version='1.0'?>${message}`), 'XML_RESTRICTED', /./],
    ['a document type', text(`<!DOCTYPE a>${message}`), 'XML_RESTRICTED', /./],
    ['not well-formed', text('<message><body></message>'), 'XML_NOT_WELL_FORMED', /./],
    ['a header of TCP', text(`<stream:stream xmlns='jabber:client' xmlns:stream='${NS.STREAM}'>`), 'WS_BAD_FRAME', /no complete element/], // prettier-ignore
  ];

  it.each(frames)('%s', async (_, bytes, code, said) => {
    const { broker, recorded, server } = await ready({ limits: { stanzaBytes: 4096 } }, { managed: false });
    const failed = broker.events.once('PCJ_SOCKETFAIL');
    await server.conversation.sendBytes(bytes);
    const error = await failed;
    expect(error).toMatchObject({ code, retryable: true });
    expect(error.message).toMatch(said);
    expect(recorded.short).not.toContain('NODERECEIVED');
    await server.conversation.ended;
  });

  it('while signing in they are one failure, and the stream is ended', async () => {
    const { recorded, connected, server } = await dialled();
    await server.open();
    await server.expect(/^<open /);
    await server.send(open('s1') + features(PLAIN));
    expect(await failure(connected)).toMatchObject({ code: 'WS_BAD_FRAME', origin: 'peer' });
    expect(recorded.short.filter((name) => name.endsWith('FAIL'))).toEqual(['CONNECTFAIL']);
    expect(await server.message()).toContain('<bad-format ');
    expect(await server.message()).toBe(CLOSED);
  });
});

describe('modern 5.9, 5.10: how it ends', () => {
  it.each([
    ['<close/> alone', [text(CLOSED)], { code: 'STREAM_CLOSED' }],
    ['<close/> and a close frame', [text(CLOSED), closing(1000)], { code: 'STREAM_CLOSED' }],
    ['a close frame alone', [closing(1001, 'going\u0007 away')], { code: 'WS_CLOSED' }],
    ['a stream error', [text(`<stream:error xmlns:stream='${NS.STREAM}'><system-shutdown xmlns='${NS.STREAMS}'/></stream:error>`), text(CLOSED)], { code: 'STREAM_ERROR', condition: 'system-shutdown' }], // prettier-ignore
    ['the end of TCP', [], { code: 'STREAM_CLOSED', layer: 'tcp' }],
  ] as const)('by the server, with %s: a lost link', async (_, frames, error) => {
    const { broker, server } = await ready({}, { managed: false });
    const failed = broker.events.once('PCJ_SOCKETFAIL');
    await server.conversation.sendBytes(Buffer.concat(frames));
    server.conversation.end();
    const found = await failed;
    expect(found).toMatchObject({ ...error, retryable: true });
    if (found.code === 'WS_CLOSED') expect(found.message).toMatch(/1001 going.* away$/);
    // eslint-disable-next-line no-control-regex -- what must not be there
    expect(found.message).not.toMatch(/\u0007/);
  });

  it.each([
    ['TCP only', async (peer: WebSocketPeer) => peer.send(CLOSED)],
    [
      'rubbish behind our close frame',
      async (peer: WebSocketPeer) => {
        await peer.send(CLOSED);
        await peer.next();
        await peer.conversation.sendBytes(Buffer.from([0x81, 0x05, 0x8a, 0x03, 0xff, 0xff, 0xff]));
      },
    ],
  ] as const)('by us: clean also where the server ends with %s', async (_, answer) => {
    const { broker, recorded, server } = await ready({}, { managed: false });
    const done = broker.shutdown();
    expect(await server.message()).toBe(CLOSED);
    await answer(server);
    server.conversation.end();
    await done;
    expect(recorded.last('PCJ_SOCKETDISCONNECT')).toEqual({ clean: true });
  });

  it('by us, with a server that says nothing: in time, and not clean', async () => {
    const { broker, recorded } = await ready({}, { managed: false });
    await broker.shutdown();
    expect(recorded.last('PCJ_SOCKETDISCONNECT')).toMatchObject({ clean: false });
  });
});

describe('modern 5: see-other-uri', () => {
  const elsewhere = (uri: string) => `<close xmlns='${NS.FRAMING}' see-other-uri='${uri}'/>`;
  const url = ({ port }: { port: number }, path = '/') => `wss://localhost:${String(port)}${path}`;

  it('of a server that proved itself is followed while signing in; headers go to the same host only', async () => {
    const headers = { Authorization: 'Bearer s3cr3t' };
    const { server, peer, connected, recorded } = await dialled({ headers });
    const other = await rig.listen('direct', { ...rig.identity, ALPNProtocols: ['http/1.1'] } as typeof rig.identity);
    await server.open();
    await server.expect(/^<open /);
    await server.send(open('s1'), elsewhere(url(peer, '/same')));
    const second = new WebSocketPeer(await peer.accept());
    expect(await second.asked()).toMatch(/^GET \/same [^]*Authorization: Bearer s3cr3t/);
    await second.conversation.send(second.answer());
    await second.expect(/^<open /);
    await second.send(open('s2'), elsewhere(url(other, '/other')));
    const third = new WebSocketPeer(await other.accept());
    expect(await third.asked()).not.toContain('Authorization');
    await third.conversation.send(third.answer());
    await welcome(third);
    await connected;
    expect(recorded.short.filter((name) => name === 'CONNECTFAIL')).toHaveLength(2);
  });

  it('is followed from a ready link, too', async () => {
    const { broker, server, peer } = await ready({ reconnect: { firstDelayMs: 1 } }, { managed: false });
    const again = broker.events.once('PCJ_READY');
    await server.send(elsewhere(url(peer, '/new')));
    const second = new WebSocketPeer(await peer.accept());
    expect(await second.asked()).toContain('GET /new ');
    await second.conversation.send(second.answer());
    await welcome(second, { managed: false });
    await again;
  });

  it('is read also where it came with what was waited for', async () => {
    const { server, peer, connected } = await dialled();
    await server.open();
    await server.expect(/^<open /);
    await server.send(open('s1'), features(PLAIN));
    await server.expect(/^<auth /);
    await server.send(`<success xmlns='${NS.SASL}'/>`, elsewhere(url(peer, '/new')));
    const second = new WebSocketPeer(await peer.accept());
    expect(await second.asked()).toContain('GET /new ');
    await second.conversation.send(second.answer());
    await welcome(second);
    await connected;
  });

  it('with another condition, of a server that did not prove itself: nobody is dialled', async () => {
    const { server, peer, connected } = await dialled({ tls: { insecureSkipVerify: true } });
    await server.open();
    await server.expect(/^<open /);
    const error = `<reset xmlns='${NS.STREAMS}'/><see-other-uri xmlns='${NS.FRAMING}'>${url(peer)}</see-other-uri>`;
    await server.send(open('s1'), `<stream:error xmlns:stream='${NS.STREAM}'>${error}</stream:error>`);
    expect(await failure(connected)).toMatchObject({ code: 'STREAM_ERROR', condition: 'reset' });
    expect(peer.conversations).toHaveLength(1);
  });

  it('in a circle ends after three', async () => {
    const { server, peer, connected } = await dialled();
    let current = server;
    for (let times = 0; times < 4; times += 1) {
      await current.open();
      await current.expect(/^<open /);
      await current.send(open(`s${String(times)}`), elsewhere(url(peer)));
      if (times < 3) current = new WebSocketPeer(await peer.accept());
    }
    expect(await failure(connected)).toMatchObject({ condition: 'see-other-host' });
  });

  it.each(['ws://localhost/', 'https://localhost/', 'wss://a:b@localhost/', 'localhost', ''])(
    'to %s is not followed',
    async (uri) => {
      const { server, connected } = await dialled();
      await server.open();
      await server.expect(/^<open /);
      await server.send(open('s1'), elsewhere(uri));
      const error = await failure(connected);
      expect(error).toMatchObject({ code: 'STREAM_ERROR', condition: 'see-other-host' });
      expect(error.redirect).toBeUndefined();
    },
  );

  it('of a server that did not prove itself is not followed', async () => {
    const { server, peer, connected } = await dialled({}, false);
    await server.open();
    await server.expect(/^<open /);
    await server.send(open('s1'), elsewhere(url(peer)));
    expect(await failure(connected)).toMatchObject({ code: 'REDIRECT_UNTRUSTED' });
  });

  it('a see-other-host leads to TCP, where nobody asked to go', async () => {
    const { server, connected } = await dialled();
    await server.open();
    await server.expect(/^<open /);
    const error = `<see-other-host xmlns='${NS.STREAMS}'>localhost:1</see-other-host>`;
    await server.send(open('s1'), `<stream:error xmlns:stream='${NS.STREAM}'>${error}</stream:error>`);
    expect(await failure(connected)).toMatchObject({ code: 'STREAM_ERROR', condition: 'see-other-host' });
  });
});

describe('modern 5: a second <open/>', () => {
  it.each<[string, Welcome]>([
    ['on a ready link', { managed: false }],
    ['right behind the last answer', { managed: false, behind: open('s3') }],
  ])('%s ends it, and nothing waits behind it', async (_, said) => {
    const { broker, server, recorded } = await ready({}, said);
    if (said.behind === undefined) await server.send(open('s3'));
    const { error } = await broker.closed;
    expect(error).toMatchObject({ code: 'STREAM_UNEXPECTED', sentCondition: 'bad-format' });
    expect(recorded.last('PCJ_PROTOCOLERROR')).toMatchObject({ code: 'STREAM_UNEXPECTED' });
  });
});

describe('modern 5: what must not be seen', () => {
  it('headers, and the query of the URL, are in no event, error, log or inspect', async () => {
    const lines: unknown[] = [];
    const log = (...args: unknown[]) => void lines.push(args);
    const secrets = ['Bearer s3cr3t', 't0ken', PASSWORD];
    const { broker, recorded, server, connected } = await dialled({
      path: '/chat?access=t0ken',
      headers: { Authorization: 'Bearer s3cr3t', 'X-Plain': 'x' },
      debug: true,
      logger: { debug: log, info: log, warn: log, error: log },
    });
    const request = await server.asked();
    expect(request).toContain('Authorization: Bearer s3cr3t');
    expect(request).toContain('access=t0ken');
    await server.conversation.send('HTTP/1.1 403 Forbidden\r\nWWW-Authenticate: s3cr3t\r\n\r\n');
    const error = await failure(connected);
    const seen = inspect([broker, broker.config, recorded.payloads, error, error.stack, error.cause, lines], {
      depth: 12,
      showHidden: true,
    });
    for (const secret of secrets) expect(seen).not.toContain(secret);
    expect(JSON.stringify(broker.config.websocket)).toContain('/chat?…');
  });
});
