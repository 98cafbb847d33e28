import type { X509Certificate } from 'node:crypto';
import type { Duplex } from 'node:stream';
import { BrokerError } from '../errors.js';
import type { BrokerConfig, Secrets } from '../options/options.js';
import type { XmlStream } from '../stream/xml-stream.js';
import { channelBindings, type ChannelBindings } from '../tls/channel-binding.js';
import type { TlsFacts } from '../tls/facts.js';
import { upgrade } from '../tls/upgrade.js';

/** What came of a TLS handshake. */
export interface TlsResult {
  readonly facts: TlsFacts;
  readonly bindings: ChannelBindings;
  readonly certificate: X509Certificate;
  /** When the server's certificate expires; null when it is not checked. */
  readonly notAfter: Date | null;
  /** What is wrong with a certificate that is accepted all the same. */
  readonly warning: BrokerError | null;
}

/** The server of a TLS handshake. */
export interface TlsServer {
  /** What its certificate has to name, and what it is asked for. */
  readonly name: string;
  /** What the certificate may name in place of that; null for nothing. */
  readonly alternative: string | null;
  /** What is to be spoken inside (ALPN); null for whatever it is. */
  readonly alpn: string | null;
}

/**
 * Does the TLS handshake on a stream's connection, as the options ask.
 * @param server what the server has to be called, and spoken to
 * @throws BrokerError `TLS_*`
 */
export async function startTls(
  stream: XmlStream,
  { config, secrets }: { readonly config: BrokerConfig; readonly secrets: Secrets },
  { server, signal }: { readonly server: TlsServer; readonly signal: AbortSignal },
): Promise<TlsResult> {
  const done: TlsResult[] = [];
  await stream.startTls(async (socket: Duplex) => {
    const upgraded = await upgrade(socket, {
      domain: server.name,
      alternative: server.alternative,
      tls: { ...config.tls, key: secrets.key, passphrase: secrets.passphrase },
      alpn: server.alpn,
      signal,
      timeoutMs: config.timeouts.tls,
    });
    const { facts, notAfter, warning, certificate } = upgraded;
    done.push({ facts, notAfter, warning, certificate, bindings: channelBindings(upgraded.socket, certificate.raw) });
    return upgraded.socket;
  });
  const [secured] = done;
  if (secured !== undefined) return secured;
  throw new BrokerError('TLS_HANDSHAKE', 'the TLS handshake ended without a result', { layer: 'tls' });
}
