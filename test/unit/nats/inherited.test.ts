import { expect, it } from 'vitest';
import { Inherited } from '../../../src/nats/inherited.js';
import { packed } from '../../../src/nats/marks.js';

const handed = { handed: { session: 's', ordinal: 1 }, possibleDuplicate: false, attempts: 1, faults: 0 };
const left = { marks: packed([[4, handed]]), done: [1, 3, 5, 9], session: null };
const next = { marks: packed([[12, handed]]), done: [10, 11], session: null };

it('stays in the record until everything that it speaks of was brought', () => {
  const inherited = new Inherited(JSON.parse(JSON.stringify(left)), 100);
  const all = { marks: [...next.marks, ...left.marks], done: [1, 3, 5, 9, 10, 11], session: null };
  expect(inherited.body(8, next)).toEqual(all);
  expect(inherited.body(9, next)).toEqual(next);
});

it('does not grow without end', () => {
  let body: typeof next = next;
  for (let life = 0; life < 100; life += 1) body = { ...new Inherited(body, 0).body(0, next) } as typeof next;
  expect(body.done.length).toBeLessThanOrEqual(128);
});

it('says nothing of what came behind it, or later', () => {
  const inherited = new Inherited(left, 100);
  const of = (sequence: number, at: number): boolean => inherited.markOf({ sequence, at }).possibleDuplicate;
  expect([of(1, 100), of(2, 101), of(4, 100), of(4, 101), of(9, 100)]).toEqual([true, false, false, true, true]);
  expect([of(10, 100), of(9, 100)]).toEqual([false, false]);
});

it.each([null, 1, { marks: 1, done: 'x', session: 5 }])('%j of another program is nothing', (body) => {
  const inherited = new Inherited(body, 100);
  expect([inherited.session, inherited.body(0, next)]).toEqual([null, next]);
});
