import { shown } from '../arguments/values.js';
import { Broker } from '../broker/broker.js';
import { BrokerError, usageError } from '../errors.js';
import type { Secret } from '../options/options.js';
import type { Dialect } from '../protocols/dialect.js';
import type { Element } from '../xml/element.js';
import { Beats } from './beats.js';
import { Handlers, type NodeHandler, type Registration } from './handlers.js';
import { Inbox } from './inbox.js';
import { elementOf, JabberNode } from './node.js';
import { connectionOptions, type ConnectionOptions } from './options.js';
import { Gate, inTwoSteps } from './paused-negotiation.js';

/** What became of an output; see the broker's `output`. */
type Sent = ReturnType<Broker['output']>;

/**
 * A connection in the manner of Jabber::Connection: first {@link connect}, then {@link auth}, then handlers that are called
 * one after the other while {@link process} or {@link start} runs. It never reconnects by itself.
 *
 * What arrives meanwhile waits in an inbox, so that no stanza is handled before its handler is there.
 */
export class Connection implements AsyncDisposable {
  /** The broker below: events, filters, tickets. Its own life cycle is the connection's business. */
  readonly broker: Broker;
  readonly #dialect: Dialect;
  readonly #inbox: Inbox;
  readonly #handlers = new Handlers();
  readonly #beats = new Beats();
  #gate = new Gate();
  #state: 'closed' | 'connecting' | 'open' | 'signing-in' | 'ready' | 'ended' = 'closed';
  #ready: Promise<void> = Promise.resolve();
  #lastError: BrokerError | null = null;
  #serving = false;

  /** @throws BrokerError `USAGE_CONNECTION` or `USAGE_OPTIONS` that lists every problem at once. Nothing is dialled. */
  constructor(options: ConnectionOptions) {
    const { dialect, inboxLimit, broker } = connectionOptions(options);
    this.#dialect = dialect;
    this.#inbox = new Inbox(inboxLimit);
    this.broker = new Broker({ ...broker, connectionType: inTwoSteps(dialect, () => this.#gate) });
    this.broker.subscribe('PCJ_NODERECEIVED', (stanza) => this.#receive(stanza));
  }

  /** Whether the stream is open: from {@link connect} to its end. */
  get connected(): boolean {
    return this.#state === 'open' || this.#state === 'signing-in' || this.#state === 'ready';
  }

  /** What went wrong last, or null. */
  get lastError(): BrokerError | null {
    return this.#lastError;
  }

  /**
   * Connects and opens the stream, up to where the server waits for {@link auth}.
   * @returns a promise that rejects with the BrokerError of the attempt, a stream error among them
   */
  async connect(options: { signal?: AbortSignal | undefined } = {}): Promise<void> {
    if (this.#state === 'connecting' || this.connected) {
      throw usageError('USAGE_CONNECTED', 'the connection is in use: disconnect() first');
    }
    const gate = new Gate();
    this.#gate = gate;
    this.#ready = this.broker.connect(options);
    this.#inbox.clear();
    this.#lastError = null;
    this.#state = 'connecting';
    void this.broker.closed.then(({ error }) => {
      if (this.#gate === gate) this.#onEnd(error ?? null);
    });
    try {
      await Promise.race([gate.reached.promise, this.#ready]);
    } catch (error) {
      this.#state = 'ended';
      this.#lastError = error as BrokerError;
      throw error;
    }
    this.#state = 'open';
  }

  /**
   * Signs in: a client with user name, password and resource, a component with its secret. A second try needs a new
   * connection.
   * @returns a promise that fulfils when stanzas may be sent, and rejects with the BrokerError of the attempt
   * @throws BrokerError `USAGE_AUTH` when something is missing, or it is not the time
   */
  async auth(secret: Secret): Promise<void>;
  async auth(username: string, password: Secret, resource?: string): Promise<void>;
  async auth(first: Secret, password?: Secret, resource?: string): Promise<void> {
    const needsUser = this.#dialect.needs?.includes('username') ?? password !== undefined;
    if (!needsUser && password !== undefined) {
      throw usageError('USAGE_AUTH', 'auth() of a component takes its secret and nothing else');
    }
    if (needsUser) this.#checkClient(first, password, resource);
    if (first === '') throw usageError('USAGE_AUTH', 'auth() wants a secret that is not empty');
    if (this.#state === 'ended' && this.#lastError !== null) throw this.#lastError;
    if (this.#state !== 'open') {
      throw usageError('USAGE_AUTH', 'auth() follows connect(), once for each connection');
    }
    this.#state = 'signing-in';
    this.#gate.credentials.resolve(
      needsUser
        ? { username: first as string, password: password ?? '', resource: resource === '' ? undefined : resource }
        : { username: undefined, password: first, resource: undefined },
    );
    try {
      await this.#ready;
      this.#state = 'ready';
    } catch (error) {
      this.#onEnd(error as BrokerError);
      throw error;
    }
  }

  /**
   * Sends a node, an element or a string that holds exactly one.
   * @throws BrokerError `CONNECTION_NOT_READY`, and as the broker's `output`; nothing was sent then
   */
  send(node: JabberNode | Element | string): Sent {
    this.#refuseUnready();
    return this.broker.output(typeof node === 'string' ? node : elementOf(node));
  }

  /**
   * Sends a request and waits for its answer, which no handler sees. Others may be asked meanwhile, also by handlers.
   * @returns the answer. Rejects with a StanzaError for an error, whose `stanza` is the answer, and as the broker's
   * `request`
   */
  async ask(
    node: JabberNode | Element | string,
    options: { timeout?: number | undefined; signal?: AbortSignal | undefined } = {},
  ): Promise<JabberNode> {
    this.#refuseUnready();
    const answer = await this.broker.request(typeof node === 'string' ? node : elementOf(node), options);
    return JabberNode.of(answer);
  }

  /**
   * Calls a function for each element of that name that is no answer to {@link ask}.
   * @throws BrokerError `USAGE_HANDLER`
   */
  registerHandler(tag: string, handler: NodeHandler): Registration {
    return this.#handlers.add(tag, handler);
  }

  /**
   * Calls a function again and again while {@link start} runs.
   * @param seconds the period, which need not be whole
   * @throws BrokerError `USAGE_BEAT`
   */
  registerBeat(seconds: number, callback: () => unknown): Registration {
    return this.#beats.add(seconds, callback);
  }

  /**
   * Waits for stanzas and hands what is there to the handlers.
   * @param seconds how long to wait when there is nothing. Default 0
   * @returns a promise of false when the stream has ended and everything was handled. It rejects with what a handler
   * throws, and with a stream error
   */
  async process(seconds = 0): Promise<boolean> {
    if (typeof seconds !== 'number' || !(seconds >= 0)) {
      throw usageError('USAGE_PROCESS', `process() wants a number of seconds, not ${shown(seconds)}`);
    }
    return this.#serve(() => this.#pump(seconds * 1_000));
  }

  /** Handles stanzas and beats until the stream ends. Rejects as {@link process} does, and with what a beat throws. */
  async start(): Promise<void> {
    await this.#serve(async () => {
      this.#beats.begin((error) => {
        this.#inbox.fail(error);
      });
      try {
        while (await this.#pump(Number.POSITIVE_INFINITY));
      } finally {
        this.#beats.end();
      }
    });
  }

  /** Closes the stream and the connection. */
  async disconnect(): Promise<void> {
    await this.#shutDown();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#shutDown();
    await this.broker[Symbol.asyncDispose]();
  }

  #checkClient(username: unknown, password: unknown, resource: unknown): void {
    const needs = this.#dialect.needs ?? [];
    const missing = [
      typeof username === 'string' && username !== '' ? null : 'a user name',
      password === undefined || password === '' ? 'a password' : null,
      needs.includes('resource') && (typeof resource !== 'string' || resource === '') ? 'a resource' : null,
    ].filter((one) => one !== null);
    if (missing.length > 0) {
      throw usageError(
        'USAGE_AUTH',
        `auth() of a client takes user name, password and resource; give ${missing.join(', ')}`,
      );
    }
    if (this.#dialect.addressing === 'account' && (username as string).includes('@')) {
      throw usageError(
        'USAGE_AUTH',
        "auth() takes the user name in front of the '@'; what is behind it is the option localname of the connection",
      );
    }
  }

  #refuseUnready(): void {
    if (this.#state === 'ready' && this.broker.state === 'ready') return;
    throw new BrokerError('CONNECTION_NOT_READY', 'nothing can be sent: connect() and auth() come first', {
      layer: 'usage',
      sent: 'no',
    });
  }

  async #serve<T>(work: () => Promise<T>): Promise<T> {
    if (this.#state === 'closed') throw usageError('USAGE_PROCESS', 'there is nothing to process: connect() first');
    if (this.#serving) throw usageError('USAGE_PROCESS', 'process() or start() is running already');
    this.#serving = true;
    try {
      return await work();
    } finally {
      this.#serving = false;
    }
  }

  /** Waits, then handles what is there. Returns false at the end. */
  async #pump(limitMs: number): Promise<boolean> {
    await this.#inbox.wait(limitMs);
    for (let next = this.#inbox.take(); next !== undefined; next = this.#inbox.take()) {
      try {
        await this.#handlers.dispatch(JabberNode.of(next.stanza));
      } finally {
        next.handled();
      }
      this.#inbox.throwFailure();
    }
    return this.#inbox.goesOn();
  }

  /** The promise keeps the broker from answering a request that a handler still may answer. */
  #receive(stanza: Element): Promise<void> | undefined {
    try {
      const handled = this.#inbox.push(stanza);
      return stanza.localName === 'iq' ? handled : undefined;
    } catch (error) {
      this.#lastError = error as BrokerError;
      this.#inbox.fail(error);
      void this.#shutDown();
      return undefined;
    }
  }

  /** The broker waits for handlers; what is in the inbox may never be handled, or by the handler that ends the connection. */
  async #shutDown(): Promise<void> {
    this.#inbox.release();
    await this.broker.shutdown();
  }

  #onEnd(error: BrokerError | null): void {
    const wasReady = this.#state === 'ready';
    this.#state = 'ended';
    if (error !== null && !isOrderly(error)) this.#lastError ??= error;
    // A lost link is an end like any other; what the server complains about is not.
    const complaint = wasReady && error !== null && (error.layer === 'xml' || error.condition !== undefined);
    this.#inbox.end(complaint ? error : null);
  }
}

/** Whether an end is one that somebody wanted: the server closed the stream, or we gave up the attempt. */
function isOrderly({ code, layer }: BrokerError): boolean {
  return (code === 'STREAM_CLOSED' && layer === 'stream') || code === 'CONNECT_ABORTED';
}
