// The input events of PCJ: what `post` takes, and what it does.
import { suggestion } from '../arguments/suggestion.js';
import { shown } from '../arguments/values.js';
import { usageError } from '../errors.js';
import type { Filter, FilterMatch, FilterOptions } from '../filters/filter.js';
import type { ConnectOptions } from '../lifecycle/contract.js';
import type { NameFor } from '../pubsub/names.js';
import type { Ticket } from '../queue/ticket.js';
import type { Element } from '../xml/element.js';
import type { BrokerFilters } from './broker-filters.js';
import type { Outbound, OutputOptions } from './output.js';
import type { ShutdownReport } from './shutdown-report.js';
import type { ShutdownOptions } from './shutdown.js';

/** Input events that `post` takes: their arguments, and what it returns for them. */
export interface Commands<MyEvents extends object = object> {
  output: (node: Outbound, options?: OutputOptions) => Ticket;
  return_to_sender: (event: NameFor<MyEvents, Element>, node: Outbound) => Ticket;
  xpath_filter: (
    ...args:
      | [command: 'add', event: NameFor<MyEvents, FilterMatch>, expression: string, options?: FilterOptions]
      | [command: 'remove', event: NameFor<MyEvents, FilterMatch>]
  ) => Filter | number;
  shutdown: (options?: ShutdownOptions) => Promise<ShutdownReport>;
  connect: (host?: string, port?: number) => Promise<void>;
  reconnect: (host?: string, port?: number) => Promise<void>;
  purge_queue: (select?: (ticket: Ticket) => boolean) => Ticket[];
  halt: () => void;
}

/** Who does them: a broker. */
export interface Commanded {
  readonly filters: Pick<BrokerFilters, 'add' | 'remove'>;
  output(node: Outbound, options?: OutputOptions): Ticket;
  returnToSender(event: string, node: Outbound): Ticket;
  shutdown(options?: ShutdownOptions): Promise<ShutdownReport>;
  connect(options?: ConnectOptions): Promise<void>;
  reconnect(options?: ConnectOptions): Promise<void>;
  purgeQueue(select?: (ticket: Ticket) => boolean): Ticket[];
  halt(): void;
}

/** What `post` does. */
const COMMANDS: {
  [Command in keyof Commands]: (
    broker: Commanded,
    ...args: Parameters<Commands[Command]>
  ) => ReturnType<Commands[Command]>;
} = {
  output: (broker, node, options) => broker.output(node, options),
  return_to_sender: (broker, event, node) => broker.returnToSender(event, node),
  xpath_filter: ({ filters }, ...args) => {
    if (args[0] === 'add') return filters.add(args[1], args[2], args[3]);
    if ((args[0] as string) === 'remove') return filters.remove(args[1]);
    throw usageError('USAGE_POST', `post('xpath_filter') takes 'add' or 'remove' first, not ${shown(args[0])}`);
  },
  shutdown: (broker, options) => broker.shutdown(options),
  connect: (broker, host, port) => broker.connect({ host, port }),
  reconnect: (broker, host, port) => broker.reconnect({ host, port }),
  purge_queue: (broker, select) => broker.purgeQueue(select),
  halt: (broker) => {
    broker.halt();
  },
};

/** Does a command. @throws BrokerError `USAGE_POST`, and what the method throws */
export function post<Command extends keyof Commands>(
  broker: Commanded,
  command: Command,
  args: readonly unknown[],
): ReturnType<Commands[Command]> {
  const known = typeof command === 'string' && Object.hasOwn(COMMANDS, command);
  if (!known) {
    const hint = suggestion(command, Object.keys(COMMANDS));
    throw usageError('USAGE_POST', `${shown(command)} is no input event; ${hint}`);
  }
  const run = COMMANDS[command] as (broker: Commanded, ...args: readonly unknown[]) => ReturnType<Commands[Command]>;
  return run(broker, ...args);
}
