import { X509Certificate, createHash, randomBytes } from 'node:crypto';
import { getEventListeners, once } from 'node:events';
import { connect, createServer as createTcpServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { Duplex } from 'node:stream';
import { createServer as createTlsServer, type TlsOptions as ServerOptions, type TLSSocket } from 'node:tls';
import { afterEach, describe, expect, test } from 'vitest';
import { BrokerError } from '../../../src/errors.js';
import { channelBindings } from '../../../src/tls/channel-binding.js';
import { upgrade, type UpgradeOptions } from '../../../src/tls/upgrade.js';
import {
  TestAuthority,
  der,
  selfSigned,
  sequence,
  string,
  type CertificateOptions,
  type Identity,
} from '../../support/certificates.js';

const DAY = 24 * 3_600_000;
const authority = await TestAuthority.create();
const good = await authority.issue();
const pinOf = ({ der: certificate }: Identity) =>
  createHash('sha256')
    .update(new X509Certificate(certificate).publicKey.export({ type: 'spki', format: 'der' }))
    .digest('base64');

const open: { close(done: () => void): unknown }[] = [];
const sockets = new Set<{ destroy(): unknown }>();
afterEach(async () => {
  for (const socket of sockets) socket.destroy();
  sockets.clear();
  await Promise.all(open.splice(0).map((server) => new Promise<void>((done) => server.close(done))));
});

async function listening(server: Server): Promise<number> {
  open.push(server);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

/** A TLS server; each connection is given to the test once its handshake is complete. */
async function tlsServer(options: ServerOptions, onSecure: (socket: TLSSocket) => void = () => undefined) {
  const server = createTlsServer(options, (socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined);
    onSecure(socket);
  });
  server.on('tlsClientError', () => undefined);
  return await listening(server);
}

/** A TCP server that does what the test says with each connection, and records what the client sends. */
async function rawServer(onConnection: (socket: Socket) => void = () => undefined) {
  const received: Buffer[] = [];
  const server = createTcpServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined).on('data', (chunk: Buffer) => received.push(chunk));
    onConnection(socket);
  });
  return { port: await listening(server), received: () => Buffer.concat(received) };
}

async function tcp(port: number): Promise<Socket> {
  const socket = connect(port, '127.0.0.1');
  sockets.add(socket);
  await once(socket, 'connect');
  return socket;
}

const DEFAULTS: UpgradeOptions = { tls: { ca: authority.ca }, domain: 'broker.test', timeoutMs: 5000 };
const secure = async (port: number, options: Partial<UpgradeOptions> = {}) =>
  await upgrade(await tcp(port), { ...DEFAULTS, ...options });

async function failure(pending: Promise<unknown>): Promise<BrokerError> {
  const error: unknown = await pending.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(BrokerError);
  return error as BrokerError;
}

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
    expect(upgraded.certificateDer.equals(good.der)).toBe(true);
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
    const port = await tlsServer({ ...good, maxVersion: 'TLSv1.2' }, (socket) => {
      socket.renegotiate({}, (error) => handshakes.push(error === null ? 'done' : 'refused'));
    });
    const { socket } = await secure(port);
    socket.resume();
    const error = new Promise<unknown>((resolve) => socket.once('error', resolve));
    await new Promise((resolve) => socket.once('close', resolve));
    expect(await error).toMatchObject({ code: 'TLS_RENEGOTIATION', layer: 'tls', retryable: true });
    expect(handshakes).not.toContain('done');
  });

  test('S-CB-8: tls-exporter over TLS 1.2 is of a connection that neither side can renegotiate', async () => {
    let renegotiate: (done: (error: Error | null) => void) => void = () => undefined;
    const port = await tlsServer({ ...good, maxVersion: 'TLSv1.2' }, (socket) => {
      renegotiate = (done) => socket.renegotiate({}, done);
    });
    const { socket, certificateDer } = await secure(port);
    const bindings = channelBindings(socket, certificateDer);
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

describe('certificates', () => {
  const past = { notBefore: new Date(Date.now() - 30 * DAY), notAfter: new Date(Date.now() - DAY) };
  const future = { notBefore: new Date(Date.now() + DAY), notAfter: new Date(Date.now() + 30 * DAY) };
  const leafOf = (identity: Identity) => ({ ...identity, cert: pem(identity.der) });
  const under = async (intermediate: CertificateOptions, leaf: CertificateOptions = {}) =>
    await (await authority.intermediate(intermediate)).issue(leaf);
  const forged = (identity: Identity): Identity => {
    const bytes = Buffer.from(identity.der);
    bytes[bytes.length - 1] = (bytes.at(-1) ?? 0) ^ 1;
    return { ...identity, der: bytes, cert: pem(bytes) };
  };
  const permitted = (name: string) => ({
    oid: '2.5.29.30',
    critical: true,
    value: sequence(der(0xa0, sequence(string(0x82, name)))),
  });

  const cases: readonly (readonly [id: string, what: string, make: () => Promise<Identity>, outcome: string])[] = [
    ['S-CERT-2', 'a good one', () => Promise.resolve(good), 'DNS:broker.test'],
    ['S-CERT-2', 'a good one below an intermediate authority', () => under({}), 'DNS:broker.test'],
    ['S-CERT-2', 'self-signed', () => selfSigned(), 'TLS_CERT_SELF_SIGNED'],
    [
      'S-CERT-2',
      'an authority nobody trusts',
      async () => await (await TestAuthority.create({ commonName: 'Nobody' })).issue(),
      'TLS_CERT_UNTRUSTED',
    ],
    [
      'S-CERT-2',
      'another authority of the same name',
      async () => await (await TestAuthority.create()).issue(),
      'TLS_CERT_UNTRUSTED',
    ],
    ['S-CERT-2', 'a wrong signature', async () => forged(await authority.issue()), 'TLS_CERT_UNTRUSTED'],
    ['S-CERT-2', 'an expired leaf', () => authority.issue(past), 'TLS_CERT_EXPIRED'],
    ['S-CERT-2', 'a leaf that is not valid yet', () => authority.issue(future), 'TLS_CERT_NOT_YET_VALID'],
    ['S-CERT-2', 'an expired intermediate authority', () => under(past), 'TLS_CERT_EXPIRED'],
    ['S-CERT-2', 'an intermediate authority that is not valid yet', () => under(future), 'TLS_CERT_NOT_YET_VALID'],
    ['S-CERT-2', 'a missing intermediate authority', async () => leafOf(await under({})), 'TLS_CERT_UNTRUSTED'],
    ['S-CERT-2', 'an issuer that is no authority', () => under({ ca: false }), 'TLS_CERT_UNTRUSTED'],
    [
      'S-CERT-2',
      'a name the authority may not issue for',
      () => under({ extensions: [permitted('allowed.test')] }),
      'TLS_CERT_UNTRUSTED',
    ],
    [
      'S-CERT-2',
      'a name the authority may issue for',
      () => under({ extensions: [permitted('broker.test')] }, { names: [{ dns: 'broker.test' }] }),
      'DNS:broker.test',
    ],
    [
      'S-CERT-1',
      'another host',
      () => authority.issue({ names: [{ dns: 'a.cdn.example' }] }),
      'TLS_CERT_HOST_MISMATCH',
    ],
    [
      'S-CERT-4',
      'a wildcard above the domain',
      () => authority.issue({ names: [{ dns: '*.test' }] }),
      'TLS_CERT_HOST_MISMATCH',
    ],
    [
      'S-CERT-4',
      'a wildcard below the domain',
      () => authority.issue({ names: [{ dns: '*.broker.test' }] }),
      'TLS_CERT_HOST_MISMATCH',
    ],
    [
      'S-CERT-5',
      'only a common name',
      () => authority.issue({ commonName: 'broker.test', names: [] }),
      'TLS_CERT_HOST_MISMATCH',
    ],
    [
      'S-CERT-6',
      'only an SRV-ID',
      () => authority.issue({ commonName: '', names: [{ srv: '_xmpp-client.broker.test' }] }),
      'SRV:_xmpp-client.broker.test',
    ],
    [
      'S-CERT-6',
      'only an XmppAddr',
      () => authority.issue({ commonName: '', names: [{ xmpp: 'broker.test' }] }),
      'XMPP:broker.test',
    ],
    [
      'S-CERT-6',
      'only an SRV-ID of servers',
      () => authority.issue({ names: [{ srv: '_xmpp-server.broker.test' }] }),
      'TLS_CERT_HOST_MISMATCH',
    ],
    [
      'S-CERT-8',
      'an injected name',
      () => authority.issue({ names: [{ uri: 'http://x, DNS:broker.test' }, { dns: 'x, DNS:broker.test' }] }),
      'TLS_CERT_HOST_MISMATCH',
    ],
    [
      'S-CERT-8',
      'a name with NUL',
      () => authority.issue({ names: [{ dns: 'broker.test\u0000.evil.example' }] }),
      'TLS_CERT_HOST_MISMATCH',
    ],
    [
      'S-CERT-8',
      'an extension that stands there twice',
      () => authority.issue({ extensions: [{ oid: '2.5.29.17', value: sequence(string(0x82, 'broker.test')) }] }),
      'TLS_CERT_UNTRUSTED',
    ],
    [
      'S-CERT-8',
      'names that cannot be read',
      () => authority.issue({ names: [{ dns: 'broker.test' }, { raw: der(0xa0, Buffer.alloc(0)) }] }),
      'TLS_CERT_UNTRUSTED',
    ],
    [
      'S-CERT-9',
      'a purpose that cannot be read',
      () => authority.issue({ usages: null, extensions: [{ oid: '2.5.29.37', value: Buffer.of(0x30, 5, 1) }] }),
      'TLS_CERT_UNTRUSTED',
    ],
    ['S-CERT-9', 'the certificate of an authority', () => authority.issue({ ca: true }), 'TLS_CERT_PURPOSE'],
    ['S-CERT-9', 'one for clients only', () => authority.issue({ usages: ['clientAuth'] }), 'TLS_CERT_PURPOSE'],
  ];

  test.each(cases)('%s, A-NEG-7: %s', async (_id, _what, make, outcome) => {
    const identity = await make();
    const arrived: Buffer[] = [];
    let closed: Promise<unknown> = Promise.resolve();
    const port = await tlsServer({ cert: identity.cert, key: identity.key }, (socket) => {
      closed = once(socket, 'close');
      socket.on('data', (chunk: Buffer) => arrived.push(chunk));
    });
    const raw = await tcp(port);
    if (!outcome.startsWith('TLS_')) {
      expect((await upgrade(raw, DEFAULTS)).facts).toMatchObject({ verifiedBy: outcome, verified: true });
      return;
    }
    const error = await failure(upgrade(raw, DEFAULTS));
    expect(error).toMatchObject({ code: outcome, layer: 'tls', phase: 'tls', retryable: false });
    expect(raw.destroyed).toBe(true);
    await closed;
    expect(arrived).toEqual([]);
  });

  test('A-NEG-7: the server is told by an alert', async () => {
    const identity = await authority.issue({ names: [{ dns: 'other.test' }] });
    const port = await tlsServer({ ...identity, maxVersion: 'TLSv1.2' });
    const fromClient: Buffer[] = [];
    const ended = new Promise<void>((resolve) => {
      // In between, to see the records.
      const proxy = createTcpServer((client) => {
        const upstream = connect(port, '127.0.0.1');
        sockets.add(client).add(upstream);
        client.on('data', (chunk: Buffer) => fromClient.push(chunk)).on('close', resolve);
        for (const socket of [client, upstream]) socket.on('error', () => undefined);
        client.pipe(upstream).pipe(client);
      });
      void listening(proxy).then((proxyPort) => failure(secure(proxyPort)));
    });
    await ended;
    expect(recordTypes(Buffer.concat(fromClient)).at(-1)).toBe(21);
    expect(recordTypes(Buffer.concat(fromClient))).not.toContain(23);
  });

  test('S-CERT-11: a revocation list is obeyed, and must be there for the authority', async () => {
    const other = await authority.issue();
    const port = await tlsServer(good);
    const list = async (...revoked: Identity[]) => ({
      ca: authority.ca,
      crl: await authority.revocationList(...revoked),
    });
    expect((await secure(port, { tls: await list(other) })).facts.verified).toBe(true);
    expect(await failure(secure(port, { tls: await list(other, good) }))).toMatchObject({
      code: 'TLS_CERT_REVOKED',
      retryable: false,
    });
    const foreign = await (await TestAuthority.create({ commonName: 'Foreign' })).revocationList();
    const error = await failure(secure(port, { tls: { ca: authority.ca, crl: foreign } }));
    expect(error).toMatchObject({ code: 'TLS_CERT_REVOCATION_UNKNOWN', retryable: false });
  });

  test('S-CERT-12: a pin must match even if everything else is right', async () => {
    const port = await tlsServer(good);
    const wrong = randomBytes(32).toString('base64');
    expect((await secure(port, { tls: { ca: authority.ca, pin: [wrong, pinOf(good)] } })).facts.verified).toBe(true);
    expect(await failure(secure(port, { tls: { ca: authority.ca, pin: wrong } }))).toMatchObject({
      code: 'TLS_PIN_MISMATCH',
    });
  });

  test('S-TLS-15: only insecureSkipVerify accepts any certificate, and then nothing counts as verified', async () => {
    const identity = await selfSigned({ names: [{ dns: 'other.test' }] });
    const port = await tlsServer(identity);
    const { facts } = await secure(port, { tls: { insecureSkipVerify: true } });
    expect(facts).toMatchObject({ verified: false, verifiedBy: 'none' });
    for (const insecureSkipVerify of [undefined, false]) {
      expect((await failure(secure(port, { tls: { insecureSkipVerify } }))).code).toBe('TLS_CERT_SELF_SIGNED');
    }
    const pinned = { insecureSkipVerify: true, pin: randomBytes(32).toString('base64') };
    expect(await failure(secure(port, { tls: pinned }))).toMatchObject({ code: 'TLS_PIN_MISMATCH' });
  });

  test('S-TLS-15: the environment cannot turn the check off', async () => {
    const before = process.env['NODE_TLS_REJECT_UNAUTHORIZED'];
    process.env['NODE_TLS_REJECT_UNAUTHORIZED'] = '0';
    try {
      const port = await tlsServer(await selfSigned());
      expect(await failure(secure(port))).toMatchObject({ code: 'TLS_CERT_SELF_SIGNED' });
    } finally {
      if (before === undefined) delete process.env['NODE_TLS_REJECT_UNAUTHORIZED'];
      else process.env['NODE_TLS_REJECT_UNAUTHORIZED'] = before;
    }
  });

  test('the default is to trust only the authorities of Node', async () => {
    expect((await failure(secure(await tlsServer(good), { tls: {} }))).code).toMatch(/^TLS_CERT_UNTRUSTED$/);
  });
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
    raw.destroy();
    expect(await failure(upgrade(raw, DEFAULTS))).toMatchObject({ code: 'TLS_HANDSHAKE' });
    const stream = new Duplex({ read: () => undefined, write: (_chunk, _encoding, done) => done() });
    const pending = upgrade(stream, DEFAULTS);
    stream.destroy(new Error('gone'));
    expect(await failure(pending)).toMatchObject({ code: 'TLS_HANDSHAKE', retryable: true });
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

  test.each([
    ['USAGE_TLS', { tls: { pin: 'x' } }],
    ['USAGE_DOMAIN', { domain: 'a b' }],
    ['USAGE_TIMEOUT', { timeoutMs: 0 }],
  ])('bad arguments close the connection: %s', async (code, options) => {
    const { port, received } = await rawServer();
    const raw = await tcp(port);
    expect(await failure(upgrade(raw, { ...DEFAULTS, ...options }))).toMatchObject({ code, layer: 'usage' });
    expect(raw.destroyed).toBe(true);
    expect(received()).toHaveLength(0);
  });
});

/** Types of the TLS records in some bytes: 20 change cipher, 21 alert, 22 handshake, 23 data; undefined for others. */
function recordTypes(bytes: Buffer): (number | undefined)[] {
  const types: (number | undefined)[] = [];
  for (let at = 0; at + 5 <= bytes.length; at += 5 + bytes.readUInt16BE(at + 3)) {
    const type = bytes[at] ?? 0;
    types.push(type >= 20 && type <= 23 ? type : undefined);
  }
  return types;
}

/** The same bytes through a stream that is no socket. */
function wrapped(socket: Socket): Duplex {
  const stream = new Duplex({
    read: () => socket.resume(),
    write: (chunk, _encoding, done) => socket.write(chunk as Buffer, done),
    final: (done) => socket.end(done),
    destroy: (error, done) => {
      socket.destroy();
      done(error);
    },
  });
  socket.on('data', (chunk) => stream.push(chunk)).on('end', () => stream.push(null));
  return stream;
}

function pem(certificate: Buffer): string {
  return `-----BEGIN CERTIFICATE-----\n${certificate.toString('base64').replace(/.{64}/g, '$&\n')}\n-----END CERTIFICATE-----\n`;
}
