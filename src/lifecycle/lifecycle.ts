import { Attempt, isAnotherWay, type AttemptParts } from './attempt.js';
import { CONNECT, traced } from '../channels.js';
import { Deferred } from '../deferred.js';
import { BrokerError, type Redirect } from '../errors.js';
import type { Established } from '../protocols/dialect.js';
import { Link } from '../link/link.js';
import type { LinkEnd } from '../link/closing.js';
import type { LinkOwner, LinkParts, Negotiated } from '../link/contract.js';
import { ConnectOperation } from './connect-operation.js';
import { reconnectDelay } from './reconnect-delay.js';
import { whatFollows, type Where } from './what-follows.js';
import type { Closed } from '../events.js';
import type { BrokerState } from './state.js';

/** What `connect` takes. Host and port stay in force for later attempts. */
export interface ConnectOptions {
  /** Name or address to dial from now on, or `unix:` and a path. Default: the one in force. */
  host?: string | undefined;
  /** TCP port from now on. Default: the one in force. */
  port?: number | undefined;
  /** Gives up the attempt, and the waiting for the next one. Default none. */
  signal?: AbortSignal | undefined;
}

/** How `shutdown` is asked for. */
export interface ShutdownTerms {
  /** Milliseconds that closing a link may take. */
  readonly limitMs: number;
  /** Whether the process ends behind it: nothing is dialled any more. */
  readonly leaving: boolean;
}

/** What the lifecycle works with. */
export interface LifecycleParts extends AttemptParts, LinkParts {}

/** Who has a lifecycle, and hears what becomes of links. */
export interface LifecycleOwner {
  /** Before an attempt, and before anything is dialled; null when nothing has to be opened. Rejects with a BrokerError. */
  open(): Promise<void> | null;
  /** At the end of `shutdown`, or in place of what `open` waits for; null when nothing has to be closed. */
  close(limitMs?: number): Promise<void> | null;
  /** As a link asks. */
  settled(): Promise<void> | null;
  /** Stanzas may be sent; PCJ_READY was not published yet. */
  ready(link: Link, established: Established): void;
  /** PCJ_READY was published. */
  afterReady(): void;
  /** Something of the program, such as its dialect, threw where nothing should. */
  failed(error: unknown): void;
  /** A link is gone; what it leaves behind is in `end`. Before the events that tell. */
  linkEnded(end: LinkEnd): void;
  /** After the events that tell of the end of a link. */
  afterLinkEnded(): void;
  /** No link is left that `shutdown` would have to close. */
  shutDown(): void;
  /** Nobody dials any more. */
  rested(closed: Closed): void;
  /** Before everything is dropped for ever. */
  halting(): void;
  /** For ever. Nothing is published behind this. */
  halted(error: BrokerError): void;
}

/** Redirects followed in a row (RFC 6120 §4.9.3.19 wants a bound of 2 to 5). */
const MAX_REDIRECTS = 3;

/** Where to dial. */
interface Endpoint {
  readonly host: string | undefined;
  readonly port: number | undefined;
  /** Of a WebSocket that a server named. */
  readonly url?: string | undefined;
}

/** Connects, keeps the link, reconnects and closes: one attempt or link at a time, one outcome for each attempt. */
export class Lifecycle implements LinkOwner {
  readonly #parts: LifecycleParts;
  readonly #owner: LifecycleOwner;
  #state: BrokerState = 'idle';
  #target: Endpoint;
  #attempt: Attempt | null = null;
  #attemptDone: Promise<void> = Promise.resolve();
  #link: Link | null = null;
  #operation: ConnectOperation | null = null;
  #timer: NodeJS.Timeout | null = null;
  #failures = 0;
  /** Whether a link was ready since `connect`. */
  #served = false;
  /** Attempts in a row that were refused, by a server that had let us in before. */
  #refusals = 0;
  /** Whether the attempt or link is at an address that a server named. */
  #borrowed = false;
  /** Redirects followed since the last wait. */
  #redirects = 0;
  /** From a `connect` to the rest that follows. */
  #life = new Deferred<Closed>();
  #shutdown: Promise<void> | null = null;
  #lastEnd: Closed = { clean: true };
  /** Whether the process is about to end. */
  #leaving = false;
  /** Rises with every command that makes what runs now obsolete. */
  #epoch = 0;

  constructor(parts: LifecycleParts, owner: LifecycleOwner) {
    this.#parts = parts;
    this.#owner = owner;
    this.#target = { host: parts.config.host, port: parts.config.port };
  }

  get state(): BrokerState {
    return this.#state;
  }

  get link(): Link | null {
    return this.#link;
  }

  /** How the last link ended; clean when there was none. */
  get lastEnd(): Closed {
    return this.#lastEnd;
  }

  /** The end of the life that `connect` began, or will begin; at rest, that of the last one. */
  get closed(): Promise<Closed> {
    return this.#life.promise;
  }

  /** See `Broker.connect`. The promise never becomes an unhandled rejection. */
  connect({ host, port, signal }: ConnectOptions): Promise<void> {
    if (signal?.aborted === true) {
      const refused = new Deferred<void>();
      refused.reject(aborted(signal));
      return refused.promise;
    }
    if (this.#leaving) {
      const refused = new ConnectOperation(undefined, () => undefined);
      refused.rejectLeaving(shutDown());
      return refused.promise;
    }
    if (host !== undefined) this.#target = { host, port: port ?? this.#target.port };
    else if (port !== undefined) this.#target = { ...this.#target, port };
    if (this.#life.settled) this.#life = new Deferred();
    if (this.#operation !== null) this.#rejectOperation(superseded());
    this.#stopTimer();
    this.#failures = 0;
    this.#refusals = 0;
    this.#served = false;
    this.#redirects = 0;
    const epoch = ++this.#epoch;
    const operation = new ConnectOperation(signal, () => {
      if (this.#epoch === epoch && signal !== undefined) this.#giveUp(aborted(signal));
    });
    this.#operation = operation;
    void this.#begin(epoch, operation);
    return operation.promise;
  }

  /** See `Broker.shutdown`. */
  shutdown({ limitMs, leaving }: ShutdownTerms): Promise<void> {
    this.#leaving ||= leaving;
    if (this.#shutdown === null) {
      this.#shutdown = this.#close(limitMs).finally(() => {
        this.#shutdown = null;
      });
      this.#shutdown.catch(() => undefined);
      return this.#shutdown;
    }
    void this.#link?.shutdown(limitMs);
    if (this.#operation?.begun === false) {
      // A connect() that waits behind the shutdown that is going on.
      this.#epoch += 1;
      this.#rejectOperation(shutDown());
    }
    return this.#shutdown;
  }

  /** See `Broker.halt`. */
  halt(): void {
    if (this.#state === 'halted') return;
    const error = new BrokerError('BROKER_HALTED', 'the broker was halted', { layer: 'usage' });
    this.#epoch += 1;
    this.#state = 'halted';
    this.#stopTimer();
    this.#owner.halting();
    this.#attempt?.drop(error);
    this.#attempt = null;
    const link = this.#link;
    this.#link = null;
    link?.halt(error);
    this.#rejectOperation(error);
    this.#lastEnd = { clean: false, error };
    this.#owner.halted(error);
    this.#rest({ clean: false, error });
  }

  /**
   * Another process has the queue: what there is of a link is dropped at once, and nothing is written any more. As behind a
   * lost link, another attempt follows, which waits until this process has the queue again.
   * @param tell called when nothing can be written any more
   */
  fenced(error: BrokerError, tell: () => void): void {
    if (this.#state === 'halted') return;
    const isLeaving = this.#shutdown !== null;
    if (!isLeaving) {
      this.#epoch += 1;
      this.#stopTimer();
      this.#attempt?.drop(error);
      this.#attempt = null;
    }
    const link = this.#link;
    link?.halt(error);
    const epoch = this.#epoch;
    tell();
    if (this.#epoch !== epoch) return;
    const byUs = isLeaving ? 'shutdown' : null;
    if (link !== null) {
      this.ended({ byUs, clean: false, error, inFlight: [], waiting: [], session: null, good: false, doubted: false });
    } else if (!isLeaving && this.#state !== 'idle' && this.#state !== 'disconnected') this.#failed(error, true);
  }

  /** Makes room, then runs the first attempt of a operation. */
  async #begin(epoch: number, operation: ConnectOperation): Promise<void> {
    if (this.#attempt !== null) {
      this.#attempt.abort(superseded());
      await this.#attemptDone;
    }
    if (this.#epoch !== epoch) return;
    if (this.#shutdown !== null) {
      await this.#shutdown;
      if (this.#epoch !== epoch) return;
    } else if (this.#link !== null) {
      this.#state = 'closing';
      await this.#link.replace();
      if (this.#epoch !== epoch) return;
    }
    operation.begun = true;
    this.#run(epoch);
  }

  /** Runs an attempt, with the store of the queue open. */
  #run(epoch: number, place: Endpoint = this.#target): void {
    const opening = this.#owner.open();
    if (opening === null) {
      this.#dial(epoch, place);
      return;
    }
    this.#state = 'standby';
    opening.then(
      () => {
        if (this.#epoch === epoch) this.#dial(epoch, place);
      },
      (error: unknown) => {
        if (this.#epoch === epoch) this.#unsuccessful(error as BrokerError);
      },
    );
  }

  #dial(epoch: number, place: Endpoint): void {
    this.#state = 'connecting';
    this.#borrowed = place !== this.#target;
    const attempt = new Attempt(this.#parts, () => {
      if (this.#epoch === epoch) this.#state = 'negotiating';
    });
    this.#attempt = attempt;
    // A handler of the event may end the attempt already, and wait for that: it has its outcome all the same.
    const done = new Deferred<void>();
    this.#attemptDone = done.promise;
    this.#parts.status.publish('PCJ_CONNECT', undefined);
    const attended = this.#isHalted() ? Promise.resolve() : this.#attend(epoch, attempt, place);
    void attended
      // Nothing of ours throws here; a dialect may.
      .catch((error: unknown) => {
        this.#owner.failed(error);
      })
      .finally(() => {
        done.resolve();
      });
  }

  /** Waits for the outcome of an attempt, and acts on it unless a later command made it obsolete. */
  async #attend(epoch: number, attempt: Attempt, place: Endpoint): Promise<void> {
    let negotiated: Negotiated;
    try {
      negotiated = await this.#traced(place, () => attempt.run(place));
    } catch (error) {
      this.#attempt = null;
      if (this.#epoch !== epoch) return;
      const failure = error as BrokerError;
      // One that is given up while it still closes its socket is followed by no other.
      const goesOn = attempt.givenUp === null;
      if (goesOn && this.#redirected(epoch, failure)) return;
      if (goesOn && isAnotherWay(failure)) {
        this.#run(epoch, place);
        return;
      }
      this.#unsuccessful(isAnotherWay(failure) ? (attempt.givenUp ?? failure) : failure);
      return;
    }
    // A later command may have come in the very moment of success: this attempt ends with it.
    if (this.#epoch !== epoch) await attempt.discard();
    this.#attempt = null;
    if (this.#epoch === epoch) this.#negotiated(negotiated);
  }

  #traced(place: Endpoint, run: () => Promise<Negotiated>): Promise<Negotiated> {
    if (!CONNECT.start.hasSubscribers) return run();
    const { config, status } = this.#parts;
    const { host, port } = place;
    const dialect = config.connectionType.name;
    return traced(CONNECT, { broker: status.subject, dialect, domain: config.domain, host, port }, run);
  }

  #negotiated(negotiated: Negotiated): void {
    this.#served = true;
    this.#refusals = 0;
    const link = new Link(this.#parts, this, negotiated);
    this.#link = link;
    this.#state = 'ready';
    this.#resolveOperation();
    const { established } = negotiated;
    this.#owner.ready(link, established);
    this.#parts.status.publish('PCJ_READY', { jid: established.jid, resumed: established.resumed ?? false });
    // Whoever awaited connect() subscribes before the first stanza is delivered.
    setImmediate(() => {
      if (this.#link === link) link.start();
    });
    this.#owner.afterReady();
  }

  /** No link came of it. */
  #unsuccessful(error: BrokerError): void {
    this.#failed(this.#judged(error, 'negotiating'), this.#operation === null || this.#retriesInitial());
  }

  /** After a failed attempt or a lost link: dial again later, or come to rest. */
  #failed(error: BrokerError, mayRetry: boolean): void {
    const { reconnect } = this.#parts.config;
    if (!mayRetry || reconnect === false || !error.retryable || this.#failures >= reconnect.maxAttempts) {
      this.#rejectOperation(error);
      this.#restDisconnected(error);
      return;
    }
    const session = this.#parts.resumption.resumable;
    const firstDelayMs = session === null ? reconnect.firstDelayMs : reconnect.resumeDelayMs;
    const pace = { firstDelayMs, maxDelayMs: reconnect.maxDelayMs };
    const delayMs = reconnectDelay(pace, this.#failures, Math.random());
    const place =
      this.#failures === 0 && !this.#borrowed && !this.#isOnWebSocket && session?.location != null
        ? this.#placeOf(session.location)
        : this.#target;
    this.#failures += 1;
    this.#redirects = 0;
    this.#state = 'waiting';
    const epoch = this.#epoch;
    this.#timer = setTimeout(() => {
      this.#timer = null;
      this.#run(epoch, place);
    }, delayMs);
    this.#parts.status.publish('PCJ_RECONNECTING', { attempt: this.#failures, delayMs, error });
  }

  /** The error with what the rules say of another attempt. */
  #judged(error: BrokerError, where: Where): BrokerError {
    const circumstances = { where, borrowed: this.#borrowed, served: this.#served, refusals: this.#refusals };
    const retryable = whatFollows(error, circumstances) === 'again';
    if (where === 'negotiating' && retryable && !error.retryable) this.#refusals += 1;
    return error.retryable === retryable ? error : error.with({ retryable });
  }

  /**
   * Follows a `see-other-host`, a few times; then it is a failure like others, and the next attempt waits. Returns
   * whether it did.
   */
  #redirected(epoch: number, { redirect }: BrokerError): boolean {
    if (redirect === undefined || this.#redirects >= MAX_REDIRECTS || !this.#mayGo(redirect)) return false;
    this.#redirects += 1;
    this.#run(epoch, this.#placeOf(redirect));
    return true;
  }

  /** Who asked for a WebSocket is not sent to TCP, and the other way round. */
  #mayGo({ url }: Redirect): boolean {
    return url === undefined ? !this.#isOnWebSocket : this.#parts.config.websocket !== undefined;
  }

  #placeOf({ host, port, url }: Redirect): Endpoint {
    if (url !== undefined) return { host: undefined, port: undefined, url };
    return { host, port: port ?? this.#target.port ?? this.#parts.config.connectionType.defaultPort };
  }

  get #isOnWebSocket(): boolean {
    const { websocket } = this.#parts.config;
    return websocket !== undefined && websocket !== 'discover';
  }

  #retriesInitial(): boolean {
    const { reconnect } = this.#parts.config;
    return reconnect !== false && reconnect.initial;
  }

  /** Ends whatever is going on because an abort signal says so. */
  #giveUp(error: BrokerError): void {
    if (this.#attempt !== null && this.#operation?.begun === true) {
      // The attempt publishes its failure; its outcome comes to rest in #failed.
      this.#attempt.abort(error);
      return;
    }
    this.#epoch += 1;
    this.#stopTimer();
    this.#rejectOperation(error);
    if (this.#shutdown !== null) return;
    if (this.#state === 'standby') void this.#owner.close();
    if (this.#attempt === null && this.#link === null) this.#restDisconnected(error);
    else void this.#restBehind(this.#epoch, error);
  }

  /** Comes to rest when what a given up operation waited for is gone. */
  async #restBehind(epoch: number, error: BrokerError): Promise<void> {
    await this.#attemptDone;
    await this.#link?.replace();
    if (this.#epoch === epoch) this.#restDisconnected(error);
  }

  #restDisconnected(error: BrokerError): void {
    this.#state = 'disconnected';
    // Nobody will resume the session; without `reconnect` the program may, with its next connect().
    if (this.#parts.config.reconnect !== false) this.#owner.shutDown();
    this.#rest({ clean: false, error });
  }

  async #close(limitMs: number): Promise<void> {
    if (this.#state === 'halted') return;
    this.#epoch += 1;
    this.#stopTimer();
    const operation = this.#operation;
    if (this.#attempt !== null) {
      this.#attempt.abort(shutDown());
      await this.#attemptDone;
    }
    // Another operation may wait behind this shutdown by now.
    if (operation !== null && this.#operation === operation) this.#rejectOperation(shutDown());
    if (this.#link !== null) {
      this.#state = 'closing';
      await this.#link.shutdown(limitMs);
    } else this.#lastEnd = { clean: true };
    // Also the session of a link that was being replaced.
    this.#owner.shutDown();
    const closing = this.#owner.close(limitMs);
    if (closing !== null) await closing;
    if (this.#isHalted() || this.#operation !== null) return;
    this.#state = 'idle';
    this.#rest(this.#lastEnd);
  }

  #isHalted(): boolean {
    return this.#state === 'halted';
  }

  settled(): Promise<void> | null {
    return this.#owner.settled();
  }

  notReady(): void {
    if (this.#state === 'ready') this.#state = 'closing';
  }

  ended(end: LinkEnd): void {
    this.#link = null;
    if (end.good) this.#failures = 0;
    const error = end.error === null || end.byUs !== null ? end.error : this.#judged(end.error, 'ready');
    this.#lastEnd = end.clean ? { clean: true } : { clean: false, error: error ?? replaced() };
    if (end.byUs === null) this.#state = 'disconnected';
    this.#owner.linkEnded(end);
    if (end.byUs === null && error !== null) this.#parts.status.publish('PCJ_SOCKETFAIL', error);
    this.#parts.status.publish('PCJ_SOCKETDISCONNECT', this.#lastEnd);
    this.#owner.afterLinkEnded();
    // Nothing follows it.
    if (end.byUs === 'shutdown') this.#parts.status.publish('PCJ_SHUTDOWN_FINISH', undefined);
    // Somebody may have connected, shut down or halted meanwhile: then this end is no longer ours to act on.
    const obsolete = this.#state !== 'disconnected' || this.#operation !== null || this.#shutdown !== null;
    if (end.byUs !== null || error === null || obsolete) return;
    if (this.#parts.config.reconnect === false || !this.#redirected(this.#epoch, error)) this.#failed(error, true);
  }

  #stopTimer(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
  }

  #resolveOperation(): void {
    const operation = this.#operation;
    this.#operation = null;
    operation?.resolve();
  }

  #rejectOperation(error: BrokerError): void {
    const operation = this.#operation;
    this.#operation = null;
    if (this.#leaving) operation?.rejectLeaving(error);
    else operation?.reject(error);
  }

  #rest(closed: Closed): void {
    this.#owner.rested(closed);
    this.#life.resolve(closed);
  }
}

function superseded(): BrokerError {
  return new BrokerError('CONNECT_SUPERSEDED', 'a later connect() took the place of this one', { layer: 'usage' });
}

function replaced(): BrokerError {
  const text = 'connect() left the link for a new one, on which its session goes on';
  return new BrokerError('CONNECT_SUPERSEDED', text, { layer: 'usage', phase: 'closing' });
}

function shutDown(): BrokerError {
  return new BrokerError('CONNECT_ABORTED', 'shutdown() ended the attempt to connect', { layer: 'usage' });
}

function aborted(signal: AbortSignal): BrokerError {
  return new BrokerError('CONNECT_ABORTED', 'the abort signal ended the attempt to connect', {
    layer: 'usage',
    cause: signal.reason,
  });
}
