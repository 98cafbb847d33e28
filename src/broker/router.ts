import { BrokerError } from '../errors.js';
import type { BrokerFilters } from './broker-filters.js';
import type { JID } from '../jid/jid.js';
import type { Logger } from '../logger.js';
import type { BrokerConfig } from '../options/options.js';
import type { PendingRequests } from '../requests/pending-requests.js';
import type { Status } from './status.js';
import type { UnansweredRequests } from '../requests/unanswered-requests.js';
import type { Element } from '../xml/element.js';
import { NS } from '../xml/namespaces.js';
import { errorReply, reply } from '../stanza/replies.js';

/** What the router works with. */
export interface RouterHost {
  readonly config: BrokerConfig;
  readonly status: Status;
  readonly requests: PendingRequests;
  readonly filters: BrokerFilters;
  readonly unanswered: UnansweredRequests;
  readonly logger: Logger;
  /** Our own address. */
  readonly jid: JID | null;
  /** Whether stanzas may be sent. */
  readonly isReady: boolean;
  output(stanza: Element): void;
}

/** Shortest time between two warnings about answers from the wrong address, in milliseconds. */
const SPOOF_WARNING_MS = 1_000;

/**
 * What happens to one inbound stanza: a pending request takes it, or every filter sees it in order, then
 * PCJ_NODERECEIVED; and an iq request that nobody answers is answered with an error, if that is wanted.
 */
export class Router {
  readonly #host: RouterHost;
  readonly #addressing: 'account' | 'domain';
  #spoofWarningAt = Number.NEGATIVE_INFINITY;

  constructor(host: RouterHost) {
    this.#host = host;
    this.#addressing = host.config.connectionType.addressing ?? 'account';
  }

  deliver(stanza: Element): void {
    const { config, status, requests, filters, unanswered } = this.#host;
    const match = requests.match(stanza, { jid: this.#host.jid, addressing: this.#addressing });
    if (match.kind === 'answer') {
      match.request.ticket.markAcked();
      match.deliver();
      return;
    }
    if (match.kind !== 'none') this.#suspicious(stanza, match.kind);
    const pending: Promise<void>[] | undefined = config.answerRequests && isRequest(stanza) ? [] : undefined;
    if (pending !== undefined) unanswered.arrived(stanza);
    filters.deliver(stanza, pending);
    status.publish('PCJ_NODERECEIVED', stanza, pending);
    if (pending === undefined) return;
    if (pending.length === 0) this.#answer(stanza);
    else void Promise.allSettled(pending).then(() => this.#answer(stanza));
  }

  /** Warns of an answer that is none: from the wrong address, or too late. It is delivered as an ordinary stanza. */
  #suspicious(stanza: Element, kind: 'spoof' | 'late'): void {
    const id = JSON.stringify(stanza.getAttribute('id'));
    const facts = { layer: 'rts', origin: 'peer', phase: 'ready' } as const;
    if (kind === 'late') {
      const text = `the answer to request ${id} came after its time limit; it is delivered as an ordinary stanza`;
      this.#host.status.publish('PCJ_PROTOCOLERROR', new BrokerError('RTS_LATE', text, facts));
      return;
    }
    const now = performance.now();
    if (now - this.#spoofWarningAt < SPOOF_WARNING_MS) return;
    this.#spoofWarningAt = now;
    const from = JSON.stringify(stanza.getAttribute('from'));
    const text = `a stanza with the id ${id} of a pending request came from ${from}, who was not asked; it is delivered as an ordinary stanza`;
    this.#host.status.publish('PCJ_PROTOCOLERROR', new BrokerError('RTS_SPOOF_SUSPECT', text, facts));
  }

  /** Answers an iq that nobody answered: a ping with a result, others with an error (RFC 6120 §8.2.3, §8.4). */
  #answer(iq: Element): void {
    const { unanswered, logger } = this.#host;
    if (!unanswered.take(iq) || !this.#host.isReady) return;
    const type = iq.getAttribute('type');
    const known = type === 'get' || type === 'set';
    const ping = type === 'get' && iq.getChild('ping', NS.PING) !== null;
    try {
      this.#host.output(ping ? reply(iq) : errorReply(iq, known ? 'service-unavailable' : 'bad-request'));
    } catch (error) {
      logger.warn({ error }, 'an unanswered iq could not be answered');
    }
  }
}

function isRequest(stanza: Element): boolean {
  if (stanza.localName !== 'iq') return false;
  const type = stanza.getAttribute('type');
  return type !== 'result' && type !== 'error';
}
