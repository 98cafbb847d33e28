// D-1, in small. `npm run evidence -- --only durable` does it with thousands of kills and real servers: it runs this file
// with the variables below.
import { appendFileSync, mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { ROOT } from '../docs/support/markdown.js';
import { openPlace, type OpenPlace, type PlaceName } from './kills/places.js';
import { build, rounds } from './kills/rounds.js';
import { describeStore } from './support/place.js';

const { env } = process;
const KILLS = Number(env['XMPP_BROKER_KILLS'] ?? 12);
const PLACE = (env['XMPP_BROKER_PLACE'] ?? 'loopback') as PlaceName;

describeStore('D-1, A-Q-1, S-Q-3: a program that is killed', () => {
  // Inside of the checkout, so that its packages are found.
  const folder = join(ROOT, '.cache', `kills-${process.pid}`);
  let program: string;
  let open: OpenPlace;

  beforeAll(async () => {
    mkdirSync(folder, { recursive: true });
    program = await build(folder);
    open = await openPlace(PLACE);
  });
  afterAll(async () => {
    await open[Symbol.asyncDispose]();
    rmSync(folder, { recursive: true, force: true });
  });

  it.each([
    { managed: true, name: 'with stream management' },
    { managed: false, name: 'without stream management' },
  ])(
    `loses nothing that was stored, repeats nothing without a flag, keeps the order and opens always: ${KILLS} kills $name`,
    async ({ managed }) => {
      const seed = Number(env['XMPP_BROKER_SEED'] ?? Date.now() % 2 ** 31);
      const outcome = await rounds({ program, place: open.place, managed, kills: KILLS, seed, folder });
      const report = env['XMPP_BROKER_OUTCOME'];
      if (report !== undefined) appendFileSync(report, `${JSON.stringify({ place: PLACE, managed, ...outcome })}\n`);
      expect(outcome.wrong, `seed ${seed}`).toEqual([]);
      expect(outcome.kills).toBe(KILLS);
      expect(outcome.stored).toBeGreaterThan(KILLS);
    },
    1_800_000,
  );
});
