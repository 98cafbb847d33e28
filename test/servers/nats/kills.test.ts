// J-1, in small. `npm run evidence -- --only scale` does it with many kills: it runs this file with the variables of
// support/evidence.ts.
import { expect, it } from 'vitest';
import { note, partsOf, portion } from '../../support/evidence.js';
import { generator } from '../../support/random.js';
import { describeServer } from '../harness/index.js';
import { KillWorld, VICTIMS } from './kills/world.js';
import { useEndings } from './support/queue-world.js';

const atEnd = useEndings();

describeServer('nats', 'J-1: producers, holders and nats-server, killed at random', () => {
  it('nothing that was stored is lost, and nothing comes twice without a flag', async () => {
    const began = process.uptime();
    const given = portion(VICTIMS.length);
    const random = generator(given.seed);
    const parts = partsOf(['J-1 component', 'J-1 account'] as const);
    const part = parts[random.below(parts.length)] ?? 'J-1 component';
    const managed = part === 'J-1 account';
    const world = await KillWorld.open(atEnd, managed, given.seed);
    // Each of them in turn, in an order of its own each time.
    let order: (typeof VICTIMS)[number][] = [];
    for (let kill = 0; kill < given.size; kill += 1) {
      if (order.length === 0) order = [...VICTIMS];
      const [victim = 'nats'] = order.splice(random.below(order.length), 1);
      await world.kill(victim);
    }
    const { kills, wrong, ...counts } = await world.compare(60_000);
    note(part, given, began, {
      of: null,
      counts: { ...counts, ...Object.fromEntries(VICTIMS.map((victim) => [`${victim} killed`, kills[victim]])) },
      wrong,
    });
    expect(wrong, `seed ${given.seed}`).toEqual([]);
    expect(counts.stored).toBeGreaterThan(0);
  }, 1_800_000);
});
