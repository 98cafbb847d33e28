import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { UnreadBytes } from '../../../../src/xml/tokenizer/unread-bytes.js';

describe('bytes that were not looked at', () => {
  test('come out as they went in, whatever is given back, and what was given out stays as it is', () => {
    const step = fc.oneof(
      fc.record({ push: fc.uint8Array({ maxLength: 20 }) }),
      // Bytes pushed while the taken ones are looked at, and how many of the taken ones are given back.
      fc.record({ meanwhile: fc.array(fc.uint8Array({ maxLength: 20 }), { maxLength: 2 }), rest: fc.nat({ max: 30 }) }),
      fc.record({ inFront: fc.uint8Array({ minLength: 1, maxLength: 5 }) }),
      fc.constant({ clear: true }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const unread = new UnreadBytes();
        let model: number[] = [];
        for (const one of steps) {
          if ('push' in one) {
            unread.push(one.push);
            model.push(...one.push);
          } else if ('inFront' in one) {
            unread.giveBack(one.inFront);
            model.unshift(...one.inFront);
          } else if ('clear' in one) {
            unread.clear();
            model = [];
          } else {
            const taken = unread.take();
            const expected = model;
            for (const chunk of one.meanwhile) unread.push(chunk);
            expect([...taken]).toEqual(expected);
            const rest = taken.subarray(Math.max(0, taken.length - one.rest));
            model = [...rest, ...one.meanwhile.flatMap((chunk) => [...chunk])];
            if (rest.length > 0) unread.giveBack(rest);
          }
          expect(unread.length).toBe(model.length);
        }
        expect([...unread.take()]).toEqual(model);
      }),
      { numRuns: 500 },
    );
  });

  test('the chunk may be used again', () => {
    const unread = new UnreadBytes();
    const chunk = Uint8Array.of(1, 2);
    unread.push(chunk);
    chunk.fill(9);
    expect([...unread.take()]).toEqual([1, 2]);
  });

  test('faults C4: single bytes cost no more room or copies than one chunk, about', () => {
    const copied = countCopies(() => {
      const unread = new UnreadBytes();
      for (let i = 0; i < 65_536; i += 1) {
        unread.push(Uint8Array.of(i));
        // One is looked at, and stays.
        unread.giveBack(unread.take());
      }
      expect(unread.length).toBe(65_536);
      expect(unread.take().buffer.byteLength).toBeLessThanOrEqual(4 * 65_536);
    });
    expect(copied).toBeLessThanOrEqual(4 * 65_536);
  });
});

/** How many bytes are copied meanwhile. */
function countCopies(work: () => void): number {
  const { set } = Uint8Array.prototype;
  let bytes = 0;
  Uint8Array.prototype.set = function (this: Uint8Array, from: ArrayLike<number>, at?: number) {
    bytes += from.length;
    set.call(this, from, at);
  };
  try {
    work();
  } finally {
    Uint8Array.prototype.set = set;
  }
  return bytes;
}
