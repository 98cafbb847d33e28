// A connection to NATS: one that the program made, or one made here of its options. Whoever needs one opens a NatsLink, looks
// at what it says of itself, and releases it.
import { isRecord, kindOf } from '../arguments/values.js';
import type { Check } from '../arguments/checks.js';
import type { BrokerError } from '../errors.js';
import { loadClient, type NatsClient, type NatsConnection, type NodeConnectionOptions } from './client.js';
import { closed, connectError, natsError, tooOld } from './errors.js';

/** Time between two pings, in milliseconds, and how many may be unanswered. The client's own two minutes would be too long. */
const PING_MS = 5_000;
const PINGS_OUT = 2;

/** For one attempt to connect, in milliseconds. */
const DIAL_MS = 5_000;

/** For what was published last to be on its way, in milliseconds. */
const FLUSH_MS = 1_000;

/** Oldest server: bounds for each subject, `discard_new_per_subject`, came with it. */
const OLDEST = [2, 9] as const;

/** What the options `connection` take. */
export type NatsGiven = NatsConnection | NodeConnectionOptions;

/** Options with secrets: no value of them is in a message. */
export const connectionCheck: Check = (value) =>
  isConnection(value) || isRecord(value)
    ? null
    : `must be a connection to NATS, or options for one such as { servers: 'nats://127.0.0.1:4222' }, not ${kindOf(value)}`;

/** What a connection says of itself while it is open. None of it throws. */
export interface NatsWatcher {
  /**
   * The connection is there again, or for the first time behind an outage. What was published meanwhile may be lost.
   * @param isAnother it is to another nats-server, or to one that was started anew: of a work queue, that knows only the ids of
   * what it still has
   */
  up?(isAnother: boolean): void;
  down?(): void;
  /** NATS refused something that nobody waits for, such as a subscription. */
  refused?(error: BrokerError): void;
  /** It is closed for good. */
  ended?(): void;
}

/** A connection in use. */
export class NatsLink {
  readonly client: NatsClient;
  readonly connection: NatsConnection;
  readonly #isOwn: boolean;
  #isReleased = false;

  constructor(client: NatsClient, connection: NatsConnection, isOwn: boolean) {
    this.client = client;
    this.connection = connection;
    this.#isOwn = isOwn;
  }

  /** Where NATS is, for messages. */
  get server(): string {
    try {
      return this.connection.getServer() || 'an unknown place';
    } catch {
      return 'an unknown place';
    }
  }

  get isClosed(): boolean {
    return this.#isReleased || this.connection.isClosed() || this.connection.isDraining();
  }

  /** Most bytes of a message, its headers included. */
  get maxPayload(): number {
    return this.connection.info?.max_payload ?? 1024 * 1024;
  }

  /** A subject of our own for answers, below the prefix that the connection was given: a login may have no other. */
  newInbox(): string {
    const { options } = this.connection as { options?: { inboxPrefix?: string | undefined } };
    return this.client.transport.createInbox(options?.inboxPrefix);
  }

  /** An error of ours for what the client says. @param doing such as `to open the queue "x"` */
  error(cause: unknown, doing: string): BrokerError {
    return natsError(cause, { server: this.server, doing }, this.client);
  }

  /** What is said of anything that is asked of a connection that was closed. */
  closedError(doing: string): BrokerError {
    return closed(this.server, doing);
  }

  /** Tells what happens to the connection, until it is closed or released. */
  watch(watcher: NatsWatcher): void {
    void this.#watched(watcher);
  }

  async #watched(watcher: NatsWatcher): Promise<void> {
    let server = this.connection.info?.server_id;
    try {
      for await (const status of this.connection.status()) {
        if (this.#isReleased) return;
        if (status.type === 'disconnect') watcher.down?.();
        else if (status.type === 'reconnect') {
          const before = server;
          server = this.connection.info?.server_id;
          watcher.up?.(server !== before);
        } else if (status.type === 'error') watcher.refused?.(this.error(status.error, 'to go on'));
      }
    } catch {
      // It ends with the connection.
    }
    if (!this.#isReleased) watcher.ended?.();
  }

  /** Resolves when NATS has what was published. One that does not answer is not waited for. Never rejects. */
  async flush(): Promise<void> {
    if (this.isClosed) return;
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, FLUSH_MS);
    });
    await Promise.race([this.connection.flush().catch(() => undefined), late]);
    clearTimeout(timer);
  }

  /** Closes the connection if it was made here. Never rejects. */
  async release(): Promise<void> {
    if (this.#isReleased) return;
    this.#isReleased = true;
    if (!this.#isOwn) return;
    try {
      await this.connection.close();
    } catch {
      // It was closed.
    }
  }
}

/**
 * A connection that the program gave, or one that is made of its options.
 * @throws BrokerError `NATS_NOT_INSTALLED`, `NATS_UNREACHABLE`, `NATS_DENIED`, `NATS_TOO_OLD`
 */
export async function openLink(given: NatsGiven, name: string, signal?: AbortSignal): Promise<NatsLink> {
  const client = await loadClient();
  signal?.throwIfAborted();
  const isOwn = !isConnection(given);
  const connection = isOwn ? await connect(client, given, name, signal) : given;
  const link = new NatsLink(client, connection, isOwn);
  if (link.isClosed) throw link.closedError('to work with it');
  const version = connection.info?.version ?? '';
  if (isTooOld(version)) {
    const error = tooOld(link.server, version);
    await link.release();
    throw error;
  }
  if (isOwn) warnOfClear(link, given);
  return link;
}

async function connect(
  client: NatsClient,
  given: NodeConnectionOptions,
  name: string,
  signal: AbortSignal | undefined,
): Promise<NatsConnection> {
  const made = client.transport.connect({
    name,
    pingInterval: PING_MS,
    maxPingOut: PINGS_OUT,
    maxReconnectAttempts: -1,
    reconnectTimeWait: 250,
    // For one attempt: a server that only stands still takes connections, too.
    timeout: DIAL_MS,
    // A login that is refused for a while, such as during a change of passwords, shall not end it.
    ignoreAuthErrorAbort: true,
    noAsyncTraces: true,
    ...given,
  });
  // Nobody waits for it any more.
  const onAbort = (): void => {
    made.then(
      (connection) => void connection.close().catch(() => undefined),
      () => undefined,
    );
  };
  try {
    if (signal === undefined) return await made;
    return await new Promise<NatsConnection>((resolve, reject) => {
      const abort = (): void => {
        onAbort();
        reject(signal.reason as Error);
      };
      signal.addEventListener('abort', abort, { once: true });
      made.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort));
    });
  } catch (cause) {
    if (signal?.aborted === true) throw signal.reason;
    throw connectError(cause, serversOf(given), client);
  }
}

function isConnection(value: unknown): value is NatsConnection {
  if (typeof value !== 'object' || value === null) return false;
  try {
    const { publish, subscribe, request, status } = value as Record<string, unknown>;
    return [publish, subscribe, request, status].every((one) => typeof one === 'function');
  } catch {
    return false;
  }
}

/** Without what could be a password in an address. */
function serversOf({ servers, port }: NodeConnectionOptions): string {
  const list = typeof servers === 'string' ? [servers] : (servers ?? [`127.0.0.1:${port ?? 4222}`]);
  return list.map((server) => server.replace(/^([a-z]+:\/\/)?[^@/]*@/, '$1')).join(', ');
}

function isTooOld(version: string): boolean {
  const [, major, minor] = /^(\d+)\.(\d+)/.exec(version) ?? [];
  if (major === undefined) return false;
  const [wantedMajor, wantedMinor] = OLDEST;
  return Number(major) < wantedMajor || (Number(major) === wantedMajor && Number(minor) < wantedMinor);
}

/** Whoever listens there could send as the account. */
function warnOfClear({ connection, server }: NatsLink, given: NodeConnectionOptions): void {
  const { tls, servers } = given;
  const isTls = (tls !== undefined && tls !== null) || connection.info?.tls_required === true;
  const named = typeof servers === 'string' ? [servers] : (servers ?? []);
  if (isTls || named.some((one) => one.startsWith('tls://')) || isLoopback(server)) return;
  process.emitWarning(
    `the connection to NATS at ${server} has no TLS: passwords and stanzas are clear on the wire (tls: { ca } in its options)`,
    'XmppBrokerWarning',
  );
}

function isLoopback(server: string): boolean {
  return /^(127\.\d+\.\d+\.\d+|\[?::1\]?|localhost)(:\d+)?$/.test(server);
}
