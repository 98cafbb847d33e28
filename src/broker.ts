import { BrokerError, usageError } from './errors.js';
import type { StatusEvents } from './events.js';
import { BrokerFilters } from './broker-filters.js';
import { DEFAULT_FILTER_VISITS, type FilterOptions } from './filters/filter-set.js';
import { Continuity } from './continuity.js';
import type { JID } from './jid.js';
import { Lifecycle, type BrokerState, type Closed, type ConnectOptions } from './lifecycle.js';
import type { Link, LinkEnd } from './link.js';
import type { Logger } from './logger.js';
import { validateOptions, type BrokerConfig, type BrokerOptions } from './options.js';
import { Outbox } from './outbox.js';
import { asStanza, checkStanza } from './outbound-stanza.js';
import {
  PubSub,
  type Handler,
  type Owner,
  type Publication,
  type SubscribeOptions,
  type Subscription,
} from './pubsub.js';
import type { StreamManagement } from './protocols/features/stream-management.js';
import type { OutboundQueue } from './queue/outbound-queue.js';
import type { Ticket } from './queue/ticket.js';
import { redacted } from './redaction.js';
import { Requests, type PendingRequest } from './requests.js';
import { Router } from './router.js';
import { StanzaError } from './stanza-error.js';
import { UnansweredRequests } from './unanswered.js';
import type { Element } from './xml/element.js';
import { xml } from './xml/builder.js';
import { NS } from './xml/namespaces.js';
import { errorReply, reply } from './xml/replies.js';
import { serialize } from './xml/serializer.js';

/** What `output` takes: an element, an element of a DOM such as @xmldom/xmldom's, or a string with exactly one. */
export type Outbound = Element | object | string;

/** Options of one request. */
export interface RequestOptions {
  /** Milliseconds until the request fails, counted from the call. Default `timeouts.request`, from when it is written. */
  timeout?: number;
  /** Gives up waiting; the answer is then an ordinary stanza. */
  signal?: AbortSignal;
}

/** Input events that `post` takes, and what each does. */
export interface Commands {
  output: [node: Outbound];
  return_to_sender: [event: string, node: Outbound];
  xpath_filter:
    [command: 'add', event: string, expression: string, options?: FilterOptions] | [command: 'remove', event: string];
  shutdown: [];
  connect: [host?: string, port?: number];
  reconnect: [host?: string, port?: number];
  purge_queue: [select?: (ticket: Ticket) => boolean];
  halt: [];
}

/** Events that report a fault: with nobody subscribed they are logged. */
const FAULTS: ReadonlySet<string> = new Set<keyof StatusEvents>([
  'PCJ_CONNECTFAIL',
  'PCJ_SSLFAIL',
  'PCJ_AUTHFAIL',
  'PCJ_BINDFAIL',
  'PCJ_SESSIONFAIL',
  'PCJ_SOCKETFAIL',
  'PCJ_RTS_FAIL',
  'PCJ_HANDLERERROR',
  'PCJ_FILTERERROR',
  'PCJ_PROTOCOLERROR',
  'PCJ_QUEUEFAIL',
  'PCJ_SM_FAILED',
]);

/** Shortest time between two warnings about answers from the wrong address, in milliseconds. */
const SPOOF_WARNING_MS = 1_000;

/**
 * One XML stream to an XMPP server: it connects, lets the dialect negotiate, and publishes everything that happens.
 *
 * `MyEvents` types the events of the program; without it every name is allowed and its payload is unknown.
 *
 * A connected broker, one that is connecting and one that waits to reconnect keep the process alive.
 */
export class Broker<MyEvents extends object = Record<string, unknown>> implements AsyncDisposable {
  /** The options in force, without secrets. */
  readonly config: BrokerConfig;
  /** The event bus. `publish()` hands back the only right to fire an event. */
  readonly events: PubSub<StatusEvents & MyEvents>;
  /** XPath filters on inbound stanzas. */
  readonly filters: BrokerFilters;
  /** Stanzas held while not ready, oldest first. */
  readonly queue: OutboundQueue;

  readonly #logger: Logger;
  readonly #bus: PubSub;
  #owner!: Owner<Record<string, unknown>>;
  readonly #status = new Map<string, Publication<unknown>>();
  readonly #outbox: Outbox;
  readonly #requests: Requests;
  readonly #router: Router;
  readonly #unanswered = new UnansweredRequests();
  readonly #lifecycle: Lifecycle;
  readonly #continuity: Continuity;
  #jid: JID | null = null;
  #sid: string | null = null;
  #spoofWarningAt = Number.NEGATIVE_INFINITY;

  /** @throws BrokerError `USAGE_OPTIONS` that lists every problem at once. Nothing is dialled. */
  constructor(options: BrokerOptions) {
    const { config, secrets, logger, connector } = validateOptions(options, DEFAULT_FILTER_VISITS);
    this.config = config;
    this.#logger = logger;
    this.#bus = new PubSub({
      onHandlerError: (error, event) => {
        this.#handlerFailed(error, event);
      },
      reserved: (name) => name.startsWith('PCJ_'),
      owner: (owner) => {
        this.#owner = owner;
      },
    });
    this.events = this.#bus as unknown as PubSub<StatusEvents & MyEvents>;
    this.#outbox = new Outbox({
      config,
      link: () => this.#lifecycle.link,
      keptBytes: () => this.#continuity.resumable?.bytes ?? 0,
      queued: (stanza) => {
        if (config.debug) this.#logger.debug({ direction: 'held', xml: serialize(redacted(stanza)) }, 'queued');
        this.#publish('PCJ_NODEQUEUED', stanza);
      },
      refused: (error) => {
        this.#publish('PCJ_QUEUEFAIL', error);
      },
      sent: (stanza) => {
        this.#sentElement(stanza, false);
      },
      watched: () => config.debug || this.#bus.subscribers('PCJ_NODESENT') > 0,
      dropped: (ticket) => {
        if (ticket.request === null) return;
        const error = new BrokerError('RTS_DROPPED', 'the request was dropped from the queue', {
          layer: 'rts',
          sent: 'no',
        });
        this.#requests.fail(ticket.request, error);
      },
    });
    this.queue = this.#outbox.queue;
    this.filters = new BrokerFilters(this.#bus, config);
    this.#requests = new Requests(config.limits.requests, config.timeouts.request);
    this.#router = this.#makeRouter();
    this.#continuity = new Continuity((management) => {
      this.#giveUpSession(management);
    });
    this.#lifecycle = new Lifecycle({
      config,
      secrets,
      connector,
      publish: (event, payload) => {
        this.#publish(event, payload);
      },
      sent: (element, secret) => {
        this.#sentElement(element, secret);
      },
      sentNonza: (element) => {
        this.#sentElement(element, false);
      },
      received: (element) => {
        if (config.debug) this.#logger.debug({ direction: 'in', xml: serialize(redacted(element)) }, 'received');
      },
      deliver: (stanza) => {
        this.#router.deliver(stanza);
      },
      handedOver: (ticket) => {
        this.#outbox.handedOver(ticket);
      },
      ping: () => {
        this.#ping();
      },
      resumable: () => this.#continuity.resumable,
      ready: (link, established) => {
        this.#jid = established.jid;
        this.#sid = established.sid;
        this.#continueSession(link, established.management ?? null);
      },
      afterReady: () => {
        this.#purgeOnReady(config.queue.purgeOnReady);
      },
      linkEnded: (end) => {
        this.#jid = null;
        this.#sid = null;
        this.#keepOrHold(end);
      },
      afterLinkEnded: () => {
        if (this.#continuity.resumable === null) this.#settleCutRequests();
      },
      halted: (error) => {
        this.#halted(error);
      },
    });
  }

  /** Our own address; null while there is no ready link. */
  get jid(): JID | null {
    return this.#jid;
  }

  /** Id of the stream; null while there is no ready link. */
  get sid(): string | null {
    return this.#sid;
  }

  get state(): BrokerState {
    return this.#lifecycle.state;
  }

  /** Requests waiting for their answer, by id: a snapshot. */
  get pending(): ReadonlyMap<string, PendingRequest> {
    return this.#requests.pending();
  }

  /** Resolves when the broker has come to rest: shut down, halted, or lost and not to be dialled again. */
  get closed(): Promise<Closed> {
    return this.#lifecycle.closed;
  }

  /**
   * Connects. Resolves at PCJ_READY; with a ready link, closes that first. Host and port stay in force.
   * @returns a promise that rejects with the BrokerError of the attempt. If nobody waits for it, that is no unhandled
   * rejection: the events tell the same
   */
  connect(options: ConnectOptions = {}): Promise<void> {
    this.#refuseHalted();
    const { host, port } = options;
    if (host !== undefined && (typeof host !== 'string' || host === '')) {
      throw usageError('USAGE_CONNECT', 'connect({ host }) must be a non-empty string');
    }
    if (port !== undefined && (!Number.isInteger(port) || port < 1 || port > 65_535)) {
      throw usageError(
        'USAGE_CONNECT',
        `connect({ port }) must be a whole number from 1 to 65535, not ${String(port)}`,
      );
    }
    return this.#lifecycle.connect(options);
  }

  /** The same as {@link connect}, for when it reads better: a link in use is left and negotiated from zero. */
  reconnect(options: ConnectOptions = {}): Promise<void> {
    return this.connect(options);
  }

  /**
   * Closes the stream in order: what was sent goes out, what still arrives is delivered, and after the peer's end (or
   * `timeouts.close`) the socket closes. Again, or with nothing to close, it does nothing. Held stanzas stay.
   */
  shutdown(): Promise<void> {
    return this.#lifecycle.shutdown();
  }

  /** Drops everything at once: no event, no farewell. Pending requests and held stanzas fail; later commands throw. */
  halt(): void {
    this.#lifecycle.halt();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.shutdown();
    this.halt();
  }

  /**
   * Sends a stanza now, or holds it in the queue while not ready.
   * @throws BrokerError `USAGE_NOT_ONE_STANZA`, `USAGE_IQ`, what the dialect refuses, `XML_UNSERIALIZABLE`, `QUEUE_FULL`,
   * `BROKER_HALTED`; nothing was accepted then
   */
  output(node: Outbound): Ticket {
    this.#refuseHalted();
    const stanza = this.#prepared(asStanza(node, this.config.xmlns));
    const ticket = this.#outbox.ticket(stanza);
    this.#outbox.accept(ticket, stanza);
    this.#answers(stanza);
    return ticket;
  }

  /**
   * Sends what is held, all or what `select` picks, oldest first; later outputs line up behind it.
   * @returns the tickets that are sent; none while not ready
   */
  purgeQueue(select?: (ticket: Ticket) => boolean): Ticket[] {
    this.#refuseHalted();
    if (select !== undefined && typeof select !== 'function') {
      throw usageError('USAGE_SELECT', 'purgeQueue() takes a function of a ticket, or nothing');
    }
    return this.#outbox.purge(select);
  }

  /**
   * Sends a request; its answer, a result or an error, is published once under `event`, which is then rescinded.
   * @returns the request's ticket; `ticket.node` shows a generated id
   * @throws BrokerError as `output`, and `USAGE_EVENT_*`, `USAGE_REQUEST`, `RTS_LIMIT`
   */
  returnToSender(event: keyof MyEvents & string, node: Outbound): Ticket {
    this.#refuseHalted();
    const publication = this.#bus.share(event);
    try {
      return this.#ask(node, event, undefined, (outcome, request) => {
        if (outcome instanceof BrokerError) {
          this.#publishRequestFailure(outcome, request);
        } else {
          if (publication.fire(outcome) === 0) {
            this.#logger.warn(
              { event, id: request.id },
              'the answer of a request arrived and nobody is subscribed to its event',
            );
          }
          this.#publish('PCJ_RTS_FINISH', outcome);
        }
        publication.rescind();
      }).ticket;
    } catch (error) {
      publication.rescind();
      throw error;
    }
  }

  /**
   * Sends a request and waits for its answer.
   * @returns the result. Rejects with a {@link StanzaError} for an error answer, else with a BrokerError: as `output`,
   * `RTS_TIMEOUT`, `RTS_DISCONNECTED`, `RTS_ABORTED`, `RTS_DROPPED`, `RTS_LIMIT`
   */
  request(node: Outbound, options: RequestOptions = {}): Promise<Element> {
    const { timeout, signal } = options;
    const promise = new Promise<Element>((resolve, reject) => {
      this.#refuseHalted();
      if (timeout !== undefined && !(Number.isFinite(timeout) && timeout > 0 && timeout < 2 ** 31)) {
        throw usageError(
          'USAGE_REQUEST',
          `request({ timeout }) must be a number of milliseconds above 0, not ${String(timeout)}`,
        );
      }
      if (signal?.aborted === true) throw abortedRequest(signal, 'no');
      let asked: PendingRequest | null = null;
      const onAbort = () => {
        if (asked === null || signal === undefined) return;
        this.#requests.fail(asked, abortedRequest(signal, asked.ticket.state === 'queued' ? 'no' : 'maybe'));
      };
      asked = this.#ask(node, null, timeout, (outcome, request) => {
        signal?.removeEventListener('abort', onAbort);
        if (outcome instanceof BrokerError) {
          reject(outcome);
          this.#publishRequestFailure(outcome, request);
          return;
        }
        if (outcome.getAttribute('type') === 'error') reject(new StanzaError(outcome));
        else resolve(outcome);
        this.#publish('PCJ_RTS_FINISH', outcome);
      });
      signal?.addEventListener('abort', onAbort, { once: true });
    });
    promise.catch(() => undefined);
    return promise;
  }

  /** Calls a handler for each event of a name, before or after anybody publishes it. */
  subscribe<Name extends keyof (StatusEvents & MyEvents) & string>(
    event: Name,
    handler: Handler<(StatusEvents & MyEvents)[Name]>,
    options: SubscribeOptions = {},
  ): Subscription {
    return this.events.subscribe(event, handler, options);
  }

  /** Does what one of the eight input events names, with its arguments, and returns what the method returns. */
  post<Command extends keyof Commands>(command: Command, ...args: Commands[Command]): unknown {
    const run = Object.hasOwn(this.#commands, command) ? this.#commands[command] : undefined;
    if (run === undefined) {
      throw usageError(
        'USAGE_POST',
        `${JSON.stringify(command)} is no input event; there are ${Object.keys(this.#commands).join(', ')}`,
      );
    }
    return (run as (...args: unknown[]) => unknown)(...args);
  }

  readonly #commands: { [Command in keyof Commands]: (...args: Commands[Command]) => unknown } = {
    output: (node) => this.output(node),
    return_to_sender: (event, node) => this.returnToSender(event as keyof MyEvents & string, node),
    xpath_filter: (...args) => {
      if (args[0] === 'add') return this.filters.add(args[1], args[2], args[3]);
      if ((args[0] as string) === 'remove') return this.filters.remove(args[1]);
      throw usageError(
        'USAGE_POST',
        `post('xpath_filter') takes 'add' or 'remove' first, not ${JSON.stringify(args[0])}`,
      );
    },
    shutdown: () => this.shutdown(),
    connect: (host, port) => this.connect(target(host, port)),
    reconnect: (host, port) => this.reconnect(target(host, port)),
    purge_queue: (select) => this.purgeQueue(select),
    halt: () => {
      this.halt();
    },
  };

  #refuseHalted(): void {
    if (this.#lifecycle.state !== 'halted') return;
    throw new BrokerError('BROKER_HALTED', 'the broker was halted; make a new one', { layer: 'usage', sent: 'no' });
  }

  /** Fires a status event. A fault that nobody is subscribed to is logged. */
  #publish<N extends keyof StatusEvents>(event: N, payload: StatusEvents[N], promises?: Promise<void>[] | null): void {
    if (this.#lifecycle.state === 'halted') return;
    let publication = this.#status.get(event);
    if (publication === undefined) {
      publication = this.#owner.publish(event);
      this.#status.set(event, publication);
    }
    if (publication.fire(payload, promises ?? undefined) === 0 && FAULTS.has(event)) {
      this.#logger.warn(
        { event, error: payload instanceof Error ? payload : (payload as { error?: unknown }).error },
        'nobody is subscribed to a fault',
      );
    }
  }

  #handlerFailed(error: unknown, event: string): void {
    if (event === 'PCJ_HANDLERERROR')
      this.#logger.error({ event, error }, 'a handler of PCJ_HANDLERERROR failed itself');
    else this.#publish('PCJ_HANDLERERROR', { event, error });
  }

  /** The stanza as the protocol and the dialect want it. @throws BrokerError `USAGE_*` */
  #prepared(stanza: Element): Element {
    const { connectionType, domain, username } = this.config;
    checkStanza(stanza);
    return connectionType.prepare === undefined ? stanza : connectionType.prepare(stanza, { domain, username });
  }

  #answers(stanza: Element): void {
    if (stanza.localName !== 'iq') return;
    const type = stanza.getAttribute('type');
    if (type === 'result' || type === 'error') this.#unanswered.answered(stanza);
  }

  #ask(
    node: unknown,
    event: string | null,
    timeoutMs: number | undefined,
    settle: (outcome: Element | BrokerError, request: PendingRequest) => void,
  ): PendingRequest {
    let stanza = asStanza(node, this.config.xmlns);
    const own = stanza.getAttribute('id');
    const id = this.#requests.freeId(own);
    if (id !== own) {
      stanza = stanza.clone();
      stanza.setAttribute('id', id);
    }
    const type = stanza.getAttribute('type');
    if (type === 'error' || type === 'result') {
      throw usageError(
        'USAGE_REQUEST',
        `<${stanza.nodeName}/> of type ${type} gets no answer; a request is an iq of type get or set, a message or a presence`,
      );
    }
    stanza = this.#prepared(stanza);
    const ticket = this.#outbox.ticket(stanza);
    const request = this.#requests.add(stanza, ticket, { event, timeoutMs, settle });
    this.#publish('PCJ_RTS_START', stanza);
    try {
      this.#outbox.accept(ticket, stanza);
    } catch (error) {
      if (error instanceof BrokerError) this.#requests.fail(request, error);
      throw error;
    }
    return request;
  }

  #publishRequestFailure(error: BrokerError, request: PendingRequest): void {
    const { ticket } = request;
    ticket.expectNoAck();
    this.#publish('PCJ_RTS_FAIL', Object.assign(error, { ticket }));
  }

  #sentElement(element: Element, secret: boolean): void {
    const shown = redacted(element, secret);
    if (this.config.debug)
      this.#logger.debug(
        { direction: 'out', xml: element.localName === 'stream' ? element.nodeName : serialize(shown) },
        'sent',
      );
    this.#publish('PCJ_NODESENT', shown);
  }

  /** A link ended: its managed session is kept to be resumed; without one, what is unproved is held again. */
  #keepOrHold(end: LinkEnd): void {
    const { management } = end;
    let uncertain = end.inFlight;
    if (management !== null && management.id !== null && end.byUs !== 'shutdown') {
      this.#continuity.keep(management);
      uncertain = [];
    } else if (management !== null) {
      uncertain = management.takeUnacked();
    }
    for (const { request } of [...uncertain, ...end.waiting]) if (request !== null) this.#requests.held(request);
    this.#outbox.takeBack(uncertain, end.waiting);
  }

  /** A link is ready: the kept session goes on with it, or is over. */
  #continueSession(link: Link, management: StreamManagement | null): void {
    const previous = this.#continuity.take();
    if (previous === null) return;
    if (previous === management) for (const ticket of previous.unacked()) link.output(ticket);
    else this.#giveUpSession(previous);
  }

  /** A session is over: its requests fail, and what the server did not acknowledge is held, as it may have arrived. */
  #giveUpSession(management: StreamManagement): void {
    this.#settleCutRequests();
    this.#outbox.takeBack(management.takeUnacked(), []);
  }

  /** Asks the server for a sign of life (XEP-0199). The answer, or an error, only has to arrive. */
  #ping(): void {
    const stanza = xml(
      'iq',
      { type: 'get', id: this.#requests.freeId(null), to: this.config.domain },
      xml('ping', { xmlns: NS.PING }),
    );
    const ticket = this.#outbox.ticket(stanza);
    try {
      this.#requests.add(stanza, ticket, { event: null, timeoutMs: undefined, settle: () => undefined });
      this.#outbox.accept(ticket, stanza);
    } catch (error) {
      this.#logger.warn({ error }, 'the server could not be pinged');
    }
  }

  /** Requests whose stanza was written on a link that is gone; those that are held wait for a purge. */
  #settleCutRequests(): void {
    this.#requests.failWhere(
      (request) => request.ticket.state !== 'queued',
      (request) =>
        new BrokerError('RTS_DISCONNECTED', 'the link was lost before the answer came', {
          layer: 'rts',
          phase: 'ready',
          sent: request.ticket.state === 'acked' ? 'acked' : 'maybe',
          retryable: true,
        }),
    );
  }

  #halted(error: BrokerError): void {
    this.#jid = null;
    this.#sid = null;
    this.#owner.close();
    for (const ticket of this.#continuity.take()?.takeUnacked() ?? []) ticket.markFailed(error);
    for (const ticket of this.queue.take()) ticket.markFailed(error);
    this.#requests.failWhere(
      () => true,
      () => error,
    );
  }

  #purgeOnReady(select: boolean | ((ticket: Ticket) => boolean)): void {
    if (select === false || this.#lifecycle.state !== 'ready') return;
    try {
      this.#outbox.purge(select === true ? undefined : select);
    } catch (error) {
      this.#handlerFailed(error, 'PCJ_READY');
    }
  }

  #makeRouter(): Router {
    const requests = this.#requests;
    const { answerRequests, connectionType } = this.config;
    const addressing = connectionType.addressing ?? 'account';
    return new Router(
      {
        answers: answerRequests,
        match: (stanza) => requests.match(stanza, { jid: this.#jid, addressing }),
        answered: (_, match) => {
          match.request.ticket.markAcked();
          match.deliver();
        },
        suspicious: (stanza, match) => {
          this.#suspicious(stanza, match.kind);
        },
        stopped: () => this.#lifecycle.state === 'halted',
        matched: (filter, match, pending) => {
          this.filters.matched(filter, match, pending);
        },
        filterFailed: (filter, error) => {
          this.#publish(
            'PCJ_FILTERERROR',
            Object.assign(error, { event: filter.event, expression: filter.expression }),
          );
        },
        arrived: (iq) => {
          this.#unanswered.arrived(iq);
        },
        received: (stanza, pending) => {
          this.#publish('PCJ_NODERECEIVED', stanza, pending);
        },
        seen: (iq) => {
          this.#answerUnhandled(iq);
        },
      },
      this.filters.set,
    );
  }

  #suspicious(stanza: Element, kind: 'spoof' | 'late'): void {
    const now = performance.now();
    if (kind === 'spoof') {
      if (now - this.#spoofWarningAt < SPOOF_WARNING_MS) return;
      this.#spoofWarningAt = now;
    }
    const id = JSON.stringify(stanza.getAttribute('id'));
    this.#publish(
      'PCJ_PROTOCOLERROR',
      kind === 'late'
        ? new BrokerError(
            'RTS_LATE',
            `the answer to request ${id} came after its time limit; it is delivered as an ordinary stanza`,
            {
              layer: 'rts',
              origin: 'peer',
              phase: 'ready',
            },
          )
        : new BrokerError(
            'RTS_SPOOF_SUSPECT',
            `a stanza with the id ${id} of a pending request came from ${JSON.stringify(stanza.getAttribute('from'))}, who was not asked; it is delivered as an ordinary stanza`,
            {
              layer: 'rts',
              origin: 'peer',
              phase: 'ready',
            },
          ),
    );
  }

  /** Answers an iq that nobody answered (RFC 6120 §8.2.3, §8.4). */
  #answerUnhandled(iq: Element): void {
    if (!this.#unanswered.take(iq) || this.#lifecycle.state !== 'ready') return;
    const type = iq.getAttribute('type');
    try {
      const ping = type === 'get' && iq.getChild('ping', NS.PING) !== null;
      this.output(
        ping ? reply(iq) : errorReply(iq, type === 'get' || type === 'set' ? 'service-unavailable' : 'bad-request'),
      );
    } catch (error) {
      this.#logger.warn({ error }, 'an unanswered iq could not be answered');
    }
  }
}

function abortedRequest(signal: AbortSignal, sent: 'no' | 'maybe'): BrokerError {
  return new BrokerError('RTS_ABORTED', 'the abort signal ended the waiting for an answer', {
    layer: 'rts',
    sent,
    cause: signal.reason,
  });
}

function target(host: string | undefined, port: number | undefined): ConnectOptions {
  return { ...(host === undefined ? {} : { host }), ...(port === undefined ? {} : { port }) };
}
