import { duration, host, oneOf, port, signal } from '../arguments/checks.js';
import { readOptions, type OptionTable } from '../arguments/options.js';
import { unixSocketPath } from '../arguments/unix-socket.js';
import type { RequestOptions } from './requester.js';
import type { BrokerFilters } from './broker-filters.js';
import type { Answer, AnswerHandler, AnswerOptions, AnswerTarget } from './answerer.js';
import type { BrokerStats } from './broker-stats.js';
import { endingOf } from '../protocols/fast/token-ending.js';
import { post, type Commands } from './commands.js';
import { Core } from './core.js';
import { forgetToken } from './forget-token.js';
import type { HandOver } from './hand-over.js';
import { OUTPUT_OPTIONS, type Outbound, type OutputOptions } from './output.js';
import type { OpenQueue } from './queue-keeper.js';
import type { ShutdownReport } from './shutdown-report.js';
import type { ShutdownOptions } from './shutdown.js';
import type { ShutdownSignals } from './signal-watch.js';
import { match, type Matching, type MatchOptions } from './matching.js';
import { BrokerError, usageError } from '../errors.js';
import type { Closed, StatusEvent, StatusEvents, StatusName } from '../events.js';
import type { FilterMatch } from '../filters/filter.js';
import type { JID } from '../jid/jid.js';
import type { ConnectOptions } from '../lifecycle/contract.js';
import type { BrokerState } from '../lifecycle/state.js';
import { NO_PORT, type BrokerConfig, type BrokerOptions } from '../options/options.js';
import { asStanza } from '../stanza/outbound.js';
import type { Free, NameFor, NameOf, PayloadOf, Spelt } from '../pubsub/names.js';
import type { Handler, PubSub, SubscribeOptions, Subscription } from '../pubsub/pubsub.js';
import { checkSelect, type OutboundQueue } from '../queue/outbound-queue.js';
import type { Ticket } from '../queue/ticket.js';
import type { PendingRequest } from '../requests/pending-requests.js';
import { trustedPart, type TrustKinds } from '../stanza/trust.js';
import type { Element } from '../xml/element.js';

const CONNECT_OPTIONS: OptionTable<ConnectOptions> = {
  checks: { host, port, signal },
  rule: ({ host }, given) =>
    host !== undefined && unixSocketPath(host) !== null && given.has('port') ? [NO_PORT] : [],
};
const CLIENT_STATE = oneOf('active', 'inactive');
const LATER_OPTIONS: OptionTable<{ within?: number | undefined }> = { checks: { within: duration } };

/**
 * One XML stream to an XMPP server: it connects, lets the dialect negotiate, and publishes everything that happens.
 *
 * `MyEvents` types the events of the program. With it names that it does not list are type errors, and so are filters and
 * requests under names of other payloads. Without it every name is allowed and its payload is unknown, but what begins
 * with `PCJ_` has to be a status event. A broker of any events can stand where a plain `Broker` is wanted.
 *
 * A connected broker, one that is connecting and one that waits to reconnect keep the process alive.
 */
export class Broker<MyEvents extends object = object> implements AsyncDisposable {
  /** The options in force, without secrets. */
  readonly config: BrokerConfig;
  /** The event bus. `publish()` hands back the only right to fire an event. */
  readonly events: PubSub<MyEvents, StatusEvents, StatusName>;
  /** XPath filters on inbound stanzas. */
  readonly filters: BrokerFilters<MyEvents>;
  /** Stanzas held while not ready, oldest first. */
  readonly queue: OutboundQueue;

  readonly #core: Core;
  /** Kept for {@link forgetToken} alone: most brokers have no tokens. */
  readonly #options: BrokerOptions | null;

  /** @throws BrokerError `USAGE_OPTIONS` that lists every problem at once. Nothing is dialled. */
  constructor(options: BrokerOptions) {
    const core = new Core(options);
    this.#core = core;
    core.status.subject = this;
    this.#options = endingOf(core.config.connectionType) === null ? null : options;
    this.config = core.config;
    this.events = core.status.bus as unknown as PubSub<MyEvents, StatusEvents, StatusName>;
    this.filters = core.filters;
    this.queue = core.outbox.queue;
  }

  /** Our own address; null while there is no ready link. */
  get jid(): JID | null {
    return this.#core.identity.jid;
  }

  /** Id of the stream; null while there is no ready link. */
  get sid(): string | null {
    return this.#core.identity.sid;
  }

  /** Language of inbound stanzas that name none (RFC 6120 §8.1.5); null if the server names none, and while there is no ready link. */
  get lang(): string | null {
    return this.#core.identity.lang;
  }

  /** Where the broker stands now. Each state says what may be done in it: see {@link BrokerState}. */
  get state(): BrokerState {
    return this.#core.lifecycle.state;
  }

  /** Requests waiting for their answer, by id: a snapshot. */
  get pending(): ReadonlyMap<string, PendingRequest> {
    return this.#core.requests.pending();
  }

  /**
   * What the broker has counted since it was made, in all its links, and how it stands now: a copy, cheap enough to be
   * taken each second.
   */
  stats(): BrokerStats {
    return this.#core.stats();
  }

  /** Resolves when the broker has come to rest: shut down, halted, or lost and not to be dialled again. */
  get closed(): Promise<Closed> {
    return this.#core.lifecycle.closed;
  }

  /**
   * Connects. Resolves at PCJ_READY; with a ready link, closes that first. Host and port stay in force.
   * @returns a promise that rejects with the BrokerError of the attempt. If nobody waits for it, that is no unhandled
   * rejection: the events tell the same
   * @throws BrokerError `USAGE_CONNECT`, `USAGE_SIGNAL`, `BROKER_HALTED`; nothing was begun then
   */
  connect(options: ConnectOptions = {}): Promise<void> {
    this.#refuseHalted();
    const given = readOptions('USAGE_CONNECT', 'connect()', options, CONNECT_OPTIONS);
    const place = given.host !== undefined ? 'host' : given.port === undefined ? null : 'port';
    if (place !== null && this.config.websocket !== undefined) {
      throw usageError('USAGE_CONNECT', `connect(): ${place} has no meaning with websocket`);
    }
    this.#core.connecting();
    return this.#core.lifecycle.connect(given);
  }

  /** The same as {@link connect}, for when it reads better: a link in use is left and negotiated from zero. */
  reconnect(options: ConnectOptions = {}): Promise<void> {
    return this.connect(options);
  }

  /**
   * Ends in order. While ready, handlers of stanzas that are running may finish first, for at most three quarters of the time,
   * so that their answers go out. Then the stream is closed: what was output is sent, what still arrives is delivered, and
   * after the peer's end the socket closes. Handlers that are still running are waited for, and `closed` has resolved before.
   * An attempt to connect ends with its failure. Again, or with nothing to close, it does nothing; a shorter time counts.
   * Held stanzas stay. What is left behind is logged once, as a warning.
   *
   * A handler may wait for it: that one is not waited for.
   * @param options - `timeoutMs`: milliseconds for all of it; a store of the queue may take as long again to write what is
   * left. Default `timeouts.close`
   * @returns how it ended and what is left behind
   * @throws BrokerError `USAGE_SHUTDOWN`; nothing was begun then
   */
  shutdown(options: ShutdownOptions = {}): Promise<ShutdownReport> {
    return this.#core.shutdown.begin(options);
  }

  /**
   * Shuts down on the first of some signals of the process, such as `'SIGTERM', 'SIGINT'`, once. The process then ends by
   * itself with exit code 0 if nothing else keeps it; a second signal ends it at once. Meanwhile the broker connects no more: a
   * `connect()` that is under way, or comes later, rejects with `CONNECT_ABORTED` only if the process is still there after
   * 2 seconds, so that a program that waits for it ends in order, too.
   *
   * `halt()` ends the waiting for signals. Threads of `node:worker_threads` get no signals.
   * @throws BrokerError `USAGE_SIGNAL_NAME`, `BROKER_HALTED`
   */
  shutdownOn(...signals: NodeJS.Signals[]): ShutdownSignals {
    this.#refuseHalted();
    return this.#core.shutdown.on(signals);
  }

  /** Drops everything at once: no event, no farewell. Pending requests and held stanzas fail; later commands throw. */
  halt(): void {
    this.#core.lifecycle.halt();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.shutdown();
    this.halt();
  }

  /**
   * Sends a stanza now, or holds it in the queue while not ready. With a store (`queue.store`) `ticket.stored` tells when it
   * survives the process; it is sent behind that.
   * @returns the ticket; that of the stanza which is there already, when `key` names one
   * @throws BrokerError `USAGE_NOT_ONE_STANZA`, `USAGE_IQ`, `USAGE_OUTPUT`, `USAGE_KEY`, what the dialect refuses,
   * `XML_UNSERIALIZABLE`, `QUEUE_FULL`, `QUEUE_STORE_FAILED`, `BROKER_HALTED`; nothing was accepted then
   */
  output(node: Outbound, options?: OutputOptions): Ticket {
    this.#refuseHalted();
    const stanza = asStanza(node, this.config.xmlns);
    if (options === undefined) return this.#core.outbox.output(stanza);
    return this.#core.outbox.output(stanza, readOptions('USAGE_OUTPUT', 'output()', options, OUTPUT_OPTIONS).key);
  }

  /**
   * Opens the store of the queue without connecting, to look at what earlier lives left, and to drop what shall not be sent.
   * `connect` does it by itself. `shutdown` closes it again.
   * @returns what is held then. It rejects with a BrokerError: `USAGE_STORE` without a store, `BROKER_HALTED`, or why the
   * store cannot be opened: `QUEUE_LOCKED`, `QUEUE_CORRUPT`, `QUEUE_VERSION`, `QUEUE_NO_DRIVER`, `QUEUE_STORE_FAILED`
   */
  openQueue(): Promise<OpenQueue> {
    const promise = (async () => {
      this.#refuseHalted();
      const { keeper } = this.#core;
      if (keeper === null) {
        throw usageError(
          'USAGE_STORE',
          'openQueue() opens the store of the queue, and the option queue.store is not given',
        );
      }
      await keeper.open();
      return keeper.contents;
    })();
    promise.catch(() => undefined);
    return promise;
  }

  /** The old name of `queue.send`: PCJ calls sending what is held a purge. @throws BrokerError as `queue.send` */
  purgeQueue(select?: (ticket: Ticket) => boolean): Ticket[] {
    checkSelect('purgeQueue()', select);
    return this.queue.send(select);
  }

  /**
   * Sends a request; its answer, a result or an error, is published once under `event`, which is then rescinded.
   * @returns the request's ticket; `ticket.node` shows a generated id
   * @throws BrokerError as `output`, and `USAGE_EVENT_*`, `USAGE_REQUEST`, `RTS_LIMIT`
   */
  returnToSender<Name extends NameFor<MyEvents, Element>>(event: Free<Name, StatusName>, node: Outbound): Ticket {
    this.#refuseHalted();
    return this.#core.requester.underEvent(event, asStanza(node, this.config.xmlns)).ticket;
  }

  /**
   * Sends a request and waits for its answer.
   * @returns the result. Rejects with a {@link StanzaError} for an error answer, else with a BrokerError: as `output`,
   * `RTS_TIMEOUT`, `RTS_DISCONNECTED`, `RTS_ABORTED`, `RTS_DROPPED`, `RTS_LIMIT`
   */
  request(node: Outbound, options: RequestOptions = {}): Promise<Element> {
    const promise = (async () => {
      this.#refuseHalted();
      return this.#core.requester.asPromise(asStanza(node, this.config.xmlns), options);
    })();
    promise.catch(() => undefined);
    return promise;
  }

  /**
   * Forgets the token for the next sign-in (XEP-0484), as for logging out: signs in with it on a connection of its own, tells the
   * server that it is over, and takes it out of the store, whatever comes of that. Without a token it does nothing.
   *
   * Rejects with BrokerError `USAGE_FORGET_TOKEN` without `fast` in the options of XMPP, with what the store throws, and with the
   * error of an attempt when the server could not be told: then the token is good until it expires.
   */
  forgetToken(): Promise<void> {
    const done = forgetToken(this.#core, this.#options);
    done.catch(() => undefined);
    return done;
  }

  /**
   * The part of a stanza that may be believed, or null: others can send anything that looks like it.
   *
   * - `account`: the stanza itself, from our own account (RFC 6120 §8.1.2.1)
   * - `roster`: the `<query/>` of a roster push (RFC 6121 §2.1.6)
   * - `carbons`: the `<received/>` or `<sent/>` with a copy of a message (XEP-0280 §11)
   * - `mam`: the `<result/>` of the archive and the query that are given (XEP-0313)
   * - `pep`: the `<event/>` of the account that is given (XEP-0163)
   *
   * Known from the first ready link on. A component has no account: there only `mam` and `pep` with `from` find
   * something.
   * @throws BrokerError `USAGE_TRUST`, `USAGE_JID`
   */
  trusted<Kind extends keyof TrustKinds>(stanza: Element, kind: Kind, ...options: TrustKinds[Kind]): Element | null {
    return trustedPart(this.#core.identity.account, stanza, kind, options[0]);
  }

  /** Calls a handler for each event of a name, before or after anybody publishes it. */
  subscribe<Name extends StatusEvent | NameOf<MyEvents>>(
    event: Spelt<Name, StatusEvents, StatusName>,
    handler: Handler<PayloadOf<MyEvents & StatusEvents, Name>>,
    options: SubscribeOptions = {},
  ): Subscription {
    return this.events.subscribe(event, handler, options);
  }

  /**
   * Calls a handler for each stanza that an XPath 1.0 expression matches: a filter and its subscription in one, under no
   * name. The handler sees what it would see with `filters.add` and `subscribe`, in the same order.
   * @throws BrokerError `USAGE_XPATH_*` with the position for a bad expression, `USAGE_FILTER`, `USAGE_HANDLER`,
   * `USAGE_EVENT_OPTIONS`, `USAGE_SIGNAL`
   */
  match(expression: string, handler: Handler<FilterMatch>, options: MatchOptions = {}): Matching {
    return match(this.filters, this.#core.status.bus, expression, handler, options);
  }

  /**
   * Answers iq requests of a type whose payload has that name and namespace (RFC 6120 §8.2.3). What the handler returns,
   * or its promise resolves with, becomes the payload of the result; a {@link StanzaError} that it throws becomes the
   * error. There is one answer for each request: whatever else it throws is answered with `internal-server-error` and
   * published as PCJ_HANDLERERROR, one that takes longer than `timeout` with `resource-constraint`, and if a handler has
   * sent an answer itself, that is the one. A request is answered on the session that brought it, or not at all.
   *
   * Filters and PCJ_NODERECEIVED see the request, too, before the handler does.
   * @throws BrokerError `USAGE_ANSWER`, `USAGE_ANSWER_TAKEN` if such requests are answered already, `USAGE_SIGNAL`
   */
  answer(type: 'get' | 'set', target: AnswerTarget, handler: AnswerHandler, options: AnswerOptions = {}): Answer {
    this.#refuseHalted();
    return this.#core.answerer.register(type, target, handler, options);
  }

  /**
   * Says inside a handler that an iq request is answered later, by an `output` of the program: until then, and for so
   * long, the broker does not answer it with an error.
   * @param options - `within`: milliseconds, default `timeouts.request`
   * @throws BrokerError `USAGE_ANSWER` for what is no request that waits for its answer
   */
  answerLater(iq: Element, options: { within?: number | undefined } = {}): void {
    const { within } = readOptions('USAGE_ANSWER', 'answerLater()', options, LATER_OPTIONS);
    this.#core.answerer.later(iq, within ?? this.config.timeouts.request);
  }

  /**
   * Tells the server whether somebody looks at what arrives (XEP-0352): while `inactive` it may hold back what can wait,
   * such as presence. Without a ready link it is told behind the next PCJ_READY, and again behind each that follows, because
   * servers forget it. At first it is `active`.
   * @returns whether the server knows it now: false without a ready link, and for a server that does not want to know
   * @throws BrokerError `USAGE_CLIENT_STATE`, `BROKER_HALTED`
   */
  clientState(state: 'active' | 'inactive'): boolean {
    this.#refuseHalted();
    const problem = CLIENT_STATE(state);
    if (problem !== null) throw usageError('USAGE_CLIENT_STATE', `clientState(): the state ${problem}`);
    return this.#core.clientState.set(state);
  }

  /** The namespaces of requests that {@link answer} has handlers for. */
  get answers(): readonly string[] {
    return this.#core.answerer.namespaces;
  }

  /** Does what one of the eight input events names, with its arguments, and returns what the method returns. */
  post<Command extends keyof Commands>(
    command: Command,
    ...args: Parameters<Commands<MyEvents>[Command]>
  ): ReturnType<Commands[Command]> {
    return post(this, command, args);
  }

  /** @internal for those who hand what arrives on to other processes */
  get handOver(): HandOver {
    return this.#core.handOver;
  }

  #refuseHalted(): void {
    if (this.#core.lifecycle.state !== 'halted') return;
    throw new BrokerError('BROKER_HALTED', 'the broker was halted; make a new one', { layer: 'usage', sent: 'no' });
  }
}
