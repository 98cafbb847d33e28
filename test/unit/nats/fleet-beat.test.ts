import { array, assert, integer, property, uniqueArray } from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readBeat, writeBeat, type Beat } from '../../../src/nats/fleet-beat.js';
import { FleetMembers } from '../../../src/nats/fleet-members.js';

const beat = (more: Partial<Beat> = {}): Beat => ({
  id: 'a',
  shards: 64,
  everyMs: 1_000,
  isLast: false,
  isFull: false,
  held: new Set(),
  claimed: new Set(),
  ...more,
});

describe('a sign of life', () => {
  it('comes back as it was written', () => {
    const shards = uniqueArray(integer({ min: 0, max: 63 }));
    assert(
      property(shards, shards, (held, claimed) => {
        const one = beat({ held: new Set(held), claimed: new Set(claimed) });
        expect(readBeat(writeBeat(one))).toEqual(one);
      }),
    );
  });

  it.each([
    '',
    'null',
    '[]',
    '{"v":1}',
    writeBeat(beat({ id: '' })),
    writeBeat(beat({ id: 'x'.repeat(201) })),
    writeBeat(beat({ shards: 0 })),
    writeBeat(beat({ shards: 4_097 })),
    writeBeat(beat({ everyMs: 0 })),
    writeBeat(beat({ everyMs: 60_001 })),
    writeBeat(beat({ held: new Set([64]) })),
    writeBeat(beat({ held: new Set([1.5]) })),
    writeBeat(beat()).replace('"held":[]', '"held":[[0,63],[0,63]]'),
    writeBeat(beat()).replace('"held":[]', '"held":[[5,4]]'),
    writeBeat(beat()).replace('"held":[]', '"held":[7]'),
    writeBeat(beat()).replace('"held":[]', '"held":{}'),
    writeBeat(beat()).replace('"v":1', '"v":2'),
    writeBeat(beat()).replace('"isFull":false', '"isFull":0'),
  ])('is none: %s', (text) => {
    expect(readBeat(text)).toBeNull();
  });

  it('survives any text', () => {
    assert(
      property(array(integer({ min: 32, max: 126 })), (codes) => {
        expect(readBeat(String.fromCharCode(...codes))).toBeNull();
      }),
    );
  });
});

describe('the members that were heard', () => {
  it('are forgotten behind two signs of life that did not come', () => {
    const members = new FleetMembers();
    members.hear(beat({ id: 'a', everyMs: 1_000 }), 0);
    members.hear(beat({ id: 'b', everyMs: 5_000 }), 0);
    expect(members.present(2_000).map(({ id }) => id)).toEqual(['a', 'b']);
    expect(members.present(2_001).map(({ id }) => id)).toEqual(['b']);
    expect(members.everyMs).toBe(5_000);
    expect(members.present(10_001)).toEqual([]);
  });

  it('are forgotten at once when they go', () => {
    const members = new FleetMembers();
    members.hear(beat(), 0);
    expect(members.hear(beat({ isLast: true }), 1)).toBe(true);
    expect(members.present(1)).toEqual([]);
  });

  it('say whether there is news', () => {
    const members = new FleetMembers();
    const news = [
      beat(),
      beat(),
      beat({ held: new Set([1]) }),
      beat({ held: new Set([1]) }),
      beat({ held: new Set([2]) }),
      beat({ held: new Set([2]), claimed: new Set([3]) }),
      beat({ held: new Set([2]), isFull: true }),
    ].map((one) => members.hear(one, 0));
    expect(news).toEqual([true, false, true, false, true, true, true]);
  });
});
