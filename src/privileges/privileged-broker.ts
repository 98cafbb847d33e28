import type { StatusEvents } from '../events.js';
import type { Handler } from '../pubsub/pubsub.js';
import type { Ticket } from '../queue/ticket.js';
import type { Element } from '../xml/element.js';

/** What the helpers for privileged components need of a broker; a `Broker` has it. */
export interface PrivilegedBroker {
  readonly state: string;
  readonly config: { readonly domain: string; readonly timeouts: { readonly request: number } };
  output(node: Element): Ticket;
  request(
    node: Element,
    options?: { timeout?: number | undefined; signal?: AbortSignal | undefined },
  ): Promise<Element>;
  subscribe<Name extends 'PCJ_NODERECEIVED' | 'PCJ_SOCKETDISCONNECT'>(
    event: Name,
    handler: Handler<StatusEvents[Name]>,
  ): unknown;
}
