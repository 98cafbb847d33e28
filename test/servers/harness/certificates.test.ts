import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import * as tls from 'node:tls';
import { describe, expect, test } from 'vitest';
import { type Identity, type KeyKind, selfSigned, TestAuthority } from './certificates.js';

/** The error a client meets, or null when it accepts the server. */
async function handshake(server: Identity, ca: string, servername = 'broker.test'): Promise<string | null> {
  const listener = tls.createServer({ cert: server.cert, key: server.key });
  listener.on('tlsClientError', () => undefined);
  listener.listen(0, '127.0.0.1');
  await once(listener, 'listening');
  const socket = tls.connect({ port: (listener.address() as AddressInfo).port, host: '127.0.0.1', ca, servername });
  try {
    await once(socket, 'secureConnect');
    return null;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code ?? String(error);
  } finally {
    socket.destroy();
    listener.close();
  }
}

describe('test certificates', () => {
  test.each<KeyKind>(['p256', 'p384', 'p521', 'rsa', 'rsa-sha384', 'rsa-sha512', 'rsa-pss'])(
    'a %s authority signs what a client accepts',
    async (key) => {
      const authority = await TestAuthority.create({ key });
      expect(await handshake(await authority.issue({ key }), authority.ca)).toBeNull();
    },
  );

  test('an Ed25519 certificate verifies', async () => {
    const authority = await TestAuthority.create({ key: 'ed25519' });
    const leaf = new X509Certificate((await authority.issue()).der);
    expect(leaf.verify(new X509Certificate(authority.ca).publicKey)).toBe(true);
  });

  test('the default names are those of the test servers', async () => {
    const authority = await TestAuthority.create();
    const leaf = new X509Certificate((await authority.issue()).der);
    expect(leaf.subjectAltName).toBe(
      'DNS:localhost, DNS:*.localhost, DNS:broker.test, DNS:*.broker.test, IP Address:127.0.0.1',
    );
    expect(leaf.subject).toBe('CN=broker.test');
    expect(leaf.ca).toBe(false);
  });

  test('a chain over an intermediate authority is accepted by who trusts the root', async () => {
    const root = await TestAuthority.create();
    const intermediate = await root.intermediate();
    expect(await handshake(await intermediate.issue(), root.ca)).toBeNull();
  });

  test('bad certificates are bad in the way that was asked for', async () => {
    const authority = await TestAuthority.create();
    const [past, future] = [new Date('2001-01-01T00:00:00Z'), new Date('2049-01-01T00:00:00Z')];
    const expired = await authority.issue({ notBefore: past, notAfter: new Date('2002-01-01T00:00:00Z') });
    const early = await authority.issue({ notBefore: future, notAfter: new Date('2049-02-01T00:00:00Z') });
    const wrong = await authority.issue({ names: [{ dns: 'wrong.example' }] });
    expect(await handshake(expired, authority.ca)).toBe('CERT_HAS_EXPIRED');
    expect(await handshake(early, authority.ca)).toBe('CERT_NOT_YET_VALID');
    expect(await handshake(wrong, authority.ca)).toBe('ERR_TLS_CERT_ALTNAME_INVALID');
    expect(await handshake(await selfSigned(), authority.ca)).toBe('DEPTH_ZERO_SELF_SIGNED_CERT');
    expect(await handshake(await authority.issue(), (await TestAuthority.create()).ca)).toBe(
      'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
    );
  });

  test('names of the XMPP kinds, addresses and odd subjects come out as written', async () => {
    const authority = await TestAuthority.create();
    const { der } = await authority.issue({
      commonName: '',
      ca: true,
      usages: ['1.3.6.1.5.5.7.3.4'],
      names: [{ srv: '_xmpp-client.broker.test' }, { xmpp: 'bücher.test' }, { ip: '2001:db8::1' }, { uri: 'xmpp:x' }],
    });
    const leaf = new X509Certificate(der);
    expect(leaf.subject || '(empty)').toBe('(empty)'); // Node 20 says undefined
    expect(leaf.ca).toBe(true);
    expect(leaf.keyUsage).toEqual(['1.3.6.1.5.5.7.3.4']);
    expect(leaf.subjectAltName).toContain('IP Address:2001:DB8:0:0:0:0:0:1');
    expect(der.includes(Buffer.from('_xmpp-client.broker.test'))).toBe(true);
    expect(der.includes(Buffer.from('bücher.test'))).toBe(true);
  });
});
