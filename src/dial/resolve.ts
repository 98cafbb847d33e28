// Finding the server of a domain (RFC 6120 §3.2): SRV records (RFC 2782) of the services a dialect names, as one
// ordered list (XEP-0368), or the domain itself where there are none. Addresses of the hosts are looked up when they
// are dialled.
import { usageError, type BrokerError } from '../errors.js';
import { throwIfAborted, within } from './deadline.js';
import { hostName } from './host-name.js';
import { readSrv, srvError, srvFailure, type SrvAnswer } from './srv.js';
import { srvOrder, type Candidate } from './srv.js';
import { systemResolver, type SrvResolver } from './resolver.js';

/** A service to look up, such as `_xmpp-client._tcp`, and how its connections begin. */
export interface SrvService {
  readonly srv: string;
  readonly tls: 'direct' | 'starttls';
}

/** A place to dial. */
export interface Target {
  /** A name in A-labels, an IP address, or `unix:` and the path of a unix socket. */
  readonly host: string;
  /** 0 where there is none: for a unix socket, and for a connector if neither options nor dialect name one. */
  readonly port: number;
  /** Whether TLS starts at once, or is asked for inside the stream. */
  readonly tls: 'direct' | 'starttls';
  /** Service whose SRV record named it; null for the domain itself. */
  readonly srv: string | null;
  /** Why no SRV record was used, one error for each service that was asked for. */
  readonly srvErrors?: readonly BrokerError[] | undefined;
}

/** Options of {@link resolve}. */
export interface ResolveOptions {
  /** Services to look up; with none the domain itself is dialled. */
  readonly services: readonly SrvService[];
  /** Port of the domain itself when there are no SRV records, and of an IP address. */
  readonly fallbackPort: number;
  /** How a connection to the domain itself begins. Default `starttls`. */
  readonly fallbackTls?: 'direct' | 'starttls';
  /** Who is asked, and cancelled at the end of it. Default: the system's DNS servers. */
  readonly resolver?: SrvResolver | undefined;
  /** For all lookups together, in milliseconds. Default 5000. */
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal | undefined;
  /** A number from 0 up to, but not including, 1; draws the weighted order. Default `Math.random`. */
  readonly random?: () => number;
}

/** Most targets kept of an answer: it may have a thousand records, and nobody waits for as many. */
export const MAX_TARGETS = 16;

const FACTS = { layer: 'dns', phase: 'connect' } as const;

/**
 * Lists the places where a domain's server may be, in the order to try them; at most {@link MAX_TARGETS}.
 *
 * An IP address is its own target. Where SRV records exist, they are used and nothing else (RFC 6120 §3.2.1). Without
 * any, whatever the reason, the domain itself is the target and carries the reasons in `srvErrors` (§3.2.2). A service
 * denied with the target `.` forbids that, also when it is only one of several (XEP-0368 §3).
 *
 * @throws BrokerError `USAGE_DOMAIN`, `USAGE_PORT` for what cannot be dialled;
 * `DNS_SERVICE_DENIED` (not retryable) when the domain says that it has no such service; `DNS_FAILED` when SRV records
 * exist but none is usable; `DNS_TIMEOUT` or `DNS_FAILED` when a service is denied and another got no answer; `ABORTED`
 */
export async function resolve(domain: string, options: ResolveOptions): Promise<Target[]> {
  const { services, fallbackPort, fallbackTls = 'starttls', random = Math.random, signal, timeoutMs = 5000 } = options;
  checkPort(fallbackPort);
  const { name, family } = hostName(domain);
  throwIfAborted(signal, `the name resolution of ${name}`, FACTS);
  const itself: Target = { host: name, port: fallbackPort, tls: fallbackTls, srv: null };
  if (family !== 0 || services.length === 0) return [itself];

  const { resolver = systemResolver(timeoutMs) } = options;
  const ask = async (service: SrvService): Promise<SrvAnswer> => {
    const query = `${service.srv}.${name}`;
    const late = () => srvError('DNS_TIMEOUT', query, `no answer within ${timeoutMs} ms`);
    try {
      const asked = Promise.resolve(resolver.resolveSrv(query));
      return readSrv(query, service, await within(asked, { timeoutMs, signal }, `the lookup of ${query}`, FACTS, late));
    } catch (error) {
      return { kind: 'none', error: srvFailure(query, error) };
    }
  };
  const answers = await Promise.all(services.map(ask));
  // Takes back what is still unanswered at the end of the time or on an abort.
  resolver.cancel?.();
  throwIfAborted(signal, `the name resolution of ${name}`, FACTS);

  const records: Candidate[] = [];
  const errors: BrokerError[] = [];
  for (const answer of answers) {
    if (answer.kind === 'records') records.push(...answer.records);
    else errors.push(answer.error);
  }
  if (records.length > 0) return srvOrder(withoutDoubles(records), random, MAX_TARGETS).map(target);
  if (answers.every(({ kind }) => kind === 'none')) return [{ ...itself, srvErrors: errors }];
  throw decisive(errors);
}

/** Of the reasons why nothing can be dialled, at least one of which says so: one that may pass, else the denial. */
function decisive(errors: readonly BrokerError[]): BrokerError {
  const unanswered = errors.find(({ code }) => code === 'DNS_TIMEOUT' || code === 'DNS_FAILED');
  const denied = errors.find(({ code }) => code === 'DNS_SERVICE_DENIED');
  return (unanswered ?? denied) as BrokerError;
}

function target({ name, port, tls, srv }: Candidate): Target {
  return { host: name, port, tls, srv };
}

function withoutDoubles(records: readonly Candidate[]): Candidate[] {
  const byPlace = new Map<string, Candidate>();
  for (const record of records) {
    const place = `${record.name} ${record.port} ${record.tls}`;
    const other = byPlace.get(place);
    if (other === undefined || record.priority < other.priority) byPlace.set(place, record);
  }
  return [...byPlace.values()];
}

/** @throws BrokerError `USAGE_PORT` */
export function checkPort(port: unknown): void {
  if (Number.isInteger(port) && (port as number) > 0 && (port as number) <= 0xffff) return;
  throw usageError(
    'USAGE_PORT',
    `a port must be a whole number from 1 to 65535, got ${typeof port === 'number' ? port : typeof port}`,
  );
}
