import { onTestFinished, vi } from 'vitest';

/** A clock that stands. */
export interface StoppedClock {
  /** Moves it on. What is due meanwhile happens in its order. */
  pass(ms: number): Promise<void>;
  /** Moves it on from one timer to the next until the promise settles; how it settles is the result. */
  until<T>(promise: Promise<T>): Promise<T>;
}

const turn = () => new Promise<void>((resolve) => setImmediate(resolve));

/**
 * Stops the clock of this process for the rest of the test, so that no time limit is over before its test says so,
 * however busy the machine is. Sockets and scripted servers go on as ever. Stop it before a broker connects: a timer
 * that was set before runs by the real clock.
 */
export function stopClock(): StoppedClock {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval', 'Date', 'performance'] });
  onTestFinished(() => {
    vi.useRealTimers();
  });
  return {
    async pass(ms) {
      await vi.advanceTimersByTimeAsync(ms);
    },
    async until(promise) {
      let settled = false;
      const settle = () => {
        settled = true;
      };
      promise.then(settle, settle);
      await turn();
      while (!settled) {
        await vi.advanceTimersToNextTimerAsync();
        await turn();
      }
      return promise;
    },
  };
}
