import type { Broker } from '../broker/broker.js';
import type { StatusEvent } from '../events.js';
import type { Subscription } from '../pubsub/pubsub.js';
import { line } from './described.js';
import { History, pointOf } from './history.js';
import type { BrokerLine } from './messages.js';
import { STORE_EVENTS, StoreRecord } from './store-record.js';
import { STEPS, Timeline } from './timeline.js';

/**
 * A broker that a console shows, and what is kept of it while nobody looks: how its links came and went, and what it counted
 * once a second. Nothing of that comes with a stanza.
 */
export class WatchedBroker {
  readonly timeline = new Timeline();
  readonly history = new History();
  readonly store = new StoreRecord();
  readonly #subscriptions: Subscription[] = [];

  constructor(
    readonly name: string,
    readonly broker: Broker,
  ) {
    // Of one that was halted nothing will ever be told.
    if (broker.state === 'halted') return;
    for (const event of STEPS) this.#hear(event, (payload) => this.timeline.add(event, payload));
    for (const event of STORE_EVENTS) {
      this.#hear(event, (payload) => this.store.add(event, payload, broker.config.xmlns));
    }
  }

  /** How it stands. */
  get line(): BrokerLine {
    const { state, held, requests, unacknowledged, reconnects, lastReadyAt } = this.broker.stats();
    const { jid } = this.broker;
    const { pending } = requests;
    return {
      name: this.name,
      state,
      jid: jid === null ? null : line(jid.toString()),
      held,
      pending,
      unacknowledged,
      reconnects,
      lastReadyAt,
    };
  }

  /** What is known of the broker by its options. */
  get facts(): readonly (readonly [name: string, value: string])[] {
    const { connectionType, domain, username, host, port, websocket } = this.broker.config;
    const place = host === undefined ? 'by DNS' : port === undefined ? host : `${host}:${String(port)}`;
    return [
      ['account', username === undefined ? domain : `${username}@${domain}`],
      ['dialect', connectionType.name],
      ['server', websocket === undefined ? place : 'by WebSocket'],
    ].map(([name = '', value = '']) => [name, line(value)] as const);
  }

  /** Once a second. */
  tick(): void {
    this.history.add(pointOf(this.broker.stats()));
  }

  close(): void {
    for (const subscription of this.#subscriptions.splice(0)) subscription.cancel();
  }

  #hear(event: StatusEvent, handler: (payload: unknown) => void): void {
    this.#subscriptions.push(this.broker.subscribe(event, handler));
  }
}
