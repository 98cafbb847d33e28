import { BrokerError } from '../errors.js';
import type { Answerer } from './answerer.js';
import type { BrokerFilters } from './broker-filters.js';
import type { OwnIdentity } from './identity.js';
import type { PendingRequests } from '../requests/pending-requests.js';
import { Unevaluated, type Found } from '../filters/found.js';
import { Undelivered, type Delivered } from '../link/delivery.js';
import type { Status } from './status.js';
import type { Element } from '../xml/element.js';

/** What the router works with. */
export interface RouterParts {
  readonly config: { readonly acknowledge: 'delivered' | 'settled' };
  readonly status: Status;
  readonly identity: OwnIdentity;
  readonly requests: PendingRequests;
  readonly filters: BrokerFilters;
  readonly answerer: Answerer;
}

/** Shortest time between two warnings about answers from the wrong address, in milliseconds. */
const SPOOF_WARNING_MS = 1_000;

/**
 * What happens to one inbound stanza: a pending request takes it, or every filter sees it in order, then
 * PCJ_NODERECEIVED; and whoever has to answer an iq request.
 */
export class Router {
  readonly #parts: RouterParts;
  #spoofWarningAt = Number.NEGATIVE_INFINITY;

  constructor(parts: RouterParts) {
    this.#parts = parts;
  }

  deliver(stanza: Element): Delivered {
    const { identity, requests, filters } = this.#parts;
    const match = requests.match(stanza, identity);
    if (match.kind === 'answer') {
      match.request.ticket.markAcked();
      match.deliver();
      return null;
    }
    if (match.kind !== 'none') this.#suspicious(stanza, match.kind);
    const found = filters.find(stanza);
    return found instanceof Unevaluated ? this.#later(stanza, found) : this.#handOn(stanza, found);
  }

  #later(stanza: Element, begun: Unevaluated): Undelivered {
    return new Undelivered(() => {
      const found = this.#parts.filters.findMore(begun);
      return found instanceof Unevaluated ? this.#later(stanza, found) : this.#handOn(stanza, found);
    });
  }

  #handOn(stanza: Element, found: Found): Promise<void> | null {
    const { config, status, filters, answerer } = this.#parts;
    const open = isRequest(stanza) ? answerer.arrived(stanza) : null;
    const settles = config.acknowledge === 'settled';
    const pending: Promise<void>[] | undefined = open === null && !settles ? undefined : [];
    if (found !== null) filters.deliver(stanza, found, pending);
    status.publish('PCJ_NODERECEIVED', stanza, pending);
    if (pending === undefined) return null;
    const answered = open === null ? null : answerer.delivered(open, pending);
    if (!settles || (pending.length === 0 && answered === null)) return null;
    return Promise.allSettled([...pending, answered]).then(() => undefined);
  }

  /** Warns of an answer that is none: from the wrong address, or too late. It is delivered as an ordinary stanza. */
  #suspicious(stanza: Element, kind: 'spoof' | 'late'): void {
    const id = JSON.stringify(stanza.getAttribute('id'));
    const facts = { layer: 'rts', origin: 'peer', phase: 'ready' } as const;
    if (kind === 'late') {
      const text = `the answer to request ${id} came after its time limit; it is delivered as an ordinary stanza`;
      this.#parts.status.publish('PCJ_PROTOCOLERROR', new BrokerError('RTS_LATE', text, facts));
      return;
    }
    const now = performance.now();
    if (now - this.#spoofWarningAt < SPOOF_WARNING_MS) return;
    this.#spoofWarningAt = now;
    const from = JSON.stringify(stanza.getAttribute('from'));
    const text = `a stanza with the id ${id} of a pending request came from ${from}, who was not asked; it is delivered as an ordinary stanza`;
    this.#parts.status.publish('PCJ_PROTOCOLERROR', new BrokerError('RTS_SPOOF_SUSPECT', text, facts));
  }
}

function isRequest(stanza: Element): boolean {
  if (stanza.localName !== 'iq') return false;
  const type = stanza.getAttribute('type');
  return type !== 'result' && type !== 'error';
}
