import { BrokerError, printable } from '../errors.js';
import { hostName } from './domain.js';
import type { Candidate } from './resolve-order.js';

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
    return [{ name: hostName(name ?? '').name, port, priority, weight, srv, tls }];
  } catch {
    return [];
  }
}

function isUint16(value: unknown): value is number {
  return Number.isInteger(value) && (value as number) >= 0 && (value as number) <= 0xffff;
}
