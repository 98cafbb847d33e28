import type { Random } from '../../support/random.js';

/** The longest transcript whose pairs are all tried. */
const SHORT = 1_100;
const MOST = 6;

const gcd = (a: number, b: number): number => (b === 0 ? a : gcd(b, a % b));

/** Visits every index below `count` once, far apart. */
export function spread(count: number): (index: number) => number {
  let step = Math.max(1, Math.floor(count * 0.618));
  while (gcd(step, count) !== 1) step += 1;
  return (index) => Number((BigInt(index) * BigInt(step)) % BigInt(count));
}

/** The pair with a number: 0 is (1, 2), then (1, 3), (2, 3), (1, 4) and so on. */
function pair(number: number): readonly [number, number] {
  const second = Math.floor((Math.sqrt(8 * number + 1) + 1) / 2) + 1;
  const first = number - ((second - 1) * (second - 2)) / 2 + 1;
  return [first, second];
}

/** The ways to divide so many bytes: at each byte, at each pair of a short one, then at random ones. */
export class Divisions {
  readonly #singles: number;
  readonly #pairs: number;

  constructor(readonly bytes: number) {
    this.#singles = Math.max(0, bytes - 1);
    this.#pairs = bytes <= SHORT ? (this.#singles * (this.#singles - 1)) / 2 : 0;
  }

  /** How many can be counted off; those behind are random. */
  get counted(): number {
    return this.#singles + this.#pairs;
  }

  at(index: number, random: Random): readonly number[] {
    if (index < this.#singles) return [spread(this.#singles)(index) + 1];
    if (index < this.counted) return pair(spread(this.#pairs)(index - this.#singles));
    const count = 1 + random.below(MOST);
    const offsets = Array.from({ length: count }, () => 1 + random.below(this.#singles));
    return [...new Set(offsets)].sort((one, other) => one - other);
  }
}
