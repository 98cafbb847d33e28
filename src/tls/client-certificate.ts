// Our own certificate, tls.cert: what a server that asks for it will see.
import { X509Certificate } from 'node:crypto';
import { BrokerError } from '../errors.js';
import { presentedNames } from './certificate.js';
import { certificatesIn, type Pem } from './options.js';

/** The certificate that is shown to a server which asks for one. */
export interface ClientCertificate {
  /** The XMPP addresses that it names (XmppAddr, RFC 6120 §13.7.1.4), as they stand there. */
  readonly addresses: readonly string[];
}

/** @param pem our certificate first, then its chain */
export function clientCertificate(pem: Pem): ClientCertificate {
  return { addresses: certificates(pem).slice(0, 1).flatMap(addressesIn) };
}

/** None where the names cannot be read: what the server makes of them is its business. */
function addressesIn(certificate: X509Certificate): string[] {
  try {
    return presentedNames(certificate).flatMap(({ type, value }) => (type === 'XMPP' ? value : []));
  } catch {
    return [];
  }
}

/**
 * What is wrong with the time of our certificate, or of one in its chain: a server would refuse it, and seldom say why.
 * @returns the warning `TLS_CLIENT_CERT_EXPIRED`, or null
 */
export function clientCertificateWarning(pem: Pem, now = Date.now()): BrokerError | null {
  for (const [place, { validFrom, validTo }] of certificates(pem).entries()) {
    const which = place === 0 ? 'our own certificate' : `certificate ${String(place + 1)} in tls.cert`;
    if (now > Date.parse(validTo)) return warning(`${which} has expired on ${validTo}`);
    if (now < Date.parse(validFrom)) return warning(`${which} is not valid before ${validFrom}`);
  }
  return null;
}

function certificates(pem: Pem): X509Certificate[] {
  return certificatesIn(pem).map((der) => new X509Certificate(der));
}

function warning(what: string): BrokerError {
  return new BrokerError(
    'TLS_CLIENT_CERT_EXPIRED',
    `${what}; a server that asks for it will hardly accept it: renew tls.cert, or check the clock of this machine`,
    { layer: 'tls', phase: 'connect' },
  );
}
