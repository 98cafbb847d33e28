import { promises as dns } from 'node:dns';
import type { SrvRecord } from './srv.js';

/** What asks for SRV records; a `dns.promises.Resolver` is one. Rejects with errors whose `code` is that of `node:dns`. */
export interface SrvResolver {
  resolveSrv(name: string): Promise<readonly SrvRecord[]>;
  /** Takes back what is not answered yet. */
  cancel?(): void;
}

/**
 * Asks the system's DNS servers, or the given ones. Names below `localhost` are never asked for (RFC 6761 §6.3).
 * @param timeoutMs for a whole lookup; within it each question is repeated once
 */
export function systemResolver(timeoutMs: number, servers?: readonly string[]): SrvResolver {
  // The second try waits twice as long as the first.
  const resolver = new dns.Resolver({ timeout: Math.ceil(timeoutMs / 3), tries: 2 });
  if (servers !== undefined) resolver.setServers(servers);
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
