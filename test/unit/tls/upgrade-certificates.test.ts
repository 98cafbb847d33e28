import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { connect, createServer as createTcpServer } from 'node:net';
import { describe, expect, test } from 'vitest';
import { upgrade } from '../../../src/tls/upgrade.js';
import {
  der,
  selfSigned,
  sequence,
  string,
  TestAuthority,
  type CertificateOptions,
  type Identity,
} from '../../support/certificates.js';
import {
  authority,
  DAY,
  DEFAULTS,
  failure,
  good,
  listening,
  pem,
  pinOf,
  recordTypes,
  secure,
  sockets,
  tcp,
  tlsServer,
} from './servers.js';

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
