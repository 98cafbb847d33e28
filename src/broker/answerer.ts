import { duration, signal, text } from '../arguments/checks.js';
import { readOptions, type OptionTable } from '../arguments/options.js';
import { isA, kindOf, shown } from '../arguments/values.js';
import { usageError } from '../errors.js';
import type { Lifecycle } from '../lifecycle/lifecycle.js';
import type { Logger } from '../logger.js';
import type { BrokerConfig } from '../options/options.js';
import type { Outbox } from './outbox.js';
import { Share } from '../queue/share.js';
import { InboundRequests, type OpenRequest } from '../requests/inbound-requests.js';
import { errorReply, reply } from '../stanza/replies.js';
import type { Ticket } from '../queue/ticket.js';
import { StanzaError } from '../stanza/stanza-error.js';
import { Element } from '../xml/element.js';
import { NS } from '../xml/namespaces.js';
import type { Status } from './status.js';

/** Which requests a handler answers. */
export interface AnswerTarget {
  /** Namespace of the payload. Needed. */
  namespace: string;
  /** Local name of the payload. Default: any. */
  name?: string | undefined;
}

/** Options of one handler that answers. */
export interface AnswerOptions {
  /**
   * Milliseconds that a handler has; then the answer is `resource-constraint`, which says "try again later". Default
   * `timeouts.request`.
   */
  timeout?: number | undefined;
  /** Withdraws the handler when aborted. Default none. */
  signal?: AbortSignal | undefined;
}

const TARGET: OptionTable<AnswerTarget> = {
  checks: { namespace: text, name: text },
  rule: (_right, given) => (given.has('namespace') ? [] : ['namespace is missing: pass that of the payload']),
};
const OPTIONS: OptionTable<AnswerOptions> = { checks: { timeout: duration, signal } };

/** What a result carries: one element or nothing (RFC 6120 §8.2.3). */
type Payload = Element | null | undefined | false;

/** Gives the payload of the result: an element, or nothing; throws a {@link StanzaError} for an error. */
export type AnswerHandler = (payload: Element, iq: Element) => Payload | Promise<Payload>;

/** A handler that answers requests. */
export interface Answer extends Disposable {
  readonly type: 'get' | 'set';
  readonly namespace: string;
  readonly name: string | null;
  /** Withdraws it: later requests of the kind are answered as if it had never been there. */
  cancel(): void;
}

/** What answering works with. */
export interface AnswererParts {
  readonly config: BrokerConfig;
  readonly status: Status;
  readonly outbox: Outbox;
  readonly lifecycle: Lifecycle;
  readonly logger: Logger;
}

/** What part of the queue's bytes answers that nobody wrote may take: whoever asks and does not read must not fill it. */
const PART = 4;

/** Shortest time between two warnings about requests that stay without an answer, in milliseconds. */
const WARNING_MS = 1_000;

interface Registered extends Answer {
  readonly handler: AnswerHandler;
  readonly limitMs: number;
  /** For people. */
  readonly label: string;
}

/**
 * Sees to it that each inbound iq request gets exactly one answer (RFC 6120 §8.2.3): from a handler that was registered
 * for its payload, from whatever handler sends one, or an error when nobody does.
 */
export class Answerer {
  readonly #parts: AnswererParts;
  /** Null before the first. */
  #opened: InboundRequests | null = null;
  #registered: Map<string, Registered> | null = null;
  /** Answers that nobody wrote, on their way. */
  #share: Share | null = null;
  #unanswered = 0;
  #warnedAt = Number.NEGATIVE_INFINITY;

  constructor(parts: AnswererParts) {
    this.#parts = parts;
  }

  /** The namespaces that are answered, each once. */
  get namespaces(): string[] {
    return [...new Set([...(this.#registered?.values() ?? [])].map(({ namespace }) => namespace))];
  }

  /** See `Broker.answer`. @throws BrokerError `USAGE_ANSWER`, `USAGE_ANSWER_TAKEN`, `USAGE_SIGNAL` */
  register(type: 'get' | 'set', target: AnswerTarget, handler: AnswerHandler, options: AnswerOptions): Answer {
    if (!['get', 'set'].includes(type)) {
      throw usageError('USAGE_ANSWER', `answer() takes 'get' or 'set' first, not ${shown(type)}`);
    }
    if (typeof handler !== 'function') {
      throw usageError('USAGE_ANSWER', `answer() takes a function third, not ${kindOf(handler)}`);
    }
    const call = `answer('${type}')`;
    const { namespace, name = null } = readOptions('USAGE_ANSWER', call, target, TARGET);
    const { timeout, signal } = readOptions('USAGE_ANSWER', call, options, OPTIONS);
    const key = keyOf(type, namespace, name);
    const registered = (this.#registered ??= new Map<string, Registered>());
    if (registered.has(key)) {
      const what = `${type} requests with ${name === null ? 'any payload' : `<${name}/>`} of ${namespace}`;
      throw usageError('USAGE_ANSWER_TAKEN', `${what} are answered already: cancel() the other handler first`);
    }
    const cancel = (): void => {
      if (registered.get(key) === entry) registered.delete(key);
      signal?.removeEventListener('abort', cancel);
    };
    const limitMs = timeout ?? this.#parts.config.timeouts.request;
    const label = `answer ${key}`;
    const entry: Registered = { type, namespace, name, handler, limitMs, label, cancel, [Symbol.dispose]: cancel };
    if (signal?.aborted === true) return entry;
    registered.set(key, entry);
    signal?.addEventListener('abort', cancel, { once: true });
    return entry;
  }

  /** An iq get or set, or one of no valid type, arrived. Null when nobody has to see to its answer. */
  arrived(iq: Element): OpenRequest | null {
    if (!this.#parts.config.answerRequests && this.#registered === null) return null;
    if (!this.#parts.config.answerRequests && this.#find(iq) === null) return null;
    return this.#open(iq);
  }

  /** Every handler has seen a request; `pending` are the promises of those that are not done. */
  delivered(open: OpenRequest, pending: readonly Promise<void>[]): Promise<void> | null {
    const registered = this.#find(open.iq);
    if (registered !== null) return this.#ask(open, registered);
    if (pending.length === 0) this.#refuse(open);
    else void Promise.allSettled(pending).then(() => this.#refuse(open));
    return null;
  }

  /** See `Broker.answerLater`. @throws BrokerError `USAGE_ANSWER` */
  later(iq: Element, withinMs: number): void {
    const open = this.#requests.of(iq);
    if (open === null) {
      const text = 'answerLater() takes an iq request that was delivered and has no answer yet, with answerRequests on';
      throw usageError('USAGE_ANSWER', text);
    }
    this.#wait(open, withinMs);
  }

  /** Somebody else answers a request that is being delivered, also where nobody has to see to it. See `HandOver.later`. */
  elsewhere(iq: Element, withinMs: number, unanswered: () => void): void {
    this.#wait(this.#requests.of(iq) ?? this.#open(iq), withinMs, unanswered);
  }

  /** Whether a request has its answer from here: a handler is registered for it, or it is a ping. */
  answers(iq: Element): boolean {
    return this.#find(iq) !== null || isPing(iq);
  }

  /** An iq result or error goes out. */
  sent(answer: Element): void {
    const before = this.#opened?.sent(answer) ?? null;
    if (before === null) return;
    this.#parts.logger.warn(
      before,
      'an iq request got a second answer: its handler was done before it answered, so the broker had answered already; call broker.answerLater(iq) in the handler, or return a promise',
    );
  }

  /** A new session begins: requests of the old one are nobody's any more. */
  newSession(): void {
    this.#opened?.clear();
  }

  /** A link is ready: what is owed goes out. */
  ready(): void {
    for (const open of this.#opened?.owed ?? []) this.#settle(open, open.answer as Element);
  }

  /** Nothing is answered any more. */
  close(): void {
    this.#opened?.clear();
    this.#registered = null;
  }

  get #requests(): InboundRequests {
    return (this.#opened ??= new InboundRequests());
  }

  get #isReady(): boolean {
    return this.#parts.lifecycle.state === 'ready';
  }

  #open(iq: Element): OpenRequest {
    const { open, pushedOut } = this.#requests.arrived(iq);
    if (pushedOut !== null) this.#sendOwn(pushedOut, errorReply(pushedOut.iq, 'resource-constraint'));
    return open;
  }

  /** @param unanswered called when the time is over */
  #wait(open: OpenRequest, withinMs: number, unanswered?: () => void): void {
    open.later = true;
    if (open.timer !== null) clearTimeout(open.timer);
    open.timer = setTimeout(() => {
      open.later = false;
      unanswered?.();
      this.#refuse(open);
    }, withinMs).unref();
  }

  #find(iq: Element): Registered | null {
    const payload = iq.firstElementChild;
    if (payload === null || this.#registered === null) return null;
    const type = iq.getAttribute('type') ?? '';
    const namespace = payload.namespaceURI ?? '';
    const exact = this.#registered.get(keyOf(type, namespace, payload.localName));
    return exact ?? this.#registered.get(keyOf(type, namespace, null)) ?? null;
  }

  /** A handler that needs no time answers at once, so that answers go out in the order of their requests. */
  #ask(open: OpenRequest, { handler, limitMs, label }: Registered): Promise<void> | null {
    const { iq } = open;
    const { running } = this.#parts.status;
    const { ends } = running;
    try {
      const given = handler(iq.firstElementChild as Element, iq);
      if (!isPromise(given)) {
        this.#result(open, given);
        return null;
      }
      open.timer ??= setTimeout(() => {
        this.#settle(open, errorReply(iq, 'resource-constraint'));
      }, limitMs).unref();
      const answered = Promise.resolve(given).then((payload) => {
        this.#result(open, payload);
      });
      const failed = (error: unknown): void => {
        this.#failed(open, error);
      };
      return running.ends === ends ? running.waitForHandler(label, answered, failed) : answered.catch(failed);
    } catch (error) {
      this.#failed(open, error);
      return null;
    }
  }

  /** @throws BrokerError `USAGE_ANSWER` for what can be no payload */
  #result(open: OpenRequest, payload: Payload): void {
    if (open.later) return;
    const nothing = payload === null || payload === undefined || payload === false;
    const isElement = isA(payload, Element);
    if (!nothing && (!isElement || payload.localName === 'iq')) {
      const what = isElement ? 'a whole <iq/>' : kindOf(payload);
      const text = `a handler of answer() returns the payload of the result, an element or nothing, not ${what}`;
      throw usageError('USAGE_ANSWER', text);
    }
    this.#settle(open, reply(open.iq, payload));
  }

  #failed(open: OpenRequest, error: unknown): void {
    const { iq } = open;
    if (error instanceof StanzaError) {
      this.#settle(open, error.replyTo(iq));
      return;
    }
    this.#settle(open, errorReply(iq, 'internal-server-error'));
    this.#parts.status.onHandlerError(error, `answer ${described(iq)}`);
  }

  /** Answers a request that nobody answered: a ping with a result, others with an error (RFC 6120 §8.2.3, §8.4). */
  #refuse(open: OpenRequest): void {
    if (open.later || !this.#requests.has(open)) return;
    const { iq } = open;
    const type = iq.getAttribute('type');
    const known = type === 'get' || type === 'set';
    const answer = isPing(iq) ? reply(iq) : errorReply(iq, known ? 'service-unavailable' : 'bad-request');
    if (this.#settle(open, answer, true)) this.#requests.remember(open);
  }

  /**
   * Sends the answer, unless there is one already; without a link it waits for the session to be resumed.
   * @param isOwn whether it is one that nobody wrote
   * @returns whether it went out
   */
  #settle(open: OpenRequest, answer: Element, isOwn = false): boolean {
    if (!this.#requests.has(open)) return false;
    if (!this.#isReady) {
      open.answer ??= answer;
      return false;
    }
    this.#requests.take(open);
    return isOwn ? this.#sendOwn(open, open.answer ?? answer) : this.#send(open, open.answer ?? answer) !== null;
  }

  /** @returns null if it does not go out */
  #send(open: OpenRequest, answer: Element): Ticket | null {
    if (!this.#isReady) return null;
    try {
      return this.#parts.outbox.output(answer);
    } catch (err) {
      this.#parts.logger.warn({ err, id: open.id, from: open.from }, 'an iq request could not be answered');
      return null;
    }
  }

  /** Sends an answer that nobody wrote, if those that were not read yet leave room for it. @returns whether it went out */
  #sendOwn(open: OpenRequest, answer: Element): boolean {
    const share = (this.#share ??= new Share(this.#parts.config.queue.maxBytes / PART));
    if (share.isFull) {
      this.#warnOfSilence(open);
      return false;
    }
    const ticket = this.#send(open, answer);
    if (ticket !== null) share.add(ticket);
    return ticket !== null;
  }

  #warnOfSilence({ id, from }: OpenRequest): void {
    this.#unanswered += 1;
    const now = performance.now();
    if (now - this.#warnedAt < WARNING_MS) return;
    this.#warnedAt = now;
    this.#parts.logger.warn(
      { id, from, count: this.#unanswered },
      'iq requests get no answer: a quarter of the queue (queue.maxBytes) is taken by answers that the server does not read',
    );
    this.#unanswered = 0;
  }
}

const keyOf = (type: string, namespace: string, name: string | null): string => `${type} ${name ?? '*'} ${namespace}`;

function isPing(iq: Element): boolean {
  return iq.getAttribute('type') === 'get' && iq.getChild('ping', NS.PING) !== null;
}

function isPromise<T>(value: T | Promise<T>): value is Promise<T> {
  return typeof value === 'object' && value !== null && 'then' in value;
}

/** A request that a handler was found for. */
function described(iq: Element): string {
  const { localName, namespaceURI } = iq.firstElementChild as Element;
  return `${iq.getAttribute('type') as string} <${localName} xmlns='${namespaceURI as string}'>`;
}
