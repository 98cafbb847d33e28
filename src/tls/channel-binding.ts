// Channel bindings of TLS: tls-exporter, RFC 9266; tls-server-end-point and tls-unique, RFC 5929.
import { createHash } from 'node:crypto';
import type { TLSSocket } from 'node:tls';
import { BrokerError } from '../errors.js';
import { constructed, DerReader, readOid, TAG, type DerValue } from './der.js';

/** Types of channel binding that can be used here. `tls-unique` is used only where it is named. */
export type ChannelBindingType = 'tls-exporter' | 'tls-server-end-point' | 'tls-unique';

export const CHANNEL_BINDING_TYPES: readonly ChannelBindingType[] = [
  'tls-exporter',
  'tls-server-end-point',
  'tls-unique',
];

/** The binding data of one connection, by type; null for what it does not have. */
export type ChannelBindings = (type: ChannelBindingType) => Buffer | null;

/** What is needed of a TLS connection; a `TLSSocket` has it. */
export type BindableSocket = Pick<
  TLSSocket,
  'getProtocol' | 'exportKeyingMaterial' | 'getFinished' | 'isSessionReused'
>;

/**
 * Channel bindings of a TLS connection whose handshake is done.
 * @param certificate the server's certificate in DER
 */
export function channelBindings(socket: BindableSocket, certificate: Buffer): ChannelBindings {
  return (type) => {
    switch (type) {
      case 'tls-exporter':
        return exporter(socket);
      case 'tls-server-end-point':
        return endPoint(certificate);
      case 'tls-unique':
        return unique(socket);
    }
  };
}

/**
 * RFC 9266 §2: 32 octets with a context of zero length, which in TLS 1.2 is not the same as no context. Renegotiation
 * is never allowed here and sessions are never resumed, as §4 demands for TLS 1.2.
 */
function exporter(socket: BindableSocket): Buffer | null {
  const protocol = socket.getProtocol();
  if (protocol !== 'TLSv1.3' && (protocol !== 'TLSv1.2' || socket.isSessionReused())) return null;
  try {
    return socket.exportKeyingMaterial(32, 'EXPORTER-Channel-Binding', Buffer.alloc(0));
  } catch (cause) {
    throw new BrokerError('SASL_CHANNEL_BINDING', 'The TLS connection gives no channel binding: it is closed.', {
      layer: 'sasl',
      phase: 'auth',
      origin: 'local',
      cause,
    });
  }
}

/** RFC 5929 §3: the first Finished message of a full handshake, which is the client's. Not defined for TLS 1.3. */
function unique(socket: BindableSocket): Buffer | null {
  if (socket.getProtocol() !== 'TLSv1.2' || socket.isSessionReused()) return null;
  return socket.getFinished() ?? null;
}

/** RFC 5929 §4: the certificate, hashed by the hash of its signature, or by SHA-256 for the weak ones. */
function endPoint(certificate: Buffer): Buffer | null {
  const hash = signatureHash(certificate);
  return hash === null ? null : createHash(hash).update(certificate).digest();
}

/**
 * The hash that {@link ChannelBindingType | tls-server-end-point} uses for a certificate, as `node:crypto` names it. Null
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
    if (error instanceof BrokerError) return null;
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
