import { reasonOf } from '../arguments/values.js';
import { dialThrough, type Connector } from '../dial/connector.js';
import { within } from '../dial/deadline.js';
import { dial } from '../dial/dial.js';
import { BrokerError } from '../errors.js';
import type { BrokerConfig } from '../options/options.js';
import { upgrade } from '../tls/upgrade.js';
import { readHostMeta, type HostMeta, type SecureConnector } from './host-meta.js';

/** What discovery works with. */
export interface DiscoveryParts {
  readonly config: BrokerConfig;
  readonly connector: Connector | undefined;
}

/** Most WebSockets of a domain that are tried. */
const MOST = 4;

const FACTS = { layer: 'dns', phase: 'connect' } as const;

/** Whether nothing of what was dialled could be reached: then another way may be looked for. */
export function isUnreachable(error: unknown): error is BrokerError {
  return error instanceof BrokerError && (error.layer === 'tcp' || error.layer === 'dns') && error.code !== 'ABORTED';
}

/**
 * Finds WebSockets of a domain that cannot be reached in the ways of RFC 6120 (XEP-0156 §2.2), in random order. The file is
 * read over TLS with a certificate for the domain, through the connector if there is one, within `timeouts.resolve`.
 * @param failed why it could not be reached
 * @throws BrokerError `RESOLVE_HOST_META`, with both reasons
 */
export async function discover(parts: DiscoveryParts, failed: BrokerError, signal: AbortSignal): Promise<HostMeta> {
  const { domain, timeouts } = parts.config;
  const over = new AbortController();
  const end = () => {
    over.abort(signal.reason);
  };
  signal.addEventListener('abort', end);
  try {
    const late = () => new BrokerError('RESOLVE_HOST_META', `no answer within ${String(timeouts.resolve)} ms`, FACTS);
    const asked = readHostMeta(domain, secureConnector(parts, over.signal), over.signal);
    const limits = { timeoutMs: timeouts.resolve, signal };
    const { secure, insecure } = await within(asked, limits, 'the search for a WebSocket', FACTS, late);
    if (secure.length === 0) throw onlyInsecure(domain);
    return { secure: shuffled(secure).slice(0, MOST), insecure };
  } catch (error) {
    signal.throwIfAborted();
    throw nothingFound(failed, error);
  } finally {
    signal.removeEventListener('abort', end);
    over.abort();
  }
}

/** What is said of WebSockets without TLS that are named beside others. */
export function insecureLinks(count: number): BrokerError {
  const text = `the domain's host-meta names ${String(count)} WebSocket${count === 1 ? '' : 's'} without TLS; not used`;
  return new BrokerError('RESOLVE_HOST_META', text, { ...FACTS, origin: 'peer' });
}

function onlyInsecure(domain: string): BrokerError {
  const text = `the host-meta of ${domain} names WebSockets without TLS only`;
  return new BrokerError('RESOLVE_HOST_META', text, { ...FACTS, origin: 'peer', retryable: true });
}

/** Pins and `servername` are about the XMPP server, and a file may be on another one; who is trusted is the same. */
function secureConnector({ config, connector }: DiscoveryParts, signal: AbortSignal): SecureConnector {
  const { ca, crl, minVersion, maxVersion, insecureSkipVerify } = config.tls;
  const { connect: timeoutMs, resolve: lookupTimeoutMs, tls: tlsMs } = config.timeouts;
  return async (host, port) => {
    const targets = [{ host, port, tls: 'direct', srv: null }] as const;
    const options = { signal, timeoutMs, lookupTimeoutMs };
    const { socket } = await (connector === undefined
      ? dial(targets, options)
      : dialThrough(connector, targets, options));
    const tls = { ca, crl, minVersion, maxVersion, insecureSkipVerify };
    const upgraded = await upgrade(socket, { domain: host, tls, alpn: 'http/1.1', signal, timeoutMs: tlsMs });
    return upgraded.socket;
  };
}

function shuffled(urls: readonly URL[]): URL[] {
  return urls
    .map((url) => ({ url, at: Math.random() }))
    .sort((a, b) => a.at - b.at)
    .map(({ url }) => url);
}

function nothingFound(failed: BrokerError, error: unknown): BrokerError {
  const message = `${failed.message}; and ${reasonOf(error)}`;
  return new BrokerError('RESOLVE_HOST_META', message, {
    ...FACTS,
    origin: 'os',
    retryable: true,
    cause: new AggregateError([failed, error], message),
  });
}
