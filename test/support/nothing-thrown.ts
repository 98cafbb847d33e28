import { afterEach, beforeEach, expect } from 'vitest';

/** Fails each test in which a rejection is not handled, or an error reaches the process. */
export function useNothingThrown(): void {
  const thrown: unknown[] = [];
  const note = (error: unknown): void => void thrown.push(error);
  beforeEach(() => {
    process.on('unhandledRejection', note);
    process.on('uncaughtException', note);
  });
  afterEach(() => {
    process.off('unhandledRejection', note);
    process.off('uncaughtException', note);
    expect(thrown.splice(0)).toEqual([]);
  });
}
