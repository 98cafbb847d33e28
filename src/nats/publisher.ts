// `StanzaPublisher`: stanzas, requests and commands for queues that other processes hold.
import { randomBytes } from 'node:crypto';
import type { Msg } from '@nats-io/transport-node';
import { count, duration, key as keyCheck, must, signal as signalCheck, text, whole } from '../arguments/checks.js';
import { readOptions, type OptionTable } from '../arguments/options.js';
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
import { type Answer, SELECTION, TIMEOUT } from './commands.js';
import { connectionCheck, openLink, type NatsGiven, type NatsLink } from './connection.js';
import { isStreamMissing, noHolder, noReports, tooBig } from './errors.js';
import { FleetAddress } from './fleet-address.js';
import { headerText } from './headers.js';
import { headersOf } from './message.js';
import { OutgoingLane } from './outgoing.js';
import { RemoteTicket } from './remote-ticket.js';
import { reportsOf, type TicketReport } from './reports.js';
import { HEADER_ROOM, STREAM_DEFAULTS } from './streams.js';
import { DEFAULT_PREFIX, prefixCheck, Subjects, subjectToken } from './subjects.js';

/** What `new StanzaPublisher()` takes. */
export interface StanzaPublisherOptions {
  /** A connection to NATS, or options for one. A connection that was given is left open. Needed. */
  connection: NatsGiven;
  /** What all names in NATS begin with. Default `xmpp`. */
  prefix?: string | undefined;
  /** Name of this producer, under which it hears what becomes of its stanzas, and which PCJ_PURGED tells. Default a random one. */
  name?: string | undefined;
  /** The queue of a call that names none: `queue.name` of its brokers, by default their bare address. Default none. */
  queue?: string | undefined;
  /** The fleet to which the queues belong: then a queue is an account of it. Default none: brokers with `natsStore`. */
  fleet?: string | undefined;
  /** Most stanzas that are not stored yet. Default 10 000. */
  maxStanzas?: number | undefined;
  /** Most bytes of them. Default 32 MiB. */
  maxBytes?: number | undefined;
  /**
   * How long JetStream knows a key, in milliseconds: the `dedupMs` of `prepareNats()`. What could not be stored for longer is
   * published as a possible duplicate. Default ten minutes.
   */
  dedupMs?: number | undefined;
}

/** Options of {@link StanzaPublisher.output}. */
export interface RemoteOutputOptions {
  /** The queue that sends it. Default `queue` of the publisher. */
  queue?: string | undefined;
  /**
   * Names the stanza, 1 to 256 characters: a second one with the same key within `dedupMs`, of whatever process, is the first
   * one. Default random.
   */
  key?: string | undefined;
}

/** Options of {@link StanzaPublisher.request}. */
export interface RemoteRequestOptions {
  /** The queue whose holder asks. Default `queue` of the publisher. */
  queue?: string | undefined;
  /** How long the answer may take, in milliseconds. Default 30 000. */
  timeout?: number | undefined;
  /** Gives up waiting. Default none. */
  signal?: AbortSignal | undefined;
}

/** What happens to a {@link StanzaPublisher}. */
export interface StanzaPublisherEvents {
  /** NATS does not take stanzas: once for each outage. They wait. Without a subscriber it is a warning of the process. */
  fail: BrokerError;
  /** It takes them again. */
  ready: undefined;
}

const OPTIONS: OptionTable<StanzaPublisherOptions> = {
  checks: {
    connection: connectionCheck,
    prefix: prefixCheck,
    name: text,
    queue: text,
    fleet: text,
    maxStanzas: count,
    maxBytes: count,
    dedupMs: whole(100, 2 ** 40),
  },
  rule: (_, given) =>
    given.has('connection') ? [] : ["connection is missing: such as { servers: 'nats://127.0.0.1:4222' }"],
};
const OUTPUT: OptionTable<RemoteOutputOptions> = { checks: { queue: text, key: keyCheck } };
const REQUEST: OptionTable<RemoteRequestOptions> = {
  checks: { queue: text, timeout: duration, signal: signalCheck },
};
const PICK: OptionTable<PurgeSelection> = {
  checks: {
    keys: must('a list of keys', SELECTION.keys),
    names: must("a list of 'message', 'presence' and 'iq'", SELECTION.names),
    to: must('an address', SELECTION.to),
    youngerThanMs: must('a number of milliseconds', SELECTION.youngerThanMs),
    olderThanMs: must('a number of milliseconds', SELECTION.olderThanMs),
    possibleDuplicate: must('true or false', SELECTION.possibleDuplicate),
    limit: must('a whole number', SELECTION.limit),
  },
};

/** Time until NATS is dialled again, for an answer of the holder, and what a request may be late, in milliseconds. */
const RETRY_MS = 1_000;
const ANSWER_MS = 5_000;
const REPORT_MS = 2_000;
const REQUEST_MS = 30_000;
const LATE_MS = 1_000;
/** How long closing waits for what was published last. */
const FLUSH_MS = 1_000;

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
  readonly #lane: OutgoingLane;
  readonly #ready = new Deferred<void>();
  readonly #closed = new Deferred<Closed>();
  readonly #abort = new AbortController();
  /** Tickets of which the holder has not told. Who holds none of them wants to know nothing. */
  readonly #tickets = new Map<string, WeakRef<RemoteTicket>>();
  /** Those that somebody waits for. */
  readonly #wanted = new Set<RemoteTicket>();
  readonly #gone = new FinalizationRegistry<string>((key) => {
    if (this.#tickets.get(key)?.deref() === undefined) this.#tickets.delete(key);
  });
  #link: NatsLink | null = null;
  #hears: { unsubscribe(): void } | null = null;
  #deaf: BrokerError | null = null;
  #isFailing = false;
  #closing: Promise<void> | null = null;

  /** @throws BrokerError `USAGE_NATS` */
  constructor(options: StanzaPublisherOptions) {
    const given = readOptions('USAGE_NATS', 'new StanzaPublisher()', options, OPTIONS);
    this.#options = given;
    this.name = given.name ?? `producer-${randomBytes(9).toString('base64url')}`;
    this.#token = subjectToken(this.name);
    this.#subjects = new Subjects(given.prefix ?? DEFAULT_PREFIX);
    this.#fleet = given.fleet === undefined ? null : new FleetAddress(this.#subjects, given.fleet);
    this.#lane = new OutgoingLane(
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
   * `PUBLISHER_CLOSED`. Nothing was accepted then
   */
  output(node: Element | object | string, options: RemoteOutputOptions = {}): RemoteTicket {
    const given = readOptions('USAGE_OUTPUT', 'output()', options, OUTPUT);
    this.#checkOpen();
    const queue = this.#queueOf(given.queue, 'output()');
    const key = given.key ?? randomKey();
    const known = given.key === undefined ? undefined : this.#find(queue, key);
    if (known !== undefined) return known;
    const stanza = asStanza(node, 'jabber:client');
    checkStanza(stanza);
    const xml = serialize(stanza);
    this.#checkRoom(xml);
    const ticket = new RemoteTicket(key, queue, (wanted) => {
      this.#want(wanted);
    });
    const at = Date.now();
    const subject = (): string => this.#fleet?.subject(queue) ?? this.#subjects.out(queue);
    this.#remember(ticket);
    this.#lane.add({
      // How many shards a fleet has is known when there is a connection.
      get subject() {
        return subject();
      },
      xml,
      headers: (isLate) => {
        ticket.possibleDuplicate ||= isLate;
        const facts = { key, at, xmlns: null, producer: this.#token, possibleDuplicate: isLate };
        return headersOf(this.#open().client, facts);
      },
      stored: () => {
        ticket.markStored();
      },
      failed: (error) => {
        ticket.fail(error);
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
    const headers = (await this.#reach(timeout)).client.transport.headers();
    headers.set(TIMEOUT, String(timeout));
    const asked = this.#ask(this.#subjects.ask(queue), xml, timeout + LATE_MS, queue, headers);
    const answer = await (signal === undefined ? asked : raced(asked, signal));
    const stanza = readBack(answer.xml ?? '', 'jabber:client');
    if (stanza.getAttribute('type') === 'error') throw new StanzaError(stanza);
    return stanza;
  }

  /**
   * Has what the holder of a queue holds sent. It needs `queue.remotePurge` there, and the permission of NATS.
   * @returns how many stanzas were picked
   * @throws BrokerError `USAGE_NATS`; `QUEUE_PURGE_REFUSED`, `NATS_DENIED`, `NATS_NO_HOLDER`, `NATS_UNREACHABLE`
   */
  async purge(queue: string, selection: PurgeSelection = {}): Promise<number> {
    return await this.#command('purge', 'purge()', queue, selection);
  }

  /** Drops what the holder of a queue holds. As {@link StanzaPublisher.purge}; what is dropped is gone. */
  async drop(queue: string, selection: PurgeSelection): Promise<number> {
    return await this.#command('drop', 'drop()', queue, selection);
  }

  /** How the queue stands where it is held. @throws BrokerError `USAGE_NATS`; `NATS_NO_HOLDER`, `NATS_DENIED`, `NATS_UNREACHABLE` */
  async status(queue: string): Promise<QueueStatus> {
    const name = this.#queueOf(queue, 'status()');
    const { status } = await this.#tell(name, { do: 'status' });
    if (status === undefined) throw noAnswer(name);
    return status;
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
    const link = await this.#reach(ANSWER_MS);
    const { client, connection } = link;
    const subject = this.#subjects.reportOf(this.#token, headerText(key));
    try {
      const manager = await client.jetstream.jetstreamManager(connection, { checkAPI: false, timeout: REPORT_MS });
      const found = await manager.direct.getMessage(this.#subjects.reportStream, { last_by_subj: subject });
      const report = found === null ? undefined : reportsOf(found.string())?.[0];
      return report === undefined ? null : { ...report, key };
    } catch (cause) {
      if (await this.#keepsNoReports(link)) throw noReports(this.#subjects.reportStream, cause);
      throw this.#error(cause, 'to tell what became of a stanza');
    }
  }

  /** Asking a stream that is not there gets no answer. */
  async #keepsNoReports({ client, connection }: NatsLink): Promise<boolean> {
    try {
      const manager = await client.jetstream.jetstreamManager(connection, { checkAPI: false, timeout: ANSWER_MS });
      await manager.streams.info(this.#subjects.reportStream);
      return false;
    } catch (error) {
      return isStreamMissing(error);
    }
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
        if (error === null) this.#heard(message);
        else this.#isDeaf(link.error(error, 'to tell what becomes of stanzas'));
      },
    });
    link.watch({
      up: () => {
        this.#lane.again();
        this.#works();
      },
      down: () => {
        this.#fails(this.#error(new Error('the connection was lost'), 'to take stanzas'));
      },
      ended: () => {
        this.#fails(link.closedError('to take stanzas'));
      },
    });
    this.#lane.open(link.client.jetstream.jetstream(link.connection));
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

  #heard(message: Msg): void {
    for (const report of reportsOf(message.string()) ?? []) {
      const key = report.key;
      const ticket = this.#tickets.get(key)?.deref();
      this.#tickets.delete(key);
      if (ticket === undefined) continue;
      this.#wanted.delete(ticket);
      ticket.report(report);
    }
  }

  /** Nothing that the holders tell comes here. */
  #isDeaf(error: BrokerError): void {
    this.#deaf = error;
    for (const ticket of this.#wanted) ticket.fail(error);
    this.#wanted.clear();
    this.#fails(error);
  }

  #remember(ticket: RemoteTicket): void {
    const name = headerText(ticket.key);
    this.#tickets.set(name, new WeakRef(ticket));
    this.#gone.register(ticket, name);
  }

  #find(queue: string, key: string): RemoteTicket | undefined {
    const ticket = this.#tickets.get(headerText(key))?.deref();
    return ticket?.queue === queue && !ticket.isOver ? ticket : undefined;
  }

  #want(ticket: RemoteTicket): void {
    if (ticket.isOver) return;
    if (this.#deaf !== null) ticket.fail(this.#deaf);
    else this.#wanted.add(ticket);
  }

  #checkOpen(): void {
    if (this.#closing !== null) throw closedError();
  }

  #checkRoom(xml: string): void {
    const { maxStanzas = 10_000, maxBytes = 32 * 1024 * 1024 } = this.#options;
    const most = (this.#link?.maxPayload ?? 1024 * 1024) - HEADER_ROOM;
    const bytes = Buffer.byteLength(xml);
    if (bytes > most) throw tooBig(bytes, most);
    if (this.#lane.size >= maxStanzas) throw queueFull(`${maxStanzas} stanzas wait for NATS (maxStanzas)`);
    if (this.#lane.cost + bytes > maxBytes) throw queueFull(`${this.#lane.cost} bytes wait for NATS (maxBytes)`);
  }

  #queueOf(given: unknown, call: string): string {
    const queue = given ?? this.#options.queue;
    const problem = text(queue);
    if (problem === null) return queue as string;
    throw usageError('USAGE_NATS', `${call}: the queue ${problem}, here or as the option queue (${shown(queue)})`);
  }

  async #command(what: 'purge' | 'drop', call: string, queue: string, selection: PurgeSelection): Promise<number> {
    const name = this.#queueOf(queue, call);
    const picked = readOptions('USAGE_NATS', call, selection, PICK);
    const { count: number } = await this.#tell(name, { do: what, by: this.name, selection: picked });
    if (number === undefined) throw noAnswer(name);
    return number;
  }

  async #tell(queue: string, command: object): Promise<Answer> {
    await this.#reach(ANSWER_MS);
    return await this.#ask(this.#subjects.cmd(queue), JSON.stringify({ v: 1, ...command }), ANSWER_MS, queue);
  }

  async #ask(
    subject: string,
    body: string,
    timeout: number,
    queue: string,
    headers?: ReturnType<typeof headersOf>,
  ): Promise<Answer> {
    let said: Msg;
    try {
      const { connection } = this.#open();
      said = await connection.request(subject, body, { timeout, ...(headers === undefined ? {} : { headers }) });
    } catch (cause) {
      if (isNobody(cause)) throw noHolder(queue, cause);
      throw this.#error(cause, `to ask the holder of the queue "${queue}"`);
    }
    const answer = answerOf(said.string());
    if (answer === null) throw noAnswer(queue);
    const { error } = answer;
    if (error === undefined) return answer;
    throw new BrokerError(error.code, error.message, { layer: 'queue', origin: 'peer', sent: sentOf(error.sent) });
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
    while (this.#lane.size > 0 && performance.now() < until) await new Promise((resolve) => setTimeout(resolve, 20));
    const error = closedError();
    this.#abort.abort(error);
    this.#lane.close(error);
    for (const ticket of this.#wanted) ticket.fail(error);
    this.#wanted.clear();
    this.#tickets.clear();
    this.#ready.reject(error);
    const link = this.#link;
    if (link !== null) {
      // What was published last is on its way.
      await flushed(link);
      // The connection may be the program's, and live on.
      this.#hears?.unsubscribe();
      await link.release();
    }
    this.#closed.resolve({ clean: true });
  }
}

const CLOSE: OptionTable<{ timeoutMs?: number | undefined }> = { checks: { timeoutMs: duration } };

/** A NATS that does not answer is not waited for. */
async function flushed({ connection, isClosed }: NatsLink): Promise<void> {
  if (isClosed) return;
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, FLUSH_MS);
  });
  await Promise.race([connection.flush().catch(() => undefined), late]);
  clearTimeout(timer);
}

function closedError(): BrokerError {
  return new BrokerError('PUBLISHER_CLOSED', 'the publisher was closed', { layer: 'usage' });
}

function noAnswer(queue: string): BrokerError {
  const text = `the holder of the queue "${queue}" gave no answer that is understood: it is of another version of xmpp-broker`;
  return new BrokerError('NATS_REFUSED', text, { layer: 'nats', origin: 'peer' });
}

function aborted(signal: AbortSignal, sent: 'no' | 'maybe'): BrokerError {
  const text = 'the abort signal ended the waiting for an answer';
  return new BrokerError('RTS_ABORTED', text, { layer: 'rts', sent, cause: signal.reason });
}

/** Whoever gives up hears nothing of what is asked. */
function raced<T>(asked: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const onAbort = (): void => {
      reject(aborted(signal, 'maybe'));
    };
    if (signal.aborted) onAbort();
    else signal.addEventListener('abort', onAbort, { once: true });
    asked.then(resolve, reject).finally(() => {
      signal.removeEventListener('abort', onAbort);
    });
  });
}

/** It comes from another process: null if it is none. */
function answerOf(said: string): Answer | null {
  try {
    const value = JSON.parse(said) as unknown;
    return typeof value === 'object' && value !== null ? value : null;
  } catch {
    return null;
  }
}

function sentOf(value: string | undefined): 'no' | 'maybe' | 'acked' | undefined {
  return value === 'no' || value === 'maybe' || value === 'acked' ? value : undefined;
}

function isNobody(cause: unknown): boolean {
  return (
    cause instanceof Error && 'isNoResponders' in cause && (cause as { isNoResponders(): boolean }).isNoResponders()
  );
}
