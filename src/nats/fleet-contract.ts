// Who tells whom what inside a fleet's member.
import type { BrokerError } from '../errors.js';
import type { QueueStore } from '../queue/store.js';

/** A shard of which this process is the holder. */
export interface HeldShard {
  /** Rises with each holder of the shard. */
  readonly epoch: number;
  /** For the brokers of its accounts: each opens a queue that is called as the account. */
  readonly store: QueueStore;
  /** From now on stanzas come in: the queues of all accounts are open. */
  begin(): void;
  /** Lets go of it at once: the next one may take it. Never rejects. */
  release(): Promise<void>;
}

/** Where shards are taken from. */
export interface ShardSource {
  /**
   * Waits until this process is the holder of a shard.
   * @param signal ends the waiting
   * @throws BrokerError
   * @param onLost this process is the holder no more: nothing may be written for it from now on
   */
  take(shard: number, signal: AbortSignal, onLost: (error: BrokerError) => void): Promise<HeldShard>;
}
