// Who is there in a fleet, by the signs of life that were heard.
import { MISSED_BEATS, type FleetMember } from './fleet-assignment.js';
import type { Beat } from './fleet-beat.js';

/** Most members that are remembered. */
const MOST = 10_000;

interface Heard {
  readonly beat: Beat;
  readonly at: number;
}

/** The other members. Times are of this process's clock alone, in milliseconds. */
export class FleetMembers {
  readonly #heard = new Map<string, Heard>();

  /** @returns whether it says something new */
  hear(beat: Beat, now: number): boolean {
    const before = this.#heard.get(beat.id)?.beat;
    if (beat.isLast) return this.#heard.delete(beat.id);
    if (before === undefined && this.#heard.size >= MOST) return false;
    this.#heard.set(beat.id, { beat, at: now });
    if (before === undefined || before.isFull !== beat.isFull) return true;
    return !isSame(before.held, beat.held) || !isSame(before.claimed, beat.claimed);
  }

  /** Forgets those who have been silent for too long. @returns those who are left */
  present(now: number): readonly FleetMember[] {
    const present: FleetMember[] = [];
    for (const [id, { beat, at }] of this.#heard) {
      if (now - at > MISSED_BEATS * beat.everyMs) this.#heard.delete(id);
      else present.push(beat);
    }
    return present;
  }

  /** Longest time between two signs of life of anybody. */
  get everyMs(): number {
    let longest = 0;
    for (const { beat } of this.#heard.values()) longest = Math.max(longest, beat.everyMs);
    return longest;
  }
}

function isSame(one: ReadonlySet<number>, other: ReadonlySet<number>): boolean {
  if (one.size !== other.size) return false;
  for (const shard of one) if (!other.has(shard)) return false;
  return true;
}
