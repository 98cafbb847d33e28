import fc from 'fast-check';
import { expect, it } from 'vitest';
import { KnownStanzas, NOWHERE } from '../../../src/nats/known-stanzas.js';
import { FRESH, type Mark } from '../../../src/nats/marks.js';
import type { StagedEntry } from '../../../src/nats/staged.js';

const HANDED: Mark = { ...FRESH, handed: { session: null, ordinal: null }, attempts: 1 };
const entry = (sequence: number, mark: Mark, reply: string | null): StagedEntry => ({
  key: String(sequence),
  sequence,
  at: reply === null ? null : sequence,
  ticket: null,
  mark,
  reply,
});

it('what was handed and is done with stays marked until JetStream knows that it is done with', () => {
  const known = new KnownStanzas();
  const brought = entry(1, HANDED, 'a');
  const own = entry(2, HANDED, null);
  const fresh = entry(3, FRESH, 'c');
  for (const one of [brought, own, fresh]) known.add(one);
  known.pass(1, 1);
  expect([brought, own, fresh].map((one) => known.end(one))).toEqual([false, false, false]);
  expect([...known.marks()]).toEqual([
    [1, HANDED],
    [2, HANDED],
  ]);
  known.confirmed([1]);
  expect([...known.marks().keys()]).toEqual([2]);
  expect(known.endsNow(2)).toBe(true);
  expect([...known.marks().keys()]).toEqual([2]);
  known.confirmed([2]);
  expect(known.marks().size).toBe(0);
});

it('the newest that were confirmed stay marked where other nodes may not have heard of it', () => {
  const known = new KnownStanzas(2);
  for (let sequence = 1; sequence <= 4; sequence += 1) {
    const one = entry(sequence, HANDED, 'x');
    known.add(one);
    known.end(one);
    known.confirmed([sequence]);
  }
  expect([...known.marks().keys()]).toEqual([3, 4]);
});

it('J-2 what somebody took out of the stream before it was brought is not waited for, and has no marks', () => {
  const known = new KnownStanzas();
  const own = [1, 2, 3, 4].map((sequence) => entry(sequence, HANDED, null));
  for (const one of own) known.add(one);
  for (const one of own.slice(0, 2)) known.end(one);
  expect(known.toCome).toBe(4);
  // The stream was purged up to here.
  known.pass(5, 5);
  expect([known.toCome, [...known.endedEarly], [...known.marks().keys()]]).toEqual([0, [], [3, 4]]);
  expect(own.slice(2).map((one) => known.end(one))).toEqual([true, true]);
});

it('J-1 knows a place that is used again, by the key, by the time, and where it knows of no stanza there', () => {
  const known = new KnownStanzas();
  for (let sequence = 1; sequence <= 4; sequence += 1) {
    const one = entry(sequence, FRESH, 'x');
    if (sequence !== 2) known.add(one);
    known.pass(sequence, sequence);
  }
  known.add(entry(5, FRESH, null));
  // What was brought already, what is done with, what is brought first, and what is new.
  const before: [number, string, number][] = [
    [1, '1', 1],
    [2, '2', 2],
    [5, '5', 50],
    [6, '6', 6],
  ];
  expect(before.map((one) => known.isReused(...one))).toEqual([false, false, false, false]);
  // A leader of a cluster whose clock is behind.
  known.pass(6, 1);
  expect(known.isReused(2, '2', 4)).toBe(false);
  const again: [number, string, number][] = [
    [1, '1', 9],
    [2, '2', 9],
    [3, 'other', 9],
    [5, 'other', 9],
  ];
  expect(again.map((one) => known.isReused(...one))).toEqual([true, true, true, true]);
});

it('J-1 what the stream has lost stays here without a place, and takes the one in which it comes again', () => {
  const known = new KnownStanzas();
  const [first, held, early, ended] = [1, 2, 3, 4].map((sequence) =>
    entry(sequence, HANDED, sequence < 3 ? 'x' : null),
  );
  for (const one of [first!, held!, early!, ended!]) known.add(one);
  known.pass(2, 2);
  known.end(ended!);
  known.lose(2);
  expect([known.floor, known.toCome, [...known.marks().keys()]]).toEqual([1, 0, [1]]);
  expect(known.withKey('2')).toBe(held);
  expect([held!.sequence, held!.reply, known.at(2)]).toEqual([NOWHERE, null, undefined]);
  // Nothing is acknowledged, or deleted, for one that has none.
  expect(known.end(early!)).toBe(false);
  expect([...known.marks().keys()]).toEqual([1]);
  known.bring(held!, { sequence: 7, at: 70 }, 'y');
  expect([known.at(7), [...known.marks().keys()]]).toEqual([held, [1, 7]]);
});

it('J-1 what was brought and is done with is told in ranges, whatever else is there', () => {
  const places = fc.uniqueArray(fc.integer({ min: 1, max: 60 }), { minLength: 1 });
  fc.assert(
    fc.property(places, fc.func(fc.boolean()), fc.nat(5), (given, isOver, own) => {
      const known = new KnownStanzas();
      const brought = given.toSorted((a, b) => a - b).map((at) => entry(at, FRESH, 'x'));
      // What this process has put, and JetStream did not bring yet.
      for (let at = 1; at <= own; at += 1) known.add(entry(60 + at, HANDED, null));
      for (const one of brought) {
        known.pass(one.sequence, one.sequence);
        known.add(one);
      }
      const open = new Set<number>();
      for (const one of brought) {
        if (isOver(one.sequence)) known.end(one);
        else open.add(one.sequence);
      }
      const ranges = known.done();
      const told = (at: number): boolean =>
        ranges.some((last, index) => index % 2 === 1 && at <= last && at >= (ranges[index - 1] ?? 0));
      expect(ranges).toEqual(ranges.toSorted((a, b) => a - b));
      for (let at = 1; at <= 66; at += 1) expect(told(at)).toBe(at <= known.floor && !open.has(at));
    }),
  );
});

it('of very many ranges the newest are told', () => {
  const known = new KnownStanzas();
  for (let at = 1; at <= 1_000; at += 1) {
    known.pass(at, at);
    if (at % 2 === 0) known.add(entry(at, FRESH, 'x'));
  }
  known.pass(1_001, 1_001);
  const ranges = known.done();
  expect([ranges.length, ranges.slice(0, 2), ranges.slice(-2)]).toEqual([64, [939, 939], [1_001, 1_001]]);
});
