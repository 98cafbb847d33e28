import { readOptions } from '../arguments/options.js';
import { nearest } from '../arguments/suggestion.js';
import { kindOf } from '../arguments/values.js';
import { BrokerError, printable, usageError } from '../errors.js';
import type { Element } from '../xml/element.js';
import { CONTENT_NAMESPACES } from '../xml/namespaces.js';
import { doubtsOf } from './advice/doubts.js';
import { WhyNot } from './advice/why-not.js';
import { Candidates } from './index/bucket.js';
import { describe, distinct, frequency, type Keys } from './index/condition.js';
import { decidingName } from './index/decided-by-name.js';
import { cheapest, derive, type Derived } from './index/derive.js';
import { Entry, putInOrder } from './entry.js';
import type { Expr } from './xpath/expression.js';
import { FilterIndex } from './index/filter-index.js';
import {
  FILTER_OPTIONS,
  type Explanation,
  type Filter,
  type FilterMatch,
  type FilterOptions,
  type FilterTest,
} from './filter.js';
import { compileMatcher, type Matcher, nameMatcher } from './xpath/matcher.js';
import { Unevaluated, type Found, type Outcome } from './found.js';
import type { MatchedNode } from './xpath/node.js';
import { BudgetExceeded, Run } from './xpath/run.js';
import { parseExpression } from './xpath/syntax.js';
import { bindings, translate } from './xpath/translate.js';

/** Default for {@link FilterSetOptions.visits}: enough to walk once over the largest stanza the default limits allow. */
export const DEFAULT_FILTER_VISITS = 50_000;
/** Default for {@link FilterSetOptions.strikes}. */
const DEFAULT_FILTER_STRIKES = 5;

/** One of so many evaluations is timed. A prime, so that it is not always the same filter's. */
const TIMED_EVERY = 61;

/**
 * Of how many among 1,000 stanzas a filter may be a candidate, and how many others may be with it, for its expression to
 * be compiled only when it is one. The others are compiled when they are added, lest a stanza has to wait for many.
 */
const RARE = { stanzas: 15, filters: 50 };

export interface FilterSetOptions {
  /** Namespaces that are no namespace to an expression, in addition to {@link CONTENT_NAMESPACES}. */
  contentNamespaces?: readonly string[];
  /** Node visits that one filter may cost for one stanza; handling 32 characters of text counts as one visit. */
  visits?: number;
  /** How often a filter may exceed its budget before it is set aside; one is forgiven after 1,000 evaluations. */
  strikes?: number;
  /** Whether to look up which filters a stanza may match; without, each is evaluated for each stanza. Default true. */
  index?: boolean;
  /** Told about every filter that was removed, once. */
  onRemove?: (filter: Filter) => void;
}

/** Node visits for one stanza behind which the filters that are left wait for another turn of the event loop. */
const VISITS_PER_TURN = 10_000;

/** So many names of stanzas have a shared matcher. */
const NAMES_SHARED = 16;

const NO_ERRORS: readonly BrokerError[] = [];
const NOTHING_COUNTED = { evaluated: 0, matched: 0, overruns: 0, milliseconds: 0 };

/**
 * The XPath filters of a broker, in the order they were added. Duplicates and overlaps are fine. From each expression
 * is derived what must hold for it to match; for a stanza only the filters are evaluated for which it holds, so what a
 * stanza costs depends on what may match it and not on how many filters there are.
 */
export class FilterSet {
  readonly #entries = new Set<Entry>();
  /** Most events have one filter, and a set for it would be the largest part of what the filter takes. */
  readonly #byEvent = new Map<string, Entry | Set<Entry>>();
  readonly #contentNamespaces: readonly string[];
  readonly #index: FilterIndex<Entry>;
  readonly #indexed: boolean;
  /** Filters that are filed under nothing. */
  readonly #always = new Set<Entry>();
  /** The filters for one name of stanzas share a matcher if they ask for nothing else that is not looked up. */
  readonly #byName = new Map<string, Matcher>();
  readonly #gathered = new Candidates<Entry>();
  /** The stanza whose search for filters is not done. There is one at most, because the search has a place for one. */
  #searching: Unevaluated | null = null;
  readonly #run: Run;
  readonly #visits: number;
  readonly #strikes: number;
  readonly #onRemove: ((filter: Filter) => void) | undefined;
  #added = 0;
  #evaluations = 0;

  constructor(options: FilterSetOptions = {}) {
    this.#contentNamespaces = [...new Set([...CONTENT_NAMESPACES, ...(options.contentNamespaces ?? [])])];
    this.#run = new Run(this.#contentNamespaces);
    this.#index = new FilterIndex(this.#contentNamespaces);
    this.#indexed = options.index ?? true;
    this.#visits = Math.min(options.visits ?? DEFAULT_FILTER_VISITS, Number.MAX_SAFE_INTEGER);
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
    checkText('filters.add()', 'the event', event);
    checkText('filters.add()', 'the expression', expression);
    const given = readOptions('USAGE_FILTER', 'filters.add()', options, FILTER_OPTIONS);
    const expr = understand(expression, given);
    const { keys, why } = this.#key(expr);
    const matcher = this.#isRare(keys) ? null : this.#matcherOf(expr, keys);
    this.#added += 1;
    const entry = new Entry(
      event,
      expression,
      this.#added,
      matcher,
      Object.keys(given).length === 0 ? NO_OPTIONS : given,
      keys,
      why,
      this.#gathered.stanza,
      this.#removed,
    );
    if (keys === null) this.#always.add(entry);
    else this.#index.add(keys, entry);
    this.#entries.add(entry);
    const others = this.#byEvent.get(event);
    if (others === undefined) this.#byEvent.set(event, entry);
    else if (others instanceof Entry) this.#byEvent.set(event, new Set([others, entry]));
    else others.add(entry);
    return entry;
  }

  /** Removes every filter of an event and tells how many there were. */
  remove(event: string): number {
    const known = this.#byEvent.get(event);
    if (known === undefined) return 0;
    const entries = known instanceof Entry ? [known] : [...known];
    for (const entry of entries) entry.remove();
    return entries.length;
  }

  /**
   * Runs the filters on a stanza, then calls `visit` for each match and `onError` for each fault, in the order the
   * filters were added. Everything is evaluated before the first call, so what the callbacks do to the stanza or to the
   * filters cannot change what matches: a filter removed by a callback is silent at once, one that is added sees the
   * next stanza, and a callback may call `match` for another stanza. What a callback throws ends the calls.
   */
  match(
    stanza: Element,
    visit: (filter: Filter, match: FilterMatch) => void,
    onError: (filter: Filter, error: BrokerError) => void,
  ): void {
    let found = this.find(stanza);
    while (found instanceof Unevaluated) found = this.findMore(found);
    this.tell(stanza, found, visit, onError);
  }

  /** Runs the filters on a stanza, or so many of them as one turn of the event loop bears. */
  find(stanza: Element): Found | Unevaluated {
    if (this.#searching !== null) this.#search(this.#searching, true);
    const gathered = this.#gathered;
    gathered.stanza += 1;
    const from = this.#index.gather(stanza, gathered);
    if (from !== null) return (this.#searching = new Unevaluated(stanza, from));
    for (const entry of this.#always) gathered.candidates.push(entry);
    if (gathered.candidates.length === 0) return null;
    putInOrder(gathered.candidates);
    const found = this.#evaluate(stanza, gathered.candidates, null);
    gathered.candidates.length = 0;
    return found;
  }

  /** The same with what is left. */
  findMore(begun: Unevaluated): Found | Unevaluated {
    if (begun.from === null) return this.#evaluate(begun.stanza, begun.left, begun.outcomes);
    this.#search(begun, false);
    return begun;
  }

  /** Searches on for the filters that a stanza may match: to the end, or for one turn. */
  #search(begun: Unevaluated, toTheEnd: boolean): void {
    const gathered = this.#gathered;
    do begun.from = this.#index.gather(begun.stanza, gathered, begun.from);
    while (toTheEnd && begun.from !== null);
    if (begun.from !== null) return;
    const candidates = gathered.candidates.splice(0);
    for (const entry of this.#always) candidates.push(entry);
    // What was added meanwhile sees the next stanza.
    begun.left = candidates.filter(({ addedAt }) => addedAt < gathered.stanza);
    putInOrder(begun.left);
    this.#searching = null;
  }

  /** The second half of {@link match}. */
  tell(
    stanza: Element,
    found: Found,
    visit: (filter: Filter, match: FilterMatch) => void,
    onError: (filter: Filter, error: BrokerError) => void,
  ): void {
    for (const { entry, nodes, errors } of found ?? []) {
      if (nodes !== null && !entry.gone) visit(entry, { expression: entry.expression, nodes, node: stanza });
      for (const error of errors) if (!entry.gone) onError(entry, error);
    }
  }

  /**
   * How the index treats the filters of an event, what can never match in them, and what they cost so far.
   * @throws BrokerError `USAGE_FILTER` if the event has no filter
   */
  explain(event: string): Explanation[] {
    checkText('filters.explain()', 'the event', event);
    const known = this.#byEvent.get(event);
    if (known === undefined) {
      const meant = nearest(event, [...this.#byEvent.keys()]);
      const hint =
        meant === undefined ? `${String(this.#byEvent.size)} other events have some` : `did you mean ${meant}?`;
      const text = `filters.explain(): no filter publishes "${printable(event, 80)}"; ${printable(hint, 200)}; explainExpression() takes an expression`;
      throw usageError('USAGE_FILTER', text);
    }
    return (known instanceof Entry ? [known] : [...known]).map((entry) => ({
      event,
      expression: entry.expression,
      state: entry.state,
      ...inWords(entry.keys, entry.why),
      warnings: this.#doubts(understand(entry.expression, entry.options)),
      counters: entry.counters,
      stanzas: this.#gathered.stanza - entry.addedAt,
    }));
  }

  /** The same of an expression, as if it were added now. @throws BrokerError as `add` */
  explainExpression(expression: string, options: FilterOptions = {}): Explanation {
    checkText('filters.explainExpression()', 'the expression', expression);
    const given = readOptions('USAGE_FILTER', 'filters.explainExpression()', options, FILTER_OPTIONS);
    const expr = understand(expression, given);
    const { keys, why } = this.#key(expr);
    const facts = { event: null, expression, state: 'not added', counters: NOTHING_COUNTED, stanzas: 0 } as const;
    return { ...facts, ...inWords(keys, why), warnings: this.#doubts(expr) };
  }

  /** Whether an expression matches a stanza, and why not. @throws BrokerError as `add` */
  test(expression: string, stanza: Element, options: FilterOptions = {}): FilterTest {
    checkText('filters.test()', 'the expression', expression);
    const given = readOptions('USAGE_FILTER', 'filters.test()', options, FILTER_OPTIONS);
    const expr = understand(expression, given);
    const warnings = this.#doubts(expr);
    try {
      // Not the run of the set: this may be called while that one is used.
      const run = new Run(this.#contentNamespaces);
      run.begin(stanza, this.#visits);
      const nodes = compileMatcher(expr, this.#contentNamespaces)(run);
      if (nodes !== null) return { matches: true, nodes, why: null, warnings };
      const why = new WhyNot(stanza, this.#contentNamespaces, this.#visits).of(expr);
      return { matches: false, nodes: [], why, warnings };
    } catch (error) {
      if (!(error instanceof BudgetExceeded)) throw error;
      const why = `it costs more than the ${String(this.#visits)} node visits allowed for one stanza`;
      return { matches: false, nodes: [], why, warnings };
    }
  }

  #doubts(expr: Expr): string[] {
    return doubtsOf(expr, this.#contentNamespaces);
  }

  /** What to file an expression under; null: nothing, because of `why`. */
  #key(expr: Expr): { keys: Keys | null; why: string } {
    if (!this.#indexed) return { keys: null, why: 'the index is switched off' };
    const cost = this.#index.cost.bind(this.#index);
    const { alternatives, why }: Derived = derive(expr, cost);
    const best = cheapest(alternatives, cost);
    return { keys: best === null ? null : distinct(best), why };
  }

  #evaluate(stanza: Element, candidates: readonly Entry[], before: Outcome[] | null): Found | Unevaluated {
    const run = this.#run;
    let outcomes = before;
    let spent = 0;
    for (let at = 0; at < candidates.length; at += 1) {
      const entry = candidates[at] as Entry;
      if (entry.state !== 'active') continue;
      if (spent > VISITS_PER_TURN) {
        run.end();
        return Unevaluated.behind(stanza, candidates.slice(at), outcomes);
      }
      const matcher = (entry.matcher ??= this.#matcherOf(understand(entry.expression, entry.options), entry.keys));
      run.begin(stanza, this.#visits);
      entry.evaluated += 1;
      this.#evaluations += 1;
      try {
        const nodes = this.#evaluations % TIMED_EVERY === 0 ? timed(entry, matcher, run) : matcher(run);
        if (nodes !== null) {
          entry.matched += 1;
          (outcomes ??= []).push({ entry, nodes, errors: NO_ERRORS });
        }
      } catch (cause) {
        (outcomes ??= []).push({ entry, nodes: null, errors: this.#strike(entry, cause) });
      }
      spent += this.#visits - run.left;
    }
    run.end();
    return outcomes;
  }

  /** Whether so few stanzas make a filter with those keys a candidate that its matcher can wait. */
  #isRare(keys: Keys | null): boolean {
    if (keys === null || keys.reduce((sum, condition) => sum + frequency(condition), 0) > RARE.stanzas) return false;
    return keys.every((condition) => this.#index.load(condition) < RARE.filters);
  }

  #matcherOf(expr: Expr, keys: Keys | null): Matcher {
    const name = decidingName(expr, keys);
    if (name === null) return compileMatcher(expr, this.#contentNamespaces);
    const key = JSON.stringify([name.localName, name.namespaceURI === undefined ? 'any' : [name.namespaceURI]]);
    let matcher = this.#byName.get(key);
    if (matcher === undefined) {
      matcher = nameMatcher(name, this.#contentNamespaces);
      if (this.#byName.size < NAMES_SHARED) this.#byName.set(key, matcher);
    }
    return matcher;
  }

  #strike(entry: Entry, cause: unknown): BrokerError[] {
    const name = `the filter for "${printable(entry.event, 80)}", ${printable(entry.expression, 200)},`;
    const errors: BrokerError[] = [];
    if (cause instanceof BudgetExceeded) {
      entry.overruns += 1;
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

  /** Called once for each entry, when it is gone. */
  readonly #removed = (entry: Entry): void => {
    this.#entries.delete(entry);
    if (entry.keys === null) this.#always.delete(entry);
    else this.#index.remove(entry.keys);
    const known = this.#byEvent.get(entry.event);
    if (known === entry) this.#byEvent.delete(entry.event);
    else if (known instanceof Set) {
      known.delete(entry);
      if (known.size === 0) this.#byEvent.delete(entry.event);
    }
    this.#onRemove?.(entry);
  };
}

function understand(expression: string, { namespaces, variables }: FilterOptions): Expr {
  return translate(parseExpression(expression), bindings(namespaces, variables));
}

const NO_OPTIONS: FilterOptions = Object.freeze({});

function timed(entry: Entry, matcher: Matcher, run: Run): readonly MatchedNode[] | null {
  const start = performance.now();
  try {
    return matcher(run);
  } finally {
    entry.milliseconds += performance.now() - start;
    entry.timed += 1;
  }
}

function inWords(keys: Keys | null, why: string): { keys: readonly string[] | null; reason: string } {
  if (keys === null) return { keys: null, reason: `evaluated for every stanza: ${why}` };
  if (keys.length === 0) return { keys: [], reason: 'never evaluated: no stanza can match' };
  return { keys: keys.map(describe), reason: 'evaluated only where one of the keys is true' };
}

function checkText(call: string, what: string, value: unknown): void {
  if (typeof value !== 'string')
    throw usageError('USAGE_FILTER', `${call}: ${what} must be a string, not ${kindOf(value)}`);
}
