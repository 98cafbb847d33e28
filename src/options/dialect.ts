import { isArray, kindOf } from '../arguments/arguments.js';
import type { Dialect } from '../protocols/dialect.js';
import DIALECTS from '../protocols/index.js';

type Check = (value: unknown) => string | null;

const name: Check = (value) => (typeof value === 'string' && value !== '' ? null : 'a non-empty string');
const method: Check = (value) => (typeof value === 'function' ? null : 'a function');
const flag: Check = (value) => (typeof value === 'boolean' ? null : 'true or false');
const port: Check = (value) =>
  typeof value === 'number' && Number.isInteger(value) && value >= 1 && value <= 65_535 ? null : 'a port';
const protocol: Check = (value) =>
  name(value) === null && Buffer.byteLength(value as string) <= 255 ? null : 'a string of 1 to 255 bytes';

function oneOf(...words: readonly string[]): Check {
  return (value) => (words.includes(value as string) ? null : words.map((word) => `'${word}'`).join(' or '));
}

function listOf(what: string, check: Check): Check {
  return (value) => (isArray(value) && value.every((one) => check(one) === null) ? null : `a list of ${what}`);
}

function optional(check: Check): Check {
  return (value) => (value === undefined ? null : check(value));
}

const service: Check = (value) => {
  const { srv, tls } = (value ?? {}) as Record<string, unknown>;
  return name(srv) ?? oneOf('direct', 'starttls')(tls);
};

const POLICIES = ['required', 'preferred', 'direct', 'disabled'] as const;

/** What each property of a dialect must be. */
const CHECKS: Record<keyof Dialect, Check> = {
  name,
  xmlns: name,
  negotiate: method,
  version: optional(name),
  defaultPort: optional(port),
  directTlsPort: optional(port),
  usualPort: optional(port),
  alpn: optional(protocol),
  services: optional(listOf("{ srv, tls: 'direct' or 'starttls' }", service)),
  defaultTls: optional(oneOf('required', 'loopback')),
  needs: optional(
    listOf("'username', 'password', 'resource' and 'port'", oneOf('username', 'password', 'resource', 'port')),
  ),
  tlsPolicies: optional(listOf(POLICIES.join(', '), oneOf(...POLICIES))),
  answersRequests: optional(flag),
  addressing: optional(oneOf('account', 'domain')),
  probe: optional(oneOf('ping', 'space')),
  prepare: optional(method),
  wrap: optional(method),
  unwrap: optional(method),
};

/** What can be given as a dialect, for messages. */
export const WANTED_DIALECT = `${DIALECTS.map(({ name }) => name).join(', ')} or a dialect of your own`;

/** What is wrong with a dialect, be it one of ours or of a program; null when it can be used. */
export function dialectProblem(value: unknown): string | null {
  if (typeof value !== 'object' || value === null) {
    return `must be ${WANTED_DIALECT}, not ${kindOf(value)}`;
  }
  for (const [property, check] of Object.entries(CHECKS)) {
    let wanted: string | null;
    try {
      wanted = check((value as Record<string, unknown>)[property]);
    } catch {
      return `must be a dialect, but its ${property} cannot be read`;
    }
    if (wanted !== null) return `must be a dialect, but its ${property} is not ${wanted}`;
  }
  return null;
}
