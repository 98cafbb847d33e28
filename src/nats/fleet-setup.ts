// How many shards a fleet has: written once, by the first member that starts.
import type { KV } from '@nats-io/kv';
import { BrokerError } from '../errors.js';
import type { NatsLink } from './connection.js';
import { isWrongRevision } from './errors.js';
import { subjectToken } from './subjects.js';

/** Key of what is said of a fleet. */
function setupKey(fleet: string): string {
  return `${subjectToken(fleet)}.setup`;
}

/** How many shards a fleet has; null: nobody has set it up. @throws BrokerError `NATS_*` */
export async function shardsOf(link: NatsLink, kv: KV, fleet: string): Promise<number | null> {
  const doing = `to find out how many shards the fleet "${fleet}" has`;
  try {
    const entry = await kv.get(setupKey(fleet));
    if (entry === null) return null;
    const { shards } = JSON.parse(entry.string()) as { shards: unknown };
    if (Number.isSafeInteger(shards) && (shards as number) > 0) return shards as number;
  } catch (cause) {
    throw link.error(cause, doing);
  }
  const text = `the record of the fleet "${fleet}" in NATS is of another program: delete the key ${setupKey(fleet)}`;
  throw new BrokerError('QUEUE_VERSION', text, { layer: 'queue' });
}

/** Says how many there are, or compares. @throws BrokerError `NATS_SETUP` for another number */
export async function fixShards(link: NatsLink, kv: KV, fleet: string, shards: number): Promise<void> {
  let found = await shardsOf(link, kv, fleet);
  if (found === null) {
    try {
      await kv.create(setupKey(fleet), JSON.stringify({ v: 1, shards }));
      return;
    } catch (cause) {
      if (!isWrongRevision(cause)) throw link.error(cause, `to set up the fleet "${fleet}"`);
    }
    found = await shardsOf(link, kv, fleet);
  }
  if (found === shards) return;
  const text = `the fleet "${fleet}" has ${found} shards, and this member was given ${shards}: give all of them ${found}. To change it, stop all members, let the queues run empty, delete the key ${setupKey(fleet)} in the bucket of holders, and start anew`;
  throw new BrokerError('NATS_SETUP', text, { layer: 'nats' });
}
