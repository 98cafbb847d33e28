import { expect, it } from 'vitest';
import { anyOf, listOf, text } from '../../../src/arguments/checks.js';

const lists = listOf('names', text);
const unreadable = new Proxy(
  {},
  {
    ownKeys: () => {
      throw new Error('not even its names');
    },
  },
);

it.each([
  [{ a: 1, secret: 2 }, ' that has a, secret'],
  [{ a: 1, b: 2, c: 3, d: 4, e: 5, f: 6 }, ' that has a, b, c, d, e, …'],
  [{}, ''],
  [unreadable, ''],
])('a list names what an odd object has, and none of its values: case %#', (odd, told) => {
  expect(lists(['fine', odd])).toBe(`must be a list of names, without an object${told}`);
});

it.each([
  [[], ''],
  [['a'], "'a'"],
  [['a', 'b'], "'a' or 'b'"],
  [['a', 'b', 'c'], "'a', 'b' or 'c'"],
])('words as a choice: %j', (words, told) => {
  expect(anyOf(words)).toBe(told);
});
