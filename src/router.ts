import type { BrokerError } from './errors.js';
import type { FilterMatch } from './events.js';
import type { Filter, FilterSet } from './filters/filter-set.js';
import type { Match } from './requests.js';
import type { Element } from './xml/element.js';

/** What the router asks and tells. */
export interface RouterHost {
  match(stanza: Element): Match;
  answered(stanza: Element, match: Match & { kind: 'answer' }): void;
  suspicious(stanza: Element, match: Match & { kind: 'spoof' | 'late' }): void;
  /** Whether delivery was stopped (`halt`). */
  stopped(): boolean;
  /** Publishes under a filter's event; promises of handlers are added to `pending`. */
  matched(filter: Filter, match: FilterMatch, pending: Promise<void>[] | null): void;
  filterFailed(filter: Filter, error: BrokerError): void;
  /** An iq get or set arrived that nobody saw yet; only when `answers`. */
  arrived(iq: Element): void;
  /** Publishes PCJ_NODERECEIVED. */
  received(stanza: Element, pending: Promise<void>[] | null): void;
  /** An iq get or set was seen by everybody and their promises settled; nobody may have answered it. */
  seen(iq: Element): void;
  /** Whether unanswered iq requests are to be answered. */
  readonly answers: boolean;
}

/** What happens to one inbound stanza: a pending request, else every filter in order, then PCJ_NODERECEIVED. */
export class Router {
  readonly #host: RouterHost;
  readonly #filters: FilterSet;
  #pending: Promise<void>[] | null = null;
  readonly #onMatch: (filter: Filter, match: FilterMatch) => void;
  readonly #onError: (filter: Filter, error: BrokerError) => void;

  constructor(host: RouterHost, filters: FilterSet) {
    this.#host = host;
    this.#filters = filters;
    this.#onMatch = (filter, match) => {
      if (!host.stopped()) host.matched(filter, match, this.#pending);
    };
    this.#onError = (filter, error) => {
      if (!host.stopped()) host.filterFailed(filter, error);
    };
  }

  deliver(stanza: Element): void {
    const host = this.#host;
    const match = host.match(stanza);
    if (match.kind === 'answer') {
      host.answered(stanza, match);
      return;
    }
    if (match.kind !== 'none') host.suspicious(stanza, match);
    const asks = host.answers && isRequest(stanza);
    const pending: Promise<void>[] | null = asks ? [] : null;
    if (asks) host.arrived(stanza);
    this.#pending = pending;
    this.#filters.match(stanza, this.#onMatch, this.#onError);
    this.#pending = null;
    if (host.stopped()) return;
    host.received(stanza, pending);
    if (pending === null) return;
    if (pending.length === 0) host.seen(stanza);
    else void Promise.allSettled(pending).then(() => host.seen(stanza));
  }
}

function isRequest(stanza: Element): boolean {
  if (stanza.localName !== 'iq') return false;
  const type = stanza.getAttribute('type');
  return type !== 'result' && type !== 'error';
}
