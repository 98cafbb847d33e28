import type { X509Certificate } from 'node:crypto';
import { BrokerError, usageError, type ErrorPhase } from '../errors.js';
import EVENTS, { type NegotiationEvent, type StatusEvent, type StatusEvents } from '../events.js';
import type { TlsFacts } from '../tls/facts.js';
import type { DialectConfig, Negotiation, StreamHeader } from '../protocols/dialect.js';
import { checkReport } from '../protocols/reports.js';
import type { ManagedSession } from '../protocols/features/managed-session.js';
import type { ChannelBindings } from '../tls/channel-binding.js';
import type { StatusPublisher } from '../link/status-publisher.js';
import type { Traffic } from '../link/traffic.js';
import type { BrokerConfig, Secrets } from '../options/options.js';
import { readPassword } from './password.js';
import { startTls, type TlsResult, type TlsServer } from './start-tls.js';
import { isStreamError, redirectable, streamError } from '../stream/stream-error.js';
import type { Item, XmlStream } from '../stream/xml-stream.js';
import { isStanza } from '../stanza/kinds.js';
import { NS } from '../xml/namespaces.js';
import type { Element } from '../xml/element.js';

/** The step of a negotiation, which decides the event a failure becomes. */
export type Step = Extract<Row, { readonly step: string }>['step'];

type Row = (typeof EVENTS)[keyof typeof EVENTS];

/** What a negotiation works with. */
export interface NegotiationParts {
  readonly config: BrokerConfig;
  readonly secrets: Secrets;
  readonly status: StatusPublisher;
  readonly traffic: Traffic;
  readonly resumption: { readonly resumable: ManagedSession | null };
  readonly userAgentId: string;
  readonly refusedTokens: Set<string>;
}

/** What is negotiated. */
export interface Opening {
  readonly stream: XmlStream;
  readonly dialectConfig: DialectConfig;
  readonly server: TlsServer;
  /** Aborted when the attempt is given up. */
  readonly signal: AbortSignal;
}

/** How long the rest of a stream error may take, in milliseconds, and how many elements it may have. */
const ERROR_MS = 1_000;
const ERROR_LIMIT = 8;

/** What an element that is set aside costs beside its text, in bytes, about. */
const DEFERRED_COST = 64;

/** The stream as a dialect sees it while it negotiates: see {@link Negotiation}. */
export class StreamNegotiation implements Negotiation {
  readonly config: DialectConfig;
  readonly signal: AbortSignal;
  readonly #parts: NegotiationParts;
  readonly #stream: XmlStream;
  readonly #server: TlsServer;
  readonly #deferredElements: Element[] = [];
  #deferredBytes = 0;
  #step: Step = 'connect';
  #authenticated = false;
  #secured: TlsResult | null = null;
  #opened = 0;

  constructor(parts: NegotiationParts, { stream, dialectConfig, server, signal }: Opening) {
    this.#server = server;
    this.#parts = parts;
    this.#stream = stream;
    this.config = dialectConfig;
    this.signal = signal;
    // One for all that is read: listeners of a signal cost more than what they are for.
    signal.addEventListener('abort', () => {
      stream.interrupt(signal.reason as Error);
    });
  }

  get tls(): TlsFacts | null {
    return this.#secured?.facts ?? null;
  }

  get channelBindings(): ChannelBindings | null {
    return this.#secured?.bindings ?? null;
  }

  get certificate(): X509Certificate | null {
    return this.#secured?.certificate ?? null;
  }

  /** When the server's certificate expires, or null when that does not matter. */
  get certificateExpiry(): Date | null {
    return this.#secured?.notAfter ?? null;
  }

  get resumable(): ManagedSession | null {
    return this.#parts.resumption.resumable;
  }

  get userAgentId(): string {
    return this.#parts.userAgentId;
  }

  get refusedTokens(): Set<string> {
    return this.#parts.refusedTokens;
  }

  /** Where a failure now would belong. */
  get step(): Step {
    return this.#step;
  }

  get phase(): ErrorPhase {
    if (this.#step === 'ssl') return 'tls';
    if (this.#step === 'auth') return 'auth';
    if (this.#authenticated) return 'bind';
    return this.#opened === 0 ? 'connect' : this.#secured === null ? 'pre-tls' : 'auth';
  }

  /** Elements that were set aside for the router, in order. */
  get deferredElements(): readonly Element[] {
    return this.#deferredElements;
  }

  password(): Promise<string> {
    const { secrets } = this.#parts;
    const password = readPassword(secrets);
    return typeof secrets.password === 'function' || this.signal.aborted ? this.#abortable(password) : password;
  }

  async open(attributes: Readonly<Record<string, string>> = {}): Promise<StreamHeader> {
    const { config } = this.#parts;
    this.#checkSignal();
    const { xmlns, stream, domain: to, version } = config;
    const header = this.#stream.framing.header({ xmlns, stream, to, version, attributes });
    this.#opened += 1;
    this.#parts.status.publish('PCJ_STREAMSTART', header);
    this.#checkSignal();
    this.#stream.open(header);
    this.#parts.traffic.sent(header, false);
    const item = await this.#read(config.timeouts.stream, 'the stream header');
    if (item.kind === 'end') throw this.#streamEnded();
    if (item.kind === 'element') throw this.#inPlaceOfHeader(item.element);
    if (isErrorRoot(item.element, config.xmlns)) throw await this.#errorAsRoot(item.element);
    return this.#checkHeader(item.element);
  }

  restart(attributes: Readonly<Record<string, string>> = {}): Promise<StreamHeader> {
    return this.open(attributes);
  }

  async next(match?: (element: Element) => boolean): Promise<Element> {
    const { timeouts } = this.#parts.config;
    const limit =
      this.#step === 'auth'
        ? timeouts.auth
        : this.#step === 'bind' || this.#step === 'session'
          ? timeouts.bind
          : timeouts.stream;
    const deadline = performance.now() + limit;
    for (;;) {
      const item = await this.#read(Math.max(1, deadline - performance.now()), 'the next element');
      if (item.kind === 'end') throw this.#streamEnded();
      if (item.kind !== 'element') throw this.#unexpected('a second stream header', 'an element');
      const { element } = item;
      this.#parts.traffic.received(element);
      if (isStreamError(element)) throw redirectable(streamError(element), this.tls?.verified === true);
      if (match?.(element) === true) return element;
      if (isStanza(element) && !this.#authenticated) throw earlyStanza(element);
      if (match === undefined) return element;
      // The features of a stream and the like mean nothing once the dialect waits for something else.
      if (element.namespaceURI !== NS.STREAM) this.#defer(element);
    }
  }

  /** What nobody has asked for may cost as much as one stanza, all together. */
  #defer(element: Element): void {
    this.#deferredBytes += element.toString().length + DEFERRED_COST;
    if (this.#deferredBytes > this.#parts.config.xmlLimits.stanzaBytes) {
      throw new BrokerError('STREAM_UNEXPECTED', 'the server sends elements without end before the stream is ready', {
        layer: 'stream',
        origin: 'peer',
        sentCondition: 'policy-violation',
      });
    }
    this.#deferredElements.push(element);
  }

  send(element: Element, options: { secret?: boolean | undefined } = {}): void {
    this.#checkSignal();
    this.#stream.send(element, this.#parts.config.xmlns);
    this.#parts.traffic.sent(element, options.secret ?? false);
  }

  async request(request: Element, isAnswer?: (element: Element) => boolean): Promise<Element> {
    const id = request.getAttribute('id');
    if (isAnswer === undefined && (request.localName !== 'iq' || id === null || id === '')) {
      throw usageError('USAGE_IQ', 'session.request() needs an <iq/> with an id, or a function that knows the answer');
    }
    this.#checkSignal();
    this.#parts.status.publish('PCJ_RTS_START', request);
    this.send(request);
    return this.next(
      isAnswer ??
        ((element) => {
          const type = element.getAttribute('type');
          return (
            element.localName === 'iq' && element.getAttribute('id') === id && (type === 'result' || type === 'error')
          );
        }),
    );
  }

  publish<N extends NegotiationEvent>(
    event: N,
    ...payload: StatusEvents[N] extends undefined ? [] : [StatusEvents[N]]
  ): void {
    checkReport(event);
    this.#checkSignal();
    if (event === 'PCJ_AUTHSUCCESS') this.#authenticated = true;
    this.#report(event, payload[0] as StatusEvents[N]);
  }

  async startTls(): Promise<TlsFacts> {
    this.#step = 'ssl';
    const secured = await startTls(this.#stream, this.#parts, {
      server: this.#server,
      signal: this.signal,
    });
    this.#checkSignal();
    this.#secured = secured;
    const { facts } = secured;
    this.#deferredElements.length = 0;
    this.#deferredBytes = 0;
    this.#report('PCJ_SSLSUCCESS', facts);
    if (secured.warning !== null) this.publish('PCJ_PROTOCOLERROR', secured.warning);
    return facts;
  }

  #report<N extends StatusEvent>(event: N, payload: StatusEvents[N]): void {
    const row: Row = EVENTS[event];
    if ('step' in row) this.#step = row.step;
    this.#parts.status.publish(event, payload);
    this.#checkSignal();
  }

  async #read(limitMs: number, what: string): Promise<Exclude<Item, { kind: 'failed' }>> {
    this.#checkSignal();
    const timer = setTimeout(() => {
      this.#stream.interrupt(this.#timeout(limitMs, what));
    }, limitMs);
    try {
      const item = await this.#stream.read();
      if (item.kind === 'failed') throw item.error;
      return item;
    } finally {
      clearTimeout(timer);
    }
  }

  #abortable<T>(work: Promise<T>): Promise<T> {
    const { signal } = this;
    return new Promise<T>((resolve, reject) => {
      const onAbort = () => {
        reject(signal.reason as Error);
      };
      if (signal.aborted) {
        work.catch(() => undefined);
        onAbort();
        return;
      }
      signal.addEventListener('abort', onAbort, { once: true });
      work.then(resolve, reject).finally(() => {
        signal.removeEventListener('abort', onAbort);
      });
    });
  }

  #checkSignal(): void {
    this.signal.throwIfAborted();
  }

  /** A stream error without a header before it (RFC 6120 §4.9.1.2 wants one): what follows is its content. */
  async #errorAsRoot(root: Element): Promise<BrokerError> {
    const error = root.clone();
    const deadline = performance.now() + ERROR_MS;
    for (let parts = 0; parts < ERROR_LIMIT; parts += 1) {
      const left = Math.max(1, deadline - performance.now());
      const item = await this.#read(left, 'the rest of its stream error').catch(() => null);
      this.#checkSignal();
      if (item?.kind !== 'element') break;
      error.appendChild(item.element.clone());
    }
    this.#parts.traffic.received(error);
    return redirectable(streamError(error), this.tls?.verified === true);
  }

  #checkHeader(element: Element): StreamHeader {
    const { config } = this.#parts;
    this.#parts.traffic.received(element);
    const { xmlns, stream } = config;
    const expected = { xmlns, stream, dialect: config.connectionType.name };
    const fault = this.#stream.framing.headerFault(element, expected);
    if (fault !== null) throw fault;
    return {
      id: element.getAttribute('id'),
      from: element.getAttribute('from'),
      version: element.getAttribute('version'),
      lang: element.getAttribute('xml:lang'),
      element,
    };
  }

  /** A stream error may come before any header. */
  #inPlaceOfHeader(element: Element): BrokerError {
    if (!isStreamError(element)) return this.#unexpected(`<${element.nodeName}/>`, 'a stream header');
    this.#parts.traffic.received(element);
    return redirectable(streamError(element), this.tls?.verified === true);
  }

  #unexpected(found: string, wanted: string): BrokerError {
    return new BrokerError('STREAM_UNEXPECTED', `the server sent ${found} where ${wanted} belongs`, {
      layer: 'stream',
      origin: 'peer',
      sentCondition: 'bad-format',
    });
  }

  #streamEnded(): BrokerError {
    return new BrokerError('STREAM_CLOSED', 'the server closed the stream before it was ready', {
      layer: 'stream',
      origin: 'peer',
      retryable: true,
    });
  }

  #timeout(limitMs: number, what: string): BrokerError {
    const [code, layer, option] =
      this.#step === 'auth'
        ? (['SASL_TIMEOUT', 'sasl', 'auth'] as const)
        : this.#step === 'bind' || this.#step === 'session'
          ? (['BIND_TIMEOUT', 'bind', 'bind'] as const)
          : (['STREAM_TIMEOUT', 'stream', 'stream'] as const);
    return new BrokerError(
      code,
      `the server did not send ${what} within ${String(Math.round(limitMs))} ms (timeouts.${option})`,
      {
        layer,
        origin: 'peer',
        retryable: true,
        sentCondition: 'connection-timeout',
      },
    );
  }
}

/** Behind authentication it is clear who sends it, and that it is for us: it is delivered when the stream is ready. */
function earlyStanza({ localName }: Element): BrokerError {
  const text = `the server sent <${localName}/> before authentication was complete`;
  const facts = { layer: 'stream', origin: 'peer', sentCondition: 'not-authorized', retryable: true } as const;
  return new BrokerError('STREAM_EARLY_STANZA', text, facts);
}

/** A stream error in place of a header, in whichever namespace servers put it that have no stream yet. */
function isErrorRoot({ localName, namespaceURI }: Element, contentNamespace: string): boolean {
  return localName === 'error' && [null, NS.STREAM, NS.STREAMS, contentNamespace].includes(namespaceURI);
}
