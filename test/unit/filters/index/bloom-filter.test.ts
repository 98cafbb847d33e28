import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { BloomFilter } from '../../../../src/filters/index/bloom-filter.js';

describe('Sieve', () => {
  test('has every text that was added, whatever it was begun with', () => {
    const texts = fc.array(fc.string({ unit: 'binary', maxLength: 40 }), { maxLength: 60 });
    fc.assert(
      fc.property(texts, texts, (first, more) => {
        const sieve = new BloomFilter(new Map(first.map((text) => [text, null])));
        for (const text of more) sieve.add(text);
        for (const text of [...first, ...more]) expect(sieve.has(text)).toBe(true);
      }),
    );
  });

  test('has few others, and says when there would be too many', () => {
    const address = (user: number) => `user${user}@example.org/phone`;
    let sieve = new BloomFilter(new Map());
    const texts = new Map<string, null>();
    for (let i = 0; i < 10_000; i += 1) {
      texts.set(address(i), null);
      if (sieve.isFull) sieve = new BloomFilter(texts);
      else sieve.add(address(i));
    }
    let passed = 0;
    for (let i = 0; i < 10_000; i += 1) if (sieve.has(address(i + 20_000))) passed += 1;
    expect(passed).toBeLessThan(2_000);
  });

  test('is full after as many texts as it has room for, also when they are the same or gone', () => {
    const sieve = new BloomFilter(new Map([['a', null]]));
    let added = 0;
    for (; !sieve.isFull; added += 1) sieve.add('b');
    expect(added).toBeGreaterThan(0);
    expect(added).toBeLessThan(10);
  });
});
