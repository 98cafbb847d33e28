import type { BrokerState } from '../lifecycle/state.js';
import type { Counters } from '../stats.js';

/** What a broker counts of itself, and how it stands: `Broker.stats()`. */
export interface BrokerStats extends Counters {
  readonly state: BrokerState;
  readonly requests: Counters['requests'] & {
    /** Waiting for their answer now. */
    pending: number;
  };
  /** Stanzas sent that the server has not acknowledged yet; 0 without stream management (XEP-0198). */
  readonly unacknowledged: number;
  /** Stanzas held in the queue now. */
  readonly held: number;
}
