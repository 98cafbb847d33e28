import { Asking } from './asking.js';
import { BrokerFilters } from './broker-filters.js';
import { Continuity } from './continuity.js';
import { BrokerError } from './errors.js';
import type { StatusEvents } from './events.js';
import type { JID } from './jid.js';
import { Lifecycle, type LifecycleHost } from './lifecycle.js';
import type { Link } from './link.js';
import type { LinkEnd } from './link/parties.js';
import type { Logger } from './logger.js';
import { validateOptions, type BrokerConfig, type BrokerOptions, type Secrets } from './options.js';
import { Outbox, type OutboxHost } from './outbox.js';
import type { Established } from './protocols/dialect.js';
import type { StreamManagement } from './protocols/features/stream-management.js';
import type { Ticket } from './queue/ticket.js';
import { redacted } from './redaction.js';
import { Requests } from './requests.js';
import { Router, type RouterHost } from './router.js';
import { Status } from './status.js';
import type { Connector } from './stream/dial-connector.js';
import { trustedPart } from './trust.js';
import { UnansweredRequests } from './unanswered.js';
import type { Element } from './xml/element.js';
import { serialize } from './xml/serializer.js';

/** The inside of a broker: it makes the parts, and is where they hear of each other. Arguments are checked before. */
export class Core implements LifecycleHost, OutboxHost, RouterHost {
  readonly config: BrokerConfig;
  readonly secrets: Secrets;
  readonly connector: Connector | undefined;
  readonly logger: Logger;
  readonly status: Status;
  readonly filters: BrokerFilters;
  readonly requests: Requests;
  readonly outbox: Outbox;
  readonly asking: Asking;
  readonly lifecycle: Lifecycle;
  readonly unanswered = new UnansweredRequests();
  readonly #continuity: Continuity;
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
    this.requests = new Requests(config.limits.requests, config.timeouts.request);
    this.outbox = new Outbox(this);
    this.asking = new Asking(this);
    this.#continuity = new Continuity(this.outbox, this.requests);
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

  get resumable(): StreamManagement | null {
    return this.#continuity.resumable;
  }

  get keptBytes(): number {
    return this.#continuity.bytes;
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
    this.asking.ping(this.config.domain);
  }

  queued(stanza: Element): void {
    if (this.config.debug) this.logger.debug({ direction: 'held', xml: serialize(redacted(stanza)) }, 'queued');
    this.status.publish('PCJ_NODEQUEUED', stanza);
  }

  refused(error: BrokerError, ticket: Ticket | null): void {
    this.status.publish('PCJ_QUEUEFAIL', error);
    if (ticket?.request != null) this.requests.fail(ticket.request, error);
  }

  dropped({ request }: Ticket): void {
    if (request === null) return;
    const text = 'the request was dropped from the queue';
    this.requests.fail(request, new BrokerError('RTS_DROPPED', text, { layer: 'rts', sent: 'no' }));
  }

  ready(link: Link, established: Established): void {
    this.jid = established.jid;
    this.sid = established.sid;
    this.lang = established.lang ?? null;
    if (this.config.connectionType.addressing !== 'domain') this.account = established.jid.bare();
    this.#continuity.linkReady(link, established.management ?? null);
  }

  afterReady(): void {
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
    this.#continuity.linkEnded(end);
  }

  afterLinkEnded(): void {
    this.#continuity.afterLinkEnded();
  }

  shutDown(): void {
    this.#continuity.shutDown();
  }

  halted(error: BrokerError): void {
    this.#forgetLink();
    this.status.close();
    this.#continuity.halt(error);
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
    if (type === 'result' || type === 'error') this.unanswered.answered(stanza);
  }
}
