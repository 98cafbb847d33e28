// Every option of a broker: its declaration, and a row that says what it must be and what is in force.
import type { Optional } from '../arguments/optional.js';
import { count, flag, host, milliseconds, must, oneOf, password, port, text, type Check } from '../arguments/checks.js';
import { readOptions, type OptionTable } from '../arguments/options.js';
import { unixSocketPath } from '../arguments/unix-socket.js';
import type { Connector } from '../dial/connector.js';
import { DEFAULT_FILTER_VISITS } from '../filters/filter-set.js';
import { address, domain, preparedDomain } from '../jid/checks.js';
import type { JID } from '../jid/jid.js';
import { guarded, isLogger, silence, stderrLogger, type Logger } from '../logger.js';
import type { Dialect } from '../protocols/dialect.js';
import { TLS_OPTIONS, type TlsOptions } from '../tls/options.js';
import { escapeValue } from '../xml/escape.js';
import { DEFAULT_LIMITS, type XmlLimits } from '../xml/tokenizer/limits.js';
import {
  shownWebSocket,
  WEBSOCKET,
  webSocketPlace,
  webSocketProblems,
  type WebSocketOptions,
  type WebSocketPlace,
} from './websocket.js';
import { dialectProblem, nameOf, WANTED_DIALECT } from './dialect.js';
import { addressProblems, partsOf, userNameProblem } from './own-address.js';
import { filled } from './filled.js';
import { QUEUE, queueInForce, storeInForce, type QueueOptions, type StoreConfig } from './queue.js';
import { RECONNECT, reconnectInForce, type ReconnectOptions } from './reconnect.js';

/** When a link counts as dead. */
export interface LivenessOptions {
  /** Silence of the peer after which it is asked for a sign of life, in milliseconds. Default 300 000. */
  intervalMs: number;
  /** How long the peer has for that sign, in milliseconds. Default 30 000. */
  timeoutMs: number;
}

/** A secret, or a function that gives it each time it is needed. */
export type Secret = string | (() => string | Promise<string>);

/** Time limits in milliseconds. */
export interface Timeouts {
  /** Name resolution. Default 5 000. */
  resolve: number;
  /** TCP, for each address, or the `connector`. Default 10 000. */
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
  /** Node visits one filter may cost for one stanza. Default 50 000. */
  filterVisits: number;
  /**
   * Stanzas whose handlers are not done before nothing more is read; with `acknowledge: 'settled'` alone, and not while a
   * request of ours waits for its answer. At ten times as many the link is closed with `INTAKE_FULL`. Default 1 000.
   */
  unsettled: number;
}

/** What `new Broker()` takes. */
export interface BrokerOptions {
  /** The dialect: one that comes with the library, such as XMPP, or one of your own. Needed. */
  connectionType: Dialect;
  /**
   * The address to sign in as, in place of `domain`, `username` and `resource`: `'alice@example.org/phone'`, or
   * `'echo.example.org'` for a component. Default: what those say; one of the two is needed.
   */
  jid?: string | JID | undefined;
  /** XMPP domain, or the component's name. Needed, unless `jid` says it. */
  domain?: string | undefined;
  /** Name or address to dial, or `unix:` and the path of a unix socket. Default: the domain is resolved, SRV records first, then its addresses. */
  host?: string | undefined;
  /**
   * TCP port. Default: that of the SRV record, else the dialect's; XEP-0114 and jabberd2's router have none. A unix socket has
   * none, and a `connector` need not be told one.
   */
  port?: number | undefined;
  /**
   * A WebSocket in place of TCP (RFC 7395): its URL, or its URL and headers for whatever is in between. `discover`: what the
   * domain names in its host-meta (XEP-0156), where nothing else can be reached. Needs the package `ws`. Default none.
   */
  websocket?: string | WebSocketOptions | undefined;
  /** The account's name, the part before the `@`. Default none; most dialects need it. */
  username?: string | undefined;
  /** A secret that is not empty, or a function that gives it. Default none; most dialects need it. */
  password?: Secret | undefined;
  /** Resource to ask for; there can be none with Bind 2, where the server makes it up. Default: the server assigns one. */
  resource?: string | undefined;
  /** Name of this broker in logs. Default the domain. */
  alias?: string | undefined;
  /** `version` of the stream header. Default the dialect's; should not be needed. */
  version?: string | undefined;
  /** Content namespace of the stream. Default the dialect's; should not be needed. */
  xmlns?: string | undefined;
  /** Namespace of the stream itself. Default `http://etherx.jabber.org/streams`; should not be needed. */
  stream?: string | undefined;
  /** How the connection is protected. Default `{}`: the dialect's policy, and Node's list of authorities. */
  tls?: TlsOptions | undefined;
  /** When a lost link is dialled again; `false` leaves it to the application. Default `{}`. */
  reconnect?: boolean | ReconnectOptions | undefined;
  /** Time limits in milliseconds. Default `{}`. */
  timeouts?: Optional<Timeouts> | undefined;
  /** How dead links are found; `false`: only when TCP notices. Default `{}`. */
  liveness?: false | Optional<LivenessOptions> | undefined;
  /** Bounds on what the peer and the program may use. Default `{}`. */
  limits?: Optional<Limits> | undefined;
  /** The outbound queue. Default `{}`. */
  queue?: QueueOptions | undefined;
  /** Answers iq requests that nobody answered with service-unavailable (RFC 6120 §8.2.3). Default the dialect's. */
  answerRequests?: boolean | undefined;
  /**
   * When a stanza counts as handled for stream management (XEP-0198): when every handler has been called, or when the
   * promises that they returned have settled, too. Then what a program has not done yet is delivered again behind its
   * death, if the session is resumed. Default `'delivered'`.
   */
  acknowledge?: 'delivered' | 'settled' | undefined;
  /** Logs every element, in and out, without credentials. Default false. */
  debug?: boolean | undefined;
  /** A pino-like logger, or false for silence. Default: warnings and errors on stderr. */
  logger?: Logger | false | undefined;
  /** Opens the byte stream to the server in its own way, such as through a proxy. Default: TCP. */
  connector?: Connector | undefined;
}

/** What must not be seen in `config`, in logs or by `util.inspect`. */
export interface Secrets {
  readonly password: Secret | undefined;
  readonly key: TlsOptions['key'];
  readonly passphrase: string | undefined;
  readonly websocket: WebSocketPlace | undefined;
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

const DEFAULT_LIVENESS: Readonly<LivenessOptions> = Object.freeze({ intervalMs: 300_000, timeoutMs: 30_000 });

const DEFAULT_ALL_LIMITS: Readonly<Limits> = Object.freeze({
  ...DEFAULT_LIMITS,
  requests: 10_000,
  filterVisits: DEFAULT_FILTER_VISITS,
  unsettled: 1_000,
});

type PublicTls = Readonly<Omit<TlsOptions, 'key' | 'passphrase'>>;

const TLS_SECRETS: readonly string[] = ['key', 'passphrase'];
const NO_TLS_OPTIONS: PublicTls = Object.freeze({});

/**
 * A row for each option: what it must be, and what is in force when it is given or left out. Those with nothing in
 * force are not shown in `config`.
 */
const ROWS = {
  connectionType: { check: dialectProblem, inForce: (given: Dialect) => given },
  // Without the code that it has elsewhere.
  jid: { check: (value: unknown) => address(value) },
  domain: { check: domain, inForce: (_, { domain }) => preparedDomain(domain) },
  host: { check: host, inForce: asGiven<string> },
  port: {
    check: port,
    inForce: (given: number | undefined, { host, connectionType }: Addressed) =>
      given ?? (host === undefined || unixSocketPath(host) !== null ? undefined : connectionType.defaultPort),
  },
  websocket: { check: WEBSOCKET, inForce: shownWebSocket },
  username: { check: text, inForce: asGiven<string> },
  password: { check: password },
  resource: { check: text, inForce: asGiven<string> },
  alias: {
    check: text,
    inForce: (given: string | undefined, { domain }: Addressed) => given ?? preparedDomain(domain),
  },
  version: {
    check: headerText,
    inForce: (given: string | undefined, { connectionType }: Addressed) => given ?? connectionType.version,
  },
  xmlns: {
    check: headerText,
    inForce: (given: string | undefined, { connectionType }: Addressed) => given ?? connectionType.xmlns,
  },
  stream: { check: headerText, inForce: (given = 'http://etherx.jabber.org/streams') => given },
  tls: { check: TLS_OPTIONS, inForce: withoutSecrets },
  reconnect: { check: RECONNECT, inForce: reconnectInForce },
  timeouts: {
    check: { checks: allOf(DEFAULT_TIMEOUTS, milliseconds) },
    inForce: (given: Optional<Timeouts> | true = true) => filled(DEFAULT_TIMEOUTS, given),
  },
  liveness: {
    check: {
      checks: allOf(DEFAULT_LIVENESS, milliseconds),
      instead: must('false or an object', (value) => value === false),
    },
    inForce: (given: boolean | Optional<LivenessOptions> = true) => given !== false && filled(DEFAULT_LIVENESS, given),
  },
  limits: {
    check: { checks: allOf(DEFAULT_ALL_LIMITS, count) },
    inForce: (given: Optional<Limits> | true = true) => filled(DEFAULT_ALL_LIMITS, given),
  },
  queue: { check: QUEUE, inForce: queueInForce },
  answerRequests: {
    check: flag,
    inForce: (given: boolean | undefined, { connectionType }: Addressed) =>
      given ?? connectionType.answersRequests ?? false,
  },
  acknowledge: { check: oneOf('delivered', 'settled'), inForce: (given = 'delivered' as const) => given },
  debug: { check: flag, inForce: (given = false) => given },
  logger: {
    check: must(
      'false, or have the methods debug, info, warn and error',
      (value) => value === false || isLogger(value),
    ),
  },
  connector: { check: must('a function that returns a Duplex', (value) => typeof value === 'function') },
} satisfies { readonly [Name in keyof BrokerOptions]-?: Row<BrokerOptions[Name]> };

/** Options when `jid` was taken apart. */
type Addressed = BrokerOptions & { readonly domain: string };

interface Row<Value> {
  readonly check: Check | OptionTable<object>;
  inForce?(given: Value | undefined, options: Addressed): unknown;
}

type InForce<Name extends keyof BrokerOptions> = (typeof ROWS)[Name] extends {
  inForce: (...args: never[]) => infer Value;
}
  ? Value
  : never;

/** The options after validation, defaults filled in. Holds no secret: that stays with the broker. */
export type BrokerConfig = {
  readonly [Name in keyof BrokerOptions as [InForce<Name>] extends [never] ? never : Name]-?: InForce<Name>;
} & {
  /** @internal the limits of the parser among them */
  readonly xmlLimits: Readonly<XmlLimits>;
};

/** What each option must be. */
export const BROKER_CHECKS = Object.fromEntries(
  Object.entries(ROWS).map(([name, { check }]) => [name, check]),
) as OptionTable<BrokerOptions>['checks'];

/** The rows of those that are shown in `config`. */
const SHOWN = Object.entries<Row<unknown>>(ROWS).filter(([, row]) => row.inForce !== undefined);

const BROKER_OPTIONS: OptionTable<BrokerOptions> = { checks: BROKER_CHECKS, rule: together };

/**
 * Checks the options and fills in defaults.
 * @throws BrokerError `USAGE_OPTIONS` that lists every problem at once
 */
export function validateOptions(options: unknown): {
  config: BrokerConfig;
  secrets: Secrets;
  logger: Logger;
  connector: Connector | undefined;
  store: StoreConfig | null;
  /** What the queue is called, also without a store. */
  queueName: string;
} {
  const read = readOptions('USAGE_OPTIONS', 'new Broker()', options, BROKER_OPTIONS);
  // The table's rule has seen to it that there is a domain.
  const given = { ...partsOf(read.jid), ...read } as Addressed;
  const shown: [string, unknown][] = SHOWN.map(([name, row]) => [
    name,
    row.inForce?.(given[name as keyof BrokerOptions], given),
  ]);
  shown.push(['xmlLimits', filled(DEFAULT_LIMITS, given.limits ?? true)]);
  const config = Object.freeze(Object.fromEntries(shown)) as BrokerConfig;
  const { password, tls, websocket, logger = stderrLogger(config.alias, config.debug), connector } = given;
  return {
    config,
    secrets: { password, key: tls?.key, passphrase: tls?.passphrase, websocket: webSocketPlace(websocket) },
    logger: logger === false ? silence : guarded(logger),
    connector,
    store: storeInForce(given.queue, bareAddress(given)),
    queueName: given.queue?.name ?? bareAddress(given),
  };
}

/** Who the broker is, without a resource. */
function bareAddress({ connectionType, username, domain }: Addressed): string {
  const name = preparedDomain(domain);
  return username === undefined || connectionType.addressing === 'domain' ? name : `${username}@${name}`;
}

/** Said of a port beside a unix socket. */
export const NO_PORT = 'port has no meaning with a unix socket: leave it out';

/** What the dialect cannot do without, and what does not fit together. */
function together(options: Partial<BrokerOptions>, given: ReadonlySet<string>): string[] {
  const problems: string[] = [];
  const { connectionType: dialect, connector, host, tls, jid } = options;
  const said = partsOf(jid);
  // A jid that is wrong was meant to say what else is missing.
  const saysAll = given.has('jid') && jid === undefined;
  const missing = (name: keyof BrokerOptions, why: string): void => {
    if (given.has(name) || Object.hasOwn(said, name)) return;
    if (!saysAll || !['domain', 'username', 'resource'].includes(name)) problems.push(`${name} is missing: ${why}`);
  };
  missing('connectionType', `pass ${WANTED_DIALECT}`);
  missing('domain', "pass the XMPP domain, or the component's name, or jid: 'alice@example.org'");
  if (dialect === undefined) return problems;
  const name = nameOf(dialect);
  const { needs = [], excludes = [], tlsPolicies, defaultPort } = dialect;
  const isUnix = host !== undefined && unixSocketPath(host) !== null;
  const needsPort = connector === undefined && !isUnix;
  for (const need of needs) {
    if (need !== 'port' || needsPort) missing(need, `${name} needs it`);
  }
  for (const excluded of excludes) {
    if (given.has(excluded) || Object.hasOwn(said, excluded))
      problems.push(`${excluded} is not possible with ${name} as it is set up: the server makes it up`);
  }
  if (host !== undefined && defaultPort === undefined && needsPort && !needs.includes('port')) {
    missing('port', `${name} has no default port`);
  }
  problems.push(...webSocketProblems(options, given));
  if (isUnix && given.has('port')) problems.push(NO_PORT);
  if (isUnix && connector !== undefined) problems.push('connector: a unix socket is dialled without one; leave it out');
  if (tls?.policy !== undefined && tlsPolicies !== undefined && !tlsPolicies.includes(tls.policy)) {
    problems.push(`tls.policy ${tls.policy} is not possible with ${name}: use ${tlsPolicies.join(' or ')}`);
  }
  return [...problems, ...addressProblems(options), ...userNameProblem(options)];
}

/** What stands in the stream header has to be something XML can hold. */
function headerText(value: unknown): string | null {
  const problem = text(value);
  if (problem !== null) return problem;
  try {
    escapeValue(value as string);
    return null;
  } catch {
    return 'has a character that XML cannot hold';
  }
}

function asGiven<Value>(given: Value | undefined): Value | undefined {
  return given;
}

function withoutSecrets(given: TlsOptions | undefined): PublicTls {
  if (given === undefined) return NO_TLS_OPTIONS;
  return Object.freeze(Object.fromEntries(Object.entries(given).filter(([name]) => !TLS_SECRETS.includes(name))));
}

function allOf<T extends object>(defaults: T, check: Check): Record<keyof T & string, Check> {
  return Object.fromEntries(Object.keys(defaults).map((name) => [name, check])) as Record<keyof T & string, Check>;
}
