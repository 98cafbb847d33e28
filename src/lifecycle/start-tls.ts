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
  /** When the server's certificate expires; null when it is not checked. */
  readonly notAfter: Date | null;
  /** What is wrong with a certificate that is accepted all the same. */
  readonly warning: BrokerError | null;
}

/**
 * Does the TLS handshake on a stream's connection, as the options ask.
 * @param direct whether TLS begins the connection (XEP-0368)
 * @throws BrokerError `TLS_*`
 */
export async function startTls(
  stream: XmlStream,
  { config, secrets }: { readonly config: BrokerConfig; readonly secrets: Secrets },
  { direct, signal }: { readonly direct: boolean; readonly signal: AbortSignal },
): Promise<TlsResult> {
  const done: TlsResult[] = [];
  await stream.startTls(async (socket: Duplex) => {
    const upgraded = await upgrade(socket, {
      domain: config.domain,
      tls: { ...config.tls, key: secrets.key, passphrase: secrets.passphrase },
      alpn: direct ? (config.connectionType.alpn ?? null) : null,
      signal,
      timeoutMs: config.timeouts.tls,
    });
    const { facts, notAfter, warning, certificateDer } = upgraded;
    done.push({ facts, notAfter, warning, bindings: channelBindings(upgraded.socket, certificateDer) });
    return upgraded.socket;
  });
  const [secured] = done;
  if (secured !== undefined) return secured;
  throw new BrokerError('TLS_HANDSHAKE', 'the TLS handshake ended without a result', { layer: 'tls' });
}
