// TLS from the server's side: RFC 6120 §5, XEP-0368.
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
  readonly #askClient: boolean;

  constructor(readonly settings: TlsSettings) {
    const { cert, key, clientCa, minVersion, maxVersion } = settings;
    this.#context = createSecureContext({ cert, key, ca: clientCa, minVersion, maxVersion });
    this.#askClient = clientCa !== undefined;
  }

  /** Does the server's handshake. Rejects when it fails or takes longer than `timeoutMs`; the socket is closed then. */
  handshake(socket: Duplex, direct: boolean, timeoutMs: number): Promise<TLSSocket> {
    const secured = new TLSSocket(socket, {
      isServer: true,
      secureContext: this.#context,
      requestCert: this.#askClient,
      rejectUnauthorized: false, // EXTERNAL looks whether it was authorized
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
