// Whether a server's certificate is the one of the domain we want to talk to (RFC 6120 §13.7, RFC 9525), whatever
// OpenSSL says about its chain. The reference identity is the domain, never a name that DNS gave us.
import type { X509Certificate } from 'node:crypto';
import { printable, type BrokerError } from '../errors.js';
import { certificateRefusal } from './certificate-error.js';
import { pinOf, presentedNames, type PresentedName } from './certificate.js';
import { hostName } from '../dial/host-name.js';

/** Options of {@link checkServerIdentity}. */
export interface IdentityOptions {
  /** Service of an SRV-ID that counts. Default `xmpp-client`. */
  readonly service?: 'xmpp-client' | 'xmpp-server' | undefined;
  /** The options name this very certificate as one to trust. Default false. */
  readonly given?: boolean | undefined;
}

/** Extended key usages of a server: id-kp-serverAuth and anyExtendedKeyUsage (RFC 5280 §4.2.1.12). */
const SERVER_USES: ReadonlySet<string> = new Set(['1.3.6.1.5.5.7.3.1', '2.5.29.37.0']);

/** Most names of a certificate that an error shows, and the longest of each. */
const SHOWN_NAMES = 8;
const SHOWN_LENGTH = 80;

/**
 * Checks that a certificate names the domain, and that it is made for servers. What counts: a DNS name, an SRV name of
 * the service, an XmppAddr, or for a domain that is an IP address, an IP address. Names are compared as A-labels
 * without regard to case; a wildcard stands for exactly one whole left-most label below at least two others. The
 * common name never counts (RFC 9525 §2).
 *
 * @returns the name that matched, for example `DNS:*.example.org` or `SRV:_xmpp-client.example.org`
 * @throws BrokerError `TLS_CERT_HOST_MISMATCH`, whose message and `text` list the names the certificate has;
 * `TLS_CERT_PURPOSE` for an authority's certificate or one that is not for servers; `TLS_CERT_MALFORMED`;
 * `USAGE_DOMAIN`
 */
export function checkServerIdentity(
  domain: string,
  certificate: X509Certificate,
  options: IdentityOptions = {},
): { verifiedBy: string } {
  const wanted = hostName(domain);
  const { service = 'xmpp-client', given = false } = options;
  if (!given) checkNoAuthority(certificate);
  checkUse(certificate);
  const names = presentedNames(certificate);
  const verifiedBy =
    wanted.family === 0 ? matchingName(names, wanted.name, service) : matchingAddress(certificate, wanted.name);
  if (verifiedBy === null) throw mismatch(wanted.name, names, given ? pinOf(certificate) : null);
  return { verifiedBy };
}

/**
 * Checks the server's public key against pins: SHA-256 of its subject public key info, in base64. One must match.
 * @throws BrokerError `TLS_PIN_MISMATCH`
 */
export function checkPin(pins: readonly string[], certificate: X509Certificate): void {
  const pin = pinOf(certificate);
  if (pins.includes(pin)) return;
  throw certificateRefusal(
    'TLS_PIN_MISMATCH',
    `the server's key is not a pinned one; its pin is ${pin}. Somebody may be in between, or the server has a new key`,
  );
}

/** RFC 6120 §13.7.1.1. */
function checkNoAuthority({ ca }: X509Certificate): void {
  if (!ca) return;
  const advice =
    'the server needs one of its own, with CA:FALSE; or, if this is the one it is to have, give it as tls.ca';
  throw certificateRefusal('TLS_CERT_PURPOSE', `the server shows the certificate of an authority (CA:TRUE): ${advice}`);
}

/**
 * RFC 5280 §4.2.1.12: made for servers, if it says for what.
 * @throws BrokerError `TLS_CERT_PURPOSE`
 */
export function checkUse({ keyUsage }: X509Certificate): void {
  // Node's name for the extended key usage. In spite of its type it is not there when the certificate is for any use.
  const uses = keyUsage as readonly string[] | undefined;
  if (uses === undefined || uses.some((use) => SERVER_USES.has(use))) return;
  const advice = 'its extended key usage must have serverAuth';
  throw certificateRefusal('TLS_CERT_PURPOSE', `the server's certificate is not made for servers; ${advice}`);
}

function matchingName(names: readonly PresentedName[], domain: string, service: string): string | null {
  const match = names.find(({ type, value }) => {
    const prefix = `_${service}.`;
    if (type === 'DNS') return matchesDns(value, domain);
    if (type === 'XMPP') return matchesXmppAddr(value, domain);
    return type === 'SRV' && value.toLowerCase().startsWith(prefix) && matchesDns(value.slice(prefix.length), domain);
  });
  return match === undefined ? null : shown(match);
}

/** OpenSSL compares addresses. One with a zone can be in no certificate. */
function matchingAddress(certificate: X509Certificate, address: string): string | null {
  return !address.includes('%') && certificate.checkIP(address) !== undefined ? `IP:${address}` : null;
}

/** RFC 9525 §6.3. The domain is a checked name without an asterisk, so being equal to it says all. */
function matchesDns(presented: string, domain: string): boolean {
  const name = presented.toLowerCase();
  if (!name.startsWith('*.')) return name === domain;
  const parent = name.slice(2);
  return parent.includes('.') && domain.slice(domain.indexOf('.') + 1) === parent;
}

/** An XmppAddr holds a JID in Unicode; a server's is its domain. */
function matchesXmppAddr(presented: string, domain: string): boolean {
  try {
    return hostName(presented).name === domain;
  } catch {
    return false;
  }
}

/** @param pin of a certificate that is trusted but for its names */
function mismatch(domain: string, names: readonly PresentedName[], pin: string | null): BrokerError {
  const list = names.slice(0, SHOWN_NAMES).map(shown);
  if (names.length > SHOWN_NAMES) list.push(`and ${names.length - SHOWN_NAMES} more`);
  const has = list.length === 0 ? 'names no server' : `names ${list.join(', ')}`;
  const way = pin === null ? '' : `. To trust its key whatever it names, say tls: { pin: '${pin}', pinOnly: true }`;
  return certificateRefusal(
    'TLS_CERT_HOST_MISMATCH',
    `the server's certificate is not for ${domain}: it ${has}${way}`,
    undefined,
    list.join(', '),
  );
}

function shown({ type, value }: PresentedName): string {
  return `${type}:${printable(value, SHOWN_LENGTH)}`;
}
