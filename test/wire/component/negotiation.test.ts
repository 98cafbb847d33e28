import { createHash } from 'node:crypto';
import { createServer } from 'node:net';
import { once } from 'node:events';
import { describe, expect, it } from 'vitest';
import { BrokerError, JABBERD14_COMPONENT, NS, xml } from 'xmpp-broker';
import { COMPONENT, DOMAIN, handshake, header, SECRET, SUCCESS } from '../support/component.js';
import { failure, OPENING, stopClock, streamHeader, TAIL, useRig, type Conversation } from '../support/index.js';

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

  it('S-STREAM-14: what is not well-formed ends the attempt, and is told so', async () => {
    const { connected, server } = await rig.dialled();
    await server.expect(OPENING);
    await server.send(`${header()}<a></b>`);
    await expect(connected).rejects.toMatchObject({ layer: 'xml', condition: 'not-well-formed', phase: 'auth' });
    await server.expect(`<stream:error><not-well-formed xmlns='${NS.STREAMS}'/></stream:error></stream:stream>`);
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
    const clock = stopClock();
    const { recorded, connected, server } = await rig.dialled();
    await server.expect(OPENING);
    await server.send(bytes);
    // What is taken for silence ends in its time, everything else at once.
    if (!code.endsWith('_TIMEOUT')) await server.expect('</stream:stream>');
    expect(await clock.until(failure(connected))).toMatchObject({ code });
    expect(recorded.short.filter((name) => name.endsWith('FAIL'))).toHaveLength(1);
    expect(recorded.short.slice(-4)).toEqual(TAIL);
  });

  it('S-CONN-8: silence after each step is a timeout that names the step', async () => {
    for (const [script, code] of [
      [async () => Promise.resolve(), 'STREAM_TIMEOUT'],
      [
        async (server: Conversation) => {
          await server.send(header());
          await server.expect('</handshake>');
        },
        'SASL_TIMEOUT',
      ],
    ] as const) {
      const clock = stopClock();
      const { connected, server } = await rig.dialled();
      await server.expect(OPENING);
      await script(server);
      expect(await clock.until(failure(connected))).toMatchObject({ code, retryable: true });
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

describe('TLS to the component port', () => {
  it('S-COMP-5: direct TLS, verified, before anything is written', async () => {
    const { broker, recorded, connected, server } = await rig.dialled({}, 'direct');
    expect(server.tls?.getProtocol()).toMatch(/TLSv1\.[23]/);
    await handshake(server);
    await connected;
    expect(recorded.short.slice(0, 7)).toEqual([
      'CONNECT',
      'CONNECTING',
      'CONNECTED',
      'SSLNEGOTIATE',
      'SSLSUCCESS',
      'STREAMSTART',
      'NODESENT(stream)',
    ]);
    expect(recorded.last('PCJ_SSLSUCCESS')).toMatchObject({ verified: true });
    broker.output(xml('message', { to: 'a@b', id: 'inside' }));
    expect(await server.expect('/>')).toContain("id='inside'");
  });

  it('a certificate for another name is SSLFAIL; no digest of the secret leaves', async () => {
    const peer = await rig.listen('direct', await rig.authority.issue({ names: [{ dns: 'elsewhere.test' }] }));
    const { broker, recorded } = rig.broker(peer, { tls: { policy: 'direct' } });
    expect(await failure(broker.connect())).toMatchObject({ layer: 'tls', retryable: false });
    expect(recorded.short).toContain('SSLFAIL');
    expect(recorded.short).not.toContain('STREAMSTART');
  });

  it.each(['required', 'preferred'] as const)('policy %s is refused: the protocol has no STARTTLS', (policy) => {
    expect(() => rig.broker({ port: 1 }, { tls: { policy } })).toThrow(/direct or disabled/);
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

describe('bad options', () => {
  it.each([
    [null, 'object'],
    [{ name: 'x' }, 'name is no option; did you mean names?'],
    [{ names: 'x' }, 'list'],
    [{ names: ['a@b'] }, 'a@b'],
    [{ names: [7] }, '7'],
    [{ deliverForeign: 1 }, 'deliverForeign'],
    [{ sendForeign: 'yes' }, 'sendForeign'],
  ])('JABBERD14_COMPONENT.with(%j) is refused', (options, names) => {
    expect(() => JABBERD14_COMPONENT.with(options as never)).toThrow(
      expect.objectContaining({ code: 'USAGE_COMPONENT_OPTIONS', message: expect.stringContaining(names) as string }),
    );
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
