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

it('F-1 lets the event loop go on while very many brokers are made', async () => {
  const made: number[] = [];
  let turns = 0;
  const count = (): void => {
    turns += 1;
    timer = globalThis.setImmediate(count);
  };
  let timer = globalThis.setImmediate(count);
  const accounts = new FleetAccounts(
    {
      shards: 1,
      maxConnecting: 1,
      lateMs: 100,
      list: () => Array.from({ length: 6 }, (_, i) => `account ${i}`),
      options: () => {
        made.push(turns);
        const until = performance.now() + 11;
        while (performance.now() < until);
        throw new Error('no such account');
      },
    },
    { made: () => undefined, failed: () => undefined },
  );
  const held = { epoch: 1, store: {} as never, begin: () => undefined, release: () => Promise.resolve() };
  accounts.gained(0, held);
  await accounts.refresh();
  clearImmediate(timer);
  accounts.close();
  expect(new Set(made).size).toBe(6);
});
