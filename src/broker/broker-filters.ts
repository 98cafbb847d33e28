import { nearest } from '../arguments/suggestion.js';
import { kindOf } from '../arguments/values.js';
import { usageError, type BrokerError } from '../errors.js';
import type { Explanation, Filter, FilterMatch, FilterOptions, FilterTest } from '../filters/filter.js';
import { FilterSet } from '../filters/filter-set.js';
import type { Found, Unevaluated } from '../filters/found.js';
import type { StatusName } from '../events.js';
import type { BrokerConfig } from '../options/options.js';
import type { Free, NameFor } from '../pubsub/names.js';
import type { Publication } from '../pubsub/pubsub.js';
import { asStanza } from '../stanza/outbound.js';
import type { Status } from './status.js';
import type { Element } from '../xml/element.js';

/** What the filters work with. */
export interface FiltersParts {
  readonly config: BrokerConfig;
  readonly status: Status;
}

/** The event that filters publish, and how many do. */
interface Published {
  readonly publication: Publication<unknown>;
  filters: number;
  /** Whether a match was published. */
  used: boolean;
}

/**
 * The XPath filters of a broker. Each inbound stanza that no pending request took is matched against all of them, in
 * the order they were added; a match is published as a {@link FilterMatch} under the filter's event.
 */
export class BrokerFilters<MyEvents extends object = object> implements Iterable<Filter> {
  readonly #parts: FiltersParts;
  /** Made with the first filter: a thousand brokers without filters shall be cheap. */
  #set: FilterSet | null = null;
  #publications: Map<string, Published> | null = null;
  /** For how many events the log was told that nobody hears them. */
  #told = 0;
  /** Promises of the handlers of the stanza that is delivered now, when they matter. */
  #pending: Promise<void>[] | undefined;
  #onMatch: (filter: Filter, match: FilterMatch) => void = nobody;
  #onError: (filter: Filter, error: BrokerError) => void = nobody;

  /** @internal */
  constructor(parts: FiltersParts) {
    this.#parts = parts;
  }

  /** @internal */
  get set(): FilterSet {
    this.#set ??= this.#makeSet();
    return this.#set;
  }

  /** Number of filters. */
  get size(): number {
    return this.#set?.size ?? 0;
  }

  /**
   * Adds a filter: every stanza for which the XPath 1.0 expression is true is published under `event`. A filter added
   * inside a handler sees the next stanza first.
   * @throws BrokerError `USAGE_XPATH_*` with the position for a bad expression, `USAGE_EVENT_*` for the name,
   * `USAGE_FILTER` for options that are none
   */
  add<Name extends NameFor<MyEvents, FilterMatch>>(
    event: Free<Name, StatusName>,
    expression: string,
    options: FilterOptions = {},
  ): Filter {
    const publications = (this.#publications ??= new Map<string, Published>());
    const known = publications.get(event);
    const publication = known?.publication ?? this.#parts.status.bus.share(event);
    try {
      const filter = this.set.add(event, expression, options);
      if (known === undefined) publications.set(event, { publication, filters: 1, used: false });
      else known.filters += 1;
      return filter;
    } catch (error) {
      if (known === undefined) publication.rescind();
      throw error;
    }
  }

  /** Removes every filter of an event, at once also from inside a handler. Returns how many there were. @throws BrokerError `USAGE_FILTER` */
  // eslint-disable-next-line @typescript-eslint/no-unnecessary-type-parameters -- without it a Broker<Events> is no Broker
  remove<Name extends NameFor<MyEvents, FilterMatch>>(event: Name): number {
    if (typeof event !== 'string') {
      throw usageError('USAGE_FILTER', `the event of a filter is a string, not ${kindOf(event)}`);
    }
    return this.set.remove(event);
  }

  /**
   * How the index finds the filters of an event, what can never match in them, and what they did and cost so far.
   * @throws BrokerError `USAGE_FILTER` if the event has no filter
   */
  explain(event: string): Explanation[] {
    return this.set.explain(event);
  }

  /** The same of an expression, as if it were added now. @throws BrokerError as {@link add} for such an expression */
  explainExpression(expression: string, options: FilterOptions = {}): Explanation {
    return this.set.explainExpression(expression, options);
  }

  /**
   * Whether an expression matches a stanza, and why not. Nothing is added or published.
   * @param stanza - an element, an element of a DOM, or a string with exactly one element
   * @throws BrokerError as {@link add}, and `USAGE_NOT_ONE_STANZA`
   */
  test(expression: string, stanza: Element | object | string, options: FilterOptions = {}): FilterTest {
    return this.set.test(expression, asStanza(stanza, this.#parts.config.xmlns), options);
  }

  /** The filters in the order they were added. */
  [Symbol.iterator](): Iterator<Filter> {
    return this.set[Symbol.iterator]();
  }

  /** @internal What the filters have to say about a stanza, or so many of them as one turn of the event loop bears. */
  find(stanza: Element): Found | Unevaluated {
    return this.#set === null || this.#set.size === 0 ? null : this.#set.find(stanza);
  }

  /** @internal The same with what is left. */
  findMore(begun: Unevaluated): Found | Unevaluated {
    return this.set.findMore(begun);
  }

  /** @internal Publishes every match of a stanza, and what went wrong. Handlers' promises are added to `pending`. */
  deliver(stanza: Element, found: Found, pending: Promise<void>[] | undefined): void {
    this.#pending = pending;
    this.#set?.tell(stanza, found, this.#onMatch, this.#onError);
    this.#pending = undefined;
  }

  #makeSet(): FilterSet {
    const { config, status } = this.#parts;
    this.#onMatch = (filter, match) => {
      const published = this.#publications?.get(filter.event);
      if (published === undefined) return;
      const heard = published.publication.fire(match, this.#pending);
      if (published.used) return;
      published.used = true;
      if (heard === 0) this.#unheard(filter);
    };
    this.#onError = (filter, error) => {
      const { event, expression } = filter;
      status.publish('PCJ_FILTERERROR', Object.assign(error, { event, expression }));
    };
    return new FilterSet({
      contentNamespaces: [config.xmlns],
      visits: config.limits.filterVisits,
      onRemove: (filter) => {
        this.#removed(filter.event);
      },
    });
  }

  /** Tells once of an event that nobody is subscribed to when it comes for the first time. */
  #unheard({ event, expression }: Filter): void {
    if (this.#told >= MOST_TOLD) return;
    this.#told += 1;
    const { bus, log } = this.#parts.status;
    const heard = bus.listing().filter(({ event: name, subscribers }) => subscribers > 0 && !name.startsWith('PCJ_'));
    log.unheard(
      event,
      expression,
      nearest(
        event,
        heard.map(({ event: name }) => name),
      ),
    );
  }

  #removed(event: string): void {
    const known = this.#publications?.get(event);
    if (known === undefined) return;
    known.filters -= 1;
    if (known.filters > 0) return;
    this.#publications?.delete(event);
    known.publication.rescind();
  }
}

/** Of more events than this the log need not hear that nobody is subscribed to them. */
const MOST_TOLD = 20;

const nobody = (): void => undefined;
