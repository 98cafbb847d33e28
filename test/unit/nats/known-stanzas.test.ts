import { expect, it } from 'vitest';
import { KnownStanzas } from '../../../src/nats/known-stanzas.js';
import { FRESH, type Mark } from '../../../src/nats/marks.js';
import type { StagedEntry } from '../../../src/nats/staged.js';

const HANDED: Mark = { ...FRESH, handed: { session: null, ordinal: null }, attempts: 1 };
const entry = (sequence: number, mark: Mark, reply: string | null): StagedEntry => ({
  key: String(sequence),
  sequence,
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
  known.pass(1);
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
