// What a page wants to see of the traffic.
import { kindOf } from '../arguments/values.js';
import { usageError } from '../errors.js';
import { FilterSet } from '../filters/filter-set.js';
import type { Element } from '../xml/element.js';
import type { RowKind } from './messages.js';

const KINDS: readonly RowKind[] = ['in', 'out', 'held', 'answer', 'event', 'fault', 'detail'];

/** Longest expression of a page, and most prefixes. */
const LONGEST = 4_096;
const MOST_PREFIXES = 32;

/** Which rows are shown. */
export interface View {
  readonly kinds: ReadonlySet<RowKind>;
  /** Null: stanzas are shown whatever is in them. */
  readonly filter: ViewFilter | null;
}

/** An XPath filter of the page's own. The broker and its filters are not touched. */
export class ViewFilter {
  readonly #set: FilterSet;
  #hit = false;

  /** @throws BrokerError as `filters.add` */
  constructor(xpath: string, namespaces: Readonly<Record<string, string>>, xmlns: string, visits: number) {
    this.#set = new FilterSet({ contentNamespaces: [xmlns], visits });
    this.#set.add('view', xpath, { namespaces });
  }

  matches(stanza: Element): boolean {
    this.#hit = false;
    this.#set.match(stanza, this.#matched, ignored);
    return this.#hit;
  }

  /** Whether it cost too much too often. */
  get isAside(): boolean {
    for (const { state } of this.#set) return state === 'set-aside';
    return false;
  }

  readonly #matched = (): void => {
    this.#hit = true;
  };
}

/** What goes wrong with an expression for one stanza is no match; {@link ViewFilter.isAside} tells of the rest. */
function ignored(): void {
  // Nothing to be done.
}

/**
 * Reads the query of a stream: `show` and `xpath`, with `ns` for each prefix.
 * @throws BrokerError `USAGE_CONSOLE`, and as `filters.add`
 */
export function viewOf(query: URLSearchParams, xmlns: string, visits: number): View {
  const shown = query.get('show');
  const names = shown === null ? KINDS : shown.split(',');
  const kinds = new Set(KINDS.filter((kind) => names.includes(kind)));
  const xpath = query.get('xpath') ?? '';
  if (xpath === '') return { kinds, filter: null };
  return { kinds, filter: new ViewFilter(checkedXPath(xpath), prefixesOf(query.getAll('ns')), xmlns, visits) };
}

/** @throws BrokerError `USAGE_CONSOLE` */
export function checkedXPath(xpath: unknown): string {
  if (typeof xpath === 'string' && xpath.length <= LONGEST) return xpath;
  throw usageError('USAGE_CONSOLE', `the expression must be a text of at most ${String(LONGEST)} characters`);
}

/** @throws BrokerError `USAGE_CONSOLE` */
export function checkedPrefixes(given: unknown): Record<string, string> {
  const entries = typeof given === 'object' && given !== null ? Object.entries(given) : null;
  if (entries === null || entries.length > MOST_PREFIXES || entries.some(([, uri]) => typeof uri !== 'string')) {
    const text = `the prefixes must be an object of at most ${String(MOST_PREFIXES)} texts, not ${kindOf(given)}`;
    throw usageError('USAGE_CONSOLE', text);
  }
  return Object.fromEntries(entries);
}

function prefixesOf(pairs: readonly string[]): Record<string, string> {
  return checkedPrefixes(
    Object.fromEntries(
      pairs.map((pair) => {
        const equals = pair.indexOf('=');
        return equals < 0 ? [pair, ''] : [pair.slice(0, equals), pair.slice(equals + 1)];
      }),
    ),
  );
}
