import { Deferred } from '../deferred.js';
import type { Lifecycle } from '../lifecycle/lifecycle.js';
import type { Closed } from '../events.js';
import type { LinkEnd } from '../link/closing.js';
import type { Link } from '../link/link.js';
import type { Outbox } from './outbox.js';
import type { Resumption } from './resumption.js';
import type { ShutdownReport } from './shutdown-report.js';
import type { RestingPlace } from './event-log.js';
import type { Status } from './status.js';
import type { RunningCall } from '../pubsub/running-calls.js';

/** What an orderly end works with. */
export interface OrderlyEndParts {
  readonly status: Status;
  readonly lifecycle: Lifecycle;
  readonly outbox: Outbox;
  readonly resumption: Resumption;
  /** What becomes of what is held when nobody is connected. */
  readonly restingPlace: RestingPlace;
}

/** How it is asked for. */
export interface Ending {
  /** The time for all of it, in milliseconds. */
  readonly limitMs: number;
  /** Whether the process ends behind it. */
  readonly leaving: boolean;
}

/** What handlers may use of the time while their answers can still go out; the rest is for closing the stream. */
const SHARE_OF_HANDLERS = 3 / 4;

/** Who began an end. */
export interface OrderlyEndOwner {
  /** The link is closed. Handlers may still be waited for. */
  closed(): void;
  /** The report is there. */
  over(): void;
}

type Step = 'answers' | 'closing' | 'handlers' | 'over';

/**
 * One `shutdown`: handlers of stanzas that are running may finish, so that their answers go out; then the link is closed;
 * then whatever handlers are still running get the rest of the time.
 */
export class OrderlyEnd {
  readonly #parts: OrderlyEndParts;
  readonly #owner: OrderlyEndOwner;
  readonly #report = new Deferred<ShutdownReport>();
  #leaving: boolean;
  readonly #link: Link | null;
  readonly #ackedBefore: number;
  #endsAt: number;
  #step: Step = 'answers';
  #waitsFor: Set<RunningCall>;
  /** Calls that wait for this end themselves. */
  #excused = 0;
  #unacked = 0;
  /** Stanzas that were to go out on the link, and were not written. */
  #unsent = 0;
  #closing: Promise<void> | null = null;
  #ended: Closed = { clean: true };
  #timer: NodeJS.Timeout | undefined;
  #unwatch: () => void = () => undefined;

  constructor(parts: OrderlyEndParts, { limitMs, leaving }: Ending, owner: OrderlyEndOwner) {
    const { lifecycle, status } = parts;
    this.#parts = parts;
    this.#owner = owner;
    this.#leaving = leaving;
    this.#endsAt = performance.now() + limitMs;
    this.#link = lifecycle.link;
    this.#ackedBefore = this.#link?.acknowledged ?? 0;
    const calls = lifecycle.state === 'ready' ? status.running.snapshot : [];
    this.#waitsFor = new Set(calls.filter(({ event }) => !status.tellsOfItself(event)));
  }

  get report(): Promise<ShutdownReport> {
    return this.#report.promise;
  }

  begin(inside: boolean): void {
    if (inside) this.#excused += 1;
    this.#unwatch = this.#parts.status.running.watch((done) => {
      this.#waitsFor.delete(done);
      this.#look();
    });
    this.#wait(SHARE_OF_HANDLERS);
    this.#look();
  }

  /** It was asked for once more, from inside a handler perhaps. A shorter time counts from now on. */
  again(limitMs: number | undefined, { inside, leaving }: { inside: boolean; leaving: boolean }): void {
    this.#leaving ||= leaving;
    if (inside) this.#excused += 1;
    if (limitMs !== undefined) this.#endsAt = Math.min(this.#endsAt, performance.now() + limitMs);
    if (this.#step === 'answers') this.#wait(SHARE_OF_HANDLERS);
    else if (this.#step === 'closing') this.#closing = this.#close();
    this.#look();
  }

  /** There is no time for handlers any more: somebody connects, or halts. */
  hurry(): void {
    if (this.#step === 'answers') this.#closeLink();
    else if (this.#step === 'handlers') this.#finish();
  }

  /** The link ended; its session was not touched yet. */
  linkEnded({ session, inFlight, waiting }: LinkEnd): void {
    this.#unsent += waiting.length;
    this.#unacked += session === null ? inFlight.length : session.size;
  }

  /** Calls that are not done and do not wait for this end. */
  get #running(): number {
    return Math.max(0, this.#parts.status.running.size - this.#excused);
  }

  get #leftMs(): number {
    return Math.max(1, this.#endsAt - performance.now());
  }

  #wait(share: number): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      this.hurry();
    }, this.#leftMs * share);
  }

  #look(): void {
    if (this.#step === 'answers' && this.#waitsFor.size <= this.#excused) this.#closeLink();
    else if (this.#step === 'handlers' && this.#running === 0) this.#finish();
  }

  #closeLink(): void {
    this.#step = 'closing';
    clearTimeout(this.#timer);
    const { lifecycle, resumption } = this.#parts;
    // What a session has sent that nobody will resume.
    if (lifecycle.link === null) this.#unacked += resumption.unacknowledged;
    this.#closing = this.#close();
    void this.#attend();
  }

  #close(): Promise<void> {
    return this.#parts.lifecycle.shutdown({ limitMs: this.#leftMs, leaving: this.#leaving });
  }

  async #attend(): Promise<void> {
    let last: Promise<void> | null;
    try {
      do {
        last = this.#closing;
        await last;
      } while (last !== this.#closing);
    } catch (error) {
      this.#over();
      this.#owner.closed();
      this.#report.reject(error as Error);
      return;
    }
    this.#ended = this.#parts.lifecycle.lastEnd;
    this.#owner.closed();
    this.#step = 'handlers';
    if (this.#parts.lifecycle.state === 'halted') this.#finish();
    else {
      this.#wait(1);
      this.#look();
    }
  }

  #over(): void {
    this.#step = 'over';
    clearTimeout(this.#timer);
    this.#unwatch();
    this.#owner.over();
  }

  #finish(): void {
    this.#over();
    const { status, lifecycle, outbox, restingPlace } = this.#parts;
    const { clean, error } = this.#ended;
    const { running } = status;
    const acked = Math.max(0, (this.#link?.acknowledged ?? 0) - this.#ackedBefore);
    const report = { clean, acked, unacked: this.#unacked, held: outbox.queue.size, running: this.#running };
    if (lifecycle.state !== 'halted') {
      const handlers = [...new Set(running.snapshot.map(({ event }) => event))];
      // A server that only does not close does no harm.
      const harm = report.unacked + report.running + this.#unsent > 0;
      status.log.shutDown(report, {
        queue: outbox.queue,
        where: restingPlace,
        error: harm ? error : undefined,
        handlers,
      });
    }
    this.#report.resolve(report);
  }
}
