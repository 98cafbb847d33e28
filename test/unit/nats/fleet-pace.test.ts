import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { FleetPace } from '../../../src/nats/fleet-pace.js';

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval', 'performance'] });
});
afterEach(() => {
  vi.useRealTimers();
});

/** Those who were let in. */
function enter(pace: FleetPace, count: number): { readonly size: number } {
  const state = { size: 0 };
  for (let i = 0; i < count; i += 1) void pace.enter().then(() => (state.size += 1));
  return state;
}

const steps = async (): Promise<void> => {
  for (let step = 0; step < 10; step += 1) await Promise.resolve();
};

it('F-1 links are made four at a time, then more with each that was made, up to the most', async () => {
  const pace = new FleetPace(10, 100);
  const entered = enter(pace, 40);
  await steps();
  expect(entered.size).toBe(4);
  for (const limit of [5, 6, 7, 8, 9, 10, 10, 10]) {
    vi.advanceTimersByTime(10);
    pace.leave(true);
    expect(pace.limit).toBe(limit);
  }
  await steps();
  expect(entered.size).toBe(18);
  expect(new FleetPace(3, 100).limit).toBe(3);
});

it('F-1 while the event loop is late fewer are made at a time, and at least one', async () => {
  const now = vi.spyOn(performance, 'now');
  let clock = 0;
  now.mockImplementation(() => clock);
  const pace = new FleetPace(50, 100);
  const entered = enter(pace, 20);
  await steps();
  const late = (): void => {
    clock += 250;
    vi.advanceTimersByTime(50);
  };
  late();
  expect(pace.limit).toBe(2);
  // The four that were under way are what it was late with.
  late();
  for (let i = 0; i < 4; i += 1) pace.leave(true);
  await steps();
  expect([pace.limit, entered.size]).toEqual([2, 6]);
  for (const [before, limit] of [
    [2, 1],
    [1, 1],
  ] as const) {
    late();
    expect(pace.limit).toBe(limit);
    for (let i = 0; i < before; i += 1) pace.leave(true);
    await steps();
  }
  // A link that could not be made, or one while the loop is a little late, is no reason for more of them.
  pace.leave(false);
  clock += 110;
  pace.leave(true);
  expect(pace.limit).toBe(1);
  pace.leave(true);
  expect(pace.limit).toBe(1);
  clock -= 110;
  pace.leave(true);
  expect(pace.limit).toBe(2);
  now.mockRestore();
});

it('F-1 nothing is watched while no link is made', async () => {
  const pace = new FleetPace(2, 100);
  const entered = enter(pace, 3);
  await steps();
  expect(vi.getTimerCount()).toBe(1);
  for (let i = 0; i < 3; i += 1) {
    pace.leave(false);
    await steps();
  }
  expect([entered.size, vi.getTimerCount(), pace.limit]).toEqual([3, 0, 2]);
});
