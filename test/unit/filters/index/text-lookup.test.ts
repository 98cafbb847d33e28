import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Candidates } from '../../../../src/filters/index/bucket.js';
import { PartIndex } from '../../../../src/filters/index/part-index.js';
import { PrefixIndex } from '../../../../src/filters/index/prefix-index.js';

class Wanted {
  found = 0;
  gone = false;
  constructor(readonly text: string) {}
}

interface Index {
  add(text: string, filter: Wanted): void;
  remove(text: string): void;
  gather(text: string, into: Candidates<Wanted>): void;
  readonly size: number;
}

function found(index: Index, text: string, stanza: number): string[] {
  const gathering = new Candidates<Wanted>();
  gathering.stanza = stanza;
  index.gather(text, gathering);
  return gathering.candidates.map((filter) => filter.text).sort();
}

const letters = fc.constantFrom('a', 'b', 'c', 'é', 'š', 'š\u0301', '😀', '\u0161', 'a\u0000');
const word = fc.string({ unit: letters, minLength: 1, maxLength: 10 });
const text = fc.string({ unit: letters, maxLength: 80 });

describe.each<[name: string, make: () => Index, holds: (text: string, wanted: string) => boolean]>([
  ['parts', () => new PartIndex<Wanted>(), (text, wanted) => text.includes(wanted)],
  ['prefixes', () => new PrefixIndex<Wanted>(), (text, wanted) => text.startsWith(wanted)],
])('many texts are looked up at once: %s', (_name, make, holds) => {
  test('what is found is what is there, also after removing', () => {
    fc.assert(
      fc.property(
        fc.array(word, { maxLength: 40 }),
        fc.array(fc.nat(50), { maxLength: 30 }),
        fc.array(text, { maxLength: 8 }),
        (words, removed, texts) => {
          const index = make();
          const filters = words.map((each) => new Wanted(each));
          for (const filter of filters) index.add(filter.text, filter);
          for (const which of removed) {
            const [filter] = filters.splice(which, 1);
            if (filter === undefined) continue;
            filter.gone = true;
            index.remove(filter.text);
          }
          expect(index.size).toBe(new Set(filters.map((filter) => filter.text)).size);
          for (const [i, each] of texts.entries()) {
            const expected = filters.filter((filter) => holds(each, filter.text)).map((filter) => filter.text);
            expect(found(index, each, i + 1)).toEqual(expected.sort());
          }
        },
      ),
      { numRuns: 400 },
    );
  });

  test.each([
    ['two letters', ['a', 'b']],
    ['letters with the same low byte', ['\u0161', '\u0261', 'a']],
  ])('texts that are hard to tell apart are told apart: %s', (_what, alphabet) => {
    const unit = fc.constantFrom(...alphabet);
    fc.assert(
      fc.property(
        fc.array(fc.string({ unit, minLength: 1, maxLength: 24 }), { minLength: 400, maxLength: 600 }),
        fc.infiniteStream(fc.boolean()),
        fc.array(fc.string({ unit, minLength: 20, maxLength: 60 }), { minLength: 2, maxLength: 4 }),
        (words, removals, texts) => {
          const index = make();
          let filters = words.map((each) => new Wanted(each));
          for (const filter of filters) index.add(filter.text, filter);
          let stanza = 0;
          while (filters.length > 0) {
            for (const each of texts) {
              stanza += 1;
              const expected = filters.filter((filter) => holds(each, filter.text)).map((filter) => filter.text);
              expect(found(index, each, stanza)).toEqual(expected.sort());
            }
            filters = filters.filter((filter) => {
              filter.gone = removals.next().value as boolean;
              if (filter.gone) index.remove(filter.text);
              return !filter.gone;
            });
          }
          expect(index.size).toBe(0);
        },
      ),
      { numRuns: 25 },
    );
  });

  test('ten thousand come and go', () => {
    const index = make();
    const filters = Array.from({ length: 10_000 }, (_, i) => new Wanted(`word ${i}.`));
    for (const filter of filters) index.add(filter.text, filter);
    expect(found(index, 'word 77. and word 5678.', 1)).toEqual(
      ['word 77.', 'word 5678.'].filter((each) => holds('word 77. and word 5678.', each)).sort(),
    );
    for (const filter of filters) {
      filter.gone = true;
      index.remove(filter.text);
    }
    expect(index.size).toBe(0);
    expect(found(index, 'word 77.', 2)).toEqual([]);
    index.add('word', new Wanted('word'));
    expect(found(index, 'word 77.', 3)).toEqual(['word']);
  });
});

describe('parts of long texts', () => {
  test.each([1, 2, 3, 4, 5, 6, 7, 8, 63, 64])('of %i characters are found wherever they are', (length) => {
    const index = new PartIndex<Wanted>();
    const wanted = Array.from({ length }, (_, i) => String.fromCharCode(0x100 + ((i * 7) % 50))).join('');
    index.add(wanted, new Wanted(wanted));
    let stanza = 0;
    for (const at of [
      0,
      1,
      2,
      3,
      8176,
      8180,
      8183,
      8184,
      8185,
      8188,
      8191,
      8192,
      8193,
      16_367,
      16_368,
      30_000 - length,
    ]) {
      const text = 'x'.repeat(at) + wanted + 'y'.repeat(30_000 - length - at);
      stanza += 1;
      expect(found(index, text, stanza)).toEqual([wanted]);
      stanza += 1;
      expect(found(index, text.replace(wanted, wanted.slice(1)), stanza)).toEqual(length === 1 ? [] : []);
    }
  });
});
