import type { StatusEvent, StatusEvents } from '../events.js';

/** Fires the status events of a broker. */
export interface StatusPublisher {
  /** The broker. */
  readonly subject: object | undefined;
  publish<N extends StatusEvent>(event: N, payload: StatusEvents[N]): void;
  /** Whether anybody is subscribed. */
  watched(event: StatusEvent): boolean;
}
