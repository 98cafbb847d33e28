import { promises as dns } from 'node:dns';
import { isIP } from 'node:net';
import { unixSocketPath } from '../arguments/unix-socket.js';
import { attemptError, lookupFailure } from './errors.js';
import { within, type Limits } from './deadline.js';
import type { Target } from './resolve.js';

/** An IP address to connect to. */
export interface Address {
  readonly address: string;
  readonly family: number;
}

/** Finds the addresses of a host, all families. Rejects with an error whose `code` is that of `getaddrinfo`. */
export type Lookup = (host: string) => Promise<readonly Address[]>;

/** Most addresses tried of one host. */
const MAX_ADDRESSES = 16;

/** The operating system's lookup: hosts file, DNS and what else it is set up for, in its order (RFC 6724). */
export const systemLookup: Lookup = (host) => dns.lookup(host, { all: true });

/** The address that a host is already, for which nobody has to be asked; null for a name. */
export function literalAddress(host: string): Address | null {
  if (unixSocketPath(host) !== null) return { address: host, family: 0 };
  const family = isIP(host);
  return family === 0 ? null : { address: host, family };
}

/**
 * Addresses of a target in the order to try them: the families take turns, the lookup's first choice begins (RFC 8305 §4).
 * @throws BrokerError `DNS_NOT_FOUND`, `DNS_FAILED`, `DNS_TIMEOUT`, `ABORTED`
 */
export async function addressesOf(target: Target, lookup: Lookup, limits: Limits): Promise<Address[]> {
  const { host } = target;
  const literal = literalAddress(host);
  if (literal !== null) return [literal];
  const late = () => attemptError('DNS_TIMEOUT', target, null, `no address within ${limits.timeoutMs} ms`);
  const facts = { layer: 'dns', phase: 'connect' } as const;
  try {
    const found = await within(lookup(host), limits, `the lookup of ${host}`, facts, late);
    const addresses = interleave(found.filter(({ address }) => isIP(address) !== 0));
    if (addresses.length > 0) return addresses.slice(0, MAX_ADDRESSES);
  } catch (error) {
    throw lookupFailure(target, error);
  }
  throw attemptError('DNS_NOT_FOUND', target, null, 'the name has no address');
}

function interleave(addresses: readonly Address[]): Address[] {
  const first = addresses.filter(({ family }) => family === addresses[0]?.family);
  const second = addresses.filter(({ family }) => family !== addresses[0]?.family);
  const turns = Array.from({ length: Math.max(first.length, second.length) }, (_, turn) => [first[turn], second[turn]]);
  return turns.flat().filter((address) => address !== undefined);
}
