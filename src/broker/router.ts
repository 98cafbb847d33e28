import { BrokerError } from '../errors.js';
import type { Answerer } from './answerer.js';
import type { BrokerFilters } from './broker-filters.js';
import type { JID } from '../jid/jid.js';
import type { BrokerConfig } from '../options/options.js';
import type { PendingRequests } from '../requests/pending-requests.js';
import type { Status } from './status.js';
import type { Element } from '../xml/element.js';

/** What the router works with. */
export interface RouterHost {
  readonly config: BrokerConfig;
  readonly status: Status;
  readonly requests: PendingRequests;
  readonly filters: BrokerFilters;
  readonly answerer: Answerer;
  /** Our own address. */
  readonly jid: JID | null;
}

/** Shortest time between two warnings about answers from the wrong address, in milliseconds. */
const SPOOF_WARNING_MS = 1_000;

/**
 * What happens to one inbound stanza: a pending request takes it, or every filter sees it in order, then
 * PCJ_NODERECEIVED; and whoever has to answer an iq request.
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
    const { status, requests, filters, answerer } = this.#host;
    const match = requests.match(stanza, { jid: this.#host.jid, addressing: this.#addressing });
    if (match.kind === 'answer') {
      match.request.ticket.markAcked();
      match.deliver();
      return;
    }
    if (match.kind !== 'none') this.#suspicious(stanza, match.kind);
    const open = isRequest(stanza) ? answerer.arrived(stanza) : null;
    const pending: Promise<void>[] | undefined = open === null ? undefined : [];
    filters.deliver(stanza, pending);
    status.publish('PCJ_NODERECEIVED', stanza, pending);
    if (open !== null && pending !== undefined) void answerer.delivered(open, pending);
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
}

function isRequest(stanza: Element): boolean {
  if (stanza.localName !== 'iq') return false;
  const type = stanza.getAttribute('type');
  return type !== 'result' && type !== 'error';
}
