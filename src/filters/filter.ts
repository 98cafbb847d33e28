import { anything } from '../arguments/checks.js';
import type { OptionTable } from '../arguments/options.js';
import type { Element } from '../xml/element.js';
import type { VariableValue } from './xpath/translate.js';
import type { MatchedNode } from './xpath/node.js';

/** What the names in an expression stand for. Only own properties count, so `__proto__` is a name like any other. */
export interface FilterOptions {
  /** Namespace by prefix. `xml` is always bound; names without a prefix are in no namespace. Default none. */
  namespaces?: Readonly<Record<string, string>> | undefined;
  /** Value by name, for `$name` in the expression: the way for text of others, which is then never read as XPath. Default none. */
  variables?: Readonly<Record<string, VariableValue>> | undefined;
}

export const FILTER_OPTIONS: OptionTable<FilterOptions> = {
  checks: {
    namespaces: { checks: {}, others: anything },
    variables: { checks: {}, others: anything },
  },
};

/** One match of a filter. */
export interface FilterMatch {
  expression: string;
  /** Matched nodes in document order; empty unless the result is a node-set. */
  nodes: readonly MatchedNode[];
  /** The whole stanza. */
  node: Element;
}

/** What a filter has done so far. */
export interface FilterCounters {
  /** Stanzas for which the expression was evaluated. */
  evaluated: number;
  matched: number;
  /** Evaluations that exceeded the budget. */
  overruns: number;
  /** Milliseconds that all evaluations took together: estimated, because only every 61st is timed. */
  milliseconds: number;
}

/** `set-aside`: exceeded its budget too often and is not evaluated any more. */
export type FilterState = 'active' | 'set-aside' | 'removed';

/** A filter that was added; disposing of it removes it. */
export interface Filter extends Disposable {
  readonly event: string;
  readonly expression: string;
  readonly state: FilterState;
  readonly counters: Readonly<FilterCounters>;
  /** Takes effect at once, even for the stanza that is being delivered. Removing twice does nothing. */
  remove(): void;
  /** Puts a filter that was set aside back to work, from the next stanza on. */
  reinstate(): void;
}

/** Whether an expression matches one stanza, and why not; see `broker.filters.test()`. */
export interface FilterTest {
  readonly matches: boolean;
  /** Matched nodes in document order; empty unless the result is a node-set. */
  readonly nodes: readonly MatchedNode[];
  /** Why it does not match, in words: the first part that does not hold, and what is there instead. Null when it matches. */
  readonly why: string | null;
  /** As {@link Explanation.warnings}. */
  readonly warnings: readonly string[];
}

/** How the index treats a filter, and what is wrong with it; see `broker.filters.explain()`. */
export interface Explanation {
  /** Null for an expression that was not added. */
  event: string | null;
  expression: string;
  state: FilterState | 'not added';
  /**
   * The filter is evaluated only for stanzas of which one of these is true. Null: it is evaluated for every stanza.
   * Empty: no stanza can match.
   */
  keys: readonly string[] | null;
  /** Why there are no keys, or what the keys mean, in words. */
  reason: string;
  /** Parts of the expression that can hardly ever find anything, each with the reason and what to write. Mostly none. */
  warnings: readonly string[];
  counters: Readonly<FilterCounters>;
  /** Stanzas that were matched against the set since the filter was added. */
  stanzas: number;
}
