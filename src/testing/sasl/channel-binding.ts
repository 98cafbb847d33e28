// Channel binding as the server sees it: RFC 9266 (tls-exporter), RFC 5929 (tls-server-end-point, tls-unique).
import { createHash, X509Certificate } from 'node:crypto';
import type { TLSSocket } from 'node:tls';
import { signatureHash } from '../../tls/signature-hash.js';

/** A type of channel binding that the loopback server can offer (RFC 9266, RFC 5929). */
export type ChannelBinding = 'tls-exporter' | 'tls-server-end-point' | 'tls-unique';

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
  const hash = signatureHash(raw);
  return hash === null ? null : createHash(hash).update(raw).digest();
}
