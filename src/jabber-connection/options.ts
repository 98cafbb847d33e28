import { isIPv6 } from 'node:net';
import { anyOf, count, must, text } from '../arguments/checks.js';
import { readOptions, type OptionTable } from '../arguments/options.js';
import { domain } from '../jid/checks.js';
import type { Logger } from '../logger.js';
import { BROKER_CHECKS, type BrokerOptions } from '../options/options.js';
import type { Dialect } from '../protocols/dialect.js';
import { JABBERD14_COMPONENT } from '../protocols/jabberd14.js';
import { LEGACY } from '../protocols/legacy.js';
import { NS } from '../xml/namespaces.js';

/** What `new Connection()` takes. */
export interface ConnectionOptions extends Pick<
  BrokerOptions,
  'tls' | 'timeouts' | 'limits' | 'answerRequests' | 'debug' | 'logger' | 'connector'
> {
  /** Where to connect to: `host`, `host:port`, `[IPv6 address]` or `[IPv6 address]:port`; port 5222 if none is named. Needed. */
  server: string;
  /**
   * `jabber:client` signs in with jabber:iq:auth, `jabber:component:accept` with the handshake of a component. Default
   * `jabber:client`.
   */
  ns?: string | undefined;
  /** XMPP domain, or the component's name. Default: the host. */
  localname?: string | undefined;
  /** Another dialect, such as XMPP. Default: the one that `ns` means. */
  dialect?: Dialect | undefined;
  /** Shows each element, `SEND:` or `RECV:` in front, without credentials: on stderr, or to a function. Default false. */
  log?: boolean | ((line: string) => void) | undefined;
  /** Most stanzas that may wait to be handled; one more ends the connection. Default 10 000. */
  inboxLimit?: number | undefined;
}

/** How long a program may take from connect() to the end of auth(), in milliseconds. */
const ATTEMPT_MS = 600_000;
const DEFAULT_PORT = 5222;
const DEFAULT_INBOX = 10_000;

const OPTIONS: OptionTable<ConnectionOptions> = {
  checks: {
    server: must("'host', 'host:port' or '[IPv6 address]:port'", (value) => readServer(value) !== null),
    ns: text,
    localname: domain,
    dialect: BROKER_CHECKS.connectionType,
    log: must('true, false or a function', (value) => typeof value === 'boolean' || typeof value === 'function'),
    inboxLimit: count,
    tls: BROKER_CHECKS.tls,
    timeouts: BROKER_CHECKS.timeouts,
    limits: BROKER_CHECKS.limits,
    answerRequests: BROKER_CHECKS.answerRequests,
    debug: BROKER_CHECKS.debug,
    logger: BROKER_CHECKS.logger,
    connector: BROKER_CHECKS.connector,
  },
  rule: ({ ns }, given) => [
    ...(given.has('server') ? [] : ["server is missing: pass 'host', 'host:port' or '[IPv6 address]:port'"]),
    ...(ns === undefined || given.has('dialect') || DIALECTS.has(ns)
      ? []
      : [`ns must be ${anyOf([...DIALECTS.keys()])}, or a dialect must be given`]),
  ],
};

/**
 * The dialect and the broker's options that a connection's options mean.
 * @throws BrokerError `USAGE_CONNECTION` that lists every problem at once
 */
export function connectionOptions(given: ConnectionOptions): {
  dialect: Dialect;
  inboxLimit: number;
  broker: Omit<BrokerOptions, 'connectionType'>;
} {
  const options = readOptions('USAGE_CONNECTION', 'new Connection()', given, OPTIONS);
  const { server, ns = NS.CLIENT, localname, dialect, log = false, inboxLimit = DEFAULT_INBOX, ...rest } = options;
  const { host, port } = readServer(server) ?? { host: server, port: DEFAULT_PORT };
  return {
    dialect: dialect ?? DIALECTS.get(ns) ?? LEGACY,
    inboxLimit,
    broker: {
      ...rest,
      host,
      port,
      domain: localname ?? (isIPv6(host) ? `[${host}]` : host),
      reconnect: false,
      timeouts: { attempt: ATTEMPT_MS, ...rest.timeouts },
      ...(log === false ? {} : { debug: true, logger: lineLogger(log === true ? toStderr : log) }),
    },
  };
}

const DIALECTS: ReadonlyMap<string, Dialect> = new Map<string, Dialect>([
  [NS.CLIENT, LEGACY],
  [NS.COMPONENT_ACCEPT, JABBERD14_COMPONENT],
]);

function readServer(server: unknown): { host: string; port: number } | null {
  if (typeof server !== 'string') return null;
  if (isIPv6(server)) return { host: server, port: DEFAULT_PORT };
  const match = /^(?:\[([0-9A-Fa-f:.]+)\]|([^[\]:/\s]+))(?::(\d{1,5}))?$/.exec(server);
  if (match === null) return null;
  const [, v6, name, port = String(DEFAULT_PORT)] = match;
  const host = (v6 ?? name) as string;
  if ((v6 !== undefined && !isIPv6(v6)) || Number(port) < 1 || Number(port) > 65_535) return null;
  return { host, port: Number(port) };
}

function toStderr(line: string): void {
  process.stderr.write(`${line}\n`);
}

/** A logger that writes elements in and out as lines, and what goes wrong. */
function lineLogger(line: (text: string) => void): Logger {
  const fault = (facts: object, message: string) => {
    const { error } = facts as { error?: unknown };
    line(error instanceof Error ? `${message}: ${error.message}` : message);
  };
  return {
    debug: (facts) => {
      const { direction, xml } = facts as { direction?: string; xml?: string };
      if (direction === 'out') line(`SEND: ${xml as string}`);
      if (direction === 'in') line(`RECV: ${xml as string}`);
    },
    info: () => undefined,
    warn: fault,
    error: fault,
  };
}
