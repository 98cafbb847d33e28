import { isIPv6 } from 'node:net';
import { isRecord, ownProperties } from '../arguments/arguments.js';
import { dialectProblem } from '../options/dialect.js';
import { usageError } from '../errors.js';
import type { Logger } from '../logger.js';
import type { BrokerOptions } from '../options/options.js';
import type { Dialect } from '../protocols/dialect.js';
import { JABBERD14_COMPONENT } from '../protocols/jabberd14.js';
import { LEGACY } from '../protocols/legacy.js';
import { NS } from '../xml/namespaces.js';

/** What `new Connection()` takes. */
export interface ConnectionOptions extends Pick<
  BrokerOptions,
  'tls' | 'timeouts' | 'limits' | 'answerRequests' | 'debug' | 'logger' | 'connector'
> {
  /** Where to connect to: `host`, `host:port`, `[IPv6 address]` or `[IPv6 address]:port`. Default port 5222. */
  server: string;
  /** `jabber:client` (default) signs in with jabber:iq:auth, `jabber:component:accept` with the handshake of a component. */
  ns?: string;
  /** XMPP domain, or the component's name. Default: the host. */
  localname?: string;
  /** Another dialect in place of the one that `ns` means, such as XMPP. */
  dialect?: Dialect;
  /** Shows each element, `SEND:` or `RECV:` in front, without credentials: on stderr, or to a function. Default false. */
  log?: boolean | ((line: string) => void);
  /** Most stanzas that may wait to be handled; one more ends the connection. Default 10 000. */
  inboxLimit?: number;
}

/** How long a program may take from connect() to the end of auth(), in milliseconds. */
const ATTEMPT_MS = 600_000;
const DEFAULT_PORT = 5222;
const DEFAULT_INBOX = 10_000;

const OWN = ['server', 'ns', 'localname', 'dialect', 'log', 'inboxLimit'];
const OF_BROKER = ['tls', 'timeouts', 'limits', 'answerRequests', 'debug', 'logger', 'connector'];

/**
 * The dialect and the broker's options that a connection's options mean.
 * @throws BrokerError `USAGE_CONNECTION` that lists every problem at once
 */
export function readOptions(given: ConnectionOptions): {
  dialect: Dialect;
  inboxLimit: number;
  broker: Omit<BrokerOptions, 'connectionType'>;
} {
  const options = (isRecord(given) ? ownProperties(given) : null) as ConnectionOptions | null;
  if (options === null) throw usageError('USAGE_CONNECTION', 'new Connection() needs an options object');
  const { server, ns = NS.CLIENT, localname, dialect, log = false, inboxLimit = DEFAULT_INBOX, ...rest } = options;
  const problems: string[] = [];
  const known = [...OWN, ...OF_BROKER];
  for (const key of Object.keys(options)) {
    if (!known.includes(key)) problems.push(`${JSON.stringify(key)} is no option; there are ${known.join(', ')}`);
  }
  const target = readServer(server);
  if (target === null) problems.push("server is missing, or not 'host', 'host:port' or '[IPv6 address]:port'");
  const dialectFault = dialect === undefined ? null : dialectProblem(dialect);
  if (dialectFault !== null) problems.push(`dialect ${dialectFault}`);
  const meant = dialect === undefined ? DIALECTS.get(ns) : dialect;
  if (meant === undefined) problems.push(`ns must be ${[...DIALECTS.keys()].join(' or ')}, or a dialect must be given`);
  if (localname !== undefined && (typeof localname !== 'string' || localname === '')) {
    problems.push('localname must be a non-empty string');
  }
  if (typeof log !== 'boolean' && typeof log !== 'function') problems.push('log must be true, false or a function');
  if (!Number.isSafeInteger(inboxLimit) || inboxLimit < 1)
    problems.push('inboxLimit must be a whole number, 1 or more');
  if (problems.length > 0 || target === null || meant === undefined) {
    throw usageError('USAGE_CONNECTION', `the connection's options have problems:\n- ${problems.join('\n- ')}`);
  }
  return {
    dialect: meant,
    inboxLimit,
    broker: {
      ...rest,
      ...target,
      domain: localname ?? (isIPv6(target.host) ? `[${target.host}]` : target.host),
      reconnect: false,
      timeouts:
        rest.timeouts === undefined || isRecord(rest.timeouts)
          ? { attempt: ATTEMPT_MS, ...rest.timeouts }
          : rest.timeouts,
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
  const host = v6 ?? name ?? '';
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
      if (direction === 'out') line(`SEND: ${xml ?? ''}`);
      if (direction === 'in') line(`RECV: ${xml ?? ''}`);
    },
    info: () => undefined,
    warn: fault,
    error: fault,
  };
}
