import { readOptions, type OptionTable } from '../arguments/options.js';
import { kindOf } from '../arguments/values.js';
import { usageError } from '../errors.js';
import { FILTER_OPTIONS, type Filter, type FilterMatch, type FilterOptions } from '../filters/filter.js';
import { SUBSCRIBE_OPTIONS, type Handler, type PubSub, type SubscribeOptions } from '../pubsub/pubsub.js';
import type { BrokerFilters } from './broker-filters.js';

/** Options of {@link Broker.match}: those of the filter and those of the subscription. */
export interface MatchOptions extends FilterOptions, Pick<SubscribeOptions, 'signal' | 'concurrency'> {}

/** A filter with its one handler. */
export interface Matching extends Disposable {
  /** The filter, with what it did and cost so far. */
  readonly filter: Filter;
  /** Removes filter and handler, at once also from inside the handler. Again is harmless. */
  cancel(): void;
}

const { signal, concurrency } = SUBSCRIBE_OPTIONS.checks;
const OPTIONS: OptionTable<MatchOptions> = {
  checks: { ...FILTER_OPTIONS.checks, signal, concurrency },
};

/** Adds a filter and its handler under a name that is theirs alone. @throws BrokerError as `filters.add` and `subscribe` */
export function match(
  filters: BrokerFilters,
  bus: PubSub,
  expression: string,
  handler: Handler<FilterMatch>,
  options: MatchOptions,
): Matching {
  if (typeof expression !== 'string') {
    throw usageError('USAGE_FILTER', `match(): the expression must be a string, not ${kindOf(expression)}`);
  }
  const { signal, concurrency, ...names } = readOptions('USAGE_FILTER', 'match()', options, OPTIONS);
  const event = nameFor(expression);
  const subscription = bus.subscribe(event, handler, { signal, concurrency });
  let filter: Filter;
  try {
    filter = filters.add(event, expression, names);
  } catch (error) {
    subscription.cancel();
    throw error;
  }
  const cancel = (): void => {
    signal?.removeEventListener('abort', cancel);
    subscription.cancel();
    filter.remove();
  };
  if (signal?.aborted === true) cancel();
  else signal?.addEventListener('abort', cancel, { once: true });
  return { filter, cancel, [Symbol.dispose]: cancel };
}

let made = 0;

/** What errors and lists call it. The number keeps two handlers of one expression apart. */
function nameFor(expression: string): string {
  made += 1;
  return `match #${String(made)} ${expression}`;
}
