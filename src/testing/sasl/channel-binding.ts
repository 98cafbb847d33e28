// Channel binding as the server sees it: RFC 9266 (tls-exporter), RFC 5929 (tls-server-end-point, tls-unique).
import { createHash, X509Certificate } from 'node:crypto';
import type { TLSSocket } from 'node:tls';
import { DerReader, readOid, TAG } from '../../tls/der.js';

/** A type of channel binding that the loopback server can offer (RFC 9266, RFC 5929). */
export type ChannelBinding = 'tls-exporter' | 'tls-server-end-point' | 'tls-unique';

/** Hash of `tls-server-end-point` by the OID of the certificate's signature, in hexadecimal (RFC 5929 §4.1). */
const SIGNATURE_HASHES: Readonly<Record<string, string>> = {
  '2a8648ce3d040302': 'sha256', // ecdsa-with-SHA256
  '2a8648ce3d040303': 'sha384',
  '2a8648ce3d040304': 'sha512',
  '2a864886f70d010104': 'sha256', // md5WithRSAEncryption
  '2a864886f70d010105': 'sha256', // sha1WithRSAEncryption
  '2a864886f70d01010b': 'sha256', // sha256WithRSAEncryption
  '2a864886f70d01010c': 'sha384',
  '2a864886f70d01010d': 'sha512',
};

/** The types among `wanted` that this connection has, each with its data. */
export function channelBindings(
  tls: TLSSocket | null,
  certificate: string,
  wanted: readonly ChannelBinding[],
): Map<string, Buffer> {
  const found = new Map<string, Buffer>();
  if (tls === null) return found;
  for (const type of wanted) {
    const data = bindingData(type, tls, certificate);
    if (data !== null) found.set(type, data);
  }
  return found;
}

function bindingData(type: ChannelBinding, tls: TLSSocket, certificate: string): Buffer | null {
  switch (type) {
    case 'tls-exporter':
      return tls.exportKeyingMaterial(32, 'EXPORTER-Channel-Binding', Buffer.alloc(0));
    case 'tls-server-end-point':
      return endPoint(certificate);
    case 'tls-unique':
      // Of a full handshake: the client's Finished message. On TLS 1.3 it is not defined, but real servers take that too.
      return tls.getPeerFinished() ?? null;
  }
}

function endPoint(certificate: string): Buffer | null {
  const { raw } = new X509Certificate(certificate);
  const fields = DerReader.inside(new DerReader(raw).take(TAG.SEQUENCE));
  fields.take(TAG.SEQUENCE); // tbsCertificate
  const algorithm = readOid(DerReader.inside(fields.take(TAG.SEQUENCE)).next());
  const hash = SIGNATURE_HASHES[algorithm];
  return hash === undefined ? null : createHash(hash).update(raw).digest();
}
