import { isA, reasonOf } from '../arguments/values.js';
import type { Duplex } from 'node:stream';
import { unixSocketPath } from '../arguments/unix-socket.js';
import { CONNECT, traced } from '../channels.js';
import { BrokerError } from '../errors.js';
import type { Negotiated } from '../link/contract.js';
import type { DialectConfig } from '../protocols/dialect.js';
import { checkEstablished } from '../protocols/established.js';
import { clientCertificate, clientCertificateWarning } from '../tls/client-certificate.js';
import { StreamNegotiation, type NegotiationParts } from './negotiation.js';
import { portHint } from '../dial/port-hint.js';
import type { Target } from '../dial/resolve.js';
import type { Tally } from '../stats.js';
import { Transport } from '../stream/transport.js';
import { openWebSocket } from '../stream/web-socket.js';
import { WEBSOCKET_FRAMING } from '../stream/websocket-framing.js';
import { Reach, type ReachParts } from './reach.js';
import { portOf, type Place, type WebSocketRoute } from './route.js';
import type { TlsServer } from './start-tls.js';
import { XmlStream } from '../stream/xml-stream.js';

/** What an attempt works with. */
export interface AttemptParts extends NegotiationParts, ReachParts {
  readonly tally: Tally;
}

type FailEvent =
  'PCJ_CONNECTFAIL' | 'PCJ_SSLFAIL' | 'PCJ_AUTHFAIL' | 'PCJ_BINDFAIL' | 'PCJ_SESSIONFAIL' | 'PCJ_SOCKETFAIL';

/** Failures that a connection to the port of somebody else brings. */
const WRONG_PORT_CODES: ReadonlySet<string> = new Set([
  'STREAM_TIMEOUT',
  'STREAM_NOT_XMPP',
  'STREAM_BAD_ROOT',
  'STREAM_BAD_NAMESPACE',
  'STREAM_CLOSED',
  'STREAM_ERROR',
  'TCP_RESET',
  'TLS_PROTOCOL',
  'TLS_HANDSHAKE',
]);

/** How long a server gets to close after a failed attempt, in milliseconds. */
const FAILED_CLOSE_MS = 500;

/** One way from nothing to a negotiated stream, or to exactly one failure event and a closed socket. */
export class Attempt {
  readonly #parts: AttemptParts;
  readonly #onNegotiating: () => void;
  readonly #abort = new AbortController();
  #stream: XmlStream | null = null;
  #transport: Transport | null = null;
  #session: StreamNegotiation | null = null;
  #target: Target | null = null;

  /** @param onNegotiating called when the dialect is about to get the stream */
  constructor(parts: AttemptParts, onNegotiating: () => void) {
    this.#parts = parts;
    this.#onNegotiating = onNegotiating;
  }

  /** Gives the attempt up: it fails with this error. */
  abort(error: BrokerError): void {
    this.#abort.abort(error);
  }

  /** Why it was given up, also when it failed by something else before; null if it was not. */
  get givenUp(): BrokerError | null {
    const { signal } = this.#abort;
    return signal.aborted ? (signal.reason as BrokerError) : null;
  }

  /** The same, and the connection is dropped at once. */
  drop(error: BrokerError): void {
    this.#abort.abort(error);
    this.#transport?.destroy();
  }

  /**
   * Dials and negotiates. Publishes every event of the attempt, the failure's tail included.
   * @throws BrokerError the one outcome of a failed attempt, after its socket is closed
   */
  run(target: Place): Promise<Negotiated> {
    if (!CONNECT.start.hasSubscribers) return this.#run(target);
    const { config, status } = this.#parts;
    const { host, port } = target;
    const dialect = config.connectionType.name;
    const facts = { broker: status.subject, dialect, domain: config.domain, host, port };
    return traced(CONNECT, facts, () => this.#run(target));
  }

  async #run(target: Place): Promise<Negotiated> {
    const { attempt: limitMs } = this.#parts.config.timeouts;
    const timer = setTimeout(() => {
      const text = `the attempt was not complete within ${String(limitMs)} ms (timeouts.attempt)`;
      this.abort(new BrokerError('ATTEMPT_TIMEOUT', text, { layer: 'stream', retryable: true }));
    }, limitMs);
    try {
      return await this.#negotiate(target);
    } catch (caught) {
      const error = this.#asBrokerError(caught);
      await this.#fail(error);
      throw error;
    } finally {
      clearTimeout(timer);
    }
  }

  /** Closes the stream of an attempt that was given up in the very moment of its success; publishes its failure. */
  discard(): Promise<void> {
    const late = new BrokerError('CONNECT_SUPERSEDED', 'a later command took the place of this attempt', {
      layer: 'usage',
    });
    return this.#fail(this.#asBrokerError(this.#abort.signal.reason ?? late));
  }

  async #negotiate(given: Place): Promise<Negotiated> {
    const { config } = this.#parts;
    const dialect = config.connectionType;
    const { signal } = this.#abort;
    this.#warnOfOurCertificate();
    signal.throwIfAborted();
    const { websocket, dialled } = await new Reach(this.#parts, signal).to(given);
    this.#target = dialled.target;
    const transport = new Transport(dialled.socket, this.#parts.tally);
    this.#transport = transport;
    signal.throwIfAborted();
    const address = dialled.address ?? dialled.target.host;
    const loopback = unixSocketPath(address) !== null || isLoopback(dialled.address ?? remoteAddress(dialled.socket));
    const dialectConfig: DialectConfig = Object.freeze({
      domain: config.domain,
      username: config.username,
      resource: config.resource,
      tlsPolicy: this.#tlsPolicy(dialled.target.tls, loopback),
      loopback,
      transport: websocket === null ? 'tcp' : 'websocket',
      hasPassword: this.#parts.secrets.password !== undefined,
      clientCertificate: config.tls.cert === undefined ? null : clientCertificate(config.tls.cert),
    });
    this.#parts.status.publish('PCJ_CONNECTED', Object.freeze({ host: address, port: portOf(dialled.target) }));
    this.#onNegotiating();
    const stream = new XmlStream(transport, config.xmlLimits);
    this.#stream = stream;
    const session = new StreamNegotiation(this.#parts, {
      stream,
      dialectConfig,
      server: this.#tlsServer(websocket, dialectConfig.tlsPolicy === 'direct'),
      signal,
    });
    this.#session = session;
    if (
      dialectConfig.tlsPolicy === 'required' &&
      config.tls.policy === undefined &&
      dialect.defaultTls === 'loopback'
    ) {
      throw new BrokerError(
        'TLS_REQUIRED',
        `${dialect.name} has no STARTTLS and ${address} is not this machine; say tls: { policy: 'direct' }, or 'disabled' to send the secret's digest in clear`,
        { layer: 'tls' },
      );
    }
    if (dialectConfig.tlsPolicy === 'direct') {
      session.publish('PCJ_SSLNEGOTIATE');
      await session.startTls();
    }
    if (websocket !== null) await this.#openWebSocket(stream, websocket);
    // A dialect may wait for more than the session, such as a token: the attempt ends in time all the same.
    const established = checkEstablished(await Promise.race([dialect.negotiate(session), this.#aborted()]));
    signal.throwIfAborted();
    if (dialectConfig.tlsPolicy === 'required' && session.tls === null) {
      throw new BrokerError(
        'TLS_REQUIRED',
        `the stream was negotiated without TLS, which tls.policy 'required' forbids`,
        { layer: 'tls' },
      );
    }
    // Not the whole session: it would keep everything alive that the attempt needed.
    const { certificateExpiry, deferredElements } = session;
    const verified = session.tls?.verified === true;
    return { stream, established, dialectConfig, verified, certificateExpiry, deferredElements };
  }

  /** A server that refuses our certificate seldom says why. */
  #warnOfOurCertificate(): void {
    const { cert, policy } = this.#parts.config.tls;
    const warning = cert === undefined || policy === 'disabled' ? null : clientCertificateWarning(cert);
    if (warning !== null) this.#parts.status.publish('PCJ_PROTOCOLERROR', warning);
  }

  #aborted(): Promise<never> {
    const { signal } = this.#abort;
    return new Promise((_, reject) => {
      signal.addEventListener('abort', () => {
        reject(signal.reason as Error);
      });
    });
  }

  /** Opens the WebSocket inside TLS, or whatever there is. */
  #openWebSocket(stream: XmlStream, { package: loaded, url, headers }: WebSocketRoute): Promise<void> {
    const { xmlns, xmlLimits, timeouts } = this.#parts.config;
    return stream.changeFraming(WEBSOCKET_FRAMING, (socket) =>
      openWebSocket(loaded, socket, {
        url,
        headers,
        xmlns,
        maxBytes: xmlLimits.stanzaBytes,
        timeoutMs: timeouts.stream,
        closeMs: timeouts.close,
        signal: this.#abort.signal,
      }),
    );
  }

  /** Whom TLS is with: the host of the URL (RFC 7395 §3.9), else the domain, wherever it was dialled. */
  #tlsServer(websocket: WebSocketRoute | null, direct: boolean): TlsServer {
    const { domain, connectionType } = this.#parts.config;
    if (websocket === null) {
      return { name: domain, alternative: null, alpn: direct ? (connectionType.alpn ?? null) : null };
    }
    return { name: websocket.url.hostname, alternative: websocket.alternative, alpn: 'http/1.1' };
  }

  #tlsPolicy(tls: 'direct' | 'starttls', loopback: boolean): DialectConfig['tlsPolicy'] {
    const { config } = this.#parts;
    if (tls === 'direct') return 'direct';
    const chosen = config.tls.policy;
    if (chosen !== undefined) return chosen;
    return config.connectionType.defaultTls === 'loopback' && loopback ? 'disabled' : 'required';
  }

  #asBrokerError(caught: unknown): BrokerError {
    const dialect = this.#parts.config.connectionType.name;
    const facts = { phase: this.#session?.phase ?? ('connect' as const), dialect };
    if (isA(caught, BrokerError)) {
      const hint = WRONG_PORT_CODES.has(caught.code) ? this.#portHint() : null;
      const message = hint === null ? caught.message : `${caught.message} (${hint})`;
      return caught.with({ ...facts, ...(caught.phase === undefined ? {} : { phase: caught.phase }) }, message);
    }
    return new BrokerError('DIALECT_FAILED', `the dialect ${dialect} failed: ${reasonOf(caught)}`, {
      layer: 'stream',
      cause: caught,
      ...facts,
    });
  }

  /** What the port is usually for, when that may be the mistake. */
  #portHint(): string | null {
    const target = this.#target;
    if (target === null) return null;
    const { connectionType: dialect, tls } = this.#parts.config;
    return portHint(dialect, target.port, tls.policy === 'disabled' ? 'none' : target.tls);
  }

  async #fail(error: BrokerError): Promise<void> {
    const stream = this.#stream;
    const transport = this.#transport;
    const event = this.#failEvent(error);
    if (!isAnotherWay(error)) this.#parts.status.publish(event, error);
    if (transport === null) return;
    const lost = event === 'PCJ_SOCKETFAIL';
    if (!lost) {
      if (stream?.opened === true) {
        if (error.layer === 'xml' && error.condition !== undefined) stream.closeWithError(error.condition);
        else if (error.sentCondition !== undefined) stream.closeWithError(error.sentCondition);
        else stream.sendEnd();
        this.#parts.status.publish('PCJ_STREAMEND', undefined);
      }
      this.#parts.status.publish('PCJ_SHUTDOWN_START', undefined);
      transport.end();
      // What the server still sends is read and dropped, so that our last bytes are not lost to a reset.
      transport.resume();
      await transport.closedWithin(Math.min(FAILED_CLOSE_MS, this.#parts.config.timeouts.close));
    }
    transport.destroy();
    this.#parts.status.publish('PCJ_SOCKETDISCONNECT', { clean: false, error });
    if (!lost) this.#parts.status.publish('PCJ_SHUTDOWN_FINISH', undefined);
  }

  #failEvent(error: BrokerError): FailEvent {
    const step = this.#session?.step ?? 'connect';
    if (error.layer === 'tcp' && this.#stream !== null && step !== 'ssl') return 'PCJ_SOCKETFAIL';
    if (step === 'ssl' || error.layer === 'tls') return 'PCJ_SSLFAIL';
    if (step === 'auth' || error.layer === 'sasl') return 'PCJ_AUTHFAIL';
    if (step === 'session') return 'PCJ_SESSIONFAIL';
    return step === 'bind' || error.layer === 'bind' ? 'PCJ_BINDFAIL' : 'PCJ_CONNECTFAIL';
  }
}

/** Whether a sign-in failed in a way that was told already, and that another one follows at once: with the password (XEP-0484). */
export function isAnotherWay({ code, retryable }: BrokerError): boolean {
  return code === 'SASL_TOKEN_REFUSED' && retryable;
}

/** What a socket that a connector opened knows of its other side. */
function remoteAddress(socket: Duplex & { remoteAddress?: string }): string {
  return socket.remoteAddress ?? '';
}

function isLoopback(address: string): boolean {
  return address === '::1' || /^(::ffff:)?127\./.test(address);
}
