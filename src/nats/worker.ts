// `Worker`: a member of a group, which handles what a broker in another process gets.
import { setTimeout as pause } from 'node:timers/promises';
import { duration, flag, method, must, whole } from '../arguments/checks.js';
import { readOptions, type OptionTable } from '../arguments/options.js';
import { isA, reasonOf } from '../arguments/values.js';
import { Deferred } from '../deferred.js';
import { BrokerError } from '../errors.js';
import type { Closed } from '../events.js';
import type { Handler, SubscribeOptions, Subscription } from '../pubsub/pubsub.js';
import { Announcements } from './announcements.js';
import { connectionCheck, openLink, type NatsGiven, type NatsLink } from './connection.js';
import { deadLetters } from './dead-letters.js';
import { Handling } from './handling.js';
import { Hands } from './hands.js';
import { Membership } from './membership.js';
import { StanzaPublisher } from './publisher.js';
import { DEFAULT_PREFIX, prefixCheck, Subjects } from './subjects.js';
import type { Work } from './work.js';

/** What `new Worker()` takes. */
export interface WorkerOptions {
  /** A connection to NATS, or options for one. A connection that was given is left open. Needed. */
  connection: NatsGiven;
  /** What all names in NATS begin with. Default `xmpp`. */
  prefix?: string | undefined;
  /** The queue of the broker whose stanzas these are: its bare address, if it was given no other name. Needed. */
  queue: string;
  /** The group, as `fanOut` calls it. Needed. */
  group: string;
  /** Handles one stanza, which is done when it returns, or its promise is fulfilled. If it throws, the stanza comes again. Needed. */
  handler: (work: Work) => unknown;
  /** Stanzas that are handled at a time. Default 10. */
  concurrency?: number | undefined;
  /** Refuses a group that is not `ordered`. The order itself is a matter of the group: see {@link GroupOptions}. Default false. */
  ordered?: boolean | undefined;
  /** How often a stanza is tried, 1 to 100; then it is a dead letter. Default 5. */
  maxDeliver?: number | undefined;
}

/** What happens to a {@link Worker}. What nobody is subscribed to is a warning of the process. */
export interface WorkerEvents {
  /** Something outside does not work, such as NATS, or the group is not there yet; it is tried further. */
  fail: BrokerError;
  /** The handler threw, or what it output could not be stored: the stanza comes again after that time. */
  retry: { work: Work; error: unknown; delayMs: number };
  /** A stanza was given up: it lies in `xmpp.dead.<queue>`. */
  dead: { xml: string; error: BrokerError };
}

const name = must(
  'a string that is not empty',
  (value) => typeof value === 'string' && value !== '' && value.isWellFormed(),
);

const NEEDED = {
  connection: "such as { servers: 'nats://127.0.0.1:4222' }",
  queue: "the bare address of the broker, such as 'echo.example.org'",
  group: 'as fanOut() calls it',
  handler: 'a function of the work',
};

const OPTIONS: OptionTable<WorkerOptions> = {
  checks: {
    connection: connectionCheck,
    prefix: prefixCheck,
    queue: name,
    group: name,
    handler: method,
    concurrency: whole(1, 10_000),
    ordered: flag,
    maxDeliver: whole(1, 100),
  },
  rule: (_, given) =>
    Object.entries(NEEDED).flatMap(([name, why]) => (given.has(name) ? [] : [`${name} is missing: ${why}`])),
};

const CLOSE: OptionTable<{ timeoutMs?: number | undefined }> = { checks: { timeoutMs: duration } };

/** How long closing waits for handlers by default, in milliseconds. */
const CLOSE_MS = 10_000;

/** How long closing waits then for what is on its way to NATS, in milliseconds. */
const OUTLET_MS = 500;

/** For so long the same code is the same fault, in milliseconds. */
const SAME_FAULT_MS = 10_000;

/** Time between two tries to reach NATS for the first time, in milliseconds. */
const REACH_MS = 2_000;

/** What a worker works with, once NATS is reached. */
interface WorkerParts {
  readonly link: NatsLink;
  readonly outlet: StanzaPublisher;
  readonly hands: Hands;
  readonly handling: Handling;
  readonly membership: Membership;
}

/**
 * Handles the stanzas of one group, which it shares with all workers of that group, in whatever process. A stanza comes at
 * least once: it goes to another worker when this one ends, or throws.
 *
 * It begins by itself. A worker whose NATS or group is not there yet waits for it, and says so with `fail`.
 */
export class Worker implements AsyncDisposable {
  readonly queue: string;
  readonly group: string;
  readonly #told = new Announcements<WorkerEvents>('a Worker', ['fail', 'retry', 'dead']);
  readonly #ready = new Deferred<void>();
  readonly #closed = new Deferred<Closed>();
  readonly #abort = new AbortController();
  readonly #options: WorkerOptions;
  #parts: WorkerParts | null = null;
  #failed: { readonly code: string; readonly at: number } | null = null;
  #closing: Promise<void> | null = null;

  /** @throws BrokerError `USAGE_WORKER` */
  constructor(options: WorkerOptions) {
    const given = readOptions('USAGE_WORKER', 'new Worker()', options, OPTIONS);
    this.#options = given;
    this.queue = given.queue;
    this.group = given.group;
    void this.#run();
  }

  /**
   * Resolves when it has its place in the group. Rejects with the BrokerError of {@link Worker.closed} if it never got there:
   * `NATS_DENIED`, `NATS_NOT_INSTALLED`, `NATS_SETUP`, `NATS_TOO_OLD`; `WORK_CLOSED` when it was closed.
   */
  get ready(): Promise<void> {
    return this.#ready.promise;
  }

  /** Resolves when it has ended: closed by the program, or by what cannot be mended by waiting. */
  get closed(): Promise<Closed> {
    return this.#closed.promise;
  }

  /** Calls a handler for each event. @throws BrokerError `USAGE_EVENT`, `USAGE_HANDLER`, `USAGE_EVENT_OPTIONS`, `USAGE_SIGNAL` */
  subscribe<Name extends keyof WorkerEvents>(
    event: Name,
    handler: Handler<WorkerEvents[Name]>,
    options: SubscribeOptions = {},
  ): Subscription {
    return this.#told.subscribe(event, handler, options);
  }

  /**
   * Takes no more stanzas, waits for its handlers, and leaves the rest to others.
   * @param options - `timeoutMs`: how long it waits, in milliseconds; then `work.signal` is aborted, and others get what is left.
   * Default 10 000
   */
  close(options: { timeoutMs?: number | undefined } = {}): Promise<void> {
    const { timeoutMs = CLOSE_MS } = readOptions('USAGE_WORKER', 'Worker.close()', options, CLOSE);
    this.#closing ??= this.#end({ clean: true }, timeoutMs);
    return this.#closing;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #run(): Promise<void> {
    try {
      const link = await this.#reach();
      if (link === null) return;
      this.#begin(link);
    } catch (error) {
      this.#fatal(error as BrokerError);
    }
  }

  /** A connection, whenever there is one; null when it was closed before. */
  async #reach(): Promise<NatsLink | null> {
    const { signal } = this.#abort;
    for (let told = false; ; told = true) {
      try {
        return await openLink(this.#options.connection, `xmpp-broker worker ${this.group}`, signal);
      } catch (error) {
        if (this.#closing !== null) return null;
        if (!isA(error, BrokerError) || !error.retryable) throw error;
        if (!told) this.#fail(error);
      }
      await pause(REACH_MS, undefined, { signal }).catch(() => undefined);
    }
  }

  #begin(link: NatsLink): void {
    const { handler, concurrency = 10, maxDeliver = 5, ordered = false, prefix = DEFAULT_PREFIX } = this.#options;
    if (this.#abort.signal.aborted) {
      void link.release();
      return;
    }
    const subjects = new Subjects(prefix);
    // What handlers output goes over the same connection.
    const outlet = new StanzaPublisher({ connection: link.connection, prefix, queue: this.queue });
    outlet.subscribe('fail', (error) => this.#fail(error));
    const bury = deadLetters(link, subjects, this.queue, this.group);
    const handling = new Handling(
      { handler, maxDeliver, outlet, bury },
      {
        failed: (work, error, delayMs) => {
          const text = `a worker of "${this.group}" failed, the stanza comes again in ${delayMs} ms: ${reasonOf(error)}`;
          this.#told.tellFault('retry', { work, error, delayMs }, text);
        },
        dead: (xml, error) => this.#told.tellFault('dead', { xml, error }, error.message),
        notBuried: (cause) => this.#fail(link.error(cause, 'to store a dead letter')),
      },
    );
    const hands = new Hands(concurrency, (delivery) => handling.handle(delivery));
    const membership = new Membership(
      { link, subjects, queue: this.queue, group: this.group, ordered, hands },
      {
        joined: () => this.#ready.resolve(),
        failing: (error) => this.#fail(error),
        ended: (error) => this.#fatal(error),
      },
    );
    this.#parts = { link, outlet, hands, handling, membership };
    membership.begin();
  }

  /** What has one cause shows in several places: it is told once. */
  #fail(error: BrokerError): void {
    const now = performance.now();
    if (this.#failed?.code === error.code && now - this.#failed.at < SAME_FAULT_MS) return;
    this.#failed = { code: error.code, at: now };
    this.#told.tellFault('fail', error, error.message);
  }

  /** What waiting does not mend. */
  #fatal(error: BrokerError): void {
    if (this.#closing !== null) return;
    this.#fail(error);
    this.#closing = this.#end({ clean: false, error }, 0);
  }

  async #end(closed: Closed, limitMs: number): Promise<void> {
    this.#abort.abort();
    if (this.#parts !== null) {
      const { link, outlet, hands, handling, membership } = this.#parts;
      membership.end();
      hands.putDown();
      const left = await hands.idle(limitMs);
      membership.over();
      handling.abort();
      for (const delivery of left) delivery.again(0);
      if (!link.isClosed) await within(OUTLET_MS, link.connection.flush());
      await within(2 * OUTLET_MS, outlet.close({ timeoutMs: OUTLET_MS }));
      await within(OUTLET_MS, link.release());
    }
    this.#ready.reject(
      closed.clean ? new BrokerError('WORK_CLOSED', 'the worker was closed', { layer: 'nats' }) : closed.error,
    );
    this.#closed.resolve(closed);
  }
}

/** Waits for what has no end while NATS does not answer, but not for ever. */
async function within(ms: number, promise: Promise<unknown>): Promise<void> {
  await Promise.race([promise.catch(() => undefined), pause(ms, undefined, { ref: false })]);
}
