import { Requester } from './requester.js';
import { Answerer } from './answerer.js';
import { BrokerFilters } from './broker-filters.js';
import { Resumption } from './resumption.js';
import { BrokerError } from '../errors.js';
import type { StatusEvents } from '../events.js';
import type { JID } from '../jid/jid.js';
import { Lifecycle, type LifecycleHost } from '../lifecycle/lifecycle.js';
import type { Link } from '../link/link.js';
import type { LinkEnd } from '../link/closing.js';
import type { Logger } from '../logger.js';
import { validateOptions, type BrokerConfig, type BrokerOptions, type Secrets } from '../options/options.js';
import { Outbox, type OutboxHost } from './outbox.js';
import type { Established } from '../protocols/dialect.js';
import type { ManagedSession } from '../protocols/features/managed-session.js';
import type { Ticket } from '../queue/ticket.js';
import { redacted } from '../stanza/redaction.js';
import { PendingRequests } from '../requests/pending-requests.js';
import { Router, type RouterHost } from './router.js';
import { Status } from './status.js';
import type { Connector } from '../dial/connector.js';
import { trustedPart } from '../stanza/trust.js';
import type { Element } from '../xml/element.js';
import { serialize } from '../xml/serializer.js';

/** The inside of a broker: it makes the parts, and is where they hear of each other. Arguments are checked before. */
export class Core implements LifecycleHost, OutboxHost, RouterHost {
  readonly config: BrokerConfig;
  readonly secrets: Secrets;
  readonly connector: Connector | undefined;
  readonly logger: Logger;
  readonly status: Status;
  readonly filters: BrokerFilters;
  readonly requests: PendingRequests;
  readonly outbox: Outbox;
  readonly requester: Requester;
  readonly lifecycle: Lifecycle;
  readonly answerer: Answerer;
  readonly #resumption: Resumption;
  readonly #router: Router;
  jid: JID | null = null;
  sid: string | null = null;
  lang: string | null = null;
  /** The account of the newest session, bare: still known while the link is lost. A component has none. */
  account: JID | null = null;

  /** @throws BrokerError `USAGE_OPTIONS` */
  constructor(options: BrokerOptions) {
    const { config, secrets, logger, connector } = validateOptions(options);
    this.config = config;
    this.secrets = secrets;
    this.connector = connector;
    this.logger = logger;
    this.status = new Status(logger);
    this.filters = new BrokerFilters(this);
    this.requests = new PendingRequests(config.limits.requests, config.timeouts.request);
    this.outbox = new Outbox(this);
    this.requester = new Requester(this);
    this.#resumption = new Resumption(this.outbox, this.requests);
    this.answerer = new Answerer(this);
    this.#router = new Router(this);
    this.lifecycle = new Lifecycle(this);
  }

  /** The ready link, or one that is closing. */
  get link(): Link | null {
    return this.lifecycle.link;
  }

  get isReady(): boolean {
    return this.lifecycle.state === 'ready';
  }

  get isHalted(): boolean {
    return this.lifecycle.state === 'halted';
  }

  get resumable(): ManagedSession | null {
    return this.#resumption.resumable;
  }

  get keptBytes(): number {
    return this.#resumption.bytes;
  }

  /** Whether anybody wants to see what is sent. */
  get watched(): boolean {
    return this.config.debug || this.status.watched('PCJ_NODESENT');
  }

  /** @throws BrokerError as `Broker.output` */
  output(given: Element): Ticket {
    const stanza = this.outbox.prepare(given);
    const ticket = this.outbox.ticket(stanza);
    this.outbox.accept(ticket, stanza);
    this.#answers(stanza);
    return ticket;
  }

  /** @throws BrokerError `USAGE_TRUST`, `USAGE_JID` */
  trusted(stanza: Element, kind: string, options: unknown): Element | null {
    return trustedPart(this.account, stanza, kind, options);
  }

  publish<N extends keyof StatusEvents>(event: N, payload: StatusEvents[N]): void {
    this.status.publish(event, payload);
  }

  sent(element: Element, secret = false): void {
    const shown = redacted(element, secret);
    if (this.config.debug) {
      const text = element.localName === 'stream' ? `<${element.nodeName}>` : serialize(shown);
      this.logger.debug({ direction: 'out', xml: text }, 'sent');
    }
    this.status.publish('PCJ_NODESENT', shown);
  }

  received(element: Element): void {
    if (this.config.debug) this.logger.debug({ direction: 'in', xml: serialize(redacted(element)) }, 'received');
  }

  deliver(stanza: Element): void {
    this.#router.deliver(stanza);
  }

  handedOver(ticket: Ticket, element: Element | undefined): void {
    this.outbox.handedOver(ticket, element);
  }

  ping(): void {
    this.requester.ping(this.config.domain);
  }

  queued(stanza: Element): void {
    if (this.config.debug) this.logger.debug({ direction: 'held', xml: serialize(redacted(stanza)) }, 'queued');
    this.status.publish('PCJ_NODEQUEUED', stanza);
  }

  refused(error: BrokerError, ticket: Ticket | null): void {
    this.status.publish('PCJ_QUEUEFAIL', error);
    if (ticket?.request != null) this.requests.fail(ticket.request, error);
  }

  dropped(ticket: Ticket): void {
    if (ticket.request === null) return;
    const text = 'the request was dropped from the queue';
    this.requests.fail(ticket.request, new BrokerError('RTS_DROPPED', text, { layer: 'rts', sent: 'no' }));
  }

  ready(link: Link, established: Established): void {
    this.jid = established.jid;
    this.sid = established.sid;
    this.lang = established.lang ?? null;
    if (this.config.connectionType.addressing !== 'domain') this.account = established.jid.bare();
    this.#resumption.linkReady(link, established.management ?? null);
    if (established.resumed !== true) this.answerer.newSession();
  }

  afterReady(): void {
    this.answerer.ready();
    const { purgeOnReady } = this.config.queue;
    if (purgeOnReady === false || !this.isReady) return;
    try {
      this.outbox.purge(purgeOnReady === true ? undefined : purgeOnReady);
    } catch (error) {
      // The selector is the user's code.
      this.failed(error);
    }
  }

  failed(error: unknown): void {
    this.status.onHandlerError(error, 'PCJ_READY');
  }

  linkEnded(end: LinkEnd): void {
    this.#forgetLink();
    this.#resumption.linkEnded(end);
  }

  afterLinkEnded(): void {
    this.#resumption.afterLinkEnded();
  }

  shutDown(): void {
    this.#resumption.shutDown();
  }

  halted(error: BrokerError): void {
    this.#forgetLink();
    this.status.close();
    this.answerer.close();
    this.#resumption.halt(error);
  }

  #forgetLink(): void {
    this.jid = null;
    this.sid = null;
    this.lang = null;
  }

  /** An iq result or error goes out: the request it answers is answered. */
  #answers(stanza: Element): void {
    if (stanza.localName !== 'iq') return;
    const type = stanza.getAttribute('type');
    if (type === 'result' || type === 'error') this.answerer.sent(stanza);
  }
}
