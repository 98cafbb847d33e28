// Errors of a TLS handshake (RFC 8446 §6), from what Node reports.
import { BrokerError, printable } from '../errors.js';
import { certificateError } from './certificate-error.js';

/** Alerts and findings that mean: the two sides have no protocol version, cipher or application protocol in common. */
const NOTHING_IN_COMMON =
  /PROTOCOL_VERSION|UNSUPPORTED_PROTOCOL|ALERT_HANDSHAKE_FAILURE|INSUFFICIENT_SECURITY|NO_APPLICATION_PROTOCOL|NO_PROTOCOLS_AVAILABLE/;

/** How OpenSSL names what it was told by an alert. */
const ALERT = /^ERR_SSL_(?:SSLV3|TLSV1|TLSV13)_/;

/** Alerts about the certificate that we showed, or did not show. */
const OUR_CERTIFICATE =
  /ALERT_(?:BAD_CERTIFICATE|UNSUPPORTED_CERTIFICATE|CERTIFICATE_\w+|UNKNOWN_CA|ACCESS_DENIED)$|CERTIFICATE_REQUIRED$/;

/**
 * The error of a handshake that failed: a certificate that is not accepted ({@link certificateError}); `TLS_PROTOCOL`
 * when both sides have nothing in common or the other side does not speak TLS; `TLS_CLIENT_CERT` when the server wants
 * another certificate of ours; `TLS_HANDSHAKE` for a connection that broke, and for any other alert.
 */
export function handshakeError(error: unknown): BrokerError {
  if (error instanceof BrokerError) return error;
  const code = error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : '';
  const reason = error instanceof Error ? printable(opensslReason(error), 200) : 'unknown error';
  const shown = code === '' || reason.includes(code) ? reason : `${reason} (${code})`;
  const certificate = certificateError(error);
  if (certificate !== null) return certificate;
  if (!code.startsWith('ERR_SSL_') && code !== 'EPROTO') return handshakeBroken(shown, error);
  if (OUR_CERTIFICATE.test(code)) {
    return failure(
      'TLS_CLIENT_CERT',
      `the server does not accept our certificate (tls.cert), or wants one: ${shown}`,
      error,
    );
  }
  if (NOTHING_IN_COMMON.test(code)) {
    return failure('TLS_PROTOCOL', `the server offers no TLS version or cipher that is safe enough: ${shown}`, error);
  }
  if (ALERT.test(code)) return handshakeBroken(`the server broke it off: ${shown}`, error);
  return failure('TLS_PROTOCOL', `what the server sent is not TLS, or not allowed there: ${shown}`, error);
}

/** `TLS_HANDSHAKE`: the handshake ended early. */
export function handshakeBroken(why: string, cause?: unknown): BrokerError {
  return failure('TLS_HANDSHAKE', `the TLS handshake failed: ${why}`, cause, true);
}

function failure(code: string, message: string, cause?: unknown, retryable = false): BrokerError {
  return new BrokerError(code, message, { layer: 'tls', phase: 'tls', origin: 'peer', retryable, cause });
}

/** OpenSSL's reason without the file and line it comes from. */
function opensslReason(error: Error & { reason?: unknown }): string {
  return typeof error.reason === 'string' ? error.reason : error.message;
}
