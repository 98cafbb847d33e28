// `StanzaPublisher`: stanzas, requests and commands for queues that other processes hold.
import { randomBytes } from 'node:crypto';
import { key as keyCheck, text } from '../arguments/checks.js';
import { readOptions } from '../arguments/options.js';
import { shown } from '../arguments/values.js';
import { Deferred } from '../deferred.js';
import { BrokerError, usageError } from '../errors.js';
import type { Closed } from '../events.js';
import type { Handler, SubscribeOptions, Subscription } from '../pubsub/pubsub.js';
import { queueFull } from '../queue/outbound-queue.js';
import { readBack } from '../queue/read-back.js';
import type { PurgeSelection, QueueStatus } from '../queue/store.js';
import { randomKey } from '../queue/ticket.js';
import { checkStanza, asStanza } from '../stanza/outbound.js';
import { StanzaError } from '../stanza/stanza-error.js';
import type { Element } from '../xml/element.js';
import { serialize } from '../xml/serializer.js';
import { Announcements } from './announcements.js';
import { openLink, type NatsLink } from './connection.js';
import { tooBig } from './errors.js';
import { FleetAddress } from './fleet-address.js';
import { aborted, ANSWER_MS, HolderCalls } from './holder-calls.js';
import { keptReport } from './kept-report.js';
import { headerRoom, headersOf } from './message.js';
import { OutgoingLanes } from './outgoing-lanes.js';
import { CLOSE, OUTPUT, PICK, PUBLISHER, REQUEST } from './publisher-options.js';
import type { RemoteOutputOptions, RemoteRequestOptions, StanzaPublisherOptions } from './publisher-options.js';
import type { RemoteTicket } from './remote-ticket.js';
import { RemoteTickets } from './remote-tickets.js';
import { reportsOf, type TicketReport } from './reports.js';
import { STREAM_DEFAULTS } from './streams.js';
import { DEFAULT_PREFIX, Subjects, subjectToken } from './subjects.js';

/** What happens to a {@link StanzaPublisher}. */
export interface StanzaPublisherEvents {
  /** NATS does not take stanzas: once for each outage. They wait. Without a subscriber it is a warning of the process. */
  fail: BrokerError;
  /** It takes them again. */
  ready: undefined;
}

/** Time until NATS is dialled again, in milliseconds. */
const RETRY_MS = 1_000;
/** For the answer to a request where nothing else is said, in milliseconds. */
const REQUEST_MS = 30_000;

/**
 * Puts stanzas into queues that other processes hold, and hears what becomes of them. It dials NATS by itself and waits for
 * it; stanzas wait in memory meanwhile, within bounds, in order.
 *
 * Whoever may publish to a queue speaks as its account: see the table of permissions in docs/scaling-out.md.
 */
export class StanzaPublisher implements AsyncDisposable {
  readonly name: string;
  readonly #options: StanzaPublisherOptions;
  readonly #subjects: Subjects;
  readonly #token: string;
  readonly #fleet: FleetAddress | null;
  readonly #told = new Announcements<StanzaPublisherEvents>('a StanzaPublisher', ['fail', 'ready']);
  readonly #lanes: OutgoingLanes;
  readonly #ready = new Deferred<void>();
  readonly #closed = new Deferred<Closed>();
  readonly #abort = new AbortController();
  readonly #tickets = new RemoteTickets();
  readonly #calls: HolderCalls;
  #link: NatsLink | null = null;
  #hears: { unsubscribe(): void } | null = null;
  #isFailing = false;
  #closing: Promise<void> | null = null;

  /** @throws BrokerError `USAGE_NATS` */
  constructor(options: StanzaPublisherOptions) {
    const given = readOptions('USAGE_NATS', 'new StanzaPublisher()', options, PUBLISHER);
    this.#options = given;
    this.name = given.name ?? `producer-${randomBytes(9).toString('base64url')}`;
    this.#token = subjectToken(this.name);
    this.#subjects = new Subjects(given.prefix ?? DEFAULT_PREFIX);
    this.#fleet = given.fleet === undefined ? null : new FleetAddress(this.#subjects, given.fleet);
    this.#lanes = new OutgoingLanes(
      {
        error: (cause) => this.#error(cause, 'to take stanzas'),
        failing: (error) => {
          this.#fails(error);
        },
        working: () => {
          this.#works();
        },
      },
      given.dedupMs ?? STREAM_DEFAULTS.dedupMs,
    );
    this.#calls = new HolderCalls(this.#subjects, {
      open: () => this.#open(),
      error: (cause, doing) => this.#error(cause, doing),
    });
    void this.#run();
  }

  /** Resolves when NATS is reached for the first time. Rejects when it is closed before that. */
  get ready(): Promise<void> {
    return this.#ready.promise;
  }

  /** Resolves when it was closed. */
  get closed(): Promise<Closed> {
    return this.#closed.promise;
  }

  /** Calls a handler for each event. @throws BrokerError `USAGE_EVENT`, `USAGE_HANDLER`, `USAGE_EVENT_OPTIONS`, `USAGE_SIGNAL` */
  subscribe<Name extends keyof StanzaPublisherEvents>(
    event: Name,
    handler: Handler<StanzaPublisherEvents[Name]>,
    options: SubscribeOptions = {},
  ): Subscription {
    return this.#told.subscribe(event, handler, options);
  }

  /**
   * Has a stanza sent by the holder of a queue: what `broker.output` is there. A request is an ordinary stanza here, whose
   * answer comes to the holder: see {@link StanzaPublisher.request}.
   * @throws BrokerError `USAGE_*`, `XML_UNSERIALIZABLE`; `QUEUE_FULL`: its bounds are reached; `NATS_TOO_BIG`;
   * `PUBLISHER_CLOSED`. Nothing was accepted then. How much NATS takes is known when it is reached: what was output before, and is
   * larger, fails as its ticket tells
   */
  output(node: Element | object | string, options: RemoteOutputOptions = {}): RemoteTicket {
    const given = readOptions('USAGE_OUTPUT', 'output()', options, OUTPUT);
    this.#checkOpen();
    const queue = this.#queueOf(given.queue, 'output()');
    const key = given.key ?? randomKey();
    const known = given.key === undefined ? undefined : this.#tickets.find(queue, key);
    if (known !== undefined) return known;
    const stanza = asStanza(node, 'jabber:client');
    checkStanza(stanza);
    const xml = serialize(stanza);
    this.#checkRoom(xml, key);
    const ticket = this.#tickets.make(key, queue);
    const at = Date.now();
    const subject = (): string => this.#fleet?.subject(queue) ?? this.#subjects.out(queue);
    this.#lanes.add(queue, {
      // How many shards a fleet has is known when there is a connection.
      get subject() {
        return subject();
      },
      xml,
      headers: (isLate) => {
        ticket.possibleDuplicate ||= isLate;
        const facts = { key, queue, at, xmlns: null, producer: this.#token, possibleDuplicate: isLate };
        return headersOf(this.#open().client, facts);
      },
      stored: () => {
        ticket.markStored();
      },
      isTold: () => ticket.isOver,
      failed: (error) => {
        ticket.fail(error);
      },
      outsized: () => {
        ticket.fail(tooBig(Buffer.byteLength(xml), this.#mostBytes(key)));
      },
    });
    return ticket;
  }

  /**
   * Asks through the link of the holder of a queue. The request is not stored: it lives and dies with that link, and with this
   * process.
   * @returns the result. It rejects with a StanzaError when the answer is an error, with what the holder says, such as
   * `RTS_TIMEOUT`, with `NATS_NO_HOLDER`, `NATS_DENIED`, `NATS_UNREACHABLE`, `RTS_ABORTED`, `PUBLISHER_CLOSED`, `USAGE_*`
   */
  async request(node: Element | object | string, options: RemoteRequestOptions = {}): Promise<Element> {
    const given = readOptions('USAGE_REQUEST', 'request()', options, REQUEST);
    const { timeout = REQUEST_MS, signal } = given;
    if (signal?.aborted === true) throw aborted(signal, 'no');
    const queue = this.#queueOf(given.queue, 'request()');
    const xml = serialize(asStanza(node, 'jabber:client'));
    await this.#reach(timeout);
    const stanza = readBack(await this.#calls.request(queue, xml, timeout, signal), 'jabber:client');
    if (stanza.getAttribute('type') === 'error') throw new StanzaError(stanza);
    return stanza;
  }

  /**
   * Has what the holder of a queue holds sent. It needs `queue.remotePurge` there, and the permission of NATS.
   * @returns how many stanzas were picked
   * @throws BrokerError `USAGE_NATS`; `QUEUE_PURGE_REFUSED`, `NATS_DENIED`, `NATS_NO_HOLDER`, `NATS_UNREACHABLE`
   */
  async purge(queue: string, selection: PurgeSelection = {}): Promise<number> {
    return await this.#pick('purge', queue, selection);
  }

  /** Drops what the holder of a queue holds. As {@link StanzaPublisher.purge}; what is dropped is gone. */
  async drop(queue: string, selection: PurgeSelection): Promise<number> {
    return await this.#pick('drop', queue, selection);
  }

  /** How the queue stands where it is held. @throws BrokerError `USAGE_NATS`; `NATS_NO_HOLDER`, `NATS_DENIED`, `NATS_UNREACHABLE` */
  async status(queue: string): Promise<QueueStatus> {
    const name = this.#queueOf(queue, 'status()');
    await this.#reach(ANSWER_MS);
    return await this.#calls.status(name);
  }

  /**
   * How a stanza of this producer ended, by its key: after a restart under the same `name`. NATS keeps that only with
   * `keepReportsMs` of `prepareNats()`.
   * @returns null: it is not known, or not over
   * @throws BrokerError `USAGE_KEY`; `NATS_NO_STREAM`, `NATS_DENIED`, `NATS_UNREACHABLE`
   */
  async ticket(key: string): Promise<TicketReport | null> {
    const problem = keyCheck(key);
    if (problem !== null) throw usageError('USAGE_KEY', `ticket(): the key ${problem}`);
    return await keptReport(await this.#reach(ANSWER_MS), this.#subjects, this.#token, key);
  }

  /**
   * Waits until what was output is stored, for at most `timeoutMs`, default 10 000, and ends. Tickets of what is not stored then,
   * and of what is not known, fail with `PUBLISHER_CLOSED`.
   */
  close(options: { timeoutMs?: number | undefined } = {}): Promise<void> {
    const { timeoutMs = 10_000 } = readOptions('USAGE_NATS', 'StanzaPublisher.close()', options, CLOSE);
    this.#closing ??= this.#close(timeoutMs);
    return this.#closing;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #run(): Promise<void> {
    const { signal } = this.#abort;
    for (;;) {
      try {
        const link = await openLink(this.#options.connection, `xmpp-broker ${this.name}`, signal);
        await this.#locate(link);
        this.#begin(link);
        return;
      } catch (error) {
        if (signal.aborted) return;
        this.#fails(error as BrokerError);
      }
      await new Promise<void>((resolve) => {
        setTimeout(resolve, RETRY_MS).unref();
      });
    }
  }

  /** @throws BrokerError `NATS_*` */
  async #locate(link: NatsLink): Promise<void> {
    try {
      await this.#fleet?.find(link);
    } catch (error) {
      await link.release();
      throw error;
    }
  }

  #begin(link: NatsLink): void {
    if (this.#abort.signal.aborted) {
      void link.release();
      return;
    }
    this.#link = link;
    this.#hears = link.connection.subscribe(this.#subjects.ticketOf(this.#token), {
      callback: (error, message) => {
        if (error === null) this.#tickets.heard(reportsOf(message.string()) ?? []);
        else this.#isDeaf(link.error(error, 'to tell what becomes of stanzas'));
      },
    });
    link.watch({
      up: (isAnother) => {
        this.#lanes.again(isAnother);
        this.#works();
      },
      down: () => {
        this.#lanes.down();
        this.#fails(this.#error(new Error('the connection was lost'), 'to take stanzas'));
      },
      ended: () => {
        this.#fails(link.closedError('to take stanzas'));
      },
    });
    this.#lanes.open(link.client.jetstream.jetstream(link.connection));
    this.#ready.resolve();
    this.#works();
  }

  #fails(error: BrokerError): void {
    if (this.#isFailing || this.#closing !== null) return;
    this.#isFailing = true;
    this.#told.tellFault('fail', error, `StanzaPublisher: ${error.message}`);
  }

  #works(): void {
    if (!this.#isFailing) return;
    this.#isFailing = false;
    this.#told.tell('ready', undefined);
  }

  /** Nothing that the holders tell comes here. */
  #isDeaf(error: BrokerError): void {
    this.#tickets.deafen(error);
    this.#fails(error);
  }

  #checkOpen(): void {
    if (this.#closing !== null) throw closedError();
  }

  /** Of a stanza. Before there is a connection, what NATS takes where nobody has said otherwise. */
  #mostBytes(key: string): number {
    return (this.#link?.maxPayload ?? 1024 * 1024) - headerRoom(key);
  }

  #checkRoom(xml: string, key: string): void {
    const { maxStanzas = 10_000, maxBytes = 32 * 1024 * 1024 } = this.#options;
    const most = this.#mostBytes(key);
    const bytes = Buffer.byteLength(xml);
    if (bytes > most) throw tooBig(bytes, most);
    if (this.#lanes.size >= maxStanzas) throw queueFull(`${maxStanzas} stanzas wait for NATS (maxStanzas)`);
    if (this.#lanes.cost + bytes > maxBytes) throw queueFull(`${this.#lanes.cost} bytes wait for NATS (maxBytes)`);
  }

  #queueOf(given: unknown, call: string): string {
    const queue = given ?? this.#options.queue;
    const problem = text(queue);
    if (problem === null) return queue as string;
    throw usageError('USAGE_NATS', `${call}: the queue ${problem}, here or as the option queue (${shown(queue)})`);
  }

  async #pick(what: 'purge' | 'drop', queue: string, selection: PurgeSelection): Promise<number> {
    const call = `${what}()`;
    const name = this.#queueOf(queue, call);
    const picked = readOptions('USAGE_NATS', call, selection, PICK);
    await this.#reach(ANSWER_MS);
    return await this.#calls.pick(what, name, this.name, picked);
  }

  #open(): NatsLink {
    if (this.#link === null || this.#abort.signal.aborted) throw closedError();
    return this.#link;
  }

  /** The connection, as soon as there is one. */
  async #reach(limitMs: number): Promise<NatsLink> {
    this.#checkOpen();
    if (this.#link !== null) return this.#link;
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => {
        const text = 'NATS is not reached: see the event fail of the publisher';
        reject(new BrokerError('NATS_UNREACHABLE', text, { layer: 'nats', retryable: true, sent: 'no' }));
      }, limitMs);
    });
    try {
      await Promise.race([this.ready, late]);
    } finally {
      clearTimeout(timer);
    }
    return this.#open();
  }

  #error(cause: unknown, doing: string): BrokerError {
    if (cause instanceof BrokerError) return cause;
    return this.#link === null
      ? new BrokerError('NATS_UNREACHABLE', `NATS is not reached ${doing}`, { layer: 'nats', retryable: true, cause })
      : this.#link.error(cause, doing);
  }

  async #close(timeoutMs: number): Promise<void> {
    const until = performance.now() + timeoutMs;
    while (this.#lanes.size > 0 && performance.now() < until) await new Promise((resolve) => setTimeout(resolve, 20));
    const error = closedError();
    this.#abort.abort(error);
    this.#lanes.close(error);
    this.#tickets.close(error);
    this.#ready.reject(error);
    const link = this.#link;
    if (link !== null) {
      // What was published last is on its way.
      await link.flush();
      // The connection may be the program's, and live on.
      this.#hears?.unsubscribe();
      await link.release();
    }
    this.#closed.resolve({ clean: true });
  }
}

function closedError(): BrokerError {
  return new BrokerError('PUBLISHER_CLOSED', 'the publisher was closed', { layer: 'usage' });
}
