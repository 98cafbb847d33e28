import type { Duplex } from 'node:stream';
import type { X509Certificate } from 'node:crypto';
import { connect, type TLSSocket } from 'node:tls';
import { BrokerError } from '../errors.js';
import type { TlsFacts } from './facts.js';
import { certificateRefusal } from './certificate-error.js';
import type { IdentityOptions } from './server-identity.js';
import { trustServer } from './server-trust.js';
import { abortedError, throwIfAborted, type Limits } from '../dial/deadline.js';
import { handshakeBroken, handshakeError } from './handshake-error.js';
import { secureContextOptions, type TlsOptions } from './options.js';

/** Options of {@link upgrade}. */
export interface UpgradeOptions extends IdentityOptions {
  readonly tls: TlsOptions;
  /** The XMPP domain: what the certificate must name (RFC 6120 §13.7.2.1), never a host that DNS gave us. */
  readonly domain: string;
  /** What the certificate may name in place of the domain. Default nothing. */
  readonly alternative?: string | null | undefined;
  /** Application protocol to negotiate: `xmpp-client` for direct TLS of a client (XEP-0368 §4). Default: none. */
  readonly alpn?: string | null | undefined;
  /** In milliseconds. */
  readonly timeoutMs: number;
  readonly signal?: AbortSignal | undefined;
}

/** A connection inside TLS. */
export interface Upgraded {
  /** Not flowing. As with a dialled socket, a listener that ignores errors is there until the caller listens. */
  readonly socket: TLSSocket;
  readonly facts: TlsFacts;
  /** The server's certificate, with those that it showed behind it. */
  readonly certificate: X509Certificate;
  /** When it expires; null when nobody checks that (`insecureSkipVerify`). */
  readonly notAfter: Date | null;
  /** What is wrong with a certificate that is accepted all the same, because it is not checked. */
  readonly warning: BrokerError | null;
}

/** Time for the alert to a server that is refused. */
const GOODBYE_MS = 1000;
const HANDSHAKE = 'the TLS handshake';
const FACTS = { layer: 'tls', phase: 'tls' } as const;

/**
 * Does a client's TLS handshake on a connection, and checks the server's certificate: its chain, then its pins, then
 * that it is the domain's (RFC 6120 §5.4.3, §13.7.2). On failure the connection is closed, and nothing was written to
 * it but TLS (§5.4.3.2). The caller has taken its own listeners off the socket.
 *
 * @throws BrokerError `TLS_PLAINTEXT_INJECTION` when bytes arrived before the handshake; `TLS_HANDSHAKE` (retryable)
 * when it took too long or the connection broke; `TLS_PROTOCOL`; `TLS_CLIENT_CERT`; `TLS_CERT_UNTRUSTED`,
 * `TLS_CERT_SELF_SIGNED`, `TLS_CERT_EXPIRED`, `TLS_CERT_NOT_YET_VALID`, `TLS_CERT_REVOKED`,
 * `TLS_CERT_REVOCATION_UNKNOWN`, `TLS_CERT_PURPOSE`, `TLS_CERT_MALFORMED`, `TLS_CERT_HOST_MISMATCH`,
 * `TLS_CERT_MISSING`, `TLS_PIN_MISMATCH`; `ABORTED`, or the signal's reason if that is a BrokerError;
 * `USAGE_DOMAIN`
 */
export async function upgrade(socket: Duplex, options: UpgradeOptions): Promise<Upgraded> {
  // What happens to the socket below TLS shows up in the TLS socket.
  socket.on('error', () => undefined);
  let secured: TLSSocket | null = null;
  try {
    const connectOptions = secureContextOptions(options.tls, options.domain, options.alpn ?? null);
    throwIfAborted(options.signal, HANDSHAKE, FACTS);
    if (socket.readableLength > 0) throw injection(socket.readableLength);
    if (socket.destroyed) throw handshakeBroken('the connection is closed', socket.errored);
    // The chain is judged in `examine`, so that a server which is refused can be told so before the end.
    secured = connect({ ...connectOptions, rejectUnauthorized: false, socket });
    await handshake(secured, options);
    return { socket: secured, ...(await check(secured, options)) };
  } catch (error) {
    secured?.destroy();
    socket.destroy();
    throw error;
  }
}

/** Waits for the end of the handshake. */
function handshake(secured: TLSSocket, { timeoutMs, signal }: Limits): Promise<void> {
  return new Promise((resolve, reject) => {
    const settle = (error?: BrokerError) => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', onAbort);
      secured.off('secureConnect', onSecure).off('error', onError).off('close', onClose);
      secured.on('error', () => undefined);
      if (error === undefined) resolve();
      else reject(error);
    };
    const onSecure = () => {
      guard(secured);
      // This is told from within OpenSSL, where no socket may be closed; what follows may close them.
      setImmediate(settle);
    };
    const onError = (error: Error) => {
      settle(handshakeError(error));
    };
    const onClose = () => {
      settle(handshakeBroken('the connection was closed'));
    };
    const onAbort = () => {
      settle(abortedError(signal as AbortSignal, HANDSHAKE, FACTS));
    };
    const timer = setTimeout(() => {
      settle(handshakeBroken(`it was not complete after ${timeoutMs} ms`));
    }, timeoutMs);
    secured.on('secureConnect', onSecure).on('error', onError).on('close', onClose);
    signal?.addEventListener('abort', onAbort);
  });
}

/** From the end of the handshake on. Node neither closes after an error of TLS then, nor reports a renegotiation. */
function guard(secured: TLSSocket): void {
  secured.on('error', () => secured.destroy());
  // TLS 1.3 has no renegotiation; a second handshake of TLS 1.2 is one, whoever asked for it (RFC 6120 §5.3.5).
  if (secured.getProtocol() === 'TLSv1.3') return;
  secured.on('secureConnect', () => {
    const message = 'the server asked for a TLS renegotiation, which is not allowed';
    secured.destroy(new BrokerError('TLS_RENEGOTIATION', message, { layer: 'tls', origin: 'peer', retryable: true }));
  });
}

/** Examines the server; one that is refused is told so by an alert before the connection is closed. */
async function check(secured: TLSSocket, options: UpgradeOptions): Promise<Omit<Upgraded, 'socket'>> {
  try {
    return examine(secured, options);
  } catch (error) {
    await leave(secured);
    throw error;
  }
}

/** Sends `close_notify` and closes; a peer that does not take it is not waited for long. */
function leave(secured: TLSSocket): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      resolve();
    };
    const timer = setTimeout(done, GOODBYE_MS);
    if (secured.closed) done();
    secured.once('close', done);
    secured.destroySoon();
  });
}

/** What the server is, or the reason why it is not the one we want. */
function examine(secured: TLSSocket, options: UpgradeOptions): Omit<Upgraded, 'socket'> {
  if (secured.destroyed) throw handshakeBroken('the connection was closed', secured.errored);
  const certificate = secured.getPeerX509Certificate();
  if (certificate === undefined) throw certificateRefusal('TLS_CERT_MISSING', 'the server shows no certificate');
  const chainError = secured.authorized ? null : (secured.authorizationError as unknown);
  const { verified, verifiedBy, notAfter, warning } = trustServer(certificate, chainError, options);
  const facts: TlsFacts = {
    version: secured.getProtocol() ?? 'unknown',
    cipher: secured.getCipher().standardName,
    fingerprint256: certificate.fingerprint256,
    verifiedBy,
    verified,
    alpn: typeof secured.alpnProtocol === 'string' ? secured.alpnProtocol : null,
  };
  return { facts, certificate, notAfter, warning };
}

function injection(bytes: number): BrokerError {
  return new BrokerError(
    'TLS_PLAINTEXT_INJECTION',
    `${bytes} bytes arrived before the TLS handshake; somebody may be tampering with the connection`,
    { layer: 'tls', phase: 'tls', origin: 'peer' },
  );
}
