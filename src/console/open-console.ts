// A page in the browser that shows what brokers do.
import { readFileSync } from 'node:fs';
import { flag, must, port, text } from '../arguments/checks.js';
import { readOptions, type OptionTable } from '../arguments/options.js';
import { isA, isRecord, kindOf, ownProperties } from '../arguments/values.js';
import { Broker } from '../broker/broker.js';
import { usageError } from '../errors.js';
import { ConsoleServer } from './console-server.js';
import { newToken } from './guard.js';
import { WatchedBroker } from './watched-broker.js';

/** Options of {@link openConsole}. */
export interface ConsoleOptions {
  /** Port to listen on. Default: any that is free. */
  port?: number | undefined;
  /**
   * Address to listen on. Default `127.0.0.1`: whoever is on this machine, and has the token. HTTP is not encrypted, so leave it
   * there, and reach it from elsewhere through a tunnel.
   */
  host?: string | undefined;
  /** Whether the page can only look: it sends nothing, and leaves the queue alone. Default false. */
  readOnly?: boolean | undefined;
}

/** A console that is open. */
export interface OpenConsole extends AsyncDisposable {
  /** What to open in a browser. Who has it can do what the page can: the token is in it, and is another one each time. */
  readonly url: string;
  /** Ends it at once: pages are told nothing more. Again is harmless. */
  close(): Promise<void>;
}

const OPTIONS: OptionTable<ConsoleOptions> = {
  checks: { port, host: must('an address, such as 127.0.0.1', (value) => text(value) === null), readOnly: flag },
};

/** Where `npm run build` puts the files of the page. */
const PAGE = new URL('./page/', import.meta.url);

/**
 * Opens a page that shows what brokers do: events and stanzas, requests, the queue, filters. Open it before `connect`, to see the
 * first negotiation, too.
 *
 * It keeps no process alive. While no page is open it costs one `stats()` a second for each broker.
 * @param brokers - a broker, or several by the names that the page calls them
 * @throws BrokerError `USAGE_CONSOLE`; the promise rejects with `CONSOLE_LISTEN` when the port cannot be had
 */
export async function openConsole(
  brokers: Broker | Readonly<Record<string, Broker>>,
  options: ConsoleOptions = {},
): Promise<OpenConsole> {
  return openConsoleWith(brokers, options, PAGE);
}

/** The same with the files of the page from elsewhere. */
export async function openConsoleWith(
  brokers: Broker | Readonly<Record<string, Broker>>,
  options: ConsoleOptions,
  page: URL,
): Promise<OpenConsole> {
  const named = namedBrokers(brokers);
  const {
    port = 0,
    host = '127.0.0.1',
    readOnly = false,
  } = readOptions('USAGE_CONSOLE', 'openConsole()', options, OPTIONS);
  const token = newToken();
  const watched = named.map(([name, broker]) => new WatchedBroker(name, broker));
  const server = new ConsoleServer({ brokers: watched, token, host, port, readOnly, version: versionOf(), page });
  let at: number;
  try {
    at = await server.listen();
  } catch (error) {
    for (const broker of watched) broker.close();
    throw error;
  }
  let closed: Promise<void> | null = null;
  const close = (): Promise<void> => (closed ??= server.close());
  // Behind the sign, what is never sent to anybody.
  const url = `http://${host.includes(':') ? `[${host}]` : host}:${String(at)}/#${token}`;
  return { url, close, [Symbol.asyncDispose]: close };
}

/** @throws BrokerError `USAGE_CONSOLE` */
function namedBrokers(brokers: unknown): [name: string, broker: Broker][] {
  if (isA(brokers, Broker)) {
    const { domain, username } = brokers.config;
    return [[username === undefined ? domain : `${username}@${domain}`, brokers]];
  }
  const entries = isRecord(brokers) ? Object.entries(ownProperties(brokers) ?? {}) : [];
  const odd = entries.find(([, broker]) => !isA(broker, Broker));
  if (entries.length === 0 || odd !== undefined) {
    const what = odd === undefined ? kindOf(brokers) : kindOf(odd[1]);
    throw usageError('USAGE_CONSOLE', `openConsole() takes a Broker, or an object of them by their names, not ${what}`);
  }
  return entries as [string, Broker][];
}

/** Of the package: its manifest is two folders up, beside `dist`. */
function versionOf(): string {
  try {
    const manifest = readFileSync(new URL('../../package.json', import.meta.url), 'utf8');
    return (JSON.parse(manifest) as { version: string }).version;
  } catch {
    return '';
  }
}
