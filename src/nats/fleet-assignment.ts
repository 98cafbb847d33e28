// Who of a fleet takes which shards, and who lets go of one. Without a leader: each member decides for itself, from what it
// sees of the others. Nothing here is needed for safety, which is in the holder's record of each shard: members that see
// different things try to take the same shard, and one of them gets it.

/** What is known of a member. */
export interface FleetMember {
  readonly id: string;
  /** Shards of which it is the holder. */
  readonly held: ReadonlySet<number>;
  /** Shards that it is trying to take. */
  readonly claimed: ReadonlySet<number>;
  /** It keeps what it has, and takes no more: taking failed. */
  readonly isFull?: boolean | undefined;
}

/** What one member sees of its fleet. */
export interface FleetView {
  /** How many shards the fleet has. */
  readonly shards: number;
  /** Who is there, in any order; the one that decides is among them. */
  readonly members: readonly FleetMember[];
  /** The one that decides. */
  readonly me: string;
}

/** What a member does next. */
export interface FleetDecision {
  /** Shards that it tries to take from now on; what it was trying to take beside them, it gives up. */
  readonly take: readonly number[];
  /** A shard of which somebody else would have more need, or null. */
  readonly release: number | null;
}

const NOBODY = -1;
/** One that is full: no share is reckoned for it. */
const SOMEBODY = -2;

/**
 * Decides what a member does next. All that nobody has is taken at once, by those who have the least. Only when nothing is
 * free, members with more than their share let go of one shard each, for those who have less. At the end nobody has more
 * than ⌈shards / members⌉, nobody less than ⌊shards / members⌋, and nothing was moved that did not have to be.
 */
export function decide({ shards, members, me }: FleetView): FleetDecision {
  const able = members.filter(({ isFull }) => isFull !== true).sort(byId);
  const mine = able.findIndex(({ id }) => id === me);
  if (mine < 0) return { take: [], release: null };
  const owners = new Int32Array(shards).fill(NOBODY);
  const loads = new Array<number>(able.length).fill(0);
  const give = (shard: number, to: number): void => {
    if (owners[shard] !== NOBODY) return;
    owners[shard] = to;
    if (to >= 0) loads[to] = at(loads, to) + 1;
  };
  for (const [index, { held }] of able.entries()) for (const shard of held) give(shard, index);
  for (const { held, isFull } of members) if (isFull === true) for (const shard of held) give(shard, SOMEBODY);
  if (!owners.includes(NOBODY)) return { take: [], release: releasedBy(mine, able, loads) };
  const take: number[] = [];
  for (const [index, { claimed }] of able.entries()) {
    for (const shard of claimed) {
      if (index === mine && owners[shard] === NOBODY) take.push(shard);
      give(shard, index);
    }
  }
  const open: number[] = [];
  for (const [shard, owner] of owners.entries()) if (owner === NOBODY) open.push(shard);
  const { from, to } = shareOf(mine, loads, open.length);
  return { take: [...take, ...open.slice(from, to)], release: null };
}

/** The part of a list of that many shards that is for one member, so that those who have the least get the most. */
function shareOf(mine: number, loads: readonly number[], count: number): { from: number; to: number } {
  const order = [...loads.keys()].sort((a, b) => at(loads, a) - at(loads, b) || a - b);
  const sorted = order.map((index) => at(loads, index));
  // As water: it fills the lowest up to the next one, then both of them up to the third.
  let left = count;
  let level = at(sorted, 0);
  let wet = 1;
  for (; wet < sorted.length; wet += 1) {
    const need = (at(sorted, wet) - level) * wet;
    if (need > left) break;
    left -= need;
    level = at(sorted, wet);
  }
  level += Math.floor(left / wet);
  const more = left % wet;
  let from = 0;
  for (const [place, load] of sorted.entries()) {
    const share = place < wet ? level + (place < more ? 1 : 0) - load : 0;
    if (order[place] === mine) return { from, to: from + share };
    from += share;
  }
  return { from: 0, to: 0 };
}

/** The shard that a member lets go of when everything is taken. */
function releasedBy(mine: number, members: readonly FleetMember[], loads: readonly number[]): number | null {
  const shards = loads.reduce((sum, load) => sum + load, 0);
  const share = Math.floor(shards / loads.length);
  const larger = shards % loads.length;
  // The larger shares stay with those who have the most, so that least is moved.
  const order = [...loads.keys()].sort((a, b) => at(loads, b) - at(loads, a) || a - b);
  let wanted = 0;
  let before = -1;
  let givers = 0;
  for (const [place, index] of order.entries()) {
    const surplus = at(loads, index) - share - (place < larger ? 1 : 0);
    if (surplus < 0) wanted -= surplus;
    if (index === mine && surplus > 0) before = givers;
    if (surplus > 0) givers += 1;
  }
  if (before < 0 || before >= wanted) return null;
  return Math.max(...(members[mine]?.held ?? []));
}

/** Time between two signs of life of a member, in milliseconds: all hear all, so there are fewer of them where there are many members. */
export function beatMs(members: number): number {
  return Math.max(1_000, members * 5);
}

/** Signs of life that may be missing before a member counts as gone. Being wrong costs nothing: who is alive keeps its shards. */
export const MISSED_BEATS = 2;

function byId(a: FleetMember, b: FleetMember): number {
  return a.id < b.id ? -1 : a.id > b.id ? 1 : 0;
}

function at(list: readonly number[], index: number): number {
  return list[index] ?? 0;
}
