// Sending requests: RFC 6120 §8.2.3.
import { duration, signal } from '../arguments/checks.js';
import { readOptions, type OptionTable } from '../arguments/options.js';
import { ended, REQUEST, traced, type RequestTrace } from '../channels.js';
import { BrokerError, usageError } from '../errors.js';
import type { BrokerState } from '../lifecycle/state.js';
import type { Logger } from '../logger.js';
import type { BrokerConfig } from '../options/options.js';
import type { Outbox } from './outbox.js';
import type { PendingRequest, PendingRequests } from '../requests/pending-requests.js';
import { StanzaError } from '../stanza/stanza-error.js';
import type { Status } from './status.js';
import { xml } from '../xml/builder.js';
import type { Element } from '../xml/element.js';
import { NS } from '../xml/namespaces.js';

/** Options of one request. */
export interface RequestOptions {
  /**
   * Milliseconds until the request fails, counted from the call. Default `timeouts.request`: from the call while ready, else
   * from when it is written.
   */
  timeout?: number | undefined;
  /** Gives up waiting; the answer is then an ordinary stanza. Default none. */
  signal?: AbortSignal | undefined;
}

const OPTIONS: OptionTable<RequestOptions> = { checks: { timeout: duration, signal } };

/** What the requester works with. */
export interface RequesterParts {
  readonly config: BrokerConfig;
  readonly lifecycle: { readonly state: BrokerState; readonly link: { requestBegan(): void } | null };
  readonly status: Status;
  readonly requests: PendingRequests;
  readonly outbox: Outbox;
  readonly logger: Logger;
}

/** Sends requests and hands their outcome to whoever asked: as an event, or as a promise. */
export class Requester {
  readonly #parts: RequesterParts;

  constructor(parts: RequesterParts) {
    this.#parts = parts;
  }

  /** Publishes the answer once under `event`. @throws BrokerError; nothing was accepted then */
  underEvent(event: string, stanza: Element): PendingRequest {
    const { status, logger } = this.#parts;
    const publication = status.bus.share(event);
    try {
      return this.#ask(stanza, event, undefined, undefined, (outcome, request) => {
        if (outcome instanceof BrokerError) {
          this.#failed(outcome, request);
        } else {
          if (publication.fire(outcome) === 0) {
            logger.warn(
              { event, id: request.id },
              'the answer of a request arrived and nobody is subscribed to its event',
            );
          }
          status.publish('PCJ_RTS_FINISH', outcome);
        }
        publication.rescind();
      });
    } catch (error) {
      publication.rescind();
      throw error;
    }
  }

  /** Resolves with the result, rejects with a StanzaError for an error, else with a BrokerError. */
  asPromise(stanza: Element, options: RequestOptions): Promise<Element> {
    const { status, requests } = this.#parts;
    return new Promise<Element>((resolve, reject) => {
      const { timeout, signal } = readOptions('USAGE_REQUEST', 'request()', options, OPTIONS);
      if (signal?.aborted === true) throw aborted(signal, 'no');
      let asked: PendingRequest | null = null;
      let isOver = false;
      const onAbort = () => {
        if (asked === null || signal === undefined) return;
        requests.fail(asked, aborted(signal, asked.ticket.state === 'queued' ? 'no' : 'maybe'));
      };
      asked = this.#ask(stanza, null, timeout, signal, (outcome, request) => {
        isOver = true;
        signal?.removeEventListener('abort', onAbort);
        if (outcome instanceof BrokerError) {
          reject(outcome);
          this.#failed(outcome, request);
          return;
        }
        if (outcome.getAttribute('type') === 'error') reject(new StanzaError(outcome));
        else resolve(outcome);
        status.publish('PCJ_RTS_FINISH', outcome);
      });
      // An event of the request itself may have brought the abort, or another end.
      if (isAborted(signal)) onAbort();
      else if (!(isOver as boolean)) signal?.addEventListener('abort', onAbort, { once: true });
    });
  }

  /** Asks a server for a sign of life (XEP-0199). The answer, or an error, only has to arrive. */
  ping(to: string): void {
    const { requests, outbox, logger } = this.#parts;
    const ping = xml('ping', { xmlns: NS.PING });
    const stanza = xml('iq', { type: 'get', id: requests.freeId(null), to }, ping);
    let asked: PendingRequest | null = null;
    try {
      const ticket = outbox.ticket(stanza);
      asked = requests.add(stanza, ticket, { event: null, timeoutMs: undefined, settle: () => undefined });
      outbox.accept(ticket, stanza);
    } catch (error) {
      if (asked !== null) requests.fail(asked, error as BrokerError);
      logger.warn({ err: error }, 'the server could not be pinged');
    }
  }

  #ask(
    given: Element,
    event: string | null,
    timeoutMs: number | undefined,
    signal: AbortSignal | undefined,
    settle: (outcome: Element | BrokerError, request: PendingRequest) => void,
  ): PendingRequest {
    const { config, status, requests, outbox, lifecycle } = this.#parts;
    const type = given.getAttribute('type');
    if (type === 'error' || type === 'result') {
      throw usageError(
        'USAGE_REQUEST',
        `<${given.nodeName}/> of type ${type} gets no answer; a request is an iq of type get or set, a message or a presence`,
      );
    }
    const own = given.getAttribute('id');
    const id = requests.freeId(own);
    let stanza = given;
    if (id !== own) {
      // The caller's node stays as it is.
      stanza = given.clone();
      stanza.setAttribute('id', id);
    }
    stanza = outbox.prepare(stanza);
    const ticket = outbox.ticket(stanza);
    const limitMs = timeoutMs ?? (lifecycle.state === 'ready' ? config.timeouts.request : undefined);
    let end: BrokerError | null = null;
    const trace = REQUEST.start.hasSubscribers ? traceOf(stanza, event, status.subject) : null;
    const request = requests.add(stanza, ticket, {
      event,
      timeoutMs: limitMs,
      settle: (outcome, ended) => {
        if (outcome instanceof BrokerError) end = outcome;
        if (trace !== null) traceEnd(trace, outcome);
        settle(outcome, ended);
      },
    });
    lifecycle.link?.requestBegan();
    if (trace !== null) traceStart(trace);
    status.publish('PCJ_RTS_START', stanza);
    if (signal?.aborted === true) requests.fail(request, aborted(signal, 'no'));
    const endedAtOnce = end as BrokerError | null;
    if (endedAtOnce !== null) {
      ticket.markFailed(endedAtOnce);
      return request;
    }
    try {
      outbox.accept(ticket, stanza);
    } catch (error) {
      // Whatever the dialect may throw is a BrokerError by now.
      ticket.markFailed(error as BrokerError);
      requests.fail(request, error as BrokerError);
      throw error;
    }
    return request;
  }

  #failed(error: BrokerError, { ticket }: PendingRequest): void {
    // Nobody waits for the answer any more, so a stanza that was not written is not sent later.
    if (this.#parts.outbox.withdraw(ticket)) ticket.markFailed(error);
    else ticket.expectNoAck();
    this.#parts.status.publish('PCJ_RTS_FAIL', Object.assign(error, { ticket }));
  }
}

/** Asked anew behind events, in which it may have changed. */
function isAborted(signal: AbortSignal | undefined): boolean {
  return signal?.aborted === true;
}

function aborted(signal: AbortSignal, sent: 'no' | 'maybe'): BrokerError {
  return new BrokerError('RTS_ABORTED', 'the abort signal ended the waiting for an answer', {
    layer: 'rts',
    sent,
    cause: signal.reason,
  });
}

function traceOf(stanza: Element, event: string | null, broker: object | undefined): RequestTrace {
  const payload = stanza.firstElementChild;
  return {
    broker,
    goesOn: true,
    id: stanza.getAttribute('id') ?? '',
    name: stanza.localName,
    payload: payload?.localName ?? null,
    namespace: payload?.namespaceURI ?? null,
    to: stanza.getAttribute('to'),
    event,
  };
}

function traceStart(trace: RequestTrace): void {
  traced(REQUEST, trace, () => undefined);
}

function traceEnd(trace: RequestTrace, outcome: Element | BrokerError): void {
  const failed = outcome instanceof BrokerError;
  if (failed || outcome.getAttribute('type') === 'error') {
    trace.error = failed ? outcome : new StanzaError(outcome);
    REQUEST.error.publish(trace);
  }
  ended(REQUEST, trace);
}
