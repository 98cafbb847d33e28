// How many shards a fleet has: written once, by the first member that starts.
import type { KV } from '@nats-io/kv';
import { isRecord } from '../arguments/values.js';
import { BrokerError, printable } from '../errors.js';
import type { NatsLink } from './connection.js';
import { isWrongRevision } from './errors.js';
import { subjectToken } from './subjects.js';

/** Key of what is said of a fleet. */
export function setupKey(fleet: string): string {
  return `${subjectToken(fleet)}.setup`;
}

/** How many shards a fleet has, by its record. @throws BrokerError `QUEUE_VERSION` */
export function shardsIn(record: string, fleet: string): number {
  let value: unknown = null;
  try {
    value = JSON.parse(record);
  } catch {
    // Told below.
  }
  const { v, shards } = isRecord(value) ? value : {};
  if (v === 1 && Number.isSafeInteger(shards) && (shards as number) > 0) return shards as number;
  const text = `the record of the fleet "${printable(fleet, 100)}" in NATS is of another version, or of another program: delete the key ${setupKey(fleet)} once nothing uses it`;
  throw new BrokerError('QUEUE_VERSION', text, { layer: 'queue' });
}

/** Null: nobody has set it up. */
async function shardsOf(link: NatsLink, kv: KV, fleet: string): Promise<number | null> {
  try {
    const entry = await kv.get(setupKey(fleet));
    return entry === null ? null : shardsIn(entry.string(), fleet);
  } catch (cause) {
    throw link.error(cause, `to find out how many shards the fleet "${printable(fleet, 100)}" has`);
  }
}

/** Says how many there are, or compares. @throws BrokerError `NATS_SETUP` for another number */
export async function fixShards(link: NatsLink, kv: KV, fleet: string, shards: number): Promise<void> {
  let found = await shardsOf(link, kv, fleet);
  if (found === null) {
    try {
      await kv.create(setupKey(fleet), JSON.stringify({ v: 1, shards }));
      return;
    } catch (cause) {
      if (!isWrongRevision(cause)) throw link.error(cause, `to set up the fleet "${printable(fleet, 100)}"`);
    }
    found = await shardsOf(link, kv, fleet);
  }
  if (found === shards) return;
  const text = `the fleet "${printable(fleet, 100)}" has ${found} shards, and this member was given ${shards}: give all of them ${found}. To change it, stop all members, let the queues run empty, delete the key ${setupKey(fleet)} in the bucket of holders, and start anew`;
  throw new BrokerError('NATS_SETUP', text, { layer: 'nats' });
}
