// What a certificate (RFC 5280) says of whom it is for, as Node reads it: see docs/decisions/certificates.md.
import { createHash, type X509Certificate } from 'node:crypto';
import { certificateRefusal } from './certificate-error.js';

/** An entry of the subject alternative name (RFC 5280 §4.2.1.6) that can name a server or an account. */
export interface PresentedName {
  /** `DNS`, `IP`, `SRV` (RFC 4985) or `XMPP` (XmppAddr, RFC 6120 §13.7.1.4). */
  readonly type: 'DNS' | 'IP' | 'SRV' | 'XMPP';
  /** As it stands there; untrusted text. */
  readonly value: string;
}

/**
 * The names of a certificate, in order. Kinds that can name neither, such as e-mail addresses, are left out.
 *
 * Node writes an entry as `type:value`, and a value with a comma, a quote, a backslash or a control character as a
 * JSON string in which the comma is escaped, too. So a comma always stands between two entries, whatever is in them.
 *
 * @throws BrokerError `TLS_CERT_MALFORMED`
 */
export function presentedNames(certificate: X509Certificate): PresentedName[] {
  try {
    // Since Node 22 reading a malformed extension throws.
    return (certificate.subjectAltName ?? '').split(', ').flatMap(presentedName);
  } catch (cause) {
    throw certificateRefusal('TLS_CERT_MALFORMED', 'the names in the certificate cannot be read', cause);
  }
}

function presentedName(entry: string): PresentedName[] {
  const [kind, written] = cut(entry);
  const value = written.startsWith('"') ? (JSON.parse(written) as string) : written;
  switch (kind) {
    case 'DNS':
      return [{ type: 'DNS', value }];
    case 'IP Address':
      return [{ type: 'IP', value }];
    case 'othername':
      return otherName(value);
    default:
      return [];
  }
}

function otherName(text: string): PresentedName[] {
  const [kind, value] = cut(text);
  if (kind === 'SRVName') return [{ type: 'SRV', value }];
  return kind === 'XmppAddr' ? [{ type: 'XMPP', value }] : [];
}

/** What stands before and behind the first colon. */
function cut(text: string): [before: string, behind: string] {
  const colon = text.indexOf(':');
  return colon < 0 ? ['', text] : [text.slice(0, colon), text.slice(colon + 1)];
}

/**
 * The pin of a certificate's key: SHA-256 of its subject public key info, in base64 (RFC 7469 §2.4).
 * @throws BrokerError `TLS_CERT_MALFORMED`
 */
export function pinOf(certificate: X509Certificate): string {
  try {
    return createHash('sha256')
      .update(certificate.publicKey.export({ type: 'spki', format: 'der' }))
      .digest('base64');
  } catch (cause) {
    throw certificateRefusal('TLS_CERT_MALFORMED', "the key in the server's certificate cannot be read", cause);
  }
}
