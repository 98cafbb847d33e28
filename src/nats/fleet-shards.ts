// To which shard an account belongs.
import { crc32 } from 'node:zlib';

/** The shard of an account: all members, and all who output for it, agree. */
export function shardOf(account: string, shards: number): number {
  return crc32(account) % shards;
}
