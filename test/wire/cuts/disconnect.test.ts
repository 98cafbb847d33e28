// A-NEG-14, in small. `npm run evidence -- --only disconnect` does it at every byte: it runs this file with the variables of
// support/evidence.ts. Real sockets are cut in client-cuts.test.ts and component/cuts.test.ts.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { TestAuthority } from '../../support/certificates.js';
import { note, partsOf, portion } from '../../support/evidence.js';
import { stopClock } from '../support/clock.js';
import { Cuts } from './cut-list.js';
import type { World } from './play.js';
import { Run } from './run.js';
import { VARIANTS, type Variant, type VariantName } from './variants.js';

let world: World;
const unhandled: unknown[] = [];
const onUnhandled = (reason: unknown) => unhandled.push(reason);
beforeAll(async () => {
  const authority = await TestAuthority.create();
  world = { ca: authority.ca, identity: await authority.issue() };
  process.on('unhandledRejection', onUnhandled).on('uncaughtException', onUnhandled);
});
afterAll(() => {
  process.off('unhandledRejection', onUnhandled).off('uncaughtException', onUnhandled);
});

describe('A-NEG-14: FIN, RST and silence at every byte, either way', () => {
  it.each(partsOf(Object.keys(VARIANTS) as VariantName[]))('%s', { timeout: 3_600_000 }, async (part) => {
    const variant: Variant = VARIANTS[part];
    const cases = portion(12);
    const began = process.uptime();
    const clock = stopClock();
    const parts = { world, clock, unhandled };
    const whole = new Run(variant, parts, () => ({}));
    await whole.live();
    expect(whole.problems).toEqual([]);
    const cuts = new Cuts(whole.cables[(variant.links ?? 1) - 1]!.bytes);
    const wrong: string[] = [];
    const size = cases.isWhole ? Math.min(cases.size, cuts.count - cases.from) : cases.size;
    for (let index = cases.from; index < cases.from + size; index += 1) {
      const cut = cuts.at(index % cuts.count);
      const run = new Run(variant, parts, (_, isLast) => (isLast ? { cut } : {}));
      await run.live();
      wrong.push(...run.problems.map((problem) => `${cut.how} behind byte ${cut.at} ${cut.direction}: ${problem}`));
    }
    note(part, { ...cases, size }, began, { of: cuts.count, counts: cuts.bytes, wrong });
    expect(wrong).toEqual([]);
  });
});
