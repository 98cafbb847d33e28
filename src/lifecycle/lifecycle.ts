import { Attempt, isAnotherWay } from './attempt.js';
import { Deferred } from '../deferred.js';
import { BrokerError } from '../errors.js';
import { Link } from '../link/link.js';
import type { LinkEnd } from '../link/closing.js';
import type { LinkOwner, Negotiated } from '../link/contract.js';
import { ConnectOperation, refused } from './connect-operation.js';
import type { ConnectOptions, LifecycleOwner, LifecycleParts, ShutdownTerms } from './contract.js';
import { aborted, replaced, shutDown, superseded } from './errors.js';
import { Retries } from './retries.js';
import type { Place } from './route.js';
import type { Closed } from '../events.js';
import type { BrokerState } from './state.js';

const DONE: Promise<void> = Promise.resolve();
const CLEAN: Closed = Object.freeze({ clean: true });

/** Connects, keeps the link, reconnects and closes: one attempt or link at a time, one outcome for each attempt. */
export class Lifecycle implements LinkOwner {
  readonly #parts: LifecycleParts;
  readonly #owner: LifecycleOwner;
  readonly #retries: Retries;
  #state: BrokerState = 'idle';
  #attempt: Attempt | null = null;
  #attemptDone: Promise<void> = DONE;
  #link: Link | null = null;
  #operation: ConnectOperation | null = null;
  /** From a `connect` to the rest that follows. */
  #life = new Deferred<Closed>();
  #shutdown: Promise<void> | null = null;
  #lastEnd: Closed = CLEAN;
  /** Resolved when the end of a link is told to all; null at other times. */
  #telling: Promise<void> | null = null;
  /** Whether the process is about to end. */
  #leaving = false;
  /** Rises with every command that makes what runs now obsolete. */
  #epoch = 0;

  constructor(parts: LifecycleParts, owner: LifecycleOwner) {
    this.#parts = parts;
    this.#owner = owner;
    this.#retries = new Retries(parts.config);
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
    if (signal?.aborted === true) return refused(aborted(signal), false);
    if (this.#leaving) return refused(shutDown(), true);
    if (this.#life.settled) this.#life = new Deferred();
    if (this.#operation !== null) this.#rejectOperation(superseded());
    this.#retries.begin({ host, port });
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
    this.#retries.stop();
    this.#owner.halting();
    this.#attempt?.drop(error);
    this.#attempt = null;
    this.#link?.halt(error);
    this.#link = null;
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
      this.#retries.stop();
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
    if (this.#telling !== null) {
      await this.#telling;
      if (this.#epoch !== epoch) return;
    }
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
  #run(epoch: number, place: Place = this.#retries.target): void {
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

  #dial(epoch: number, place: Place): void {
    this.#state = 'connecting';
    this.#retries.dials(place);
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
        if (this.#attemptDone === done.promise) this.#attemptDone = DONE;
      });
  }

  /** Waits for the outcome of an attempt, and acts on it unless a later command made it obsolete. */
  async #attend(epoch: number, attempt: Attempt, place: Place): Promise<void> {
    let negotiated: Negotiated;
    try {
      negotiated = await attempt.run(place);
    } catch (error) {
      this.#attempt = null;
      if (this.#epoch !== epoch) return;
      const failure = error as BrokerError;
      // One that is given up while it still closes its socket is followed by no other.
      const goesOn = attempt.givenUp === null;
      const redirect = goesOn ? this.#retries.redirected(failure) : null;
      if (redirect !== null) {
        this.#run(epoch, redirect);
        return;
      }
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

  #negotiated(negotiated: Negotiated): void {
    this.#retries.ready();
    const link = new Link(this.#parts, this, negotiated);
    this.#link = link;
    this.#state = 'ready';
    this.#operation?.resolve();
    this.#operation = null;
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
    this.#failed(this.#retries.judged(error, 'negotiating'), this.#operation === null || this.#retries.initial);
  }

  /** After a failed attempt or a lost link: dial again later, or come to rest. */
  #failed(error: BrokerError, mayRetry: boolean): void {
    const retry = mayRetry ? this.#retries.after(error, this.#parts.resumption.resumable) : null;
    if (retry === null) {
      if (mayRetry && this.#parts.config.reconnect !== false && !error.retryable) this.#givesUpBehindCheck(error);
      else this.#givesUp(error);
      return;
    }
    this.#state = 'waiting';
    const epoch = this.#epoch;
    const { attempt, delayMs, place } = retry;
    this.#retries.wait(retry, () => {
      this.#run(epoch, place);
    });
    this.#parts.status.publish('PCJ_RECONNECTING', { attempt, delayMs, error });
  }

  /** The server may not want us because another process has the queue by now: then this one waits for it. */
  #givesUpBehindCheck(error: BrokerError): void {
    this.#state = 'standby';
    const epoch = this.#epoch;
    const givesUp = (): void => {
      if (this.#epoch === epoch) this.#givesUp(error);
    };
    const check = this.#owner.check();
    if (check === null) givesUp();
    else void check.then(givesUp);
  }

  #givesUp(error: BrokerError): void {
    this.#rejectOperation(error);
    this.#restDisconnected(error);
  }

  /** Ends whatever is going on because an abort signal says so. */
  #giveUp(error: BrokerError): void {
    if (this.#attempt !== null && this.#operation?.begun === true) {
      // The attempt publishes its failure; its outcome comes to rest in #failed.
      this.#attempt.abort(error);
      return;
    }
    this.#epoch += 1;
    this.#retries.stop();
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
    this.#retries.stop();
    const operation = this.#operation;
    if (this.#telling !== null) await this.#telling;
    if (this.#attempt !== null) {
      this.#attempt.abort(shutDown());
      await this.#attemptDone;
    }
    // Another operation may wait behind this shutdown by now.
    if (operation !== null && this.#operation === operation) this.#rejectOperation(shutDown());
    if (this.#link !== null) {
      this.#state = 'closing';
      await this.#link.shutdown(limitMs);
    } else this.#lastEnd = CLEAN;
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
    if (end.good) this.#retries.wentWell();
    const error = end.error === null || end.byUs !== null ? end.error : this.#retries.judged(end.error, 'ready');
    this.#lastEnd = end.clean ? CLEAN : { clean: false, error: error ?? replaced() };
    if (end.byUs === null) this.#state = 'disconnected';
    this.#tell(end, error);
    // Somebody may have connected, shut down or halted meanwhile: then this end is no longer ours to act on.
    const obsolete = this.#state !== 'disconnected' || this.#operation !== null || this.#shutdown !== null;
    if (end.byUs !== null || error === null || obsolete) return;
    const redirect = this.#parts.config.reconnect === false ? null : this.#retries.redirected(error);
    if (redirect === null) this.#failed(error, true);
    else this.#run(this.#epoch, redirect);
  }

  /** What a handler commands meanwhile begins when all were told. */
  #tell(end: LinkEnd, error: BrokerError | null): void {
    const told = new Deferred<void>();
    this.#telling = told.promise;
    const closed = this.#lastEnd;
    this.#owner.linkEnded(end);
    if (end.byUs === null && error !== null) this.#parts.status.publish('PCJ_SOCKETFAIL', error);
    this.#parts.status.publish('PCJ_SOCKETDISCONNECT', closed);
    this.#owner.afterLinkEnded();
    // Nothing follows it.
    if (end.byUs === 'shutdown') this.#parts.status.publish('PCJ_SHUTDOWN_FINISH', undefined);
    this.#telling = null;
    told.resolve();
  }

  #rejectOperation(error: BrokerError): void {
    this.#operation?.reject(error, this.#leaving);
    this.#operation = null;
  }

  #rest(closed: Closed): void {
    this.#owner.rested(closed);
    this.#life.resolve(closed);
  }
}
