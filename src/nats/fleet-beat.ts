// A sign of life of a fleet's member, as it goes over the wire: JSON, with shards as ranges.
import { isRecord } from '../arguments/values.js';
import type { FleetMember } from './fleet-assignment.js';

/** Most shards of a fleet: each of them costs NATS a consumer. */
export const MOST_SHARDS = 4_096;
/** Longest id of a member. */
const LONGEST_ID = 200;
/** Longest time between two signs of life, in milliseconds: new members wait for it, and nobody is missed before. */
const LONGEST_MS = 60_000;

/** What a member says of itself. */
export interface Beat extends FleetMember {
  /** How many shards it believes the fleet to have. */
  readonly shards: number;
  /** Time until its next sign of life, in milliseconds. */
  readonly everyMs: number;
  /** It goes; nothing follows. */
  readonly isLast: boolean;
}

type Range = [from: number, to: number];

export function writeBeat({ id, held, claimed, isFull = false, shards, everyMs, isLast }: Beat): string {
  return JSON.stringify({
    v: 1,
    id,
    shards,
    everyMs,
    isLast,
    isFull,
    held: rangesOf(held),
    claimed: rangesOf(claimed),
  });
}

/** Null for what is no sign of life: anybody who may publish there may write anything. */
export function readBeat(text: string): Beat | null {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return null;
  }
  if (!isRecord(value)) return null;
  const { v, id, shards, everyMs, isLast, isFull } = value;
  if (v !== 1 || typeof id !== 'string' || id === '' || id.length > LONGEST_ID) return null;
  if (typeof isLast !== 'boolean' || typeof isFull !== 'boolean') return null;
  if (!isWhole(shards, 1, MOST_SHARDS) || !isWhole(everyMs, 1, LONGEST_MS)) return null;
  const held = shardsOf(value['held'], shards);
  const claimed = shardsOf(value['claimed'], shards);
  return held === null || claimed === null ? null : { id, shards, everyMs, isLast, isFull, held, claimed };
}

function rangesOf(shards: ReadonlySet<number>): Range[] {
  const ranges: Range[] = [];
  for (const shard of [...shards].sort((a, b) => a - b)) {
    const last = ranges.at(-1);
    if (last?.[1] === shard - 1) last[1] = shard;
    else ranges.push([shard, shard]);
  }
  return ranges;
}

/** Rising ranges below a limit, so that nobody can say much with few bytes. */
function shardsOf(value: unknown, limit: number): ReadonlySet<number> | null {
  if (!Array.isArray(value)) return null;
  const shards = new Set<number>();
  let next = 0;
  for (const range of value as unknown[]) {
    if (!Array.isArray(range) || range.length !== 2) return null;
    const [from, to] = range as unknown[];
    if (!isWhole(from, next, limit - 1) || !isWhole(to, from, limit - 1)) return null;
    for (let shard = from; shard <= to; shard += 1) shards.add(shard);
    next = to + 1;
  }
  return shards;
}

function isWhole(value: unknown, from: number, to: number): value is number {
  return Number.isSafeInteger(value) && (value as number) >= from && (value as number) <= to;
}
