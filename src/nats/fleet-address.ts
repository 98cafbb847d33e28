// Where stanzas for the accounts of a fleet are published, by those who are no members.
import { BrokerError, printable } from '../errors.js';
import type { NatsLink } from './connection.js';
import { shardsIn, setupKey } from './fleet-setup.js';
import { shardOf } from './fleet-shards.js';
import type { Subjects } from './subjects.js';

/** For an answer of JetStream, in milliseconds. */
const ANSWER_MS = 2_000;

/** A fleet, as a producer sees it. */
export class FleetAddress {
  readonly #subjects: Subjects;
  readonly #fleet: string;
  #shards = 1;

  constructor(subjects: Subjects, fleet: string) {
    this.#subjects = subjects;
    this.#fleet = fleet;
  }

  /**
   * Finds out how many shards there are. It needs no more than to read that one record.
   * @throws BrokerError `NATS_SETUP` when no member was ever started; `NATS_*`
   */
  async find(link: NatsLink): Promise<void> {
    const { client, connection } = link;
    const { holdBucket } = this.#subjects;
    const subject = `$KV.${holdBucket}.${setupKey(this.#fleet)}`;
    const name = printable(this.#fleet, 100);
    let found;
    try {
      const manager = await client.jetstream.jetstreamManager(connection, { checkAPI: false, timeout: ANSWER_MS });
      found = await manager.direct.getMessage(`KV_${holdBucket}`, { last_by_subj: subject });
    } catch (cause) {
      throw link.error(cause, `to find the fleet "${name}"`);
    }
    if (found === null) {
      const text = `nobody has started a member of the fleet "${name}" yet, so it is not known how many shards it has`;
      throw new BrokerError('NATS_SETUP', text, { layer: 'nats', retryable: true });
    }
    this.#shards = shardsIn(found.string(), this.#fleet);
  }

  /** Where stanzas for the queue of an account are published. */
  subject(queue: string): string {
    return this.#subjects.shardOut(this.#fleet, shardOf(queue, this.#shards), queue);
  }
}
