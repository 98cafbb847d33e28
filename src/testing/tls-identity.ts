// TLS from the server's side: RFC 6120 §5, XEP-0368.
import { X509Certificate } from 'node:crypto';
import type { Duplex } from 'node:stream';
import { createSecureContext, TLSSocket, type SecureContext, type SecureVersion } from 'node:tls';
import { reasonOf } from '../arguments/values.js';
import { usageError } from '../errors.js';
import { Authority } from './authority.js';
import type { Settings } from './settings.js';
import { StreamOver } from './stream-fault.js';

/** What the server shows, and what it accepts. */
export interface TlsSettings {
  readonly cert: string;
  readonly key: string;
  /** Who signs client certificates, PEM; they are asked for when it is there. */
  readonly clientCa: string | undefined;
  readonly minVersion: SecureVersion | undefined;
  readonly maxVersion: SecureVersion | undefined;
}

/** The server's identity in TLS. */
export class TlsIdentity {
  readonly #context: SecureContext;
  readonly #clientAuthorities: readonly X509Certificate[];

  constructor(readonly settings: TlsSettings) {
    const { cert, key, clientCa, minVersion, maxVersion } = settings;
    this.#context = createSecureContext({ cert, key, ca: clientCa, minVersion, maxVersion });
    this.#clientAuthorities = certificatesIn(clientCa ?? '');
  }

  /** The client's certificate, if it showed a valid one that an authority of ours has signed. */
  clientCertificate(tls: TLSSocket): X509Certificate | null {
    const shown = tls.getPeerX509Certificate();
    if (shown === undefined) return null;
    const signed = this.#clientAuthorities.some((ca) => shown.checkIssued(ca) && shown.verify(ca.publicKey));
    const now = Date.now();
    const valid = Date.parse(shown.validFrom) <= now && now <= Date.parse(shown.validTo);
    return signed && valid ? shown : null;
  }

  /** Does the server's handshake, with a protocol that is spoken inside (RFC 7301). Rejects when it fails, or the socket is closed meanwhile. */
  handshake(socket: Duplex, alpn: string | null): Promise<TLSSocket> {
    const secured = new TLSSocket(socket, {
      isServer: true,
      secureContext: this.#context,
      requestCert: this.#clientAuthorities.length > 0,
      rejectUnauthorized: false, // a client without a certificate has other ways to sign in
      ...(alpn === null ? {} : { ALPNProtocols: [alpn] }),
    });
    return new Promise((resolve, reject) => {
      const settle = (failed: Error | null) => {
        secured.off('secure', onSecure).off('error', onError).off('close', onClose);
        // Until the stream listens, a late error has nobody else to go to.
        secured.on('error', () => undefined);
        if (failed === null) resolve(secured);
        else reject(failed);
      };
      const onSecure = () => settle(null);
      const onError = (error: Error) => {
        secured.destroy();
        settle(error);
      };
      const onClose = () => settle(new StreamOver('the connection is closed'));
      secured.on('secure', onSecure).on('error', onError).on('close', onClose);
    });
  }
}

/** The certificates of a PEM text. */
function certificatesIn(pem: string): X509Certificate[] {
  const blocks = pem.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? [];
  return blocks.map((block) => new X509Certificate(block));
}

/**
 * The server's certificate: the one that was given, one that is made, or none when nobody needs it.
 * @throws BrokerError `USAGE_LOOPBACK`, `USAGE_LOOPBACK_TLS`
 */
export async function identityOf(
  settings: Settings,
): Promise<{ authority: Authority | null; tls: TlsIdentity | null }> {
  const { tls: given, needsTls, mechanisms, components, domain } = settings;
  if (given === null || !needsTls) return { authority: null, tls: null };
  const authority = given.cert === undefined ? await Authority.create() : null;
  const names = [domain, ...Object.keys(components ?? {}), ...given.names, 'localhost', '127.0.0.1', '::1'];
  const made = await authority?.server([...new Set(names)]);
  const clientCa = mechanisms?.includes('EXTERNAL') === true ? (given.clientCa ?? authority?.ca) : undefined;
  const { minVersion, maxVersion, cert = made?.cert ?? '', key = made?.key ?? '' } = given;
  try {
    return { authority, tls: new TlsIdentity({ cert, key, clientCa, minVersion, maxVersion }) };
  } catch (cause) {
    throw usageError('USAGE_LOOPBACK', `the certificates of the option tls cannot be used: ${reasonOf(cause)}`, {
      cause,
    });
  }
}
