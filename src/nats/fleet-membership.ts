// One member among others: it says what it has, hears what they have, and takes and releases shards by what
// `decide` makes of it.
import type { BrokerError } from '../errors.js';
import { beatMs, decide, type FleetMember } from './fleet-assignment.js';
import { readBeat, writeBeat, type Beat } from './fleet-beat.js';
import type { HeldShard, ShardSource } from './fleet-contract.js';
import { FleetMembers } from './fleet-members.js';

/** Time between two looks at what is known, in milliseconds, and behind which news are looked at. */
const LOOK_MS = 250;
const SOON_MS = 20;
/** Least time between two signs of life, in milliseconds. */
const NEWS_MS = 100;
/** For how long a member takes nothing when taking failed, in milliseconds. */
const BACK_OFF_MS = 10_000;

/** What a member works with. */
export interface FleetMembershipParts {
  readonly id: string;
  readonly shards: number;
  readonly source: ShardSource;
  /** Tells all others. Never throws. */
  tell(text: string): void;
}

/** Who hears of it. */
export interface FleetMembershipOwner {
  gained(shard: number, held: HeldShard): void;
  /** Closes what works with a shard, before it is let go of. Never rejects. */
  releasing(shard: number): Promise<void>;
  /** @param error null: it was released */
  lost(shard: number, error: BrokerError | null): void;
  failed(error: BrokerError): void;
}

/** One member of a fleet. */
export class FleetMembership {
  readonly #parts: FleetMembershipParts;
  readonly #owner: FleetMembershipOwner;
  readonly #others = new FleetMembers();
  readonly #held = new Map<number, HeldShard>();
  readonly #claims = new Map<number, AbortController>();
  /** Claims that are not settled, given up or not. */
  readonly #taking = new Set<Promise<void>>();
  readonly #releasing = new Map<number, Promise<void>>();
  #startedAt = Number.POSITIVE_INFINITY;
  #fullUntil = Number.NEGATIVE_INFINITY;
  #toldAt = Number.NEGATIVE_INFINITY;
  #beat: NodeJS.Timeout | undefined;
  #look: NodeJS.Timeout | undefined;
  #soon: NodeJS.Timeout | undefined;
  /** It goes: it takes nothing any more, and says so until it is gone. */
  #isLeaving = false;
  #isOver = false;

  constructor(parts: FleetMembershipParts, owner: FleetMembershipOwner) {
    this.#parts = parts;
    this.#owner = owner;
  }

  get held(): readonly number[] {
    return [...this.#held.keys()].sort((a, b) => a - b);
  }

  /** How many there are, this one included. */
  get size(): number {
    return this.#others.present(performance.now()).length + 1;
  }

  /** Becomes a member. It listens first: everybody else is heard within one of their intervals. */
  start(): void {
    this.#startedAt = performance.now();
    this.#tell();
    this.#look = setInterval(() => {
      this.#decide();
    }, LOOK_MS);
  }

  /** What another member said; what comes from elsewhere is ignored. */
  hear(text: string): void {
    const beat = readBeat(text);
    if (this.#isLeaving || beat === null || beat.id === this.#parts.id || beat.shards !== this.#parts.shards) return;
    if (this.#others.hear(beat, performance.now())) this.#soon ??= setTimeout(() => this.#decide(), SOON_MS);
  }

  /** Releases everything, and is no member any more. Never rejects. */
  async leave(): Promise<void> {
    this.#isLeaving = true;
    this.#fullUntil = Number.POSITIVE_INFINITY;
    clearInterval(this.#look);
    clearTimeout(this.#soon);
    for (const claim of this.#claims.values()) claim.abort();
    this.#claims.clear();
    await Promise.all([...this.#held.keys()].map((shard) => this.#release(shard)));
    await Promise.all(this.#taking);
    this.#isOver = true;
    clearTimeout(this.#beat);
    this.#parts.tell(writeBeat(this.#state(true)));
  }

  #decide(): void {
    clearTimeout(this.#soon);
    this.#soon = undefined;
    const now = performance.now();
    const everyMs = Math.max(beatMs(1), this.#others.everyMs);
    if (this.#isLeaving || now - this.#startedAt < everyMs) return;
    const members: FleetMember[] = [...this.#others.present(now), this.#state()];
    const { id: me, shards } = this.#parts;
    const { take, release } = decide({ shards, members, me });
    const wanted = new Set(take);
    const before = this.#claims.size;
    let isNews = false;
    for (const [shard, claim] of this.#claims) {
      if (wanted.has(shard)) continue;
      this.#claims.delete(shard);
      claim.abort();
      isNews = true;
    }
    for (const shard of wanted) {
      if (this.#claims.has(shard)) continue;
      const claim = new AbortController();
      this.#claims.set(shard, claim);
      const taking = this.#take(shard, claim).finally(() => this.#taking.delete(taking));
      this.#taking.add(taking);
      isNews = true;
    }
    if (release !== null && this.#releasing.size === 0) void this.#release(release);
    if (isNews || before !== this.#claims.size) this.#news();
  }

  async #take(shard: number, claim: AbortController): Promise<void> {
    try {
      const held = await this.#parts.source.take(shard, claim.signal, (error) => {
        this.#lose(shard, error);
      });
      if (this.#claims.get(shard) !== claim) {
        await held.release();
        return;
      }
      this.#claims.delete(shard);
      this.#held.set(shard, held);
      this.#news();
      this.#owner.gained(shard, held);
    } catch (caught) {
      if (claim.signal.aborted) return;
      this.#claims.delete(shard);
      this.#fullUntil = performance.now() + BACK_OFF_MS;
      this.#news();
      this.#owner.failed(caught as BrokerError);
    }
  }

  /** Never rejects. */
  #release(shard: number): Promise<void> {
    const held = this.#held.get(shard);
    if (held === undefined) return Promise.resolve();
    let releasing = this.#releasing.get(shard);
    if (releasing === undefined) {
      releasing = this.#released(shard, held);
      this.#releasing.set(shard, releasing);
    }
    return releasing;
  }

  async #released(shard: number, held: HeldShard): Promise<void> {
    await this.#owner.releasing(shard);
    await held.release();
    this.#releasing.delete(shard);
    if (this.#held.get(shard) !== held) return;
    this.#held.delete(shard);
    this.#news();
    this.#owner.lost(shard, null);
  }

  #lose(shard: number, error: BrokerError): void {
    if (!this.#held.delete(shard)) return;
    this.#owner.lost(shard, error);
    this.#news();
  }

  #state(isLast = false): Beat {
    return {
      id: this.#parts.id,
      shards: this.#parts.shards,
      everyMs: beatMs(this.size),
      isLast,
      isFull: performance.now() < this.#fullUntil,
      held: new Set(this.#held.keys()),
      claimed: new Set(this.#claims.keys()),
    };
  }

  /** Tells soon what has changed. */
  #news(): void {
    if (this.#isOver) return;
    const dueMs = this.#toldAt + NEWS_MS - performance.now();
    if (dueMs > 0) this.#tellIn(dueMs);
    else this.#tell();
  }

  #tell(): void {
    if (this.#isOver) return;
    this.#toldAt = performance.now();
    const state = this.#state();
    this.#parts.tell(writeBeat(state));
    this.#tellIn(state.everyMs);
  }

  #tellIn(ms: number): void {
    clearTimeout(this.#beat);
    this.#beat = setTimeout(() => {
      this.#tell();
    }, ms);
  }
}
