import { X509Certificate } from 'node:crypto';
import { getEventListeners, once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { Duplex } from 'node:stream';
import { TLSSocket } from 'node:tls';
import { describe, expect, test, vi } from 'vitest';
import { BrokerError } from '../../../src/errors.js';
import { channelBindings } from '../../../src/tls/channel-binding.js';
import { upgrade } from '../../../src/tls/upgrade.js';
import { selfSigned } from '../../support/certificates.js';
import {
  authority,
  DEFAULTS,
  failure,
  good,
  rawServer,
  recordTypes,
  secure,
  sockets,
  tcp,
  tlsServer,
  wrapped,
} from './servers.js';

describe('a handshake', () => {
  test.each(['TLSv1.2', 'TLSv1.3'] as const)('S-TLS-14: %s, with its facts', async (version) => {
    const port = await tlsServer({ ...good, minVersion: version, maxVersion: version }, (socket) =>
      socket.pipe(socket),
    );
    const upgraded = await secure(port);
    expect(upgraded.facts).toEqual({
      version,
      cipher: expect.stringMatching(/^TLS_/) as string,
      fingerprint256: new X509Certificate(good.der).fingerprint256,
      verifiedBy: 'DNS:broker.test',
      verified: true,
      alpn: null,
    });
    expect(upgraded.certificate.raw.equals(good.der)).toBe(true);
    expect(upgraded.notAfter).toEqual(new Date(new X509Certificate(good.der).validTo));
    const echo = once(upgraded.socket, 'data');
    upgraded.socket.write('<x/>');
    expect(String((await echo)[0])).toBe('<x/>');
    expect(upgraded.socket.listenerCount('error')).toBeGreaterThan(0);
  });

  test('S-CONN-5: asks for the domain and for the protocol', async () => {
    const seen: unknown[] = [];
    const port = await tlsServer({ ...good, ALPNProtocols: ['xmpp-client'] }, (socket) => {
      seen.push((socket as TLSSocket & { servername: unknown }).servername, socket.alpnProtocol);
    });
    const { facts } = await secure(port, { domain: 'Sub.Broker.Test', alpn: 'xmpp-client' });
    expect(facts).toMatchObject({ alpn: 'xmpp-client', verifiedBy: 'DNS:*.broker.test' });
    await expect.poll(() => seen).toEqual(['sub.broker.test', 'xmpp-client']);
  });

  test('S-CONN-5: a server that knows no ALPN is accepted, one that knows only others is not', async () => {
    expect((await secure(await tlsServer({ ...good }), { alpn: 'xmpp-client' })).facts.alpn).toBeNull();
    const other = await tlsServer({ ...good, ALPNProtocols: ['h2'] });
    expect(await failure(secure(other, { alpn: 'xmpp-client' }))).toMatchObject({ code: 'TLS_PROTOCOL' });
  });

  test('an IP address as domain: no SNI, and the address must be in the certificate', async () => {
    const seen: unknown[] = [];
    const port = await tlsServer(good, (socket) =>
      seen.push((socket as TLSSocket & { servername: unknown }).servername),
    );
    expect((await secure(port, { domain: '127.0.0.1' })).facts.verifiedBy).toBe('IP:127.0.0.1');
    await expect.poll(() => seen).toEqual([false]);
    expect(await failure(secure(port, { domain: '127.0.0.2' }))).toMatchObject({ code: 'TLS_CERT_HOST_MISMATCH' });
  });

  test('S-CERT-1: a servername that the options give is asked for and checked in place of the domain', async () => {
    const port = await tlsServer(good);
    const tls = { ca: authority.ca, servername: 'broker.test' };
    expect((await secure(port, { domain: 'component.example', tls })).facts.verifiedBy).toBe('DNS:broker.test');
    const wrong = { ca: authority.ca, servername: 'other.test' };
    expect(await failure(secure(port, { tls: wrong }))).toMatchObject({ code: 'TLS_CERT_HOST_MISMATCH' });
  });

  test('a client certificate', async () => {
    const mine = await authority.issue({ commonName: 'client', names: [{ xmpp: 'alice@broker.test' }] });
    const names: unknown[] = [];
    const options = { ...good, ca: authority.ca, requestCert: true, rejectUnauthorized: true };
    const port = await tlsServer(options, (socket) =>
      names.push(socket.authorized, socket.getPeerCertificate().subject.CN),
    );
    await secure(port, { tls: { ca: authority.ca, cert: mine.cert, key: mine.key } });
    await expect.poll(() => names).toEqual([true, 'client']);
  });

  test('a server that does not accept our certificate', async () => {
    const stranger = await selfSigned({ commonName: 'stranger' });
    // Node answers a bad client certificate by closing; an alert is what other servers send.
    const { port } = await rawServer((socket) => {
      socket.once('data', () => socket.end(Buffer.of(0x15, 3, 3, 0, 2, 2, 42)));
    });
    const error = await failure(secure(port, { tls: { ca: authority.ca, cert: stranger.cert, key: stranger.key } }));
    expect(error).toMatchObject({ code: 'TLS_CLIENT_CERT', retryable: false });
  });

  test('over a stream that is no socket', async () => {
    const port = await tlsServer(good, (socket) => socket.pipe(socket));
    const raw = await tcp(port);
    const { socket, facts } = await upgrade(wrapped(raw), DEFAULTS);
    expect(facts.verified).toBe(true);
    const echo = once(socket, 'data');
    socket.write('hello');
    expect(String((await echo)[0])).toBe('hello');
    const closed = once(raw, 'close');
    socket.destroy();
    raw.destroy();
    await closed;
  });

  test('on a paused socket, as a transport hands it over', async () => {
    const raw = await tcp(await tlsServer(good));
    raw.pause();
    expect((await upgrade(raw, DEFAULTS)).facts.verified).toBe(true);
  });

  test('S-CONN-11: sessions are not resumed', async () => {
    for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
      const reused: boolean[] = [];
      const port = await tlsServer({ ...good, minVersion: version, maxVersion: version }, (socket) => {
        reused.push(socket.isSessionReused());
        socket.end('bye');
      });
      for (let i = 0; i < 2; i += 1) {
        const { socket } = await secure(port);
        socket.resume();
        await once(socket, 'end');
      }
      expect(reused).toEqual([false, false]);
    }
  });

  test('S-TLS-10 S-CB-8: a server that renegotiates loses the connection', async () => {
    const handshakes: string[] = [];
    let renegotiate: () => void = () => undefined;
    const port = await tlsServer({ ...good, maxVersion: 'TLSv1.2' }, (socket) => {
      renegotiate = () => void socket.renegotiate({}, (error) => handshakes.push(error === null ? 'done' : 'refused'));
    });
    const { socket } = await secure(port);
    const error = new Promise<unknown>((resolve) => socket.once('error', resolve));
    const closed = new Promise((resolve) => socket.once('close', resolve));
    socket.resume();
    renegotiate();
    await closed;
    expect(await error).toMatchObject({ code: 'TLS_RENEGOTIATION', layer: 'tls', retryable: true });
    expect(handshakes).not.toContain('done');
  });

  test('S-CB-8: tls-exporter over TLS 1.2 is of a connection that neither side can renegotiate', async () => {
    let renegotiate: (done: (error: Error | null) => void) => void = () => undefined;
    const port = await tlsServer({ ...good, maxVersion: 'TLSv1.2' }, (socket) => {
      renegotiate = (done) => socket.renegotiate({}, done);
    });
    const { socket, certificate } = await secure(port);
    const bindings = channelBindings(socket, certificate.raw);
    const bound = bindings('tls-exporter');
    expect(bound).toHaveLength(32);
    const ours = await new Promise<Error | null>((resolve) => socket.renegotiate({}, resolve));
    expect(ours).toBeInstanceOf(Error);
    expect(bindings('tls-exporter')).toEqual(bound);

    const closed = new Promise((resolve) => socket.once('close', resolve));
    socket.resume();
    renegotiate(() => undefined);
    await closed;
    // The connection that the binding was of is gone; no other takes its place.
    expect(socket.destroyed).toBe(true);
    expect(bindings('tls-exporter')).toBeNull();
  });
});

test('an error of TLS after the handshake closes the connection', async () => {
  let cut: (socket: Socket) => void = () => undefined;
  const port = await tlsServer(good);
  const { port: between } = await rawServer((client) => {
    const upstream = connect(port, '127.0.0.1');
    sockets.add(upstream.on('error', () => undefined));
    client.pipe(upstream).pipe(client);
    cut = () => client.write(Buffer.of(0x17, 3, 3, 0, 20, ...new Array<number>(20).fill(7)));
  });
  const raw = await tcp(between);
  const { socket } = await upgrade(raw, DEFAULTS);
  socket.resume();
  const closed = new Promise((resolve) => socket.once('close', resolve));
  cut(raw);
  await closed;
  expect(socket.destroyed).toBe(true);
});

describe('what a hostile or broken server does', () => {
  const LEGACY = { ciphers: 'ALL:eNULL:@SECLEVEL=0' };

  test.each([
    [
      'a server that stops at TLS 1.1',
      { ...good, ...LEGACY, minVersion: 'TLSv1' as const, maxVersion: 'TLSv1.1' as const },
    ],
    ['a cipher without encryption', { ...good, ciphers: 'eNULL:@SECLEVEL=0', maxVersion: 'TLSv1.2' as const }],
    ['a cipher without authentication', { ciphers: 'aNULL:@SECLEVEL=0', maxVersion: 'TLSv1.2' as const }],
  ])('S-TLS-9: %s', async (_, options) => {
    const error = await failure(secure(await tlsServer(options)));
    expect(error).toMatchObject({ code: 'TLS_PROTOCOL', layer: 'tls', phase: 'tls', origin: 'peer', retryable: false });
  });

  test.each(['<stream:features/>', ' ', 'HTTP/1.1 400 Bad Request\r\n\r\n', 'SSH-2.0-x\r\n', '220 mail ESMTP\r\n'])(
    'S-TLS-4, A-NEG-15: an answer that is not TLS: %j',
    async (text) => {
      const { port } = await rawServer((socket) => socket.once('data', () => socket.end(text)));
      const error = await failure(secure(port));
      expect(error.code).toMatch(/^TLS_(PROTOCOL|HANDSHAKE)$/);
      if (text.length > 5) expect(error).toMatchObject({ code: 'TLS_PROTOCOL', retryable: false });
    },
  );

  test.each([1, 2, 7, 64])(
    'S-TLS-4: %i bytes that arrived before the handshake are an attack; nothing is written',
    async (bytes) => {
      const { port, received } = await rawServer((socket) => socket.write('<'.repeat(bytes)));
      const raw = await tcp(port);
      raw.pause();
      await once(raw, 'readable');
      const error = await failure(upgrade(raw, DEFAULTS));
      expect(error).toMatchObject({ code: 'TLS_PLAINTEXT_INJECTION', layer: 'tls', retryable: false });
      expect(error.message).toContain(String(bytes));
      expect(raw.destroyed).toBe(true);
      expect(received()).toHaveLength(0);
    },
  );

  const endings: readonly (readonly [string, (socket: Socket) => void, string])[] = [
    ['silence', () => undefined, 'TLS_HANDSHAKE'],
    ['half a record, then silence', (socket) => socket.write(Buffer.of(0x16, 3, 3, 1)), 'TLS_HANDSHAKE'],
    [
      'a record of which the end is missing',
      (socket) => socket.write(Buffer.of(0x16, 3, 3, 0, 50, 2, 0)),
      'TLS_HANDSHAKE',
    ],
    ['the end of the connection', (socket) => socket.end(), 'TLS_HANDSHAKE'],
    ['half a record, then the end', (socket) => socket.end(Buffer.of(0x16, 3, 3, 1)), 'TLS_HANDSHAKE'],
    ['a reset', (socket) => socket.resetAndDestroy(), 'TLS_HANDSHAKE'],
    ['the alert internal_error', (socket) => socket.end(Buffer.of(0x15, 3, 3, 0, 2, 2, 80)), 'TLS_HANDSHAKE'],
    ['the alert unrecognized_name', (socket) => socket.end(Buffer.of(0x15, 3, 3, 0, 2, 2, 112)), 'TLS_HANDSHAKE'],
    ['the alert close_notify', (socket) => socket.end(Buffer.of(0x15, 3, 3, 0, 2, 1, 0)), 'TLS_HANDSHAKE'],
    ['the alert handshake_failure', (socket) => socket.end(Buffer.of(0x15, 3, 3, 0, 2, 2, 40)), 'TLS_PROTOCOL'],
    ['the alert protocol_version', (socket) => socket.end(Buffer.of(0x15, 3, 3, 0, 2, 2, 70)), 'TLS_PROTOCOL'],
    ['application data', (socket) => socket.write(Buffer.of(0x17, 3, 3, 0, 2, 1, 1)), 'TLS_PROTOCOL'],
    ['random bytes', (socket) => socket.write(Buffer.alloc(64, 0xa5)), 'TLS_PROTOCOL'],
  ];

  test.each(endings)('S-TLS-16: %s', async (what, act, code) => {
    const { port, received } = await rawServer((socket) => socket.once('data', () => act(socket)));
    const raw = await tcp(port);
    const error = await failure(upgrade(raw, { ...DEFAULTS, timeoutMs: /silence|missing/.test(what) ? 200 : 10_000 }));
    expect(error).toMatchObject({ code, layer: 'tls', phase: 'tls', retryable: code === 'TLS_HANDSHAKE' });
    expect(raw.destroyed).toBe(true);
    // No XML, ever: whatever went out was TLS.
    expect(new Set(recordTypes(received()))).not.toContain(undefined);
    expect(received().includes('<')).toBe(received().subarray(0, 300).includes('<'));
  });

  test('S-TLS-16: a connection that is already closed, or closes while a stream is wrapped', async () => {
    const raw = await tcp(await tlsServer(good));
    const why = new Error('gone');
    raw.destroy(why);
    expect(await failure(upgrade(raw, DEFAULTS))).toMatchObject({
      code: 'TLS_HANDSHAKE',
      message: 'the TLS handshake failed: the connection is closed',
      cause: why,
    });
    const stream = new Duplex({ read: () => undefined, write: (_chunk, _encoding, done) => done() });
    const pending = upgrade(stream, DEFAULTS);
    stream.destroy(new Error('gone'));
    expect(await failure(pending)).toMatchObject({ code: 'TLS_HANDSHAKE', retryable: true });
  });

  test('S-TLS-16: a connection that is closed just when the handshake is complete', async () => {
    const { getProtocol } = TLSSocket.prototype;
    using asked = vi.spyOn(TLSSocket.prototype, 'getProtocol').mockImplementation(function (this: TLSSocket) {
      this.destroy();
      return getProtocol.call(this);
    });
    const error = await failure(secure(await tlsServer(good)));
    expect(error).toMatchObject({ code: 'TLS_HANDSHAKE', retryable: true });
    expect(asked).toHaveBeenCalled();
  });

  // Node offers no cipher that lets it: should one, nothing is trusted.
  test('S-CERT-12: a handshake that shows no certificate', async () => {
    using asked = vi.spyOn(TLSSocket.prototype, 'getPeerX509Certificate').mockReturnValue(undefined);
    const error = await failure(secure(await tlsServer(good)));
    expect(error).toMatchObject({ code: 'TLS_CERT_MISSING', layer: 'tls', retryable: false });
    expect(asked).toHaveBeenCalled();
  });

  test('S-TLS-16: every cut of a good handshake', async () => {
    const port = await tlsServer(good);
    const lengths = [1, 4, 5, 6, 50, 127, 128, 300, 500];
    for (const length of lengths) {
      let left = length;
      const { port: cutPort } = await rawServer((client) => {
        const upstream = connect(port, '127.0.0.1');
        sockets.add(upstream);
        upstream
          .on('error', () => undefined)
          .on('data', (chunk: Buffer) => {
            client.write(chunk.subarray(0, left));
            left -= Math.min(left, chunk.length);
            if (left === 0) client.end();
          });
        client.pipe(upstream);
      });
      expect(await failure(secure(cutPort))).toMatchObject({ code: 'TLS_HANDSHAKE', retryable: true });
    }
  });
});

describe('giving up', () => {
  test('S-CONN-13: an abort before the handshake writes nothing', async () => {
    const { port, received } = await rawServer();
    const raw = await tcp(port);
    const error = await failure(upgrade(raw, { ...DEFAULTS, signal: AbortSignal.abort() }));
    expect(error).toMatchObject({ code: 'ABORTED', layer: 'tls', phase: 'tls' });
    expect(raw.destroyed).toBe(true);
    expect(received()).toHaveLength(0);
  });

  test('S-CONN-13: an abort while it runs ends it at once and leaves no listener', async () => {
    const controller = new AbortController();
    const { port } = await rawServer((socket) => socket.once('data', () => controller.abort(new Error('enough'))));
    const raw = await tcp(port);
    expect(await failure(upgrade(raw, { ...DEFAULTS, signal: controller.signal }))).toMatchObject({ code: 'ABORTED' });
    expect(raw.destroyed).toBe(true);
    expect(getEventListeners(controller.signal, 'abort')).toEqual([]);
  });

  test('S-CONN-13: the reason is passed on if it is a BrokerError', async () => {
    const reason = new BrokerError('TIMEOUT', 'too long', { layer: 'tcp' });
    const controller = new AbortController();
    const { port } = await rawServer((socket) => socket.once('data', () => controller.abort(reason)));
    expect(await failure(secure(port, { signal: controller.signal }))).toBe(reason);
  });

  test('a successful handshake takes its listener off the signal', async () => {
    const controller = new AbortController();
    const { socket } = await secure(await tlsServer(good), { signal: controller.signal });
    expect(getEventListeners(controller.signal, 'abort')).toEqual([]);
    controller.abort();
    expect(socket.destroyed).toBe(false);
  });

  test.each([['USAGE_DOMAIN', { domain: 'a b' }]])('bad arguments close the connection: %s', async (code, options) => {
    const { port, received } = await rawServer();
    const raw = await tcp(port);
    expect(await failure(upgrade(raw, { ...DEFAULTS, ...options }))).toMatchObject({ code, layer: 'usage' });
    expect(raw.destroyed).toBe(true);
    expect(received()).toHaveLength(0);
  });
});
