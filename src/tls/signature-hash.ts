// Which hash a certificate is signed with. Node does not tell it before version 24, and of RSASSA-PSS not at all.
import { constructed, DerError, DerReader, readOid, TAG, type DerValue } from './der.js';

/**
 * The hash that `tls-server-end-point` uses for a certificate, as `node:crypto` names it. Null
 * where RFC 5929 §4.1 leaves it undefined: signatures with no hash of their own (EdDSA), with two, or unknown ones.
 */
export function signatureHash(certificate: Buffer): string | null {
  try {
    const outer = DerReader.inside(new DerReader(certificate).take(TAG.SEQUENCE));
    outer.take(TAG.SEQUENCE); // tbsCertificate
    const algorithm = DerReader.inside(outer.take(TAG.SEQUENCE));
    const oid = readOid(algorithm.next());
    if (oid === RSASSA_PSS) return pssHash(algorithm.done ? null : algorithm.next());
    return SIGNATURE_HASHES[oid] ?? null;
  } catch (error) {
    if (error instanceof DerError) return null;
    throw error;
  }
}

/** RSASSA-PSS-params (RFC 4055 §3.1): hash and mask hash both default to SHA-1. */
function pssHash(parameters: DerValue | null): string | null {
  if (parameters?.tag !== TAG.SEQUENCE) return parameters === null ? 'sha256' : null;
  const fields = DerReader.inside(parameters);
  const hash = fields.optional(constructed(0));
  const mask = fields.optional(constructed(1));
  const hashOid = hash === null ? SHA1 : algorithmOid(DerReader.inside(hash).next());
  const maskOid = mask === null ? SHA1 : maskHashOid(DerReader.inside(mask).next());
  return hashOid === maskOid ? (HASHES[hashOid] ?? null) : null;
}

function algorithmOid(identifier: DerValue): string {
  return readOid(DerReader.inside(identifier).next());
}

/** The hash inside the identifier of MGF1. */
function maskHashOid(identifier: DerValue): string | null {
  const fields = DerReader.inside(identifier);
  return readOid(fields.next()) === MGF1 ? algorithmOid(fields.next()) : null;
}

const RSASSA_PSS = '2a864886f70d01010a'; // 1.2.840.113549.1.1.10
const MGF1 = '2a864886f70d010108'; // 1.2.840.113549.1.1.8
const SHA1 = '2b0e03021a'; // 1.3.14.3.2.26

/** Hashes by OID, with SHA-256 in the place of SHA-1. */
const HASHES: Readonly<Record<string, string>> = {
  [SHA1]: 'sha256',
  '608648016503040204': 'sha224', // 2.16.840.1.101.3.4.2.4
  '608648016503040201': 'sha256', // .1
  '608648016503040202': 'sha384', // .2
  '608648016503040203': 'sha512', // .3
};

/** Signature algorithms by OID, with SHA-256 in the place of MD5 and SHA-1. */
const SIGNATURE_HASHES: Readonly<Record<string, string>> = {
  '2a864886f70d010104': 'sha256', // 1.2.840.113549.1.1.4, MD5 with RSA
  '2a864886f70d010105': 'sha256', // .5, SHA-1 with RSA
  '2a864886f70d01010e': 'sha224', // .14
  '2a864886f70d01010b': 'sha256', // .11
  '2a864886f70d01010c': 'sha384', // .12
  '2a864886f70d01010d': 'sha512', // .13
  '2a8648ce3d0401': 'sha256', // 1.2.840.10045.4.1, ECDSA with SHA-1
  '2a8648ce3d040301': 'sha224', // 1.2.840.10045.4.3.1
  '2a8648ce3d040302': 'sha256', // .2
  '2a8648ce3d040303': 'sha384', // .3
  '2a8648ce3d040304': 'sha512', // .4
  '2a8648ce380403': 'sha256', // 1.2.840.10040.4.3, DSA with SHA-1
  '608648016503040301': 'sha224', // 2.16.840.1.101.3.4.3.1, DSA
  '608648016503040302': 'sha256', // .2
};
