import { readOptions } from '../arguments/arguments.js';
import type { Filter, FilterMatch, FilterOptions } from '../filters/filter.js';
import type { Handler, PubSub, SubscribeOptions } from '../pubsub/pubsub.js';
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

const OPTIONS = ['namespaces', 'variables', 'signal', 'concurrency'] as const;

/** Adds a filter and its handler under a name that is theirs alone. @throws BrokerError as `filters.add` and `subscribe` */
export function match(
  filters: BrokerFilters,
  bus: PubSub,
  expression: string,
  handler: Handler<FilterMatch>,
  options: MatchOptions,
): Matching {
  const given = readOptions('USAGE_FILTER', 'match()', options, OPTIONS) as MatchOptions;
  const { namespaces, variables, signal, concurrency } = given;
  const event = nameFor(expression);
  const subscription = bus.subscribe(event, handler, {
    ...(signal === undefined ? {} : { signal }),
    ...(concurrency === undefined ? {} : { concurrency }),
  });
  let filter: Filter;
  try {
    filter = filters.add(event, expression, {
      ...(namespaces === undefined ? {} : { namespaces }),
      ...(variables === undefined ? {} : { variables }),
    });
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
