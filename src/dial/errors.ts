// Errors of dialling: one for each address tried, and one that sums them up.
import { BrokerError, printable } from '../errors.js';
import { endpoint } from './host-name.js';
import type { Target } from './resolve.js';

/** Most failures that a message lists; the `cause` has them all. */
const LISTED = 8;

/** Codes by how much they tell about the way to the server, the most telling first. */
const CODES = [
  'TCP_REFUSED',
  'TCP_RESET',
  'TCP_TIMEOUT',
  'TCP_UNREACHABLE',
  'TCP_CONNECTOR',
  'TCP_FAILED',
  'DNS_TIMEOUT',
  'DNS_FAILED',
  'DNS_NOT_FOUND',
];

/** The error of one address. `address` is null where only the host is known. */
export function attemptError(
  code: string,
  target: Target,
  address: string | null,
  why: string,
  cause?: unknown,
): BrokerError {
  const at = address === null || address === target.host ? '' : ` at ${address}`;
  return new BrokerError(code, `${endpoint(target.host, target.port)}${at}: ${why}`, {
    layer: code.startsWith('DNS_') ? 'dns' : 'tcp',
    phase: 'connect',
    origin: 'os',
    retryable: true,
    cause,
  });
}

/** The error of a `connect` that the operating system refused. Operation, errno and text stay visible. */
export function connectFailure(target: Target, address: string, error: unknown): BrokerError {
  const [code, text] = systemText(error);
  return attemptError(connectCode(code), target, address, text, error);
}

/** The error of an address lookup that failed. */
export function lookupFailure(target: Target, error: unknown): BrokerError {
  if (error instanceof BrokerError) return error;
  const [code, text] = systemText(error);
  const notFound = code === 'ENOTFOUND' || code === 'ENODATA';
  // A name that is not known now may be known later: offline machines give this answer, too.
  return attemptError(notFound ? 'DNS_NOT_FOUND' : 'DNS_FAILED', target, null, text, error);
}

/**
 * The error of a whole dial: the most telling code, a message that lists what was tried, and all errors as an
 * `AggregateError` in `cause`, those of the SRV lookups last.
 */
export function dialFailure(targets: readonly Target[], errors: readonly BrokerError[]): BrokerError {
  const all = [...errors, ...targets.flatMap(({ srvErrors = [] }) => srvErrors)];
  const code = CODES.find((known) => errors.some((error) => error.code === known)) ?? 'TCP_FAILED';
  const listed = errors.slice(0, LISTED).map(({ message }) => message);
  if (errors.length > LISTED) listed.push(`and ${errors.length - LISTED} more`);
  const message = `could not connect to the server; tried ${listed.join('; ')}`;
  return new BrokerError(code, message, {
    layer: code.startsWith('DNS_') ? 'dns' : 'tcp',
    phase: 'connect',
    origin: 'os',
    retryable: true,
    cause: new AggregateError(all, message),
  });
}

function connectCode(code: string): string {
  switch (code) {
    case 'ECONNREFUSED':
    case 'ENOENT': // no unix socket of that name
      return 'TCP_REFUSED';
    case 'ECONNRESET':
    case 'ECONNABORTED':
    case 'EPIPE':
      return 'TCP_RESET';
    case 'ETIMEDOUT':
      return 'TCP_TIMEOUT';
    case 'ENETUNREACH':
    case 'EHOSTUNREACH':
    case 'ENETDOWN':
    case 'EHOSTDOWN':
    case 'EADDRNOTAVAIL':
    case 'EAFNOSUPPORT':
      return 'TCP_UNREACHABLE';
    default:
      return 'TCP_FAILED';
  }
}

/** Code and text of a system error; its message names operation and errno, as in `connect ECONNREFUSED ::1:5222`. */
function systemText(error: unknown): [code: string, text: string] {
  if (!(error instanceof Error)) return ['', 'unknown error'];
  const code = 'code' in error && typeof error.code === 'string' ? error.code : '';
  return [code, printable(error.message, 200)];
}
