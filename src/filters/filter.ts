import type { Element } from '../xml/element.js';
import type { VariableValue } from './translate.js';
import type { MatchedNode } from './node.js';

/** What the names in an expression stand for. Only own properties count, so `__proto__` is a name like any other. */
export interface FilterOptions {
  /** Namespace by prefix. `xml` is always bound; names without a prefix are in no namespace. */
  namespaces?: Readonly<Record<string, string>>;
  /** Value by name, for `$name` in the expression: the way for text of others, which is then never read as XPath. */
  variables?: Readonly<Record<string, VariableValue>>;
}

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
