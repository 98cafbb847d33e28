import EVENTS, { type StatusEvent, type StatusEvents } from '../events.js';
import type { StatusPublisher } from '../link/status-publisher.js';
import type { Logger } from '../logger.js';
import { PubSub, type Owner, type PubSubOptions } from '../pubsub/pubsub.js';

const NAMES = Object.keys(EVENTS) as StatusEvent[];

/** Events that report a fault: with nobody subscribed they are logged. */
const FAULTS: ReadonlySet<string> = new Set(NAMES.filter((name) => 'fault' in EVENTS[name]));

/** The bus of a broker, and the only right to fire its status events. */
export class Status implements StatusPublisher, PubSubOptions<Record<string, unknown>> {
  readonly bus: PubSub;
  readonly #logger: Logger;
  #owner!: Owner<Record<string, unknown>>;
  #closed = false;

  constructor(logger: Logger) {
    this.#logger = logger;
    this.bus = new PubSub(this);
  }

  /** @internal called by the bus */
  owner(rights: Owner<Record<string, unknown>>): void {
    this.#owner = rights;
  }

  reserved(name: string): boolean {
    return name.startsWith('PCJ_');
  }

  get own(): readonly string[] {
    return NAMES;
  }

  /** Fires a status event. A fault that nobody is subscribed to is logged. */
  publish<N extends StatusEvent>(event: N, payload: StatusEvents[N], promises?: Promise<void>[]): void {
    if (this.#closed) return;
    if (this.#owner.fire(event, payload, promises) > 0 || !FAULTS.has(event)) return;
    const error = payload instanceof Error ? payload : (payload as { error?: unknown }).error;
    this.#logger.warn({ event, error }, 'nobody is subscribed to a fault');
  }

  /** A handler threw, or its promise rejected. */
  onHandlerError(error: unknown, event: string): void {
    if (event !== 'PCJ_HANDLERERROR') this.publish('PCJ_HANDLERERROR', { event, error });
    else this.#logger.error({ event, error }, 'a handler of PCJ_HANDLERERROR failed itself');
  }

  /** Whether anybody is subscribed to a status event. */
  watched(event: StatusEvent): boolean {
    return this.bus.subscribers(event) > 0;
  }

  /** Ends all delivery. */
  close(): void {
    this.#closed = true;
    this.#owner.close();
  }
}
