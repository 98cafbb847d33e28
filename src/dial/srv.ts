import { BrokerError, printable } from '../errors.js';
import { hostName } from './host-name.js';

/** One SRV record, as `node:dns` gives it. */
export interface SrvRecord {
  readonly name: string;
  readonly port: number;
  readonly priority: number;
  readonly weight: number;
}

/** What is known about one SRV service of a domain. */
export type SrvAnswer =
  | { readonly kind: 'records'; readonly records: readonly Candidate[] }
  /** No record, or no answer: the domain itself may be dialled. */
  | { readonly kind: 'none'; readonly error: BrokerError }
  /** There are records, but nothing to dial. */
  | { readonly kind: 'closed'; readonly error: BrokerError };

/**
 * Reads the SRV records of one service (RFC 2782). The target `.` says that the service is not available; beside other
 * records it is left out, as are records without a port or with a target that is no host name.
 */
export function readSrv(
  query: string,
  service: { srv: string; tls: 'direct' | 'starttls' },
  answer: unknown,
): SrvAnswer {
  const all: unknown[] = Array.isArray(answer) ? answer : [];
  if (all.length === 0) return { kind: 'none', error: srvError('DNS_NOT_FOUND', query, 'there is no such record') };
  const open = all.filter((record) => !isDenial(record));
  if (open.length === 0) {
    const error = srvError(
      'DNS_SERVICE_DENIED',
      query,
      'the domain says that it does not offer this service (target ".")',
    );
    return { kind: 'closed', error };
  }
  const records = open.flatMap((record) => candidate(record, service));
  if (records.length > 0) return { kind: 'records', records };
  return { kind: 'closed', error: srvError('DNS_FAILED', query, 'no record has a usable host name and port') };
}

/** The error of a lookup that failed: what `node:dns` reports stays visible as the cause. */
export function srvFailure(query: string, error: unknown): BrokerError {
  if (error instanceof BrokerError) return error;
  const code = (error as { code?: unknown } | null)?.code;
  const shown = typeof code === 'string' ? printable(code, 40) : 'unknown error';
  switch (code) {
    case 'ENOTFOUND':
    case 'ENODATA':
      return srvError('DNS_NOT_FOUND', query, `there is no such record (${shown})`, error);
    case 'ETIMEOUT':
      return srvError('DNS_TIMEOUT', query, `the DNS servers did not answer (${shown})`, error);
    default:
      return srvError('DNS_FAILED', query, `the DNS servers gave no usable answer (${shown})`, error);
  }
}

/** An error about one SRV lookup. */
export function srvError(code: string, query: string, why: string, cause?: unknown): BrokerError {
  return new BrokerError(code, `SRV lookup of ${query}: ${why}`, {
    layer: 'dns',
    phase: 'connect',
    origin: cause === undefined ? 'peer' : 'os',
    retryable: code !== 'DNS_SERVICE_DENIED',
    cause,
  });
}

function isDenial(record: unknown): boolean {
  const name = (record as Partial<SrvRecord> | null)?.name;
  return name === '' || name === '.';
}

function candidate(record: unknown, { srv, tls }: { srv: string; tls: 'direct' | 'starttls' }): Candidate[] {
  const { name, port, priority, weight } = (record ?? {}) as Partial<SrvRecord>;
  if (!isUint16(port) || port === 0 || !isUint16(priority) || !isUint16(weight)) return [];
  try {
    return [{ name: hostName(name as string).name, port, priority, weight, srv, tls }];
  } catch {
    return [];
  }
}

function isUint16(value: unknown): value is number {
  return Number.isInteger(value) && (value as number) >= 0 && (value as number) <= 0xffff;
}

/** An SRV record and what its service means. */
export interface Candidate extends SrvRecord {
  readonly tls: 'direct' | 'starttls';
  readonly srv: string;
}

/**
 * Puts SRV records into the order in which they are to be tried (RFC 2782, "Priority" and "Weight"): lowest priority
 * first, and among equals a weighted draw, record by record. Records of several services are one list (XEP-0368 §3).
 * Only the first `limit` places are drawn.
 * @param random a number from 0 up to, but not including, 1
 */
export function srvOrder(records: readonly Candidate[], random: () => number, limit: number): Candidate[] {
  // Weight 0 stands first in its priority, which gives it a small chance to be drawn.
  const left = [...records].sort((a, b) => a.priority - b.priority || a.weight - b.weight);
  const ordered: Candidate[] = [];
  while (left.length > 0 && ordered.length < limit) ordered.push(...left.splice(draw(left, random), 1));
  return ordered;
}

/** Index of the next record: the first whose running sum of weights reaches a random point. */
function draw(left: readonly Candidate[], random: () => number): number {
  const rest = left.findIndex(({ priority }) => priority !== left[0]?.priority);
  const group = rest < 0 ? left : left.slice(0, rest);
  const sum = group.reduce((total, { weight }) => total + weight, 0);
  const point = Math.floor(random() * (sum + 1));
  let running = 0;
  const drawn = group.findIndex(({ weight }) => (running += weight) >= point);
  return Math.max(drawn, 0);
}
