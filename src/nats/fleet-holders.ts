// Where a member of a fleet takes shards from: one connection for all of them.
import type { BrokerError } from '../errors.js';
import { unreachable } from './errors.js';
import type { HeldShard, ShardSource } from './fleet-contract.js';
import { FleetGate } from './fleet-gate.js';
import { FleetShard, type FleetShardParts } from './fleet-shard.js';

/** Consumers that are made at a time. */
const MAKING = 32;

/** The shards that a member has. */
export class FleetHolders implements ShardSource {
  readonly #parts: Omit<FleetShardParts, 'shard' | 'left' | 'making'>;
  readonly #making = new FleetGate(MAKING);
  readonly #shards = new Set<FleetShard>();

  constructor(parts: Omit<FleetShardParts, 'shard' | 'left' | 'making'>) {
    this.#parts = parts;
  }

  async take(shard: number, signal: AbortSignal, onLost: (error: BrokerError) => void): Promise<HeldShard> {
    const { link } = this.#parts;
    try {
      const left = (held: FleetShard): void => {
        this.#shards.delete(held);
      };
      const held = await FleetShard.take({ ...this.#parts, shard, left, making: this.#making }, signal, onLost);
      this.#shards.add(held);
      return held;
    } catch (cause) {
      if (signal.aborted) throw cause;
      throw link.error(cause, `to take shard ${shard} of its fleet`);
    }
  }

  /** The connection is there again. */
  up(): void {
    for (const shard of this.#shards) shard.up();
  }

  down(): void {
    const error = unreachable(this.#parts.link.server, 'to keep its queues');
    for (const shard of this.#shards) shard.down(error);
  }
}
