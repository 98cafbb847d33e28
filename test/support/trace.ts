import type { Broker, Subscription } from 'xmpp-broker';
import EVENTS, { type StatusEvent } from '../../src/events.js';
import { Element } from '../../src/xml/element.js';

/** Every status event of a broker in order, by name, with its payload. */
export interface Trace {
  readonly names: string[];
  readonly payloads: unknown[];
  /** The names without the prefix, `NODESENT` shown with the element's name. */
  readonly short: string[];
  readonly subscriptions: readonly Subscription[];
  /** Forgets what was recorded so far. */
  clear(): void;
  /** The last payload of an event. */
  last(name: string): unknown;
}

/** Names of all status events. */
export const ALL_EVENTS = Object.keys(EVENTS) as StatusEvent[];

/** Records what a broker publishes from now on. */
export function trace(broker: Broker): Trace {
  const subscriptions: Subscription[] = [];
  const recorded: Trace = {
    names: [],
    payloads: [],
    short: [],
    subscriptions,
    clear() {
      recorded.names.length = 0;
      recorded.payloads.length = 0;
      recorded.short.length = 0;
    },
    last: (name) => recorded.payloads[recorded.names.lastIndexOf(name)],
  };
  for (const name of ALL_EVENTS) {
    const subscription = broker.subscribe(name, (payload) => {
      recorded.names.push(name);
      recorded.payloads.push(payload);
      const label = name.slice('PCJ_'.length);
      recorded.short.push(
        name === 'PCJ_NODESENT' && payload instanceof Element ? `${label}(${payload.localName})` : label,
      );
    });
    subscriptions.push(subscription);
  }
  return recorded;
}

/** What an attempt publishes until its stream is open. */
export const OPEN = ['CONNECT', 'CONNECTING', 'CONNECTED', 'STREAMSTART', 'NODESENT(stream)'];

/** The end of every failed attempt that had a stream. */
export const TAIL = ['STREAMEND', 'SHUTDOWN_START', 'SOCKETDISCONNECT', 'SHUTDOWN_FINISH'];
