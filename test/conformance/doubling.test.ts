// G6: twice as much takes twice as long. `npm run evidence -- --only doubling` measures it; here it is only done.
import { describe, expect, it } from 'vitest';
import { note, partsOf, portion } from '../support/evidence.js';
import { KINDS, read, streamOf } from './doubling/kinds.js';
import { OTHERS } from './doubling/others.js';

/** Bytes of a chunk, and of the half, which is to take some milliseconds. */
const CHUNKS = [
  [1, 8_192],
  [7, 16_384],
  [64, 65_536],
  [1_460, 262_144],
  [16_384, 524_288],
  [Infinity, 524_288],
] as const;
/** The longest that the double may take, in halves. */
const BOUND = 2.3;
/** Pairs that are measured, for the median. */
const PAIRS = 5;
/** How long the half takes at least, in milliseconds: less is done so often. */
const LEAST_MS = 6;
/** A collection of garbage may fall on the one and not on the other: what is over the bound is measured again so often. */
const ATTEMPTS = 3;

function milliseconds(work: () => void): number {
  const before = process.cpuUsage();
  work();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1_000;
}

function repeat(times: number, work: () => void): void {
  for (let left = times; left > 0; left -= 1) work();
}

const median = (values: readonly number[]): number => values.toSorted((a, b) => a - b)[values.length >> 1]!;

/** How long the double takes, in halves. */
function ratio(half: () => void, double: () => void): { ratio: number; ms: number } {
  half();
  double();
  const times = Math.ceil(LEAST_MS / Math.max(0.05, Math.min(milliseconds(half), milliseconds(half))));
  let least = { ratio: Infinity, ms: 0 };
  for (let attempt = 0; attempt < ATTEMPTS && least.ratio > BOUND; attempt += 1) {
    const took = { half: [] as number[], double: [] as number[] };
    for (let pair = 0; pair < PAIRS; pair += 1) {
      took.half.push(milliseconds(() => repeat(times, half)) / times);
      took.double.push(milliseconds(() => repeat(times, double)) / times);
    }
    const ms = median(took.double);
    const found = ms / Math.max(0.01, median(took.half));
    if (found < least.ratio) least = { ratio: Math.round(found * 100) / 100, ms: Math.round(ms * 10) / 10 };
  }
  return least;
}

describe('G6, A-SIZE-1, A-SIZE-2, A-SIZE-3: twice as much takes twice as long', () => {
  it.each(partsOf(Object.keys(KINDS)))('%s', { timeout: 3_600_000 }, (name) => {
    const [kind, code] = KINDS[name]!;
    const cases = portion(CHUNKS.length);
    if (!cases.isWhole) {
      const bytes = streamOf(kind, 2_000);
      const whole = read(bytes, Infinity);
      expect(whole.code).toBe(code);
      for (const [chunk] of CHUNKS) expect(read(bytes, chunk)).toEqual(whole);
      return;
    }
    const began = process.uptime();
    const wrong: string[] = [];
    const most = { ratio: 0, ms: 0 };
    for (const [chunk, bytes] of CHUNKS.slice(cases.from, cases.from + cases.size)) {
      const streams = [bytes, 2 * bytes].map((length) => streamOf(kind, length));
      expect(read(streams[1]!, chunk).code).toBe(code);
      const { ratio: found, ms } = ratio(() => read(streams[0]!, chunk), () => read(streams[1]!, chunk)); // prettier-ignore
      most.ratio = Math.max(most.ratio, found);
      most.ms = Math.max(most.ms, ms);
      if (found > BOUND) wrong.push(`chunks of ${chunk}: the double takes ${found} times as long, ${ms} ms`);
    }
    note(name, cases, began, { of: CHUNKS.length, counts: most, wrong });
    expect(wrong).toEqual([]);
  });

  it.each(partsOf(Object.keys(OTHERS)))('%s', { timeout: 3_600_000 }, (name) => {
    const [make, amount] = OTHERS[name]!;
    const cases = portion(1);
    if (!cases.isWhole) {
      make(10)();
      return;
    }
    const began = process.uptime();
    const { ratio: found, ms } = ratio(make(amount), make(2 * amount));
    const wrong = found > BOUND ? [`the double takes ${found} times as long, ${ms} ms`] : [];
    note(name, { ...cases, size: 1 }, began, { of: 1, counts: { ratio: found, ms }, wrong });
    expect(wrong).toEqual([]);
  });
});
