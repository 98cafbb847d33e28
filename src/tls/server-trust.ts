// Whether a server is believed: by its chain and name (RFC 6120 §13.7.2), by its very certificate, or by its pin alone.
import type { X509Certificate } from 'node:crypto';
import { printable, type BrokerError } from '../errors.js';
import { certificateRefusal, fromUnknownIssuer, notAuthorized } from './certificate-error.js';
import { pinOf } from './certificate.js';
import { certificatesIn, pinsOf, type TlsOptions } from './options.js';
import { checkPin, checkServerIdentity, checkUse, type IdentityOptions } from './server-identity.js';

/** Why a server is believed. */
export interface ServerTrust {
  /** Whether anything was checked that only the right server can show. */
  readonly verified: boolean;
  /** The name of the certificate that matched, `PIN:` and the pin that did alone, or `none`. */
  readonly verifiedBy: string;
  /** When the certificate expires; null when that does not matter, because it is not checked. */
  readonly notAfter: Date | null;
  /** What is wrong with a certificate that is accepted all the same. */
  readonly warning: BrokerError | null;
}

/** What a server has to be. */
export interface Expected extends IdentityOptions {
  readonly tls: TlsOptions;
  readonly domain: string;
  /** A name that does as well. Default none. */
  readonly alternative?: string | null | undefined;
}

/**
 * Judges a server after its handshake.
 *
 * - A certificate that stands, byte for byte, in `tls.ca` needs no chain, and may have CA:TRUE, as self-signed ones
 *   usually have. Its time, name and purpose are still checked. With `tls.crl` the chain decides all the same.
 * - With `tls.pinOnly` the key decides, in place of chain and name (RFC 6125 §6.6.2). Time and purpose are checked.
 *
 * @param chainError what OpenSSL says against the chain, or null
 * @throws BrokerError `TLS_CERT_…`, `TLS_PIN_MISMATCH`
 */
export function trustServer(certificate: X509Certificate, chainError: unknown, expected: Expected): ServerTrust {
  const { tls } = expected;
  const pins = pinsOf(tls);
  if (tls.insecureSkipVerify === true) {
    if (pins.length > 0) checkPin(pins, certificate);
    return { verified: false, verifiedBy: 'none', notAfter: null, warning: timeWarning(certificate) };
  }
  if (tls.pinOnly === true) {
    checkPin(pins, certificate);
    checkUse(certificate);
    const notAfter = checkTime(certificate);
    return { verified: true, verifiedBy: `PIN:${pinOf(certificate)}`, notAfter, warning: null };
  }
  const given = isGiven(certificate, tls);
  if (chainError !== null && (!given || tls.crl !== undefined)) throw refusal(certificate, chainError, expected);
  const notAfter = checkTime(certificate);
  if (pins.length > 0) checkPin(pins, certificate);
  return { verified: true, verifiedBy: checkName(certificate, expected, given), notAfter, warning: null };
}

/** @returns the name that matched */
function checkName(
  certificate: X509Certificate,
  { tls, domain, alternative, service }: Expected,
  given: boolean,
): string {
  try {
    return checkServerIdentity(tls.servername ?? domain, certificate, { service, given }).verifiedBy;
  } catch (error) {
    if (alternative == null || tls.servername !== undefined || !isFor(certificate, alternative, service, given))
      throw error;
    return checkServerIdentity(alternative, certificate, { service, given }).verifiedBy;
  }
}

/** Whether this very certificate is one of those to trust. */
function isGiven({ raw }: X509Certificate, { ca }: TlsOptions): boolean {
  return ca !== undefined && certificatesIn(ca).some((trusted) => trusted.equals(raw));
}

/** @returns when it expires */
function checkTime(certificate: X509Certificate): Date {
  const { validFrom, validTo } = certificate;
  const [from, to] = [new Date(validFrom), new Date(validTo)];
  if (Number.isNaN(from.getTime()) || Number.isNaN(to.getTime())) throw unreadableTime(certificate);
  const now = Date.now();
  if (now < from.getTime()) {
    const advice = 'is the clock of this machine right?';
    throw certificateRefusal(
      'TLS_CERT_NOT_YET_VALID',
      `the server's certificate is not valid before ${validFrom}; ${advice}`,
    );
  }
  if (now > to.getTime()) {
    throw certificateRefusal('TLS_CERT_EXPIRED', `the server's certificate has expired on ${validTo}`);
  }
  return to;
}

function timeWarning(certificate: X509Certificate): BrokerError | null {
  return Number.isNaN(Date.parse(certificate.validTo)) ? unreadableTime(certificate) : null;
}

function unreadableTime({ validFrom, validTo }: X509Certificate): BrokerError {
  const shown = `${printable(validFrom, 60)} to ${printable(validTo, 60)}`;
  return certificateRefusal('TLS_CERT_MALFORMED', `the time of the server's certificate cannot be read: ${shown}`);
}

/** The refusal of a chain, with the ways out if nothing is wrong but that nobody vouches for it. */
function refusal(certificate: X509Certificate, chainError: unknown, { tls, domain, service }: Expected): BrokerError {
  const error = notAuthorized(chainError);
  if (!fromUnknownIssuer(chainError) || tls.crl !== undefined) return error;
  const name = tls.servername ?? domain;
  try {
    const byPin = `tls: { pin: '${pinOf(certificate)}', pinOnly: true }`;
    const sure = 'Compare it with the one on the server first: whoever is in between shows one of their own';
    const ways = isFor(certificate, name, service, true)
      ? `If it is the right one, give it as tls.ca, or say ${byPin}`
      : `If it is the right one, say ${byPin}; it does not name ${printable(name, 100)}, so tls.ca would not do`;
    return error.with({}, `${error.message}. ${ways}. ${sure}`);
  } catch {
    return error;
  }
}

/** Whether it names somebody. */
function isFor(
  certificate: X509Certificate,
  name: string,
  service: IdentityOptions['service'],
  given: boolean,
): boolean {
  try {
    checkServerIdentity(name, certificate, { service, given });
    return true;
  } catch {
    return false;
  }
}
