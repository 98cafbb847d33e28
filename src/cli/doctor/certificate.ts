import type { X509Certificate } from 'node:crypto';
import { pinOf, presentedNames } from '../../tls/certificate.js';

/** A certificate as it is shown. */
export interface ShownCertificate {
  readonly subject: string;
  readonly issuer: string;
  readonly names: readonly string[];
  readonly from: string;
  readonly to: string;
  /** Whole days until it expires; below zero when it has. Null when its end cannot be read. */
  readonly daysLeft: number | null;
  /** Null when its key cannot be read. */
  readonly pin: string | null;
  readonly fingerprint256: string;
  readonly authority: boolean;
}

/** Most certificates of a chain that are shown. */
const MOST = 10;
const DAY_MS = 86_400_000;

/** What the server showed, its own certificate first. An authority that is trusted here may be the last one. */
export function chainOf(certificate: X509Certificate): ShownCertificate[] {
  const chain: X509Certificate[] = [];
  for (let next: X509Certificate | undefined = certificate; next !== undefined; next = next.issuerCertificate) {
    const { fingerprint256 } = next;
    if (chain.length === MOST || chain.some((one) => one.fingerprint256 === fingerprint256)) break;
    chain.push(next);
  }
  return chain.map(shown);
}

function shown(certificate: X509Certificate): ShownCertificate {
  const { subject, issuer, validFrom: from, validTo: to, fingerprint256, ca: authority } = certificate;
  const left = Math.floor((Date.parse(to) - Date.now()) / DAY_MS);
  return {
    subject: oneLine(subject),
    issuer: oneLine(issuer),
    names: readable(() => presentedNames(certificate).map(({ type, value }) => `${type}:${value}`)) ?? [],
    from,
    to,
    daysLeft: Number.isNaN(left) ? null : left,
    pin: readable(() => pinOf(certificate)),
    fingerprint256,
    authority,
  };
}

/** Node writes each part of a name on a line; an empty name is undefined, in spite of its type. */
function oneLine(name: string | undefined): string {
  return (name ?? '').split('\n').join(', ') || 'nobody';
}

function readable<T>(read: () => T): T | null {
  try {
    return read();
  } catch {
    return null;
  }
}
