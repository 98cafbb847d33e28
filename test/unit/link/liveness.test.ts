import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { Liveness } from '../../../src/link/liveness.js';

beforeEach(() => vi.useFakeTimers());
afterEach(() => vi.useRealTimers());

it('finds a dead link behind a pause that began while an answer was waited for', () => {
  const dead = vi.fn();
  const probe = vi.fn();
  const liveness = new Liveness({ intervalMs: 1_000, timeoutMs: 100 }, { probe, dead });
  vi.advanceTimersByTime(1_000);
  expect(probe).toHaveBeenCalledOnce();
  // Nothing is read any more, then it is again.
  liveness.stop();
  liveness.restart();
  vi.advanceTimersByTime(1_200);
  expect(probe).toHaveBeenCalledTimes(2);
  expect(dead).toHaveBeenCalledOnce();
  liveness.stop();
});
