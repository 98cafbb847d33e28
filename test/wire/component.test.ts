import { createHash } from 'node:crypto';
import { createServer } from 'node:net';
import { once } from 'node:events';
import { describe, expect, it, vi } from 'vitest';
import { BrokerError, NS, StanzaError, xml, type Element } from 'xmpp-broker';
import { COMPONENT, DOMAIN, handshake, header, SECRET, SUCCESS } from './support/component.js';
import { OPENING, streamHeader, TAIL, trace, useRig, type Conversation } from './support/index.js';

const rig = useRig(COMPONENT);

describe('negotiating XEP-0114', () => {
  it('S-COMP-1: opens in the accept namespace and answers with the hash of id and secret', async () => {
    const { broker, recorded, connected, server } = await rig.dialled();
    const open = await server.expect(OPENING);
    expect(open).toContain(`xmlns="${NS.COMPONENT_ACCEPT}"`.replaceAll('"', open.includes('"') ? '"' : "'"));
    expect(open).toMatch(/to=["']comp\.broker\.test["']/);
    expect(open).not.toMatch(/ (id|version|from)=/);
    await server.send(streamHeader({ xmlns: NS.COMPONENT_ACCEPT, id: 'a&amp;b', from: DOMAIN, version: null }));
    const digest = createHash('sha1').update(`a&b${SECRET}`).digest('hex');
    await server.expect(`>${digest}</handshake>`);
    expect(broker.state).toBe('negotiating');
    await server.send('<handshake/>');
    await connected;
    expect(recorded.short).toEqual(SUCCESS);
    expect(broker.state).toBe('ready');
    expect(broker.jid?.toString()).toBe(DOMAIN);
    expect(broker.sid).toBe('a&b');
  });

  it('S-COMP-2 S-STREAM-14: a stanza before the handshake is complete ends the attempt', async () => {
    const { recorded, connected, server } = await rig.dialled();
    await server.expect(OPENING);
    await server.send(`${header()}<message from='a@b' to='${DOMAIN}'><body>early</body></message>`);
    await expect(connected).rejects.toMatchObject({ code: 'STREAM_EARLY_STANZA', layer: 'stream' });
    await server.expect('<not-authorized');
    await server.expect('</stream:stream>');
    expect(recorded.short).not.toContain('NODERECEIVED');
    expect(recorded.short.slice(-5)).toEqual(['AUTHFAIL', ...TAIL]);
  });

  it('S-STREAM-8: an empty stream id is never hashed; the stream error behind it is the cause', async () => {
    const { connected, server } = await rig.dialled();
    await server.expect(OPENING);
    await server.send(
      `${header('')}<stream:error><host-unknown xmlns='${NS.STREAMS}'/></stream:error></stream:stream>`,
    );
    await expect(connected).rejects.toMatchObject({
      code: 'STREAM_ERROR',
      condition: 'host-unknown',
      retryable: false,
    });
    await server.expect('</stream:stream>');
    expect(server.received.toString()).not.toContain('handshake');
  });

  it('S-COMP-3: a refused secret is AUTHFAIL with its condition, and an orderly tail', async () => {
    const { broker, recorded, connected, server } = await rig.dialled();
    await server.expect(OPENING);
    await server.send(header());
    await server.expect('</handshake>');
    await server.send(
      `<stream:error><not-authorized xmlns='${NS.STREAMS}'/><text xmlns='${NS.STREAMS}'>no \u001b[2J</text></stream:error></stream:stream>`.replace(
        '\u001b',
        '',
      ),
    );
    server.end();
    const error = await connected.catch((caught: unknown) => caught);
    expect(error).toBeInstanceOf(BrokerError);
    expect(error).toMatchObject({
      code: 'STREAM_ERROR',
      condition: 'not-authorized',
      phase: 'auth',
      dialect: 'JABBERD14_COMPONENT',
      origin: 'peer',
    });
    expect(recorded.short.slice(-5)).toEqual(['AUTHFAIL', ...TAIL]);
    expect(broker.state).toBe('disconnected');
  });

  it('accepts features in front of the handshake (a router asked with a version)', async () => {
    const { broker, recorded, connected, server } = await rig.dialled({ version: '1.0' });
    await server.expect(/version=["']1\.0["']/);
    await server.send(`${header()}<stream:features/>`);
    await server.expect('</handshake>');
    await server.send('<handshake></handshake>');
    await connected;
    await once(broker.events as never, 'never', { signal: AbortSignal.timeout(1) }).catch(() => undefined);
    expect(recorded.short).toEqual(SUCCESS);
  });

  it('refused TCP: CONNECT CONNECTING CONNECTFAIL and nothing else', async () => {
    const listener = createServer().listen(0, '127.0.0.1');
    await once(listener, 'listening');
    const { port } = listener.address() as { port: number };
    listener.close();
    await once(listener, 'close');
    const { broker, recorded } = rig.broker({ port });
    await expect(broker.connect()).rejects.toMatchObject({ code: 'TCP_REFUSED', layer: 'tcp', phase: 'connect' });
    expect(recorded.short).toEqual(['CONNECT', 'CONNECTING', 'CONNECTFAIL']);
  });

  it.each([
    ['HTTP', 'HTTP/1.1 400 Bad Request\r\n\r\n', 'STREAM_NOT_XMPP'],
    ['SSH', 'SSH-2.0-OpenSSH_9.2\r\n', 'STREAM_NOT_XMPP'],
    ['HTML', '<html><body/></html>', 'STREAM_BAD_ROOT'],
    ['another content namespace', streamHeader({ from: DOMAIN }), 'STREAM_BAD_NAMESPACE'],
    ['an element in place of the header', `<features xmlns='${NS.STREAM}'/>`, 'STREAM_BAD_ROOT'],
    ['a stream that ends at once', `${header()}</stream:stream>`, 'STREAM_CLOSED'],
    ['two headers', `${header()}<stream:stream xmlns:stream='${NS.STREAM}'/>`, 'SASL_TIMEOUT'],
    ['a broken header', '<stream:stream to="', 'STREAM_TIMEOUT'],
    ['a comment', `<!-- -->${header()}`, 'XML_RESTRICTED'],
  ])('A-NEG-1 A-NEG-15 S-STREAM-6: %s in place of a stream', async (_, bytes, code) => {
    const { recorded, connected, server } = await rig.dialled({ timeouts: { stream: 300, auth: 300 } });
    await server.expect(OPENING);
    await server.send(bytes);
    await expect(connected).rejects.toMatchObject({ code });
    expect(recorded.short.filter((name) => name.endsWith('FAIL'))).toHaveLength(1);
    expect(recorded.short.slice(-4)).toEqual(TAIL);
  });

  it('S-CONN-8: silence after each step is a timeout that names the step', async () => {
    for (const [script, code] of [
      [async () => Promise.resolve(), 'STREAM_TIMEOUT'],
      [async (server: Conversation) => server.send(header()), 'SASL_TIMEOUT'],
    ] as const) {
      const { connected, server } = await rig.dialled({ timeouts: { stream: 100, auth: 100, close: 50 } });
      await server.expect(OPENING);
      await script(server);
      await expect(connected).rejects.toMatchObject({ code, retryable: true });
    }
  });

  it('a server that vanishes while negotiating: SOCKETFAIL is the one outcome', async () => {
    const { recorded, connected, server } = await rig.dialled();
    await server.expect(OPENING);
    await server.send(header());
    await server.expect('</handshake>');
    server.end();
    await expect(connected).rejects.toMatchObject({ code: 'STREAM_CLOSED' });
    expect(recorded.short.slice(-2)).toEqual(['SOCKETFAIL', 'SOCKETDISCONNECT']);
  });
});

describe('S-COMP-5: clear text', () => {
  it('needs TLS or an explicit word elsewhere than on this machine', async () => {
    const peer = await rig.listen();
    const { connect } = await import('node:net');
    const { broker: remote, recorded } = rig.broker(peer, {
      connector: ({ port }) => {
        const socket = connect(port, '127.0.0.1');
        Object.defineProperty(socket, 'remoteAddress', { value: '192.0.2.7' });
        return socket;
      },
    });
    await expect(remote.connect()).rejects.toMatchObject({ code: 'TLS_REQUIRED' });
    expect(recorded.short).toContain('SSLFAIL');
    const server = await peer.accept();
    expect(await server.expectEnd()).toBe('');
  });
});

describe('what arrives', () => {
  it('READY comes before delivery: await connect() then subscribe() misses nothing', async () => {
    const { broker, connected, server } = await rig.dialled();
    await server.expect(OPENING);
    await server.send(header());
    await server.expect('</handshake>');
    await server.send(
      `<handshake/><message from='a@b' to='${DOMAIN}' id='1'/><message from='a@b' to='${DOMAIN}' id='2'/>`,
    );
    await connected;
    const seen: (string | null)[] = [];
    await new Promise<void>((resolve) => {
      broker.subscribe('PCJ_NODERECEIVED', (node) => {
        seen.push(node.getAttribute('id'));
        if (seen.length === 2) resolve();
      });
    });
    expect(seen).toEqual(['1', '2']);
  });

  it('both content namespaces are stanzas; a filter does not see the difference', async () => {
    const { broker, server } = await rig.ready();
    const matched: unknown[] = [];
    broker.filters.add('body', '/message/body');
    broker.subscribe('body', (match) => matched.push((match as { node: Element }).node.namespaceURI));
    const second = new Promise<void>((resolve) => {
      let count = 0;
      broker.subscribe('PCJ_NODERECEIVED', () => {
        count += 1;
        if (count === 2) resolve();
      });
    });
    await server.send(
      `<message from='a@b' to='${DOMAIN}'><body>x</body></message><message xmlns='jabber:client' from='a@b' to='${DOMAIN}'><body>y</body></message>`,
    );
    await second;
    expect(matched).toEqual([NS.COMPONENT_ACCEPT, NS.CLIENT]);
  });

  it('rows 40-43: filters in order, all of them, then NODERECEIVED; then the next stanza', async () => {
    const { broker, server } = await rig.ready();
    const order: string[] = [];
    const done = new Promise<void>((resolve) => {
      broker.filters.add('one', 'self::message');
      broker.filters.add('two', '//d:delay', { namespaces: { d: NS.DELAY } });
      broker.filters.add('one', 'body');
      for (const name of ['one', 'two']) {
        broker.subscribe(name, (match) => {
          const { expression, node } = match as { expression: string; node: Element };
          order.push(`${name}:${expression}:${node.getAttribute('id') ?? ''}`);
        });
      }
      broker.subscribe('PCJ_NODERECEIVED', (node) => {
        order.push(`received:${node.getAttribute('id') ?? ''}`);
        if (node.getAttribute('id') === '2') resolve();
      });
    });
    await server.send(`<message id='1'><body/><delay xmlns='${NS.DELAY}'/></message><presence id='2'/>`);
    await done;
    expect(order).toEqual(['one:self::message:1', 'two://d:delay:1', 'one:body:1', 'received:1', 'received:2']);
  });

  it('S-STREAM-12: features after the negotiation are ignored with a warning', async () => {
    const { broker, server } = await rig.ready();
    const warned = broker.events.once('PCJ_PROTOCOLERROR');
    await server.send('<stream:features/>');
    expect(await warned).toMatchObject({ code: 'STREAM_UNEXPECTED' });
    expect(broker.state).toBe('ready');
  });

  it('S-STREAM-22: an element that is no stanza goes to filters and NODERECEIVED', async () => {
    const { broker, server } = await rig.ready();
    const received = broker.events.once('PCJ_NODERECEIVED');
    await server.send("<log xmlns='urn:example:log'>x</log>");
    expect((await received).namespaceURI).toBe('urn:example:log');
  });

  it('S-XML-20: broken XML gets one stream error, and the program lives on', async () => {
    const { broker, server } = await rig.ready();
    const recorded = trace(broker);
    const closed = broker.closed;
    await server.send('<message><body>&nbsp;</body></message><message/>');
    await server.expect("<not-well-formed xmlns='urn:ietf:params:xml:ns:xmpp-streams'/>");
    await server.expect('</stream:stream>');
    server.end();
    await closed;
    expect(recorded.short).toEqual(['PROTOCOLERROR', 'SOCKETFAIL', 'SOCKETDISCONNECT']);
    expect(recorded.last('PCJ_SOCKETDISCONNECT')).toMatchObject({
      clean: false,
      error: { code: 'XML_NOT_WELL_FORMED' },
    });
    expect(server.received.toString().match(/stream:error>/g)).toHaveLength(2);
  });

  it('S-ERR-1: a stream error while ready: PROTOCOLERROR, then the lost link', async () => {
    const { broker, server } = await rig.ready();
    const recorded = trace(broker);
    const closed = broker.closed;
    await server.send(`<stream:error><conflict xmlns='${NS.STREAMS}'/></stream:error></stream:stream>`);
    await server.expect('</stream:stream>');
    server.end();
    const { error } = await closed;
    expect(error).toMatchObject({ code: 'STREAM_ERROR', condition: 'conflict', retryable: false });
    expect(recorded.short).toEqual(['PROTOCOLERROR', 'SOCKETFAIL', 'SOCKETDISCONNECT']);
  });

  it('A-SLOW-1: an element that never ends is given up', async () => {
    const { broker, server } = await rig.ready({ timeouts: { stanza: 200 } });
    const warned = broker.events.once('PCJ_PROTOCOLERROR');
    await server.send('<message><body>slow');
    expect(await warned).toMatchObject({ code: 'LIMIT_STANZA_TIME' });
    await server.expect('<policy-violation');
  });

  it('A-SIZE-1: an element above the limit is refused while it arrives', async () => {
    const { broker, server } = await rig.ready({ limits: { stanzaBytes: 1000 } });
    const warned = broker.events.once('PCJ_PROTOCOLERROR');
    await server.send(`<message><body>${'A'.repeat(1100)}`);
    expect(await warned).toMatchObject({ code: 'LIMIT_STANZA_BYTES', condition: 'policy-violation' });
    await server.expect('<policy-violation');
  });
});

describe('closing', () => {
  it('shutdown: end tag, what still arrives, then the socket; C order', async () => {
    const { broker, server } = await rig.ready();
    const recorded = trace(broker);
    const closed = broker.closed;
    const done = broker.shutdown();
    expect(broker.shutdown()).toBe(done);
    await server.expect('</stream:stream>');
    await server.send(`<message id='late'/></stream:stream>`);
    await done;
    expect(recorded.short).toEqual([
      'STREAMEND',
      'SHUTDOWN_START',
      'NODERECEIVED',
      'SOCKETDISCONNECT',
      'SHUTDOWN_FINISH',
    ]);
    expect(recorded.last('PCJ_SOCKETDISCONNECT')).toEqual({ clean: true });
    expect(await closed).toEqual({ clean: true });
    expect(broker.state).toBe('idle');
    expect(broker.jid).toBeNull();
    await broker.shutdown();
    expect(recorded.short).toHaveLength(5);
  });

  it('S-STREAM-16: a peer that never closes is left after the time limit, unclean', async () => {
    const { broker } = await rig.ready({ timeouts: { close: 100 } });
    const recorded = trace(broker);
    await broker.shutdown();
    expect(recorded.last('PCJ_SOCKETDISCONNECT')).toMatchObject({ clean: false });
    expect(recorded.short.at(-1)).toBe('SHUTDOWN_FINISH');
  });

  it('S-STREAM-17: the peer closes first: everything before is delivered, the end tag is answered', async () => {
    const { broker, server } = await rig.ready();
    const recorded = trace(broker);
    const closed = broker.closed;
    await server.send(`<message id='last'/></stream:stream>`);
    await server.expect('</stream:stream>');
    server.end();
    await closed;
    expect(recorded.short).toEqual(['NODERECEIVED', 'SOCKETFAIL', 'SOCKETDISCONNECT']);
  });

  it('S-STREAM-18: FIN without an end tag and RST are unclean ends', async () => {
    for (const cut of ['end', 'reset'] as const) {
      const { broker, server } = await rig.ready();
      const closed = broker.closed;
      server[cut]();
      expect(await closed).toMatchObject({ clean: false });
    }
  });

  it('halt: no event, pending work fails, later commands throw', async () => {
    const { broker } = await rig.ready();
    const recorded = trace(broker);
    const asked = broker.request(xml('iq', { type: 'get', to: 'a@b' }, xml('q', { xmlns: 'urn:x' })));
    recorded.clear();
    broker.halt();
    await expect(asked).rejects.toMatchObject({ code: 'BROKER_HALTED' });
    expect(recorded.names).toEqual([]);
    expect(() => broker.output('<presence/>')).toThrow(expect.objectContaining({ code: 'BROKER_HALTED' }));
    expect(() => broker.connect()).toThrow(expect.objectContaining({ code: 'BROKER_HALTED' }));
    expect(broker.state).toBe('halted');
  });

  it('shutdown while connecting ends the attempt with one outcome', async () => {
    const { broker, recorded, connected, server } = await rig.dialled({ timeouts: { close: 100 } });
    await server.expect(OPENING);
    await broker.shutdown();
    await expect(connected).rejects.toMatchObject({ code: 'CONNECT_ABORTED' });
    expect(recorded.short.filter((name) => name.endsWith('FAIL'))).toEqual(['CONNECTFAIL']);
    expect(broker.state).toBe('idle');
  });

  it('S-CONN-13: an abort signal ends the attempt', async () => {
    const peer = await rig.listen();
    const { broker } = rig.broker(peer);
    const controller = new AbortController();
    const connected = broker.connect({ signal: controller.signal });
    await (await peer.accept()).expect(OPENING);
    controller.abort();
    await expect(connected).rejects.toMatchObject({ code: 'CONNECT_ABORTED' });
    await expect(broker.connect({ signal: AbortSignal.abort() })).rejects.toMatchObject({ code: 'CONNECT_ABORTED' });
  });

  it('DECISIONS 18: connect while connecting supersedes; connect while ready closes first', async () => {
    const peer = await rig.listen();
    const { broker } = rig.broker(peer);
    const first = broker.connect();
    await (await peer.accept()).expect(OPENING);
    const second = broker.connect();
    await expect(first).rejects.toMatchObject({ code: 'CONNECT_SUPERSEDED' });
    const server = await peer.accept();
    await handshake(server);
    await second;
    const recorded = trace(broker);
    const third = broker.reconnect();
    await server.expect('</stream:stream>');
    await server.send('</stream:stream>');
    await handshake(await peer.accept());
    await third;
    expect(recorded.short).toEqual(['SOCKETDISCONNECT', ...SUCCESS]);
  });
});

describe('reconnecting', () => {
  it('a lost link is dialled again, and the queue waits for a purge', async () => {
    const { broker, server, peer } = await rig.ready({ reconnect: { firstDelayMs: 5, maxDelayMs: 5 } });
    const recorded = trace(broker);
    const again = broker.events.once('PCJ_READY');
    server.end();
    const second = await peer.accept();
    broker.output(xml('message', { to: 'a@b', id: 'held' }));
    await handshake(second);
    await again;
    // What is output while offline is held, whatever the attempt is doing.
    expect(recorded.short.filter((name) => name === 'NODEQUEUED')).toHaveLength(1);
    expect(recorded.short.filter((name) => name !== 'NODEQUEUED')).toEqual([
      'SOCKETFAIL',
      'SOCKETDISCONNECT',
      'RECONNECTING',
      ...SUCCESS,
    ]);
    expect(broker.queue.size).toBe(1);
    const [ticket] = broker.purgeQueue();
    await ticket!.sent;
    await second.expect(/id=["']held["']/);
  });

  it('S-CONN-9: a permanent failure is not retried', async () => {
    const { broker, server } = await rig.ready({ reconnect: { firstDelayMs: 1 } });
    const recorded = trace(broker);
    const closed = broker.closed;
    await server.send(`<stream:error><conflict xmlns='${NS.STREAMS}'/></stream:error>`);
    server.end();
    await closed;
    expect(recorded.short).not.toContain('RECONNECTING');
    expect(broker.state).toBe('disconnected');
  });

  it('reconnect: { initial: true } retries the first attempt until it is ready', async () => {
    const { broker, connected, server, peer } = await rig.dialled({
      reconnect: { initial: true, firstDelayMs: 5, maxDelayMs: 5 },
    });
    await server.expect(OPENING);
    server.end();
    await handshake(await peer.accept());
    await connected;
    expect(broker.state).toBe('ready');
  });
});

describe('requests', () => {
  const query = () => xml('iq', { type: 'get', to: 'bank@d' }, xml('q', { xmlns: 'urn:x' }));

  async function askedId(server: Conversation): Promise<string> {
    const [, id = ''] = await server.match(/<iq[^>]* id=["']([^"']+)["'][^>]*>.*<\/iq>/);
    return id;
  }

  it('S-RTS-1 S-RTS-6 rows 32-38: a result resolves, an error rejects as StanzaError, both once; no filter sees them', async () => {
    const { broker, server } = await rig.ready();
    const recorded = trace(broker);
    broker.filters.add('any', '/*');
    broker.subscribe('any', () => expect.unreachable('a filter saw an answer'));
    const node = query();
    const asked = broker.request(node);
    const id = await askedId(server);
    expect(id).toMatch(/^[0-9a-f]{32}$/);
    expect(node.getAttribute('id')).toBeNull();
    await server.send(`<iq type='result' id='${id}' from='bank@d' to='${DOMAIN}'/>`);
    expect((await asked).getAttribute('type')).toBe('result');
    const failing = broker.request(query());
    const failingId = await askedId(server);
    await server.send(
      `<iq type='error' id='${failingId}' from='bank@d' to='${DOMAIN}'><error type='wait'><resource-constraint xmlns='${NS.STANZAS}'/><text xmlns='${NS.STANZAS}'>later</text></error></iq>`,
    );
    const error = await failing.catch((caught: unknown) => caught);
    expect(error).toBeInstanceOf(StanzaError);
    expect(error).toMatchObject({
      code: 'STANZA_ERROR',
      condition: 'resource-constraint',
      type: 'wait',
      text: 'later',
      retryable: true,
    });
    expect(recorded.short).toEqual([
      'RTS_START',
      'NODESENT(iq)',
      'RTS_FINISH',
      'RTS_START',
      'NODESENT(iq)',
      'RTS_FINISH',
    ]);
    expect(broker.pending.size).toBe(0);
  });

  it('returnToSender publishes the answer once under its event, then rescinds the name', async () => {
    const { broker, server } = await rig.ready();
    const seen: Element[] = [];
    broker.subscribe('balance', (node) => seen.push(node as Element));
    const ticket = broker.returnToSender('balance', query());
    expect(broker.events.listing()).toContainEqual({ event: 'balance', published: true, subscribers: 1 });
    const id = await askedId(server);
    expect(ticket.node.getAttribute('id')).toBe(id);
    const finished = broker.events.once('PCJ_RTS_FINISH');
    const repeated = broker.events.once('PCJ_NODERECEIVED');
    await server.send(
      `<iq type='result' id='${id}' from='bank@d' to='${DOMAIN}'/><iq type='result' id='${id}' from='bank@d' to='${DOMAIN}'/>`,
    );
    await finished;
    await repeated;
    expect(seen).toHaveLength(1);
    expect(ticket.state).toBe('acked');
    await ticket.acked;
    expect(broker.events.listing()).toContainEqual({ event: 'balance', published: false, subscribers: 1 });
  });

  it('S-RTS-1 row 33: an id that is pending is replaced on a copy; each caller gets its own answer', async () => {
    const { broker, server } = await rig.ready();
    const first = broker.request(xml('iq', { type: 'get', id: 'same', to: 'bank@d' }, xml('q', { xmlns: 'urn:x' })));
    expect(await askedId(server)).toBe('same');
    const second = broker.request(xml('iq', { type: 'get', id: 'same', to: 'bank@d' }, xml('q', { xmlns: 'urn:x' })));
    const other = await askedId(server);
    expect(other).not.toBe('same');
    await server.send(
      `<iq type='result' id='${other}' from='bank@d' to='${DOMAIN}'><b xmlns='urn:2'/></iq><iq type='result' id='same' from='bank@d' to='${DOMAIN}'><b xmlns='urn:1'/></iq>`,
    );
    expect((await first).children[0]?.namespaceURI).toBe('urn:1');
    expect((await second).children[0]?.namespaceURI).toBe('urn:2');
  });

  it.each([
    ['another JID', "from='evil@e' to='comp.broker.test'"],
    ['another resource', "from='bank@d/r' to='comp.broker.test'"],
    ['the domain', "from='d' to='comp.broker.test'"],
    ['no from', "to='comp.broker.test'"],
    ['another to', "from='bank@d' to='x@comp.broker.test'"],
  ])('S-RTS-2 A-STZ-1: an answer from %s settles nothing', async (_, addresses) => {
    const { broker, server } = await rig.ready();
    const asked = broker.request(query());
    const id = await askedId(server);
    const suspected = broker.events.once('PCJ_PROTOCOLERROR');
    const unsolicited = broker.events.once('PCJ_NODERECEIVED');
    await server.send(`<iq type='result' id='${id}' ${addresses}/>`);
    expect(await suspected).toMatchObject({ code: 'RTS_SPOOF_SUSPECT' });
    await unsolicited;
    expect(broker.pending.size).toBe(1);
    await server.send(`<iq type='result' id='${id}' from='BANK@d' to='${DOMAIN}'/>`);
    await asked;
  });

  it('S-RTS-2: a get, a message and another kind with the id are no answers', async () => {
    const { broker, server } = await rig.ready();
    const asked = broker.request(query());
    const id = await askedId(server);
    const third = new Promise<void>((resolve) => {
      let count = 0;
      broker.subscribe('PCJ_NODERECEIVED', () => {
        count += 1;
        if (count === 3) resolve();
      });
    });
    await server.send(
      `<iq type='get' id='${id}' from='bank@d' to='${DOMAIN}'><q xmlns='urn:x'/></iq><message id='${id}' from='bank@d' to='${DOMAIN}'/><message type='error' id='${id}' from='bank@d' to='${DOMAIN}'/>`,
    );
    await third;
    expect(broker.pending.size).toBe(1);
    await server.send(`<iq type='error' id='${id}' from='${DOMAIN}' to='bank@d'><error code='503'/></iq>`);
    await expect(asked).rejects.toMatchObject({ condition: 'service-unavailable' });
  });

  it('S-RTS-3: a deadline ends it; the late answer is an ordinary stanza with a warning', async () => {
    const { broker, server } = await rig.ready();
    const failed = broker.events.once('PCJ_RTS_FAIL');
    const asked = broker.request(query(), { timeout: 50 });
    const id = await askedId(server);
    await expect(asked).rejects.toMatchObject({ code: 'RTS_TIMEOUT', sent: 'maybe' });
    expect((await failed).ticket.state).toBe('sent');
    const late = broker.events.once('PCJ_PROTOCOLERROR');
    const received = broker.events.once('PCJ_NODERECEIVED');
    await server.send(`<iq type='result' id='${id}' from='bank@d' to='${DOMAIN}'/>`);
    expect(await late).toMatchObject({ code: 'RTS_LATE' });
    await received;
  });

  it('S-RTS-4 S-Q-8: a cut link settles what was written, and says that it may have arrived', async () => {
    const { broker, server } = await rig.ready();
    const asked = broker.request(query());
    await askedId(server);
    server.reset();
    await expect(asked).rejects.toMatchObject({ code: 'RTS_DISCONNECTED', sent: 'maybe' });
    expect(broker.pending.size).toBe(0);
  });

  it('a request made offline stays pending and is answered after the purge', async () => {
    const peer = await rig.listen();
    const { broker } = rig.broker(peer);
    const asked = broker.request(query());
    expect(broker.queue.size).toBe(1);
    const [ticket] = broker.queue;
    const own = ticket!.node.getAttribute('id');
    expect([...broker.pending]).toEqual([[own, { id: own, to: 'bank@d', from: DOMAIN, event: null, ticket }]]);
    const connected = broker.connect();
    const server = await peer.accept();
    await handshake(server);
    await connected;
    expect(broker.pending.size).toBe(1);
    broker.purgeQueue();
    const id = await askedId(server);
    await server.send(`<iq type='result' id='${id}' from='bank@d' to='${DOMAIN}'/>`);
    await asked;
  });

  it('S-RTS-6: drop, abort and the limit settle or refuse', async () => {
    const { broker } = rig.broker({ port: 1 }, { limits: { requests: 2 } });
    const dropped = broker.request(query());
    broker.queue.drop();
    await expect(dropped).rejects.toMatchObject({ code: 'RTS_DROPPED', sent: 'no' });
    const controller = new AbortController();
    const aborted = broker.request(query(), { signal: controller.signal });
    controller.abort();
    await expect(aborted).rejects.toMatchObject({ code: 'RTS_ABORTED' });
    void broker.request(query());
    void broker.request(query());
    await expect(broker.request(query())).rejects.toMatchObject({ code: 'RTS_LIMIT' });
    expect(() => broker.returnToSender('x', query())).toThrow(expect.objectContaining({ code: 'RTS_LIMIT' }));
    expect(broker.events.listing().find(({ event }) => event === 'x')?.published ?? false).toBe(false);
  });

  it('a request that ends while its stanza is held takes the stanza out of the queue', async () => {
    const { broker } = rig.broker({ port: 1 });
    const late = broker.request(query(), { timeout: 20 });
    const controller = new AbortController();
    const aborted = broker.request(query(), { signal: controller.signal });
    const tickets = [...broker.queue];
    controller.abort();
    await expect(aborted).rejects.toMatchObject({ code: 'RTS_ABORTED', sent: 'no' });
    await expect(late).rejects.toMatchObject({ code: 'RTS_TIMEOUT', sent: 'no' });
    expect(broker.queue.size).toBe(0);
    expect(broker.queue.bytes).toBe(0);
    expect(tickets.map(({ state }) => state)).toEqual(['failed', 'failed']);
    await expect(tickets[0]!.sent).rejects.toMatchObject({ code: 'RTS_TIMEOUT' });
  });

  it('S-RTS-5: ids that are names of Object.prototype are ordinary ids', async () => {
    const { broker, server } = await rig.ready();
    for (const id of ['__proto__', 'constructor', 'toString', '😀']) {
      const asked = broker.request(xml('iq', { type: 'get', id, to: 'bank@d' }, xml('q', { xmlns: 'urn:x' })));
      expect(await askedId(server)).toBe(id);
      await server.send(`<iq type='result' id='${id}' from='bank@d' to='${DOMAIN}'/>`);
      await asked;
    }
  });

  it('no promise becomes an unhandled rejection', async () => {
    const unhandled = vi.fn();
    process.on('unhandledRejection', unhandled);
    const { broker } = rig.broker({ port: 1 });
    void broker.connect();
    void broker.request(query());
    const ticket = broker.output(xml('message', { to: 'a@b' }));
    void ticket.sent;
    void ticket.acked;
    broker.halt();
    await new Promise((resolve) => setImmediate(resolve));
    process.off('unhandledRejection', unhandled);
    expect(unhandled).not.toHaveBeenCalled();
  });
});

describe('the queue', () => {
  const note = (id: string) => xml('message', { to: 'a@b', id });
  const ids = (text: string) => [...text.matchAll(/<message[^>]* id=["']([^"']+)["']/g)].map(([, id]) => id);

  it('S-Q-2 S-Q-8 rows 28-31: held while offline, oldest first on purge, nothing overtakes', async () => {
    const peer = await rig.listen();
    const { broker, recorded } = rig.broker(peer);
    const q1 = broker.output(note('q1'));
    broker.output(note('q2'));
    expect(recorded.short).toEqual(['NODEQUEUED', 'NODEQUEUED']);
    expect([...broker.queue].map((ticket) => ticket.node.getAttribute('id'))).toEqual(['q1', 'q2']);
    expect(broker.purgeQueue()).toEqual([]);
    const connected = broker.connect();
    const server = await peer.accept();
    await handshake(server);
    await connected;
    expect(broker.queue.size).toBe(2);
    broker.output(note('a1'));
    const purged = broker.purgeQueue();
    broker.output(note('a2'));
    expect(purged[0]).toBe(q1);
    await server.expect(/a2["'][^>]*>/);
    expect(ids(server.received.toString())).toEqual(['a1', 'q1', 'q2', 'a2']);
    const sent = recorded.payloads.filter((_, index) => recorded.short[index] === 'NODESENT(message)');
    expect(sent.map((stanza) => (stanza as Element).getAttribute('id'))).toEqual(['a1', 'q1', 'q2', 'a2']);
    await q1.sent;
    expect(q1.state).toBe('sent');
    await expect(q1.acked).rejects.toMatchObject({ code: 'QUEUE_NOT_ACKABLE' });
  });

  it('purge and drop take a choice', async () => {
    const { broker, server } = await rig.ready();
    server.end();
    await broker.closed;
    for (const id of ['1', '2', '3', '4']) broker.output(note(id));
    const dropped = broker.queue.drop((ticket) => ticket.node.getAttribute('id') === '2');
    expect(dropped.map(({ state }) => state)).toEqual(['dropped']);
    await expect(dropped[0]!.sent).rejects.toMatchObject({ code: 'QUEUE_DROPPED' });
    expect(broker.queue.size).toBe(3);
    expect(broker.queue.at(0)?.node.getAttribute('id')).toBe('1');
    expect(broker.queue.at(9)).toBeUndefined();
  });

  it('S-Q-1: full by count or bytes: QUEUE_FULL, PCJ_QUEUEFAIL, nothing accepted', () => {
    const { broker: byCount } = rig.broker({ port: 1 }, { queue: { maxStanzas: 2 } });
    const refused: unknown[] = [];
    byCount.subscribe('PCJ_QUEUEFAIL', (error) => refused.push(error));
    byCount.output(note('1'));
    byCount.output(note('2'));
    expect(() => byCount.output(note('3'))).toThrow(expect.objectContaining({ code: 'QUEUE_FULL' }));
    expect(refused).toHaveLength(1);
    expect(byCount.queue.size).toBe(2);
    const { broker: byBytes } = rig.broker({ port: 1 }, { queue: { maxBytes: 100 } });
    byBytes.output(note('1'));
    expect(() => byBytes.output(xml('message', { to: 'a@b' }, xml('body', {}, 'x'.repeat(100))))).toThrow(/100/);
    expect(byBytes.queue.size).toBe(1);
  });

  it('A-FLOW-1: a peer that never reads: bounded, refused loudly, order kept when it reads again', async () => {
    const { broker, server } = await rig.ready({ queue: { maxBytes: 4 * 1024 * 1024 } });
    server.pause();
    const body = 'x'.repeat(10_000);
    let accepted = 0;
    let refusal: unknown;
    // Far more than the kernel's buffers and the bound together.
    while (refusal === undefined && accepted < 100_000) {
      try {
        broker.output(xml('message', { to: 'a@b', id: `m${accepted}` }, xml('body', {}, body)));
        accepted += 1;
        if (accepted % 100 === 0) await new Promise((resolve) => setImmediate(resolve));
      } catch (error) {
        refusal = error;
      }
    }
    expect(refusal).toMatchObject({ code: 'QUEUE_FULL' });
    server.resume();
    await server.expect(`m${accepted - 1}`);
    expect(ids(server.received.toString())).toEqual(Array.from({ length: accepted }, (_, index) => `m${index}`));
  });

  it('S-Q-8 DECISIONS 14, 16: what a cut link did not write is held again in front, in order', async () => {
    const { broker, server } = await rig.ready();
    server.pause();
    const body = 'x'.repeat(50_000);
    const tickets = Array.from({ length: 400 }, (_, index) =>
      broker.output(xml('message', { to: 'a@b', id: `m${index}` }, xml('body', {}, body))),
    );
    await tickets[0]!.sent;
    server.reset();
    await broker.closed;
    broker.output(note('after'));
    const held = [...broker.queue].map((ticket) => ticket.node.getAttribute('id'));
    const sent = tickets.filter(({ state }) => state === 'sent').length;
    expect(held).toEqual([...Array.from({ length: 400 - sent }, (_, index) => `m${index + sent}`), 'after']);
    expect(held.length).toBeGreaterThan(1);
    expect(tickets.at(-1)).toMatchObject({ state: 'queued', possibleDuplicate: false });
  });

  it('DECISIONS 17: purgeOnReady sends by itself, all or what is picked', async () => {
    const peer = await rig.listen();
    const { broker } = rig.broker(peer, {
      queue: { purgeOnReady: (ticket) => ticket.node.getAttribute('id') !== 'old' },
    });
    broker.output(note('old'));
    broker.output(note('new'));
    const connected = broker.connect();
    const server = await peer.accept();
    await handshake(server);
    await connected;
    await server.expect(/id=["']new["']/);
    expect(broker.queue.size).toBe(1);
  });
});

describe('what may be output', () => {
  it.each([
    ['S-API-3: two elements', '<message/><message/>', 'USAGE_NOT_ONE_STANZA'],
    ['A-STZ-7: a closing tag', '</stream:stream>', 'USAGE_NOT_ONE_STANZA'],
    ['A-STZ-7: an open tag', '<message>', 'USAGE_NOT_ONE_STANZA'],
    ['an empty string', '', 'USAGE_NOT_ONE_STANZA'],
    ['a number', 5, 'USAGE_NOT_ONE_STANZA'],
    ['null', null, 'USAGE_NOT_ONE_STANZA'],
    ['undefined', undefined, 'USAGE_NOT_ONE_STANZA'],
    ['a plain object', {}, 'USAGE_NOT_ONE_STANZA'],
    ['S-STZ-5: an iq without id', "<iq type='get' to='a@b'><q xmlns='urn:x'/></iq>", 'USAGE_IQ'],
    ['S-STZ-5: an iq get without child', "<iq type='get' id='1' to='a@b'/>", 'USAGE_IQ'],
    [
      'S-STZ-5: an iq get with two children',
      "<iq type='get' id='1' to='a@b'><q xmlns='urn:x'/><q xmlns='urn:x'/></iq>",
      'USAGE_IQ',
    ],
    ['S-STZ-5: an iq without type', "<iq id='1' to='a@b'><q xmlns='urn:x'/></iq>", 'USAGE_IQ'],
    ['S-COMP-4: no to', '<message/>', 'USAGE_COMPONENT_ADDRESS'],
    ['S-COMP-4: a foreign from', "<message to='a@b' from='x@other'/>", 'USAGE_COMPONENT_ADDRESS'],
    ['S-COMP-4: a malformed from', "<message to='a@b' from='@'/>", 'USAGE_JID'],
  ])('%s is refused before anything is written', async (_, node, code) => {
    const { broker, server } = await rig.ready();
    expect(() => broker.output(node as string)).toThrow(expect.objectContaining({ code }));
    broker.output("<message to='a@b' id='ok'/>");
    await server.expect(/id=["']ok["']/);
    expect(server.received.toString().match(/<message/g)).toHaveLength(1);
  });

  it('DECISIONS 23: a missing from is filled in canonically, on a copy', async () => {
    const { broker, server } = await rig.ready({ domain: 'COMP.broker.test' });
    const node = xml('message', { to: 'a@b' });
    broker.output(node);
    await server.expect(/from=["']comp\.broker\.test["']/);
    expect(node.getAttribute('from')).toBeNull();
  });

  it('takes elements of @xmldom/xmldom', async () => {
    const { broker, server } = await rig.ready();
    const { DOMParser } = await import('@xmldom/xmldom');
    const document = new DOMParser().parseFromString(
      "<message to='a@b' xmlns='jabber:component:accept'><body>dom</body></message>",
      'text/xml',
    );
    broker.output(document.documentElement as object);
    await server.expect('<body>dom</body>');
  });
});

describe('handlers', () => {
  it('S-API-1: one that throws or rejects is reported and stops nobody', async () => {
    const { broker, server } = await rig.ready();
    const reported: unknown[] = [];
    broker.subscribe('PCJ_HANDLERERROR', (failure) => reported.push(failure));
    broker.subscribe('PCJ_NODERECEIVED', () => {
      throw new Error('thrown');
    });
    broker.subscribe('PCJ_NODERECEIVED', () => Promise.reject(new Error('rejected')));
    const last = broker.events.once('PCJ_NODERECEIVED');
    await server.send(`<message/>`);
    await last;
    await new Promise((resolve) => setImmediate(resolve));
    expect(reported).toMatchObject([
      { event: 'PCJ_NODERECEIVED', error: { message: 'thrown' } },
      { event: 'PCJ_NODERECEIVED', error: { message: 'rejected' } },
    ]);
    expect(broker.state).toBe('ready');
  });

  it('S-API-7: shutdown, halt, output, filters and reconnect inside a handler are safe', async () => {
    for (const act of ['shutdown', 'halt'] as const) {
      const { broker, server } = await rig.ready({ timeouts: { close: 100 } });
      const seen: string[] = [];
      broker.subscribe('PCJ_NODERECEIVED', (node) => {
        seen.push(node.getAttribute('id') ?? '');
        broker.filters.add('x', '/message');
        broker.filters.remove('x');
        if (seen.length === 1) {
          broker.output("<message to='a@b' id='reply'/>");
          void broker[act]();
        }
      });
      const closed = broker.closed;
      await server.send("<message id='1'/><message id='2'/>");
      await closed;
      expect(seen).toEqual(act === 'halt' ? ['1'] : ['1', '2']);
    }
  });

  it('S-STZ-1: with answerRequests, an iq that nobody answers gets an error, once; an answered one does not', async () => {
    const { broker, server } = await rig.ready({ answerRequests: true });
    broker.filters.add('known', '/iq/q:q', { namespaces: { q: 'urn:known' } });
    broker.subscribe('known', async (match) => {
      await new Promise((resolve) => setImmediate(resolve));
      const { node } = match as { node: Element };
      broker.output(xml('iq', { type: 'result', id: node.getAttribute('id'), to: node.getAttribute('from') }));
    });
    await server.send(
      `<iq type='get' id='1' from='a@b/r' to='${DOMAIN}'><q xmlns='urn:unknown'/></iq><iq type='set' id='2' from='a@b/r' to='${DOMAIN}'><q xmlns='urn:known'/></iq><iq type='nonsense' id='3' from='a@b/r' to='${DOMAIN}'/><iq type='result' id='4' from='a@b/r' to='${DOMAIN}'/>`,
    );
    await server.expect(/<iq[^>]*id=["']3["'].*?bad-request.*?<\/iq>/);
    await server.expect(/<iq[^>]*id=["']2["'][^>]*>/);
    broker.output("<message to='a@b' id='end'/>");
    await server.expect(/id=["']end["']/);
    const answers = [...server.received.toString().matchAll(/<iq[^>]*?id=["'](\d)["']/g)].map(([, id]) => id);
    expect(answers.sort()).toEqual(['1', '2', '3']);
    expect(server.received.toString()).toContain('service-unavailable');
  });
});

describe('S-SASL-16: secrets', () => {
  it('appear in no event, log, error, inspection or JSON', async () => {
    const { inspect } = await import('node:util');
    const lines: unknown[] = [];
    const log = (...facts: unknown[]) => lines.push(facts);
    const { broker, recorded, connected, server } = await rig.dialled({
      debug: true,
      logger: { debug: log, info: log, warn: log, error: log },
    });
    await handshake(server);
    await connected;
    const digest = createHash('sha1').update(`S1${SECRET}`).digest('hex');
    const seen =
      inspect([lines, recorded.payloads.map(String), broker, broker.config], { depth: 12, showHidden: true }) +
      JSON.stringify(broker.config);
    expect(server.received.toString()).toContain(digest);
    expect(seen).not.toContain(SECRET);
    expect(seen).not.toContain(digest);
    expect(seen).toContain('handshake');
  });
});

describe('DECISIONS 33: classic wrong ports', () => {
  it('a failure on one of them says what usually listens there', async () => {
    const peer = await rig.listen();
    const { connect } = await import('node:net');
    const { broker } = rig.broker(
      { port: 5222 },
      { tls: { policy: 'disabled' }, connector: () => connect(peer.port, '127.0.0.1') },
    );
    const connected = broker.connect();
    const server = await peer.accept();
    await server.expect(OPENING);
    await server.send(streamHeader({ from: DOMAIN }));
    await expect(connected).rejects.toThrow(/port 5222 usually serves clients/);
  });
});

describe('closed', () => {
  it('is the end of this life, of the last one at rest, and of the next one after connect', async () => {
    const { broker, server, peer } = await rig.ready();
    server.end();
    const first = await broker.closed;
    expect(first).toMatchObject({ clean: false });
    expect(await broker.closed).toBe(first);
    const connected = broker.connect();
    const second = broker.closed;
    await handshake(await peer.accept());
    await connected;
    expect(await Promise.race([second, Promise.resolve('open')])).toBe('open');
    broker.halt();
    expect((await second).error).toMatchObject({ code: 'BROKER_HALTED' });
  });
});
