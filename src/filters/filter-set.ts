import { BrokerError, printable, usageError } from '../errors.js';
import type { Element } from '../xml/element.js';
import { CONTENT_NAMESPACES } from '../xml/namespaces.js';
import type { Filter, FilterCounters, FilterMatch, FilterOptions, FilterState } from './filter.js';
import { compileMatcher, type Matcher } from './matcher.js';
import type { MatchedNode } from './node.js';
import { BudgetExceeded, Run } from './run.js';
import { parseExpression } from './syntax.js';
import { bindings, translate } from './translate.js';

/** Default for {@link FilterSetOptions.visits}: enough to walk once over the largest stanza the default limits allow. */
export const DEFAULT_FILTER_VISITS = 50_000;
/** Default for {@link FilterSetOptions.strikes}. */
export const DEFAULT_FILTER_STRIKES = 5;
/** After so many evaluations within the budget one strike is forgiven. */
export const EVALUATIONS_PER_PARDON = 1000;

export interface FilterSetOptions {
  /** Namespaces that are no namespace to an expression, in addition to {@link CONTENT_NAMESPACES}. */
  contentNamespaces?: readonly string[];
  /** Node visits that one filter may cost for one stanza; handling 32 characters of text counts as one visit. */
  visits?: number;
  /** How often a filter may exceed its budget before it is set aside; one is forgiven after 1,000 good evaluations. */
  strikes?: number;
  /** Told about every filter that was removed, once. */
  onRemove?: (filter: Filter) => void;
}

/** What happened to a filter that has something to say about a stanza. */
interface Outcome {
  entry: Entry;
  nodes: readonly MatchedNode[] | null;
  errors: readonly BrokerError[];
}

const NO_ERRORS: readonly BrokerError[] = [];

/** The XPath filters of a broker, in the order they were added. Duplicates and overlaps are fine. */
export class FilterSet {
  readonly #entries = new Set<Entry>();
  readonly #byEvent = new Map<string, Set<Entry>>();
  readonly #contentNamespaces: readonly string[];
  readonly #run: Run;
  readonly #visits: number;
  readonly #strikes: number;
  readonly #onRemove: ((filter: Filter) => void) | undefined;

  constructor(options: FilterSetOptions = {}) {
    this.#contentNamespaces = [...new Set([...CONTENT_NAMESPACES, ...(options.contentNamespaces ?? [])])];
    this.#run = new Run(this.#contentNamespaces);
    this.#visits = options.visits ?? DEFAULT_FILTER_VISITS;
    this.#strikes = options.strikes ?? DEFAULT_FILTER_STRIKES;
    this.#onRemove = options.onRemove;
  }

  /** Number of filters, those that were set aside included. */
  get size(): number {
    return this.#entries.size;
  }

  /** The filters in the order they were added. */
  [Symbol.iterator](): IterableIterator<Filter> {
    return this.#entries.values();
  }

  /**
   * Adds a filter; it sees the next stanza and those behind it.
   *
   * @param event - what matches are published under; any text
   * @param expression - XPath 1.0, at most 8,192 characters with at most 64 brackets open at once
   * @throws BrokerError with the place in `offset`: `USAGE_XPATH_SYNTAX`, `USAGE_XPATH_PREFIX`, `USAGE_XPATH_VARIABLE`,
   * `USAGE_XPATH_FUNCTION`, `USAGE_XPATH_TYPE`, `USAGE_XPATH_LIMIT`; `USAGE_FILTER` for arguments of a wrong type
   */
  add(event: string, expression: string, options: FilterOptions = {}): Filter {
    checkArguments(event, expression, options);
    const expr = translate(parseExpression(expression), bindings(options.namespaces, options.variables));
    const entry = new Entry(event, expression, compileMatcher(expr, this.#contentNamespaces), (removed) => {
      this.#removed(removed);
    });
    this.#entries.add(entry);
    const group = this.#byEvent.get(event);
    if (group === undefined) this.#byEvent.set(event, new Set([entry]));
    else group.add(entry);
    return entry;
  }

  /** Removes every filter of an event and tells how many there were. */
  remove(event: string): number {
    const group = [...(this.#byEvent.get(event) ?? [])];
    for (const entry of group) entry.remove();
    return group.length;
  }

  /** Removes every filter. */
  clear(): void {
    for (const entry of [...this.#entries]) entry.remove();
  }

  /**
   * Runs every filter on a stanza, then calls `visit` for each match and `onError` for each fault, in the order the
   * filters were added. Everything is evaluated before the first call, so what the callbacks do to the stanza or to the
   * filters cannot change what matches: a filter removed by a callback is silent at once, one that is added sees the
   * next stanza, and a callback may call `match` for another stanza. What a callback throws ends the calls.
   */
  match(
    stanza: Element,
    visit: (filter: Filter, match: FilterMatch) => void,
    onError: (filter: Filter, error: BrokerError) => void,
  ): void {
    const outcomes = this.#evaluate(stanza);
    if (outcomes === null) return;
    for (const { entry, nodes, errors } of outcomes) {
      if (nodes !== null && entry.state !== 'removed') {
        visit(entry, { expression: entry.expression, nodes, node: stanza });
      }
      for (const error of errors) if (entry.state !== 'removed') onError(entry, error);
    }
  }

  #evaluate(stanza: Element): Outcome[] | null {
    const run = this.#run;
    let outcomes: Outcome[] | null = null;
    for (const entry of this.#entries) {
      if (entry.state !== 'active') continue;
      run.begin(stanza, this.#visits);
      entry.counters.evaluated += 1;
      try {
        const nodes = entry.evaluate(run);
        if (nodes !== null) {
          entry.counters.matched += 1;
          (outcomes ??= []).push({ entry, nodes, errors: NO_ERRORS });
        }
      } catch (cause) {
        (outcomes ??= []).push({ entry, nodes: null, errors: this.#strike(entry, cause) });
      }
    }
    run.end();
    return outcomes;
  }

  #strike(entry: Entry, cause: unknown): BrokerError[] {
    const { counters } = entry;
    const name = `the filter for "${printable(entry.event, 80)}", ${printable(entry.expression, 200)},`;
    const errors: BrokerError[] = [];
    if (cause instanceof BudgetExceeded) {
      counters.overruns += 1;
      const what = `${name} costs more than the ${this.#visits} node visits allowed for one stanza; it was given up for this one. Make the expression narrower, or raise the limit`;
      errors.push(new BrokerError('FILTER_BUDGET', what, { layer: 'filter' }));
    } else {
      errors.push(new BrokerError('FILTER_FAILED', `${name} could not be evaluated`, { layer: 'filter', cause }));
    }
    if (entry.strike() >= this.#strikes) {
      entry.setAside();
      const what = `${name} failed ${this.#strikes} times and is set aside: it is not evaluated until reinstate() is called`;
      errors.push(new BrokerError('FILTER_SET_ASIDE', what, { layer: 'filter' }));
    }
    return errors;
  }

  #removed(entry: Entry): void {
    this.#entries.delete(entry);
    const group = this.#byEvent.get(entry.event);
    group?.delete(entry);
    if (group?.size === 0) this.#byEvent.delete(entry.event);
    this.#onRemove?.(entry);
  }
}

/** A filter in a set. */
class Entry implements Filter {
  state: FilterState = 'active';
  readonly counters: FilterCounters = { evaluated: 0, matched: 0, overruns: 0 };
  #strikes = 0;
  /** `counters.evaluated` when the last strike came or was forgiven. */
  #since = 0;

  constructor(
    readonly event: string,
    readonly expression: string,
    readonly evaluate: Matcher,
    private readonly onRemove: (entry: Entry) => void,
  ) {}

  remove(): void {
    if (this.state === 'removed') return;
    this.state = 'removed';
    this.onRemove(this);
  }

  [Symbol.dispose](): void {
    this.remove();
  }

  reinstate(): void {
    if (this.state !== 'set-aside') return;
    this.state = 'active';
    this.#strikes = 0;
  }

  setAside(): void {
    this.state = 'set-aside';
  }

  /** Counts a failed evaluation and tells how many there are that are not forgiven. */
  strike(): number {
    const pardons = Math.floor((this.counters.evaluated - this.#since) / EVALUATIONS_PER_PARDON);
    this.#strikes = Math.max(0, this.#strikes - pardons) + 1;
    this.#since = this.counters.evaluated;
    return this.#strikes;
  }
}

function checkArguments(event: unknown, expression: unknown, options: unknown): void {
  if (typeof event !== 'string')
    throw usageError('USAGE_FILTER', `the event of a filter is a string, not ${kind(event)}`);
  if (typeof expression !== 'string') {
    throw usageError('USAGE_FILTER', `the expression of a filter is a string, not ${kind(expression)}`);
  }
  checkRecord('the options of a filter', options);
  for (const [key, value] of Object.entries(options as object) as [string, unknown][]) {
    if (key !== 'namespaces' && key !== 'variables') {
      const what = `a filter has no option "${printable(key, 80)}"; there are "namespaces" and "variables"`;
      throw usageError('USAGE_FILTER', what);
    }
    if (value !== undefined) checkRecord(`the option "${key}" of a filter`, value);
  }
}

function checkRecord(what: string, value: unknown): void {
  if (typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Map)) return;
  throw usageError('USAGE_FILTER', `${what} is an object with names and values, not ${kind(value)}`);
}

function kind(value: unknown): string {
  return value === null ? 'null' : Array.isArray(value) ? 'an array' : value instanceof Map ? 'a Map' : typeof value;
}

export type { Filter, FilterCounters, FilterMatch, FilterOptions, FilterState } from './filter.js';
