// Channel bindings of TLS: tls-exporter, RFC 9266; tls-server-end-point and tls-unique, RFC 5929.
import { createHash } from 'node:crypto';
import type { TLSSocket } from 'node:tls';
import { BrokerError } from '../errors.js';
import { signatureHash } from './signature-hash.js';

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
    throw new BrokerError('SASL_CHANNEL_BINDING', 'the TLS connection gives no channel binding: it is closed', {
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
