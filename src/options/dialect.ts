import {
  flag,
  isText,
  listOf,
  method,
  milliseconds,
  must,
  oneOf,
  port,
  text,
  type Check,
} from '../arguments/checks.js';
import { kindOf } from '../arguments/values.js';
import type { Dialect } from '../protocols/dialect.js';
import DIALECTS from '../protocols/index.js';

const POLICIES = ['required', 'preferred', 'direct', 'disabled'] as const;
const NEEDS = ['username', 'password', 'resource', 'port'] as const;

/** Name of a protocol in TLS (RFC 7301 §3.1). */
const protocol = must('a string of 1 to 255 bytes', (value) => isText(value) && Buffer.byteLength(value) <= 255);

/** A service of SRV records, and how its connections begin. */
const service: Check = (value) => {
  const { srv, tls } = (value ?? {}) as Record<string, unknown>;
  const named = typeof srv === 'string' && /^_[a-z0-9-]+\._[a-z0-9-]+$/i.test(srv);
  return named ? oneOf('direct', 'starttls')(tls) : 'must have a srv like _xmpp-client._tcp';
};

/** What each property of a dialect must be. */
const CHECKS: Record<keyof Dialect, Check> = {
  name: text,
  xmlns: text,
  negotiate: method,
  version: optional(text),
  defaultPort: optional(port),
  directTlsPort: optional(port),
  usualPort: optional(port),
  alpn: optional(protocol),
  websocket: optional(flag),
  services: optional(listOf("{ srv: '_xmpp-client._tcp', tls: 'direct' or 'starttls' } and the like", service)),
  defaultTls: optional(oneOf('required', 'loopback')),
  needs: optional(listOf(NEEDS.join(', '), oneOf(...NEEDS))),
  excludes: optional(listOf('resource', oneOf('resource'))),
  tlsPolicies: optional(listOf(POLICIES.join(', '), oneOf(...POLICIES))),
  answersRequests: optional(flag),
  addressing: optional(oneOf('account', 'domain')),
  probe: optional((value) => (method(value) === null ? null : oneOf('ping', 'space')(value))),
  firstDelayMs: optional(milliseconds),
  prepare: optional(method),
  wrap: optional(method),
  unwrap: optional(method),
};

const PROPERTIES = Object.entries(CHECKS);

/** What can be given as a dialect, for messages. */
export const WANTED_DIALECT = `${DIALECTS.map(nameOf).join(', ')} or a dialect of your own`;

/** What a dialect is called in messages: the two component dialects have shorter names, which are those of README. */
export function nameOf({ name }: Dialect): string {
  if (name === 'JABBERD14_COMPONENT') return 'COMPONENT';
  return name === 'JABBERD20_COMPONENT' ? 'ROUTER' : name;
}

/** What is wrong with a dialect, be it one of ours or of a program; null when it can be used. */
export function dialectProblem(value: unknown): string | null {
  if (typeof value !== 'object' || value === null) {
    const hint =
      typeof value === 'string' ? ": import { XMPP } from 'xmpp-broker', without quotes around the name" : '';
    return `must be ${WANTED_DIALECT}, not ${kindOf(value)}${hint}`;
  }
  if ((DIALECTS as readonly unknown[]).includes(value)) return null;
  for (const [property, check] of PROPERTIES) {
    let problem: string | null;
    try {
      problem = check((value as Record<string, unknown>)[property]);
    } catch {
      problem = 'throws when it is read';
    }
    if (problem !== null) return `must be a dialect: its ${property} ${problem}`;
  }
  return null;
}

function optional(check: Check): Check {
  return (value) => (value === undefined ? null : check(value));
}
