// Where the server may be: SRV records, addresses, and which of them take a connection.
import { addressesOf, systemLookup, type Lookup } from '../../dial/addresses.js';
import { dial } from '../../dial/dial.js';
import { endpoint } from '../../dial/host-name.js';
import { resolve, type SrvService, type Target } from '../../dial/resolve.js';
import { systemResolver, type SrvResolver } from '../../dial/resolver.js';
import { BrokerError } from '../../errors.js';
import { problemOf, type Problem } from './advice.js';
import type { Plan } from './plan.js';
import type { Report } from './report.js';

/** A place that takes connections. */
export interface Place {
  readonly target: Target;
  /** The first address that answered. */
  readonly address: string;
}

/** Where names are looked up, and until when. */
export interface Search {
  readonly signal: AbortSignal;
  /** Default: the system's DNS servers. */
  readonly resolver?: SrvResolver;
  /** Default: the operating system. */
  readonly lookup?: Lookup;
}

/** Lists the places, in the order in which a broker tries them, and what is wrong with the others. */
export async function findPlaces(
  plan: Plan,
  report: Report,
  { signal, resolver = systemResolver(plan.timeoutMs), lookup = systemLookup }: Search,
): Promise<{ places: readonly Place[]; problems: readonly Problem[] }> {
  report.title(`Finding ${plan.domain}`);
  const problems: Problem[] = [];
  const places: Place[] = [];
  for (const target of await targets(plan, report, { resolver, signal, problems })) {
    const place = await reached(target, plan, { report, lookup, signal, problems });
    if (place !== null) places.push(place);
  }
  return { places, problems };
}

async function targets(
  plan: Plan,
  report: Report,
  { resolver, signal, problems }: { resolver: SrvResolver; signal: AbortSignal; problems: Problem[] },
): Promise<readonly Target[]> {
  const { dialect, tls, domain, host, port, timeoutMs } = plan;
  const start = tls.policy === 'direct' ? 'direct' : 'starttls';
  const fallbackPort = port ?? (start === 'direct' ? dialect.directTlsPort : undefined) ?? dialect.defaultPort ?? 5222;
  if (host !== undefined) return [{ host, port: fallbackPort, tls: start, srv: null }];
  // As a broker does it.
  const services = (dialect.services ?? []).filter((service) => {
    if (tls.policy === 'direct') return service.tls === 'direct';
    return tls.policy !== 'disabled' || service.tls !== 'direct';
  });
  try {
    return await resolve(domain, {
      services: port === undefined ? services : [],
      fallbackPort,
      fallbackTls: start,
      resolver: telling(resolver, report, services),
      timeoutMs,
      signal,
    });
  } catch (error) {
    signal.throwIfAborted();
    if (!(error instanceof BrokerError)) throw error;
    problems.push(problemOf(error));
    report.line('fail', error.message, { step: 'srv', error: error.code });
    return [];
  }
}

/** The same resolver, whose answers are reported. */
function telling(resolver: SrvResolver, report: Report, services: readonly SrvService[]): SrvResolver {
  return {
    async resolveSrv(name) {
      const began = performance.now();
      const kind =
        services.find(({ srv }) => name.startsWith(`${srv}.`))?.tls === 'direct' ? 'TLS at once' : 'STARTTLS';
      try {
        const records = await resolver.resolveSrv(name);
        const ms = performance.now() - began;
        const shown = records.map((one) => `${one.name}:${one.port} (priority ${one.priority}, weight ${one.weight})`);
        report.line('ok', `SRV ${name}, ${kind}: ${shown.join('; ')}`, { step: 'srv', name, records, ms });
        return records;
      } catch (error) {
        const { code = 'failed' } = error as { code?: string };
        const why = code === 'ENOTFOUND' || code === 'ENODATA' ? 'no such record' : code;
        report.line('info', `SRV ${name}, ${kind}: ${why}`, {
          step: 'srv',
          name,
          error: code,
          ms: performance.now() - began,
        });
        throw error;
      }
    },
    cancel: () => resolver.cancel?.(),
  };
}

/** Tries every address of a target. */
async function reached(
  target: Target,
  { timeoutMs }: Plan,
  { report, lookup, signal, problems }: { report: Report; lookup: Lookup; signal: AbortSignal; problems: Problem[] },
): Promise<Place | null> {
  const name = endpoint(target.host, target.port);
  try {
    const began = performance.now();
    const addresses = (await addressesOf(target, lookup, { timeoutMs, signal })).map(({ address }) => address);
    const ms = performance.now() - began;
    report.line('ok', `${target.host} is ${addresses.join(', ')}`, {
      step: 'addresses',
      host: target.host,
      addresses,
      ms,
    });
    const tried = await Promise.all(addresses.map((address) => connects(target, address, { timeoutMs, signal })));
    for (const { address, error, ms: took } of tried) {
      const facts = { step: 'tcp', host: target.host, address, port: target.port, ms: took };
      if (error === null) {
        report.line('ok', `TCP to ${endpoint(address, target.port)}`, facts);
      } else {
        problems.push(problemOf(error));
        report.line('fail', `TCP to ${error.message}`, { ...facts, error: error.code });
      }
    }
    const first = tried.find(({ error }) => error === null);
    return first === undefined ? null : { target, address: first.address };
  } catch (error) {
    signal.throwIfAborted();
    if (!(error instanceof BrokerError)) throw error;
    problems.push(problemOf(error));
    report.line('fail', error.message, { step: 'addresses', host: name, error: error.code });
    return null;
  }
}

interface Tried {
  readonly address: string;
  readonly ms: number;
  readonly error: BrokerError | null;
}

async function connects(
  target: Target,
  address: string,
  limits: { timeoutMs: number; signal: AbortSignal },
): Promise<Tried> {
  const began = performance.now();
  const took = (): number => performance.now() - began;
  try {
    const { socket } = await dial([{ ...target, host: address }], limits);
    const ms = took();
    socket.destroy();
    return { address, ms, error: null };
  } catch (error) {
    limits.signal.throwIfAborted();
    if (!(error instanceof BrokerError)) throw error;
    // One address was tried: what is said of the whole says no more than what is said of it.
    const [only] = error.cause instanceof AggregateError ? (error.cause.errors as unknown[]) : [];
    return { address, ms: took(), error: only instanceof BrokerError ? only : error };
  }
}
