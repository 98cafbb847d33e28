import { createHash } from 'node:crypto';
import { addressOfOctets } from './certificate-address.js';
import {
  DerReader,
  TAG,
  constructed,
  malformed,
  primitive,
  readBoolean,
  readOid,
  readTime,
  type DerValue,
} from './der.js';

/** Reads from a certificate (RFC 5280 §4.1) what decides whether it is the right server's. */

/** An entry of the subject alternative name (RFC 5280 §4.2.1.6) that can name a server. */
export interface PresentedName {
  /** `DNS`, `IP`, `SRV` (RFC 4985) or `XMPP` (XmppAddr, RFC 6120 §13.7.1.4). */
  readonly type: 'DNS' | 'IP' | 'SRV' | 'XMPP';
  /** As it stands there; untrusted text. */
  readonly value: string;
}

/** What a certificate says. */
export interface CertificateFacts {
  readonly names: readonly PresentedName[];
  readonly notBefore: Date;
  readonly notAfter: Date;
  /** Whether it may issue certificates (`cA` of the basic constraints). */
  readonly isAuthority: boolean;
  /** Extended key usages as hexadecimal OIDs; null when any use is allowed because the extension is absent. */
  readonly extendedKeyUsage: readonly string[] | null;
  /** SHA-256 of the subject public key info, in base64 (RFC 7469 §2.4). */
  readonly spkiSha256: string;
}

/** Encoded object identifiers. */
const BASIC_CONSTRAINTS = '551d13'; // 2.5.29.19
const EXTENDED_KEY_USAGE = '551d25'; // 2.5.29.37
const SUBJECT_ALT_NAME = '551d11'; // 2.5.29.17
const SRV_NAME = '2b06010505070807'; // 1.3.6.1.5.5.7.8.7
const XMPP_ADDR = '2b06010505070805'; // 1.3.6.1.5.5.7.8.5

/** @throws BrokerError `TLS_CERT_MALFORMED` */
export function readCertificate(der: Buffer): CertificateFacts {
  const outer = new DerReader(der);
  const signed = DerReader.inside(outer.take(TAG.SEQUENCE));
  outer.end();
  const certificate = DerReader.inside(signed.take(TAG.SEQUENCE));

  certificate.optional(constructed(0)); // version
  certificate.take(TAG.INTEGER); // serialNumber
  certificate.take(TAG.SEQUENCE); // signature
  certificate.take(TAG.SEQUENCE); // issuer
  const validity = DerReader.inside(certificate.take(TAG.SEQUENCE));
  const notBefore = readTime(validity.next());
  const notAfter = readTime(validity.next());
  validity.end();
  certificate.take(TAG.SEQUENCE); // subject
  const spki = certificate.take(TAG.SEQUENCE);
  certificate.optional(primitive(1)); // issuerUniqueID
  certificate.optional(primitive(2)); // subjectUniqueID
  const extensions = readExtensions(certificate.optional(constructed(3)));
  certificate.end();

  const names = extensions.get(SUBJECT_ALT_NAME);
  const constraints = extensions.get(BASIC_CONSTRAINTS);
  const usages = extensions.get(EXTENDED_KEY_USAGE);
  return {
    names: names === undefined ? [] : readNames(names),
    notBefore,
    notAfter,
    isAuthority: constraints !== undefined && readAuthority(constraints),
    extendedKeyUsage: usages === undefined ? null : inSequence(usages).rest().map(readOid),
    spkiSha256: createHash('sha256').update(spki.raw).digest('base64'),
  };
}

/** Extensions by OID (RFC 5280 §4.1.2.9), each the reader of what its octet string holds. */
function readExtensions(value: DerValue | null): Map<string, DerReader> {
  const extensions = new Map<string, DerReader>();
  if (value === null) return extensions;
  const list = DerReader.inside(value);
  for (const entry of DerReader.inside(list.take(TAG.SEQUENCE)).rest()) {
    const extension = DerReader.inside(expect(entry, TAG.SEQUENCE));
    const id = readOid(extension.next());
    extension.optional(TAG.BOOLEAN); // critical; OpenSSL has refused the unknown critical ones
    const content = DerReader.inside(extension.take(TAG.OCTET_STRING));
    extension.end();
    if (extensions.has(id)) throw malformed('an extension that stands there twice', entry.offset);
    extensions.set(id, content);
  }
  list.end();
  return extensions;
}

/** BasicConstraints (RFC 5280 §4.2.1.9). */
function readAuthority(extension: DerReader): boolean {
  const fields = inSequence(extension);
  const authority = fields.optional(TAG.BOOLEAN);
  fields.optional(TAG.INTEGER); // pathLenConstraint
  fields.end();
  return authority !== null && readBoolean(authority);
}

/** GeneralNames (RFC 5280 §4.2.1.6). Kinds that cannot name an XMPP server, such as e-mail addresses, are left out. */
function readNames(extension: DerReader): PresentedName[] {
  return inSequence(extension)
    .rest()
    .flatMap((name): PresentedName[] => {
      switch (name.tag) {
        case primitive(2):
          return [{ type: 'DNS', value: name.body.toString('latin1') }];
        case primitive(7):
          return [{ type: 'IP', value: addressOfOctets(name.body) }];
        case constructed(0):
          return readOtherName(name);
        default:
          return [];
      }
    });
}

function readOtherName(name: DerValue): PresentedName[] {
  const fields = DerReader.inside(name);
  const type = readOid(fields.next());
  const holder = DerReader.inside(fields.take(constructed(0)));
  fields.end();
  const value = holder.next();
  holder.end();
  if (type === SRV_NAME && value.tag === TAG.IA5_STRING) return [{ type: 'SRV', value: value.body.toString('latin1') }];
  if (type === XMPP_ADDR && value.tag === TAG.UTF8_STRING)
    return [{ type: 'XMPP', value: value.body.toString('utf8') }];
  return [];
}

/** Reader of the values in the one sequence that an extension holds. */
function inSequence(extension: DerReader): DerReader {
  const sequence = extension.take(TAG.SEQUENCE);
  extension.end();
  return DerReader.inside(sequence);
}

function expect(value: DerValue, tag: number): DerValue {
  if (value.tag !== tag) throw malformed(`no value with the tag 0x${tag.toString(16)}`, value.offset);
  return value;
}
