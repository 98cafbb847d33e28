import { checkSignal, readOptions, shown } from './arguments.js';
import { Asking, type RequestOptions } from './asking.js';
import { BrokerFilters } from './broker-filters.js';
import { Continuity } from './continuity.js';
import { BrokerError, usageError } from './errors.js';
import type { StatusEvents } from './events.js';
import { DEFAULT_FILTER_VISITS, type FilterOptions } from './filters/filter-set.js';
import type { JID } from './jid.js';
import { Lifecycle, type BrokerState, type Closed, type ConnectOptions } from './lifecycle.js';
import type { Logger } from './logger.js';
import {
  hostProblem,
  portProblem,
  validateOptions,
  type BrokerConfig,
  type BrokerOptions,
  type Secrets,
} from './options.js';
import { asStanza } from './outbound-stanza.js';
import { Outbox } from './outbox.js';
import type { Handler, PubSub, SubscribeOptions, Subscription } from './pubsub.js';
import type { OutboundQueue } from './queue/outbound-queue.js';
import type { Ticket } from './queue/ticket.js';
import { redacted } from './redaction.js';
import { Requests, type PendingRequest } from './requests.js';
import { Router } from './router.js';
import { Status } from './status.js';
import type { Connector } from './stream/dial-connector.js';
import { UnansweredRequests } from './unanswered.js';
import type { Element } from './xml/element.js';
import { serialize } from './xml/serializer.js';

/** What `output` takes: an element, an element of a DOM such as @xmldom/xmldom's, or a string with exactly one. */
export type Outbound = Element | object | string;

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
  readonly #status: Status;
  readonly #outbox: Outbox;
  readonly #requests: Requests;
  readonly #asking: Asking;
  readonly #continuity: Continuity;
  readonly #unanswered = new UnansweredRequests();
  readonly #lifecycle: Lifecycle;
  #jid: JID | null = null;
  #sid: string | null = null;
  #lang: string | null = null;

  /** @throws BrokerError `USAGE_OPTIONS` that lists every problem at once. Nothing is dialled. */
  constructor(options: BrokerOptions) {
    const { config, secrets, logger, connector } = validateOptions(options, DEFAULT_FILTER_VISITS);
    this.config = config;
    this.#logger = logger;
    this.#status = new Status(logger);
    this.events = this.#status.bus as unknown as PubSub<StatusEvents & MyEvents>;
    this.filters = new BrokerFilters(this.#status.bus, config);
    this.#requests = new Requests(config.limits.requests, config.timeouts.request);
    this.#outbox = this.#makeOutbox();
    this.queue = this.#outbox.queue;
    this.#asking = new Asking({ status: this.#status, requests: this.#requests, outbox: this.#outbox, logger });
    this.#continuity = new Continuity(this.#outbox, this.#requests);
    this.#lifecycle = this.#makeLifecycle(secrets, connector, this.#makeRouter());
  }

  /** Our own address; null while there is no ready link. */
  get jid(): JID | null {
    return this.#jid;
  }

  /** Id of the stream; null while there is no ready link. */
  get sid(): string | null {
    return this.#sid;
  }

  /** Language of inbound stanzas that name none (RFC 6120 §8.1.5); null if the server names none, and while there is no ready link. */
  get lang(): string | null {
    return this.#lang;
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
   * @throws BrokerError `USAGE_CONNECT`, `USAGE_SIGNAL`, `BROKER_HALTED`; nothing was begun then
   */
  connect(options: ConnectOptions = {}): Promise<void> {
    this.#refuseHalted();
    return this.#lifecycle.connect(checkedTarget(options));
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
    const stanza = this.#outbox.prepare(asStanza(node, this.config.xmlns));
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
    return this.#asking.underEvent(event, asStanza(node, this.config.xmlns)).ticket;
  }

  /**
   * Sends a request and waits for its answer.
   * @returns the result. Rejects with a {@link StanzaError} for an error answer, else with a BrokerError: as `output`,
   * `RTS_TIMEOUT`, `RTS_DISCONNECTED`, `RTS_ABORTED`, `RTS_DROPPED`, `RTS_LIMIT`
   */
  request(node: Outbound, options: RequestOptions = {}): Promise<Element> {
    const promise = (async () => {
      this.#refuseHalted();
      return this.#asking.asPromise(asStanza(node, this.config.xmlns), options);
    })();
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
    const known = typeof command === 'string' && Object.hasOwn(COMMANDS, command);
    if (!known) {
      const names = Object.keys(COMMANDS).join(', ');
      throw usageError('USAGE_POST', `${shown(command)} is no input event; there are ${names}`);
    }
    const run = COMMANDS[command] as (broker: object, ...args: unknown[]) => unknown;
    return run(this, ...args);
  }

  #refuseHalted(): void {
    if (this.#lifecycle.state !== 'halted') return;
    throw new BrokerError('BROKER_HALTED', 'the broker was halted; make a new one', { layer: 'usage', sent: 'no' });
  }

  /** An iq result or error goes out: the request it answers is answered. */
  #answers(stanza: Element): void {
    if (stanza.localName !== 'iq') return;
    const type = stanza.getAttribute('type');
    if (type === 'result' || type === 'error') this.#unanswered.answered(stanza);
  }

  #sent(element: Element, secret: boolean): void {
    const shown = redacted(element, secret);
    if (this.config.debug) {
      const text = element.localName === 'stream' ? `<${element.nodeName}>` : serialize(shown);
      this.#logger.debug({ direction: 'out', xml: text }, 'sent');
    }
    this.#status.publish('PCJ_NODESENT', shown);
  }

  #makeOutbox(): Outbox {
    const { config } = this;
    const status = this.#status;
    return new Outbox({
      config,
      link: () => this.#lifecycle.link,
      keptBytes: () => this.#continuity.bytes,
      queued: (stanza) => {
        if (config.debug) this.#logger.debug({ direction: 'held', xml: serialize(redacted(stanza)) }, 'queued');
        status.publish('PCJ_NODEQUEUED', stanza);
      },
      refused: (error, ticket) => {
        status.publish('PCJ_QUEUEFAIL', error);
        if (ticket?.request != null) this.#requests.fail(ticket.request, error);
      },
      sent: (stanza) => {
        this.#sent(stanza, false);
      },
      watched: () => config.debug || status.watched('PCJ_NODESENT'),
      dropped: ({ request }) => {
        if (request === null) return;
        const text = 'the request was dropped from the queue';
        this.#requests.fail(request, new BrokerError('RTS_DROPPED', text, { layer: 'rts', sent: 'no' }));
      },
    });
  }

  #makeRouter(): Router {
    return new Router({
      config: this.config,
      status: this.#status,
      requests: this.#requests,
      filters: this.filters,
      unanswered: this.#unanswered,
      logger: this.#logger,
      jid: () => this.#jid,
      ready: () => this.#lifecycle.state === 'ready',
      halted: () => this.#lifecycle.state === 'halted',
      output: (stanza) => {
        this.output(stanza);
      },
    });
  }

  #makeLifecycle(secrets: Secrets, connector: Connector | undefined, router: Router): Lifecycle {
    const { config } = this;
    const continuity = this.#continuity;
    return new Lifecycle({
      config,
      secrets,
      connector,
      publish: (event, payload) => {
        this.#status.publish(event, payload);
      },
      sent: (element, secret) => {
        this.#sent(element, secret);
      },
      sentNonza: (element) => {
        this.#sent(element, false);
      },
      received: (element) => {
        if (config.debug) this.#logger.debug({ direction: 'in', xml: serialize(redacted(element)) }, 'received');
      },
      deliver: (stanza) => {
        router.deliver(stanza);
      },
      handedOver: (ticket, element) => {
        this.#outbox.handedOver(ticket, element);
      },
      ping: () => {
        this.#asking.ping(config.domain);
      },
      resumable: () => continuity.resumable,
      ready: (link, established) => {
        this.#jid = established.jid;
        this.#sid = established.sid;
        this.#lang = established.lang ?? null;
        continuity.linkReady(link, established.management ?? null);
      },
      failed: (error) => {
        this.#status.handlerFailed(error, 'PCJ_READY');
      },
      afterReady: () => {
        this.#purgeOnReady(config.queue.purgeOnReady);
      },
      linkEnded: (end) => {
        this.#jid = null;
        this.#sid = null;
        this.#lang = null;
        continuity.linkEnded(end);
      },
      afterLinkEnded: () => {
        continuity.afterLinkEnded();
      },
      shutDown: () => {
        continuity.shutDown();
      },
      halted: (error) => {
        this.#jid = null;
        this.#sid = null;
        this.#lang = null;
        this.#status.close();
        continuity.halt(error);
      },
    });
  }

  #purgeOnReady(select: boolean | ((ticket: Ticket) => boolean)): void {
    if (select === false || this.#lifecycle.state !== 'ready') return;
    try {
      this.#outbox.purge(select === true ? undefined : select);
    } catch (error) {
      // The selector is the user's code.
      this.#status.handlerFailed(error, 'PCJ_READY');
    }
  }
}

/** @throws BrokerError `USAGE_CONNECT`, `USAGE_SIGNAL` */
function checkedTarget(options: ConnectOptions): ConnectOptions {
  const { host, port, signal } = readOptions('USAGE_CONNECT', 'connect()', options, ['host', 'port', 'signal']);
  for (const [name, value, check] of [
    ['host', host, hostProblem],
    ['port', port, portProblem],
  ] as const) {
    const problem = value === undefined ? null : check(value);
    if (problem !== null) throw usageError('USAGE_CONNECT', `connect({ ${name} }) ${problem}, not ${shown(value)}`);
  }
  checkSignal('connect()', signal);
  return {
    ...target(host as string | undefined, port as number | undefined),
    ...(signal === undefined ? {} : { signal }),
  };
}

/** What `post` does. */
const COMMANDS: { [Command in keyof Commands]: (broker: Broker, ...args: Commands[Command]) => unknown } = {
  output: (broker, node) => broker.output(node),
  return_to_sender: (broker, event, node) => broker.returnToSender(event, node),
  xpath_filter: ({ filters }, ...args) => {
    if (args[0] === 'add') return filters.add(args[1], args[2], args[3]);
    if ((args[0] as string) === 'remove') return filters.remove(args[1]);
    throw usageError('USAGE_POST', `post('xpath_filter') takes 'add' or 'remove' first, not ${shown(args[0])}`);
  },
  shutdown: (broker) => broker.shutdown(),
  connect: (broker, host, port) => broker.connect(target(host, port)),
  reconnect: (broker, host, port) => broker.reconnect(target(host, port)),
  purge_queue: (broker, select) => broker.purgeQueue(select),
  halt: (broker) => {
    broker.halt();
  },
};

function target(host: string | undefined, port: number | undefined): ConnectOptions {
  return { ...(host === undefined ? {} : { host }), ...(port === undefined ? {} : { port }) };
}
