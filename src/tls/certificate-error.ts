import { BrokerError, printable } from '../errors.js';

/** What OpenSSL found wrong with a certificate chain (RFC 5280 §6), by the name Node gives it: our code and words. */
const REFUSALS: ReadonlyMap<string, readonly [code: string, why: string]> = new Map([
  ['CERT_HAS_EXPIRED', ['TLS_CERT_EXPIRED', 'has expired, or one in its chain has']],
  ['CERT_NOT_YET_VALID', ['TLS_CERT_NOT_YET_VALID', 'is not valid yet; is the clock of this machine right?']],
  ['DEPTH_ZERO_SELF_SIGNED_CERT', ['TLS_CERT_SELF_SIGNED', 'is self-signed and not one of the trusted ones']],
  ['SELF_SIGNED_CERT_IN_CHAIN', ['TLS_CERT_UNTRUSTED', 'comes from an authority that is not trusted']],
  ['UNABLE_TO_GET_ISSUER_CERT', ['TLS_CERT_UNTRUSTED', 'has a chain that ends before a trusted authority']],
  ['UNABLE_TO_GET_ISSUER_CERT_LOCALLY', ['TLS_CERT_UNTRUSTED', 'comes from an authority that is not trusted']],
  ['UNABLE_TO_VERIFY_LEAF_SIGNATURE', ['TLS_CERT_UNTRUSTED', 'comes without the chain to a trusted authority']],
  ['CERT_SIGNATURE_FAILURE', ['TLS_CERT_UNTRUSTED', 'has a wrong signature']],
  ['UNABLE_TO_DECRYPT_CERT_SIGNATURE', ['TLS_CERT_UNTRUSTED', 'has a wrong signature']],
  ['UNABLE_TO_DECODE_ISSUER_PUBLIC_KEY', ['TLS_CERT_UNTRUSTED', 'comes from an authority whose key cannot be read']],
  ['CERT_CHAIN_TOO_LONG', ['TLS_CERT_UNTRUSTED', 'has a chain that is too long']],
  ['INVALID_CA', ['TLS_CERT_UNTRUSTED', 'was issued with a certificate that is not an authority']],
  ['PATH_LENGTH_EXCEEDED', ['TLS_CERT_UNTRUSTED', 'has a chain that is longer than an authority in it allows']],
  ['CERT_UNTRUSTED', ['TLS_CERT_UNTRUSTED', 'comes from an authority that is not trusted for servers']],
  ['CERT_REJECTED', ['TLS_CERT_UNTRUSTED', 'comes from an authority that is marked as rejected']],
  ['INVALID_PURPOSE', ['TLS_CERT_PURPOSE', 'is not made for servers']],
  ['CERT_REVOKED', ['TLS_CERT_REVOKED', 'was revoked']],
  ['UNABLE_TO_GET_CRL', ['TLS_CERT_REVOCATION_UNKNOWN', 'has no list in tls.crl that tells whether it was revoked']],
  ['CRL_HAS_EXPIRED', ['TLS_CERT_REVOCATION_UNKNOWN', 'can only be checked with a tls.crl that has expired']],
  ['CRL_NOT_YET_VALID', ['TLS_CERT_REVOCATION_UNKNOWN', 'can only be checked with a tls.crl that is not valid yet']],
  [
    'CRL_SIGNATURE_FAILURE',
    ['TLS_CERT_REVOCATION_UNKNOWN', 'can only be checked with a tls.crl that has a wrong signature'],
  ],
  ['ERROR_IN_CERT_NOT_BEFORE_FIELD', ['TLS_CERT_MALFORMED', 'has a begin that cannot be read']],
  ['ERROR_IN_CERT_NOT_AFTER_FIELD', ['TLS_CERT_MALFORMED', 'has an end that cannot be read']],
  ['UNSPECIFIED', ['TLS_CERT_UNTRUSTED', 'breaks a rule of its chain, such as the names its authority may issue for']],
  ['HOSTNAME_MISMATCH', ['TLS_CERT_HOST_MISMATCH', 'is not for this server']],
  ['ERR_TLS_CERT_ALTNAME_INVALID', ['TLS_CERT_HOST_MISMATCH', 'is not for this server']],
]);

/** Findings that say no more than that nobody who is trusted vouches for the certificate. */
const UNKNOWN_ISSUER: ReadonlySet<string> = new Set([
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  'CERT_UNTRUSTED',
]);

/** Whether a chain was only refused because its issuer is not known. */
export function fromUnknownIssuer(error: unknown): boolean {
  return UNKNOWN_ISSUER.has(codeOf(error) ?? '');
}

/**
 * The error of a certificate chain that was not accepted, from what Node reports: the error of a handshake, or the
 * `authorizationError` of a socket.
 * @returns null when the error is not about a certificate
 */
export function certificateError(error: unknown): BrokerError | null {
  const code = codeOf(error);
  if (code === null) return null;
  const [ours, why] = REFUSALS.get(code) ?? [];
  if (ours === undefined || why === undefined) return null;
  return certificateRefusal(ours, `the server's certificate ${why} (${code})`, error);
}

/**
 * The error of a socket that is not authorized: as {@link certificateError}, and `TLS_CERT_UNTRUSTED` for whatever is not
 * known there.
 */
export function notAuthorized(error: unknown): BrokerError {
  const reason = error instanceof Error ? error.message : typeof error === 'string' ? error : 'no reason given';
  const other = () =>
    certificateRefusal(
      'TLS_CERT_UNTRUSTED',
      `the server's certificate is not trusted: ${printable(reason, 200)}`,
      error,
    );
  return certificateError(error) ?? other();
}

function codeOf(error: unknown): string | null {
  const code = typeof error === 'string' ? error : (error as { code?: unknown } | null | undefined)?.code;
  return typeof code === 'string' ? code : null;
}

/** The error of a certificate that is not accepted; never retryable, another try would see the same certificate. */
export function certificateRefusal(code: string, message: string, cause?: unknown, text?: string): BrokerError {
  return new BrokerError(code, message, {
    layer: 'tls',
    phase: 'tls',
    origin: 'peer',
    cause,
    ...(text === undefined ? {} : { text }),
  });
}
