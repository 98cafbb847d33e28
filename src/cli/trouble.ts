import type { Broker } from '../broker/broker.js';
import type { Terminal } from './command.js';
import { escaped } from './escaped.js';

/** Says where errors go why there is no link: once for each reason, until the next link. */
export function tellTrouble(broker: Broker, terminal: Terminal): void {
  let told = '';
  broker.subscribe('PCJ_RECONNECTING', ({ error }) => {
    if (error.message === told) return;
    told = error.message;
    terminal.err(escaped(`not connected: ${error.message}; it is tried again`));
  });
  broker.subscribe('PCJ_READY', () => {
    told = '';
  });
}
