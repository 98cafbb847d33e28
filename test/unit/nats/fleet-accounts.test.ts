import { setImmediate } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { FleetAccounts } from '../../../src/nats/fleet-accounts.js';

/** So many steps of promises later. */
async function later(steps: number): Promise<void> {
  for (let step = 0; step < steps; step += 1) await Promise.resolve();
}

it('asks for the list again, at whatever moment of the end of a pass that is wanted', async () => {
  for (let steps = 0; steps < 20; steps += 1) {
    let lists = 0;
    const again: Promise<void>[] = [];
    const accounts: FleetAccounts = new FleetAccounts(
      {
        shards: 1,
        maxConnecting: 1,
        lateMs: 100,
        list: () => {
          lists += 1;
          if (lists === 1) again.push(later(steps).then(() => accounts.refresh()));
          return [];
        },
        options: () => ({}) as never,
      },
      { made: () => undefined, failed: () => undefined },
    );
    await accounts.refresh();
    await Promise.all(again);
    await setImmediate();
    await setImmediate();
    expect([steps, lists]).toEqual([steps, 2]);
    accounts.close();
  }
});
