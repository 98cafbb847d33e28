// What every side does when a stream opens: RFC 6120 §4.7, §5.4.
import { randomBytes } from 'node:crypto';
import { reasonOf } from '../arguments/values.js';
import { BrokerError } from '../errors.js';
import type { Element } from '../xml/element.js';
import { NS } from '../xml/namespaces.js';
import type { Connection } from './connection.js';
import type { Site } from './site.js';
import { jidOf } from './stanza.js';
import { StreamFault, StreamOver } from './stream-fault.js';

/** An id of a stream: digests are made with it, so it is never used twice. */
export function streamId(): string {
  return randomBytes(18).toString('base64url');
}

/** Whether the peer speaks XMPP 1.0 (RFC 6120 §4.7.5): features are for those only. */
export function isModern(header: Element): boolean {
  const major = /^0*(?<major>[0-9]{1,5})\.[0-9]{1,5}$/.exec(header.getAttribute('version') ?? '')?.groups?.major;
  return Number(major ?? 0) >= 1;
}

/**
 * What is wrong with a header, or null.
 * @param domain whom it has to be for; null when it may be for anybody
 * @param overWebSocket whether it is to be `<open/>` (RFC 7395 §3.4)
 */
export function wrongHeader(
  header: Element,
  contentNamespace: string,
  domain: string | null,
  overWebSocket = false,
): StreamFault | null {
  const isRight = overWebSocket
    ? header.is('open', NS.FRAMING)
    : header.is('stream', NS.STREAM) && header.lookupNamespaceURI(null) === contentNamespace;
  if (!isRight) return new StreamFault('invalid-namespace');
  const version = header.getAttribute('version');
  if (version !== null && !/^[0-9]{1,5}\.[0-9]{1,5}$/.test(version)) return new StreamFault('unsupported-version');
  if (domain === null) return null;
  const to = header.getAttribute('to');
  return jidOf(to)?.toString() === domain ? null : new StreamFault('host-unknown');
}

/** Does the TLS handshake. A failed one closes the connection without XML (RFC 6120 §5.4.3.2). */
export async function secure(connection: Connection, site: Site, alpn: string | null): Promise<void> {
  const { stream } = connection;
  const { tls } = site;
  if (tls === null) throw new StreamFault('unsupported-feature');
  try {
    await stream.startTls((socket) => tls.handshake(socket, alpn));
  } catch (cause) {
    const facts = { layer: 'tls', phase: 'tls', origin: 'peer', cause } as const;
    connection.error = new BrokerError('TLS_HANDSHAKE', `the TLS handshake failed: ${reasonOf(cause)}`, facts);
    throw new StreamOver('the connection is closed');
  }
  const socket = stream.tls;
  if (socket === null) return;
  site.publish('tls', {
    connection,
    version: socket.getProtocol() ?? 'unknown',
    cipher: socket.getCipher().standardName,
    servername: (socket as { servername?: string | false }).servername || null,
    alpn: socket.alpnProtocol || null,
  });
}
