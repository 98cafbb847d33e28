// G1, in small. `npm run evidence -- --only split` does it whole: it runs this file with the variables of support/evidence.ts.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { TestAuthority } from '../../support/certificates.js';
import { note, partsOf, portion } from '../../support/evidence.js';
import { generator } from '../../support/random.js';
import type { Course } from './cable.js';
import { Divisions } from './divisions.js';
import { play, type RepeatableWorld } from './play.js';
import { Randomness } from './randomness.js';
import { SPLIT_PARTS, VARIANTS, type Variant } from './variants.js';

let world: RepeatableWorld;
beforeAll(async () => {
  const authority = await TestAuthority.create();
  world = { ca: authority.ca, identity: await authority.issue(), randomness: new Randomness() };
});
afterAll(() => world.randomness.restore());

describe('G1: where the bytes of a server are divided makes no difference', () => {
  it.each(partsOf(Object.keys(SPLIT_PARTS)))('%s', { timeout: 3_600_000 }, async (part) => {
    const { variant: name, level } = SPLIT_PARTS[part]!;
    const variant: Variant = VARIANTS[name];
    const cases = portion(8);
    const began = process.uptime();
    const whole = await play(variant, world, {});
    expect(whole.seen.sent.join()).toMatch(/<(stream:stream|open) /);
    expect(whole.seen.events.some((event) => event.startsWith('PCJ_READY'))).toBe(variant.fails !== true);
    const divisions = new Divisions(whole.bytes[level]);
    const wrong: string[] = [];
    const random = generator(cases.seed);
    const check = async (division: readonly number[], turns: boolean) => {
      const course: Course = level === 'text' ? { text: division } : { division, turns };
      const { seen } = await play(variant, world, course);
      if (JSON.stringify(seen) === JSON.stringify(whole.seen)) return;
      const where = division.length > 10 ? 'every byte' : division.join(', ');
      wrong.push(`divided at ${where}${turns ? '' : ', in one turn'}`);
      if (wrong.length === 1) expect.soft(seen, `seed ${cases.seed}, ${wrong[0]!}`).toEqual(whole.seen);
    };
    const every = Array.from({ length: divisions.bytes - 1 }, (_, index) => index + 1);
    await check(every, true);
    await check(every, false);
    for (let index = cases.from; index < cases.from + cases.size; index += 1) {
      // Of the wire, the last of a handshake may be some bytes shorter: then nothing is divided there.
      const turns = index % 4 !== 3;
      await check(divisions.at(cases.isWhole ? index : index % divisions.counted, random), turns);
    }
    note(part, cases, began, { of: null, counts: { bytes: divisions.bytes, counted: divisions.counted }, wrong });
    expect(wrong).toEqual([]);
  });
});
