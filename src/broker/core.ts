import { randomUUID } from 'node:crypto';
import { Answerer } from './answerer.js';
import { ClientState } from './client-state.js';
import { BrokerFilters } from './broker-filters.js';
import { HandOver } from './hand-over.js';
import { OwnIdentity } from './identity.js';
import { HeldDecision } from './held-decision.js';
import { Outbox } from './outbox.js';
import { QueueKeeper } from './queue-keeper.js';
import { Requester } from './requester.js';
import { Resumption } from './resumption.js';
import { Router } from './router.js';
import { Shutdown } from './shutdown.js';
import type { RestingPlace } from './event-log.js';
import { Status } from './status.js';
import type { Connector } from '../dial/connector.js';
import type { BrokerError } from '../errors.js';
import type { Closed } from '../events.js';
import type { LifecycleOwner } from '../lifecycle/contract.js';
import { Lifecycle } from '../lifecycle/lifecycle.js';
import type { LinkEnd } from '../link/closing.js';
import type { Link } from '../link/link.js';
import { Traffic } from '../link/traffic.js';
import type { Logger } from '../logger.js';
import { Tally } from '../stats.js';
import type { BrokerStats } from './broker-stats.js';
import { validateOptions, type BrokerConfig, type BrokerOptions, type Secrets } from '../options/options.js';
import type { Established } from '../protocols/dialect.js';
import type { Journal } from '../queue/journal.js';
import { PendingRequests } from '../requests/pending-requests.js';

/**
 * The parts of a broker, each of which is given this to find those that it works with. What the lifecycle tells of links is
 * handed on from here. Arguments are checked before.
 */
export class Core implements LifecycleOwner {
  readonly config: BrokerConfig;
  readonly queueName: string;
  readonly secrets: Secrets;
  readonly connector: Connector | undefined;
  readonly logger: Logger;
  readonly tally = new Tally();
  readonly status: Status;
  readonly traffic: Traffic;
  readonly identity: OwnIdentity;
  readonly filters: BrokerFilters;
  readonly requests: PendingRequests;
  readonly outbox: Outbox;
  readonly resumption: Resumption;
  readonly answerer: Answerer;
  readonly router: Router;
  readonly lifecycle: Lifecycle;
  #userAgentId: string | null = null;
  #refusedTokens: Set<string> | null = null;
  #handOver: HandOver | null = null;
  #requester: Requester | null = null;
  #clientState: ClientState | null = null;
  #shutdown: Shutdown | null = null;

  /** Null without a store. */
  readonly keeper: QueueKeeper | null;
  readonly journal: Journal | null;

  /** @throws BrokerError `USAGE_OPTIONS` */
  constructor(options: BrokerOptions) {
    const { config, secrets, logger, connector, store, queueName } = validateOptions(options);
    this.config = config;
    this.queueName = queueName;
    this.secrets = secrets;
    this.connector = connector;
    this.logger = logger;
    this.status = new Status(logger);
    this.traffic = new Traffic(this);
    this.identity = new OwnIdentity(config.connectionType);
    this.filters = new BrokerFilters(this);
    this.requests = new PendingRequests(config.limits.requests, config.timeouts.request, this.tally);
    this.keeper = store === null ? null : new QueueKeeper(store, this);
    this.journal = this.keeper?.journal ?? null;
    this.outbox = new Outbox(this);
    this.resumption = new Resumption(this);
    this.answerer = new Answerer(this);
    this.router = new Router(this);
    this.lifecycle = new Lifecycle(this, this);
  }

  /** Keeps nothing, so nobody has to keep it. */
  get heldDecision(): HeldDecision {
    return new HeldDecision(this);
  }

  /** Tokens that were refused (XEP-0484). Most brokers have none. */
  get refusedTokens(): Set<string> {
    this.#refusedTokens ??= new Set();
    return this.#refusedTokens;
  }

  /** Names this program to servers (XEP-0388 §2.3). Made when it is asked for: most brokers need none. */
  get userAgentId(): string {
    this.#userAgentId ??= randomUUID();
    return this.#userAgentId;
  }

  /** Made when it is asked for: most brokers need none. */
  get handOver(): HandOver {
    this.#handOver ??= new HandOver(this);
    return this.#handOver;
  }

  /** Made when it is asked for, as what follows: many brokers are quiet, and there may be ten thousand of them. */
  get requester(): Requester {
    this.#requester ??= new Requester(this);
    return this.#requester;
  }

  get clientState(): ClientState {
    this.#clientState ??= new ClientState(this);
    return this.#clientState;
  }

  get shutdown(): Shutdown {
    this.#shutdown ??= new Shutdown(this);
    return this.#shutdown;
  }

  /** The program calls `connect`. */
  connecting(): void {
    this.#shutdown?.connecting();
  }

  open(): Promise<void> | null {
    return this.keeper === null ? null : this.keeper.open();
  }

  check(): Promise<void> | null {
    return this.keeper === null ? null : this.keeper.check();
  }

  close(limitMs?: number): Promise<void> | null {
    return this.keeper === null ? null : this.keeper.close(limitMs);
  }

  settled(): Promise<void> | null {
    return this.journal === null ? null : this.journal.settled();
  }

  ready(link: Link, established: Established): void {
    this.tally.ready(Date.now());
    this.identity.linkReady(established);
    this.resumption.linkReady(link, established.management ?? null);
    if (established.clientStates !== undefined || this.#clientState !== null) this.clientState.linkReady(established);
    if (established.resumed !== true) this.answerer.newSession();
  }

  stats(): BrokerStats {
    const { lifecycle, resumption, requests, outbox } = this;
    const counted = this.tally.read();
    return {
      state: lifecycle.state,
      ...counted,
      requests: { ...counted.requests, pending: requests.size },
      unacknowledged: resumption.unacknowledged,
      held: outbox.queue.size,
    };
  }

  afterReady(): void {
    this.answerer.ready();
    this.keeper?.arrivals.linkReady();
    this.#clientState?.afterReady();
    if (this.lifecycle.state !== 'ready') return;
    try {
      this.heldDecision.decide();
    } catch (error) {
      // The function is the user's code. It has no event: what is told names the option.
      this.status.onHandlerError(error, 'queue.onReady');
    }
    this.#tellHeld();
  }

  /** Tells what is still held when whoever waits for connect() has had his turn. */
  #tellHeld(): void {
    const { outbox, lifecycle, status } = this;
    if (outbox.queue.size === 0) return;
    const { link } = lifecycle;
    setImmediate(() => {
      if (link?.ready === true && link === lifecycle.link) status.log.held(outbox.queue, 'ready');
    });
  }

  /** What becomes of what is held when nobody is connected. */
  get restingPlace(): RestingPlace {
    const { keeper, config } = this;
    if (config.queue.onReady === 'hold') return keeper === null ? 'rest' : 'stored';
    return keeper === null ? 'decided' : 'storedDecided';
  }

  rested({ clean, error }: Closed): void {
    this.status.log.rested(clean ? undefined : error);
    if (this.#shutdown?.closing !== true) this.status.log.held(this.outbox.queue, this.restingPlace);
  }

  failed(error: unknown): void {
    this.status.onHandlerError(error, 'PCJ_READY');
  }

  linkEnded(end: LinkEnd): void {
    this.identity.linkEnded();
    this.#clientState?.linkEnded();
    this.#shutdown?.linkEnded(end);
    this.resumption.linkEnded(end);
    this.keeper?.arrivals.linkEnded();
  }

  afterLinkEnded(): void {
    this.resumption.afterLinkEnded();
  }

  shutDown(): void {
    this.resumption.shutDown();
  }

  halting(): void {
    this.keeper?.halt();
  }

  halted(error: BrokerError): void {
    this.identity.linkEnded();
    this.#clientState?.linkEnded();
    this.status.close();
    this.answerer.close();
    this.resumption.halt(error);
    this.#shutdown?.halted();
    this.#handOver?.halted();
  }
}
