import fc from 'fast-check';
import { expect, it } from 'vitest';
import { FRESH, isFresh, Marks, packed, type Mark } from '../../../src/nats/marks.js';

const mark = fc.record({
  handed: fc.option(
    fc.record({
      session: fc.option(fc.constantFrom('s', 't')),
      ordinal: fc.option(fc.constantFrom(0, 1, 2, 5, 2 ** 32 - 2, 2 ** 32 - 1)),
    }),
  ),
  possibleDuplicate: fc.boolean(),
  attempts: fc.nat(2),
  faults: fc.nat(1),
});

it('what is packed is what is read, through the text of a record', () => {
  const rows = fc.uniqueArray(fc.tuple(fc.integer({ min: 1, max: 60 }), mark), { selector: ([at]) => at });
  fc.assert(
    fc.property(rows, (given) => {
      const marks = new Marks(JSON.parse(JSON.stringify(packed(given))));
      const known = new Map(given);
      for (let at = 0; at < 63; at += 1) expect(marks.of(at, false)).toEqual(known.get(at) ?? FRESH);
      const marked = given.filter(([, one]) => !isFresh(one)).map(([at]) => at);
      expect(marks.last).toBe(Math.max(0, ...marked));
    }),
  );
});

const handed = (ordinal: number): Mark => ({ ...FRESH, handed: { session: 's', ordinal }, attempts: 1 });

it('a window of a session is one group, with gaps where other queues have theirs', () => {
  const rows = Array.from({ length: 100 }, (_, i): [number, Mark] => [10 + i + Math.floor(i / 50) * 7, handed(i)]);
  expect(packed(rows)).toEqual([{ h: 1, s: 's', o: 0, d: 0, a: 1, f: 0, q: [10, 50, 7, 50] }]);
});

it('too many gaps make one wide range, which flags and places nothing', () => {
  const rows = Array.from({ length: 9_000 }, (_, i): [number, Mark] => [1 + 2 * i, handed(i)]);
  const marks = new Marks(packed(rows));
  expect(JSON.stringify(packed(rows)).length).toBeLessThan(100);
  for (const at of [1, 2, 17_999]) {
    expect(marks.of(at, false)).toMatchObject({ handed: { session: null, ordinal: null }, possibleDuplicate: true });
  }
  expect(marks.of(18_000, false)).toBe(FRESH);
});

it.each([
  [null],
  [{}],
  [[1]],
  [[{ h: 1 }]],
  [[{ h: 1, d: 0, a: 0, f: 0, q: ['x'] }]],
  [[{ h: 1, d: 0, a: -1, f: 0, q: [] }]],
])('%j of another program is nothing', (given) => {
  expect(new Marks(given).of(1, false)).toBe(FRESH);
});

it('a list of another program may be long', () => {
  const given = Array.from({ length: 200_000 }, (_, at) => ({ h: 1, d: 0, a: 1, f: 0, q: [at + 1, 1] }));
  const marks = new Marks(given);
  expect([marks.last, marks.of(200_000, false).attempts]).toEqual([200_000, 1]);
});

it('what was done with and is there again is flagged, and what has got its place since is not', () => {
  const marks = new Marks(packed([[3, handed(1)]]), [1, 4, 7, 9]);
  const flagged = [1, 2, 3, 4, 5, 6, 7, 9, 10].map((at) => marks.of(at, false).possibleDuplicate);
  expect(flagged).toEqual([true, true, false, true, false, false, true, true, false]);
  expect([1, 3, 8].map((at) => marks.of(at, true).possibleDuplicate)).toEqual([false, true, false]);
  expect(marks.last).toBe(9);
});

it.each([[null], [{}], [['x']], [[-1, 5]]])('%j of another program is no list of what is done with', (done) => {
  expect(new Marks([], done).done).toEqual([]);
});
