import { promises as dns } from 'node:dns';
import { usageError } from '../errors.js';
import type { SrvRecord } from './srv.js';

/** What asks for SRV records; a `dns.promises.Resolver` is one. Rejects with errors whose `code` is that of `node:dns`. */
export interface SrvResolver {
  resolveSrv(name: string): Promise<readonly SrvRecord[]>;
}

/** A resolver for one resolution, whose open questions can be taken back. */
export interface SystemResolver extends SrvResolver {
  cancel(): void;
}

/**
 * Asks the system's DNS servers, or the given ones. Names below `localhost` are never asked for (RFC 6761 §6.3).
 * @param timeoutMs for a whole lookup; within it each question is repeated once
 * @throws BrokerError `USAGE_DNS_SERVERS` unless each server is an IP address, optionally with a port
 */
export function systemResolver(timeoutMs: number, servers?: readonly string[]): SystemResolver {
  // The second try waits twice as long as the first.
  const resolver = new dns.Resolver({ timeout: Math.ceil(timeoutMs / 3), tries: 2 });
  if (servers !== undefined) {
    try {
      resolver.setServers(servers);
    } catch (cause) {
      const wanted = 'a list of IP addresses such as 192.0.2.53 or [2001:db8::53]:5353';
      throw usageError('USAGE_DNS_SERVERS', `the DNS servers must be ${wanted}`, { cause });
    }
  }
  return {
    resolveSrv: (name) =>
      name.endsWith('.localhost')
        ? Promise.reject(Object.assign(new Error(`${name} is not asked for`), { code: 'ENOTFOUND' }))
        : resolver.resolveSrv(name),
    cancel: () => {
      resolver.cancel();
    },
  };
}
