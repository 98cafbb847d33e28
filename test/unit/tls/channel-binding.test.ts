import { createHash } from 'node:crypto';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { connect, createServer, type SecureVersion, type TLSSocket } from 'node:tls';
import { describe, expect, it } from 'vitest';
import { channelBindings } from '../../../src/tls/channel-binding.js';
import { signatureHash } from '../../../src/tls/signature-hash.js';
import { der, oid, selfSigned, sequence, type KeyKind } from '../../support/certificates.js';

const certificateOf = async (key: KeyKind) => (await selfSigned({ key })).der;

describe('S-CB-3: the hash of tls-server-end-point', () => {
  it.each<[KeyKind, string | null]>([
    ['p256', 'sha256'],
    ['p384', 'sha384'],
    ['p521', 'sha512'],
    ['rsa', 'sha256'],
    ['rsa-sha384', 'sha384'],
    ['rsa-sha512', 'sha512'],
    ['rsa-pss', 'sha256'],
    ['ed25519', null],
  ])('%s: %s', async (key, hash) => {
    expect(signatureHash(await certificateOf(key))).toBe(hash);
  });

  /** As much of a certificate as is read: something signed, and the algorithm. */
  const signedWith = (...algorithm: Buffer[]) =>
    sequence(sequence(der(0x02, Buffer.of(1))), sequence(...algorithm), der(0x03, Buffer.of(0)));
  const algorithm = (id: string, ...parameters: Buffer[]) => sequence(oid(id), ...parameters);
  const tagged = (number: number, value: Buffer) => der(0xa0 | number, value);
  const NULL = der(0x05, Buffer.alloc(0));
  const SHA = { 1: '1.3.14.3.2.26', 256: '2.16.840.1.101.3.4.2.1', 384: '2.16.840.1.101.3.4.2.2' } as const;
  const mgf1 = (hash: string) => tagged(1, algorithm('1.2.840.113549.1.1.8', algorithm(hash, NULL)));
  const pss = (...fields: Buffer[]) => signedWith(oid('1.2.840.113549.1.1.10'), sequence(...fields));

  it.each([
    ['MD5 with RSA', signedWith(oid('1.2.840.113549.1.1.4'), NULL), 'sha256'],
    ['SHA-1 with RSA', signedWith(oid('1.2.840.113549.1.1.5'), NULL), 'sha256'],
    ['SHA-1 with ECDSA', signedWith(oid('1.2.840.10045.4.1')), 'sha256'],
    ['SHA-224 with RSA', signedWith(oid('1.2.840.113549.1.1.14'), NULL), 'sha224'],
    ['PSS with nothing said', pss(), 'sha256'],
    ['PSS without parameters', signedWith(oid('1.2.840.113549.1.1.10')), 'sha256'],
    ['PSS with one hash for both', pss(tagged(0, algorithm(SHA[384], NULL)), mgf1(SHA[384])), 'sha384'],
    ['PSS with two hashes', pss(tagged(0, algorithm(SHA[256], NULL)), mgf1(SHA[384])), null],
    ['PSS with the hash alone, the mask is SHA-1', pss(tagged(0, algorithm(SHA[256], NULL))), null],
    ['PSS with SHA-1 said', pss(tagged(0, algorithm(SHA[1], NULL)), mgf1(SHA[1])), 'sha256'],
    ['PSS with one hash for both that nobody knows', pss(tagged(0, algorithm('1.2.3.4', NULL)), mgf1('1.2.3.4')), null],
    ['PSS with parameters that are none', signedWith(oid('1.2.840.113549.1.1.10'), NULL), null],
    ['PSS with another mask function', pss(tagged(1, algorithm('1.2.3', algorithm(SHA[1], NULL)))), null],
    ['Ed448', signedWith(oid('1.3.101.113')), null],
    ['an unknown one', signedWith(oid('1.2.3.4')), null],
    ['no object identifier', signedWith(NULL), null],
    ['nothing', Buffer.alloc(0), null],
    ['no DER', Buffer.from('GET / HTTP/1.1\r\n\r\n'), null],
  ])('%s', (_name, certificate, hash) => {
    expect(signatureHash(certificate)).toBe(hash);
  });

  it('a truncated certificate gives none, wherever it is cut', async () => {
    const certificate = await certificateOf('p256');
    for (let length = 0; length < certificate.length; length++) {
      expect(signatureHash(certificate.subarray(0, length))).toBeNull();
    }
  });
});

/** Both ends of a TLS connection. */
async function connection(version: SecureVersion, key: KeyKind = 'p256') {
  const identity = await selfSigned({ key });
  const server = createServer({ cert: identity.cert, key: identity.key, minVersion: version, maxVersion: version });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const accepted = once(server, 'secureConnection') as Promise<[TLSSocket]>;
  const client = connect({
    port: (server.address() as AddressInfo).port,
    host: '127.0.0.1',
    rejectUnauthorized: false,
  });
  await once(client, 'secureConnect');
  const [peer] = await accepted;
  const close = async () => {
    client.destroy();
    peer.destroy();
    server.close();
    await once(server, 'close');
  };
  return { client, peer, der: identity.der, close };
}

describe.each<SecureVersion>(['TLSv1.3', 'TLSv1.2'])('over %s', (version) => {
  it('S-CB-1: tls-exporter is the same at both ends, 32 bytes with an empty context', async () => {
    const { client, peer, der: certificate, close } = await connection(version);
    const data = channelBindings(client, certificate)('tls-exporter');
    expect(data).toEqual(peer.exportKeyingMaterial(32, 'EXPORTER-Channel-Binding', Buffer.alloc(0)));
    expect(data).toHaveLength(32);
    await close();
  });

  it('tls-server-end-point is the hash of the certificate', async () => {
    const { client, close } = await connection(version);
    const raw = client.getPeerCertificate().raw;
    const data = channelBindings(client, raw)('tls-server-end-point');
    expect(data).toEqual(createHash('sha256').update(raw).digest());
    await close();
  });

  it('S-CB-2: tls-unique is the first Finished message, and not defined for TLS 1.3', async () => {
    const { client, peer, der: certificate, close } = await connection(version);
    const data = channelBindings(client, certificate)('tls-unique');
    if (version === 'TLSv1.3') expect(data).toBeNull();
    else {
      expect(data).toEqual(peer.getPeerFinished());
      expect(data).toHaveLength(12);
    }
    await close();
  });

  it('S-CB-4: another connection has other bindings', async () => {
    const one = await connection(version);
    const two = await connection(version);
    const bindings = [one, two].map(({ client, der: certificate }) =>
      channelBindings(client, certificate)('tls-exporter'),
    );
    expect(bindings[0]).not.toEqual(bindings[1]);
    await one.close();
    await two.close();
  });
});

describe('connections that have none', () => {
  const socket = (protocol: string | null, resumed: boolean) => ({
    getProtocol: () => protocol,
    isSessionReused: () => resumed,
    getFinished: () => Buffer.from('finished'),
    exportKeyingMaterial: () => Buffer.from('exported'),
  });

  it('S-CB-2: a resumed session of TLS 1.2', () => {
    const bindings = channelBindings(socket('TLSv1.2', true), Buffer.alloc(0));
    expect([bindings('tls-exporter'), bindings('tls-unique')]).toEqual([null, null]);
  });

  it('S-CB-2: one of TLS 1.2 that has no Finished message', () => {
    const closed = { ...socket('TLSv1.2', false), getFinished: () => undefined };
    expect(channelBindings(closed, Buffer.alloc(0))('tls-unique')).toBeNull();
  });

  it('older or unknown versions', () => {
    for (const protocol of ['TLSv1.1', 'TLSv1', 'SSLv3', 'unknown', null]) {
      const bindings = channelBindings(socket(protocol, false), Buffer.alloc(0));
      expect([bindings('tls-exporter'), bindings('tls-unique'), bindings('tls-server-end-point')]).toEqual([
        null,
        null,
        null,
      ]);
    }
  });

  it('a closed one is an error of ours', () => {
    const closed = {
      ...socket('TLSv1.3', false),
      exportKeyingMaterial: () => {
        throw new Error('closed');
      },
    };
    expect(() => channelBindings(closed, Buffer.alloc(0))('tls-exporter')).toThrow(/no channel binding/);
  });
});
