import { isRecord, kindOf, ownProperties } from '../arguments/arguments.js';
import { dialectProblem, WANTED_DIALECT } from './dialect.js';
import { usageError } from '../errors.js';
import { DEFAULT_FILTER_VISITS } from '../filters/filter-set.js';
import { JID } from '../jid/jid.js';
import {
  count,
  flag,
  headerText,
  hostProblem,
  isDomain,
  isLogger,
  milliseconds,
  portProblem,
  readable,
  text,
  type Check,
} from './checks.js';
import { guarded, silence, stderrLogger, type Logger } from '../logger.js';
import type { Dialect } from '../protocols/dialect.js';
import type { QueueLimits } from '../queue/outbound-queue.js';
import type { Ticket } from '../queue/ticket.js';
import type { Connector } from '../dial/connector.js';
import { tlsProblems, type TlsOptions } from '../tls/options.js';
import { DEFAULT_LIMITS, type XmlLimits } from '../xml/tokenizer/limits.js';

/** When a link counts as dead. */
export interface LivenessOptions {
  /** Silence of the peer after which it is asked for a sign of life, in milliseconds. Default 300 000. */
  intervalMs: number;
  /** How long the peer has for that sign, in milliseconds. Default 30 000. */
  timeoutMs: number;
}

/** A secret, or a function that gives it each time it is needed. */
export type Secret = string | (() => string | Promise<string>);

/** When a lost link is dialled again. */
export interface ReconnectOptions {
  /** Whether the first attempt is retried, too. Default false. */
  initial?: boolean;
  /** Upper bound of the first, random delay in milliseconds (RFC 6120 §3.3). Default 60 000. */
  firstDelayMs?: number;
  /** Cap of the bound, which doubles with each failure, in milliseconds. Default 300 000. */
  maxDelayMs?: number;
  /** Upper bound of the delay before a resumable session is taken up again, in milliseconds. Default 1 000. */
  resumeDelayMs?: number;
  /** Attempts in a row before giving up. Default no end. */
  maxAttempts?: number;
}

/** Time limits in milliseconds. */
export interface Timeouts {
  /** Name resolution. Default 5 000. */
  resolve: number;
  /** TCP, for each address. Default 10 000. */
  connect: number;
  /** TLS handshake. Default 10 000. */
  tls: number;
  /** Stream header and features. Default 10 000. */
  stream: number;
  /** Each step of an authentication. Default 30 000. */
  auth: number;
  /** Each step of binding. Default 10 000. */
  bind: number;
  /** The whole attempt. Default 60 000. */
  attempt: number;
  /** One element on its way in. Default 60 000. */
  stanza: number;
  /** The peer's part of closing. Default 5 000. */
  close: number;
  /** The answer of a request, from when it was written. Default 30 000. */
  request: number;
}

/** Bounds on what the peer and the program may use. */
export interface Limits extends XmlLimits {
  /** Requests pending at once. Default 10 000. */
  requests: number;
  /** Node visits one filter may cost for one stanza. */
  filterVisits: number;
}

/** The outbound queue. */
export interface QueueOptions extends Partial<QueueLimits> {
  /** Sends held stanzas by itself when the broker is ready: all, or those the function picks. Default never. */
  purgeOnReady?: boolean | ((ticket: Ticket) => boolean);
}

/** What `new Broker()` takes. */
export interface BrokerOptions {
  /** The dialect: one that comes with the library, such as XMPP, or one of your own. */
  connectionType: Dialect;
  /** XMPP domain, or the component's name. */
  domain: string;
  /** Where to dial. Without it the domain is resolved: SRV records, then its addresses. */
  host?: string;
  port?: number;
  username?: string;
  password?: Secret;
  /** Resource to ask for. Default: the server assigns one. */
  resource?: string;
  /** Name of this broker in logs. Default the domain. */
  alias?: string;
  /** Overrides of the stream header's `version`, content namespace and stream namespace. Should not be needed. */
  version?: string;
  xmlns?: string;
  stream?: string;
  tls?: TlsOptions;
  /** `false` leaves reconnecting to the application. Default `{}`. */
  reconnect?: boolean | ReconnectOptions;
  timeouts?: Partial<Timeouts>;
  /** How dead links are found; false: only when TCP notices. */
  liveness?: false | Partial<LivenessOptions>;
  limits?: Partial<Limits>;
  queue?: QueueOptions;
  /** Answers iq requests that nobody answered with service-unavailable (RFC 6120 §8.2.3). Default: the dialect's. */
  answerRequests?: boolean;
  /** Logs every element, in and out, without credentials. Default false. */
  debug?: boolean;
  /** A pino-like logger, or false for silence. Default: warnings and errors on stderr. */
  logger?: Logger | false;
  connector?: Connector;
}

/** The options after validation, defaults filled in. Holds no secret: that stays with the broker. */
export interface BrokerConfig {
  readonly connectionType: Dialect;
  readonly domain: string;
  readonly host: string | undefined;
  readonly port: number | undefined;
  readonly username: string | undefined;
  readonly resource: string | undefined;
  readonly alias: string;
  readonly version: string | undefined;
  readonly xmlns: string;
  readonly stream: string;
  readonly tls: Readonly<Omit<TlsOptions, 'key' | 'passphrase'>>;
  readonly reconnect: false | Readonly<Required<ReconnectOptions>>;
  readonly timeouts: Readonly<Timeouts>;
  readonly liveness: false | Readonly<LivenessOptions>;
  readonly limits: Readonly<Limits>;
  /** @internal the limits of the parser among them */
  readonly xmlLimits: Readonly<XmlLimits>;
  readonly queue: Readonly<Required<QueueOptions>>;
  readonly answerRequests: boolean;
  readonly debug: boolean;
}

/** What must not be seen in `config`, in logs or by `util.inspect`. */
export interface Secrets {
  readonly password: Secret | undefined;
  readonly key: TlsOptions['key'];
  readonly passphrase: string | undefined;
}

export const DEFAULT_TIMEOUTS: Readonly<Timeouts> = Object.freeze({
  resolve: 5_000,
  connect: 10_000,
  tls: 10_000,
  stream: 10_000,
  auth: 30_000,
  bind: 10_000,
  attempt: 60_000,
  stanza: 60_000,
  close: 5_000,
  request: 30_000,
});

const DEFAULT_RECONNECT: Readonly<Required<ReconnectOptions>> = Object.freeze({
  initial: false,
  firstDelayMs: 60_000,
  maxDelayMs: 300_000,
  resumeDelayMs: 1_000,
  maxAttempts: Number.POSITIVE_INFINITY,
});

const DEFAULT_LIVENESS: Readonly<LivenessOptions> = Object.freeze({ intervalMs: 300_000, timeoutMs: 30_000 });

const DEFAULT_QUEUE: Readonly<Required<QueueOptions>> = Object.freeze({
  maxStanzas: 10_000,
  maxBytes: 32 * 1024 * 1024,
  purgeOnReady: false,
});

const NO_TLS_OPTIONS: BrokerConfig['tls'] = Object.freeze({});

const DEFAULT_ALL_LIMITS: Readonly<Limits> = Object.freeze({
  ...DEFAULT_LIMITS,
  requests: 10_000,
  filterVisits: DEFAULT_FILTER_VISITS,
});

const TIMEOUT_CHECKS = allOf(DEFAULT_TIMEOUTS, milliseconds);
const LIVENESS_CHECKS = allOf(DEFAULT_LIVENESS, milliseconds);
const LIMIT_CHECKS = allOf(DEFAULT_ALL_LIMITS, count);

const RECONNECT_CHECKS: Record<keyof ReconnectOptions, Check> = {
  initial: flag,
  firstDelayMs: milliseconds,
  maxDelayMs: milliseconds,
  resumeDelayMs: milliseconds,
  maxAttempts: (value) => (value === Number.POSITIVE_INFINITY ? null : count(value)),
};

const QUEUE_CHECKS: Record<keyof QueueOptions, Check> = {
  maxStanzas: count,
  maxBytes: count,
  purgeOnReady: (value) =>
    typeof value === 'boolean' || typeof value === 'function' ? null : 'must be true, false or a function',
};

const OPTION_CHECKS: Record<keyof BrokerOptions, Check> = {
  connectionType: dialectProblem,
  domain: isDomain,
  host: hostProblem,
  port: portProblem,
  username: text,
  password: (value) =>
    (typeof value === 'string' && value !== '') || typeof value === 'function'
      ? null
      : 'must be a non-empty string or a function that returns one',
  resource: text,
  alias: text,
  version: headerText,
  xmlns: headerText,
  stream: headerText,
  tls: (value) => (readable(value) ? null : 'must be an object with a policy and the like'),
  reconnect: (value) => (typeof value === 'boolean' || readable(value) ? null : 'must be true, false or an object'),
  timeouts: (value) => (readable(value) ? null : 'must be an object of milliseconds'),
  liveness: (value) => (value === false || readable(value) ? null : 'must be false or an object of milliseconds'),
  limits: (value) => (readable(value) ? null : 'must be an object of numbers'),
  queue: (value) => (readable(value) ? null : 'must be an object'),
  answerRequests: flag,
  debug: flag,
  logger: (value) =>
    value === false || isLogger(value) ? null : 'must be false or have debug, info, warn and error methods',
  connector: (value) => (typeof value === 'function' ? null : 'must be a function that returns a Duplex'),
};

/**
 * Checks the options and fills in defaults.
 * @throws BrokerError `USAGE_OPTIONS` that lists every problem at once
 */
export function validateOptions(options: unknown): {
  config: BrokerConfig;
  secrets: Secrets;
  logger: Logger;
  connector: Connector | undefined;
} {
  const raw = isRecord(options) ? ownProperties(options) : null;
  if (raw === null) {
    throw usageError('USAGE_OPTIONS', `new Broker() needs an object of options, not ${kindOf(options)}`);
  }
  const problems: string[] = [];
  const given = checked<BrokerOptions>(raw, '', OPTION_CHECKS, problems);
  for (const key of ['connectionType', 'domain'] as const) {
    if (raw[key] === undefined) problems.push(`${key} is missing${HINTS[key]}`);
  }
  const tls: TlsOptions = group(given.tls);
  const tlsFaults = tlsProblems(tls);
  problems.push(...tlsFaults);
  const timeouts = checked<Timeouts>(group(given.timeouts), 'timeouts.', TIMEOUT_CHECKS, problems);
  const liveness = checked<LivenessOptions>(group(given.liveness), 'liveness.', LIVENESS_CHECKS, problems);
  const limits = checked<Limits>(group(given.limits), 'limits.', LIMIT_CHECKS, problems);
  const queue = checked<QueueOptions>(group(given.queue), 'queue.', QUEUE_CHECKS, problems);
  const reconnect = checked<ReconnectOptions>(group(given.reconnect), 'reconnect.', RECONNECT_CHECKS, problems);
  const dialect = given.connectionType;
  if (dialect !== undefined) {
    const policy = tlsFaults.some((fault) => fault.startsWith('tls.policy')) ? undefined : tls.policy;
    problems.push(...dialectProblems(dialect, given, policy, raw));
  }
  if (problems.length > 0 || dialect === undefined || given.domain === undefined) {
    throw usageError(
      'USAGE_OPTIONS',
      `the broker's options have ${problems.length === 1 ? 'a problem' : `${String(problems.length)} problems`}:\n- ${problems.join('\n- ')}`,
    );
  }
  const domain = JID.parse(given.domain).domain;
  const { key, passphrase, ...publicTls } = tls;
  const alias = given.alias ?? domain;
  const debug = given.debug ?? false;
  const config: BrokerConfig = {
    connectionType: dialect,
    domain,
    host: given.host,
    port: given.port ?? (given.host === undefined ? undefined : dialect.defaultPort),
    username: given.username,
    resource: given.resource,
    alias,
    version: given.version ?? dialect.version,
    xmlns: given.xmlns ?? dialect.xmlns,
    stream: given.stream ?? 'http://etherx.jabber.org/streams',
    tls: given.tls === undefined ? NO_TLS_OPTIONS : Object.freeze(publicTls),
    reconnect: given.reconnect === false ? false : filled(DEFAULT_RECONNECT, reconnect),
    timeouts: filled(DEFAULT_TIMEOUTS, timeouts),
    liveness: given.liveness === false ? false : filled(DEFAULT_LIVENESS, liveness),
    limits: filled(DEFAULT_ALL_LIMITS, limits),
    xmlLimits: filled(DEFAULT_LIMITS, limits),
    queue: filled(DEFAULT_QUEUE, queue),
    answerRequests: given.answerRequests ?? dialect.answersRequests ?? false,
    debug,
  };
  const logger = given.logger === false ? silence : guarded(given.logger ?? stderrLogger(alias, debug));
  return {
    config: Object.freeze(config),
    secrets: { password: given.password, key, passphrase },
    logger,
    connector: given.connector,
  };
}

const HINTS = {
  connectionType: `: pass ${WANTED_DIALECT}`,
  domain: ": pass the XMPP domain, or the component's name",
} as const;

/** The options of one group, such as `timeouts`; none when the group is left out or is no object. */
function group(value: unknown): Record<string, unknown> {
  return (isRecord(value) ? ownProperties(value) : null) ?? {};
}

/** The known, defined and valid properties of a user's object. Unknown and invalid ones become problems. */
function checked<T extends object>(
  value: Record<string, unknown>,
  path: string,
  checks: Record<keyof T, Check>,
  problems: string[],
): Partial<T> {
  const good: Record<string, unknown> = {};
  for (const [key, given] of Object.entries(value)) {
    if (!Object.hasOwn(checks, key)) {
      const near = Object.keys(checks).find((known) => known.toLowerCase() === key.toLowerCase());
      problems.push(
        `${path}${JSON.stringify(key).slice(1, -1)} is no option${near === undefined ? '' : `; did you mean ${near}?`}`,
      );
    } else if (given !== undefined) {
      const problem = checks[key as keyof T](given);
      if (problem === null) good[key] = given;
      else problems.push(`${path}${key} ${problem}`);
    }
  }
  return good as Partial<T>;
}

function dialectProblems(
  dialect: Dialect,
  given: Partial<BrokerOptions>,
  policy: TlsOptions['policy'],
  raw: Record<string, unknown>,
): string[] {
  const problems: string[] = [];
  for (const key of dialect.needs ?? []) {
    if (given[key] === undefined && raw[key] === undefined && !(key === 'port' && given.connector !== undefined)) {
      problems.push(`${key} is missing: ${dialect.name} needs it`);
    }
  }
  const policies = dialect.tlsPolicies;
  if (policy !== undefined && policies !== undefined && !policies.includes(policy)) {
    problems.push(`tls.policy ${policy} is not possible with ${dialect.name}: use ${policies.join(' or ')}`);
  }
  if (
    given.host !== undefined &&
    given.port === undefined &&
    raw['port'] === undefined &&
    dialect.defaultPort === undefined &&
    !(dialect.needs ?? []).includes('port')
  ) {
    problems.push(`port is missing: ${dialect.name} has no default port`);
  }
  return problems;
}

/** The defaults, with the given values of their names: the defaults themselves, where nothing else is given. */
function filled<T extends object>(defaults: Readonly<T>, given: Partial<NoInfer<T>>): Readonly<T> {
  const names = (Object.keys(defaults) as (keyof T)[]).filter((name) => given[name] !== undefined);
  if (names.length === 0) return defaults;
  return Object.freeze({ ...defaults, ...Object.fromEntries(names.map((name) => [name, given[name]])) });
}

function allOf<T extends object>(defaults: T, check: Check): Record<keyof T, Check> {
  return Object.fromEntries(Object.keys(defaults).map((key) => [key, check])) as Record<keyof T, Check>;
}
