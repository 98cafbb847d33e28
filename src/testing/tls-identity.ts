// TLS from the server's side: RFC 6120 §5, XEP-0368.
import { X509Certificate } from 'node:crypto';
import type { Duplex } from 'node:stream';
import { createSecureContext, TLSSocket, type SecureContext, type SecureVersion } from 'node:tls';
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

  /** Does the server's handshake. Rejects when it fails or takes longer than `timeoutMs`; the socket is closed then. */
  handshake(socket: Duplex, direct: boolean, timeoutMs: number): Promise<TLSSocket> {
    const secured = new TLSSocket(socket, {
      isServer: true,
      secureContext: this.#context,
      requestCert: this.#clientAuthorities.length > 0,
      rejectUnauthorized: false, // a client without a certificate has other ways to sign in
      ...(direct ? { ALPNProtocols: ['xmpp-client'] } : {}),
    });
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => secured.destroy(), timeoutMs);
      const settle = (failed: Error | null) => {
        clearTimeout(timer);
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
