import { assert, constantFrom, integer, property, record, array, type Arbitrary } from 'fast-check';
import { describe, expect, it } from 'vitest';
import { beatMs, decide, type FleetMember } from '../../../src/nats/fleet-assignment.js';
import { generator } from '../../support/random.js';

const member = (
  id: string,
  held: readonly number[] = [],
  claimed: readonly number[] = [],
  isFull = false,
): FleetMember => ({ id, held: new Set(held), claimed: new Set(claimed), isFull });

const upTo = (end: number, start = 0): number[] => Array.from({ length: end - start }, (_, i) => start + i);

/** Shards, and members that have some of them and try to take others: what anybody could see, contradictions too. */
const views: Arbitrary<{ shards: number; members: FleetMember[] }> = record({
  shards: integer({ min: 1, max: 40 }),
  members: array(
    record({
      held: array(integer({ min: 0, max: 45 })),
      claimed: array(integer({ min: 0, max: 45 })),
      isFull: constantFrom(false, false, true),
    }),
    { minLength: 1, maxLength: 12 },
  ),
}).map(({ shards, members }) => ({
  shards,
  members: members.map(({ held, claimed, isFull }, i) => member(`m${String(i)}`, held, claimed, isFull)),
}));

describe('decide', () => {
  it('lets one member take everything', () => {
    expect(decide({ shards: 3, members: [member('a')], me: 'a' })).toEqual({ take: [0, 1, 2], release: null });
  });

  it('gives what is free to those who have the least', () => {
    const members = [member('a', [0, 1, 2, 3]), member('b', [4]), member('c')];
    const take = (me: string) => decide({ shards: 9, members, me }).take;
    expect([take('a'), take('b'), take('c')]).toEqual([[], [8], [5, 6, 7]]);
  });

  it('keeps to what it was trying to take, and leaves what somebody else tries first', () => {
    const members = [member('a', [], [3]), member('b', [], [3, 4]), member('c')];
    const take = (me: string) => decide({ shards: 6, members, me }).take;
    expect(take('a')).toContain(3);
    expect(take('b')).toContain(4);
    expect(take('b')).not.toContain(3);
    expect([...take('a'), ...take('b'), ...take('c')].sort()).toEqual(upTo(6));
  });

  it('releases one shard when everything is taken and somebody has less than a share', () => {
    const members = [member('a', upTo(4)), member('b', upTo(8, 4)), member('c')];
    const release = (me: string) => decide({ shards: 8, members, me }).release;
    expect([release('a'), release('b'), release('c')]).toEqual([3, 7, null]);
  });

  it('releases nothing while something is free', () => {
    const members = [member('a', upTo(6)), member('b')];
    expect(decide({ shards: 8, members, me: 'a' }).release).toBeNull();
  });

  it('moves nothing for a difference of one, and nothing when there are more members than shards', () => {
    const uneven = [member('a', [0, 1]), member('b', [2])];
    const many = [member('a', [0]), member('b', [1]), member('c')];
    for (const me of ['a', 'b'])
      expect(decide({ shards: 3, members: uneven, me })).toEqual({ take: [], release: null });
    for (const me of ['a', 'b', 'c']) {
      expect(decide({ shards: 2, members: many, me })).toEqual({ take: [], release: null });
    }
  });

  it('gives no more to one that is full, takes nothing from it, and shares the rest among the others', () => {
    const members = [member('a', [0], [], true), member('b', [1, 2, 3]), member('c')];
    const decided = (shards: number) => ['a', 'b', 'c'].map((me) => decide({ shards, members, me }));
    expect(decided(6)).toEqual([
      { take: [], release: null },
      { take: [], release: null },
      { take: [4, 5], release: null },
    ]);
    expect(decided(4)).toEqual([
      { take: [], release: null },
      { take: [], release: 3 },
      { take: [], release: null },
    ]);
  });

  it('does nothing for one that is not a member', () => {
    expect(decide({ shards: 3, members: [member('a')], me: 'b' })).toEqual({ take: [], release: null });
  });

  it('in any view: takes what nobody has, no shard twice, all of it, and lets go of its own only', () => {
    assert(
      property(views, ({ shards, members }) => {
        const decisions = members.map(({ id }) => decide({ shards, members, me: id }));
        const taken = decisions.flatMap(({ take }) => take);
        const isHeld = (shard: number): boolean => members.some(({ held }) => held.has(shard));
        const free = members.every(({ isFull }) => isFull) ? [] : upTo(shards).filter((shard) => !isHeld(shard));
        expect(new Set(taken).size).toBe(taken.length);
        expect(taken.sort((a, b) => a - b)).toEqual(free);
        for (const [i, { release }] of decisions.entries()) {
          if (release !== null) expect(members[i]?.held.has(release)).toBe(true);
          if (release !== null) expect(taken).toEqual([]);
        }
      }),
    );
  });

  it('does not depend on the order in which members are seen', () => {
    assert(
      property(views, ({ shards, members }) => {
        const { id } = members[0] ?? { id: '' };
        const turned = [...members].reverse();
        expect(decide({ shards, members, me: id })).toEqual(decide({ shards, members: turned, me: id }));
      }),
    );
  });
});

/** Members that see of each other what was so some rounds ago, and a lease for each shard that settles who has it. */
class World {
  readonly holders: (string | null)[];
  readonly claims = new Map<string, ReadonlySet<number>>();
  /** What was to be seen in each round. */
  readonly #seen: FleetMember[][] = [];
  readonly #random;
  moves = 0;
  releases = 0;

  constructor(
    readonly shards: number,
    members: number,
    seed: number,
  ) {
    this.#random = generator(seed);
    this.holders = new Array<string | null>(shards).fill(null);
    for (const i of upTo(members)) this.join(`m${String(i)}`);
  }

  join(id: string): void {
    this.claims.set(id, new Set());
  }

  leave(id: string): void {
    this.claims.delete(id);
    for (const [shard, holder] of this.holders.entries()) if (holder === id) this.holders[shard] = null;
  }

  held(id: string): number[] {
    return upTo(this.shards).filter((shard) => this.holders[shard] === id);
  }

  get members(): string[] {
    return [...this.claims.keys()];
  }

  /** Each member decides once. @param lag rounds that news may take @param reach part of what it claims that a member gets */
  round(lag: number, reach: number): void {
    this.#seen.push(this.members.map((id) => member(id, this.held(id), [...(this.claims.get(id) ?? [])])));
    const decided = this.members.map((me) => ({
      me,
      ...decide({ shards: this.shards, members: this.#view(me, lag), me }),
    }));
    for (const { me, take, release } of decided) {
      const left = new Set(take);
      for (const shard of take) {
        if (this.#random.below(100) >= reach || this.holders[shard] !== null) continue;
        this.holders[shard] = me;
        left.delete(shard);
        this.moves += 1;
      }
      this.claims.set(me, left);
      if (release === null) continue;
      expect(this.holders[release]).toBe(me);
      this.holders[release] = null;
      this.releases += 1;
    }
  }

  /** So many rounds in which news is seen at once, and what is claimed is had. */
  rounds(count: number): void {
    for (let i = 0; i < count; i += 1) this.round(0, 100);
  }

  get isBalanced(): boolean {
    const loads = this.members.map((id) => this.held(id).length);
    return !this.holders.includes(null) && Math.max(...loads) - Math.min(...loads) <= 1;
  }

  #view(me: string, lag: number): FleetMember[] {
    const now = this.#seen.length - 1;
    const others = new Map<string, FleetMember>();
    for (const id of this.members) {
      const round = this.#seen[Math.max(0, now - this.#random.below(lag + 1))] ?? [];
      const seen = round.find((one) => one.id === id);
      if (seen !== undefined) others.set(id, seen);
    }
    others.set(me, member(me, this.held(me), [...(this.claims.get(me) ?? [])]));
    return [...others.values()];
  }
}

const worlds = record({
  shards: integer({ min: 1, max: 30 }),
  members: integer({ min: 1, max: 10 }),
  seed: integer({ min: 1, max: 2 ** 31 }),
  lag: integer({ min: 0, max: 4 }),
  reach: constantFrom(30, 70, 100),
  events: array(constantFrom('join', 'leave', 'nothing'), { maxLength: 12 }),
});

describe('a fleet that decides with it', () => {
  it('is balanced again when members came and went, whatever they saw of each other meanwhile', () => {
    assert(
      property(worlds, ({ shards, members, seed, lag, reach, events }) => {
        const world = new World(shards, members, seed);
        let joined = 0;
        for (const event of events) {
          const [first] = world.members;
          if (event === 'join') world.join(`n${String((joined += 1))}`);
          else if (event === 'leave' && first !== undefined && world.members.length > 1) world.leave(first);
          world.round(lag, reach);
        }
        for (let i = 0; i < 500 && !world.isBalanced; i += 1) world.round(i < 100 ? lag : 0, reach);
        expect(world.isBalanced).toBe(true);
        // The rest of what was under way, and then nothing any more.
        world.rounds(lag + 1);
        const { moves, releases } = world;
        world.rounds(5);
        expect([world.moves, world.releases]).toEqual([moves, releases]);
      }),
      { numRuns: 60 },
    );
  });

  it('moves the shards of who died, and no other', () => {
    assert(
      property(integer({ min: 1, max: 60 }), integer({ min: 2, max: 12 }), (shards, members) => {
        const world = new World(shards, members, 1);
        while (!world.isBalanced) world.round(0, 100);
        const lost = world.held('m0').length;
        world.leave('m0');
        world.moves = 0;
        world.rounds(10);
        expect([world.moves, world.releases, world.isBalanced]).toEqual([lost, 0, true]);
      }),
    );
  });

  it('moves the share of who joins, and no other', () => {
    assert(
      property(integer({ min: 1, max: 60 }), integer({ min: 1, max: 12 }), (shards, members) => {
        const world = new World(shards, members, 1);
        while (!world.isBalanced) world.round(0, 100);
        world.moves = 0;
        world.join('new');
        world.rounds(2 * shards);
        expect([world.moves, world.isBalanced]).toEqual([Math.floor(shards / (members + 1)), true]);
      }),
      { numRuns: 40 },
    );
  });
});

describe('beatMs', () => {
  it('is a second for up to 200 members, and lets each hear at most 200 of them a second', () => {
    expect([1, 200, 1_000, 5_000].map(beatMs)).toEqual([1_000, 1_000, 5_000, 25_000]);
  });
});
