import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { BrokerError } from '../../src/errors.js';
import { stderrLogger } from '../../src/logger.js';

let written = '';

beforeEach(() => {
  written = '';
  vi.spyOn(process.stderr, 'write').mockImplementation((text) => {
    written += String(text);
    return true;
  });
});
afterEach(() => {
  vi.restoreAllMocks();
});

/** What is written of an error, without the time, and without the places of a stack. */
function shown(err: unknown): string[] {
  stderrLogger('a', false).error({ err }, 'it failed');
  return written
    .split('\n')
    .slice(0, -1)
    .map((line) => line.replace(/^\S+Z /, '').replace(/^ {4}at .*/, '    at …'))
    .filter((line, at, all) => line !== all[at - 1]);
}

describe('the logger of stderr', () => {
  it.each([
    [false, ['info', 'warn', 'error']],
    [true, ['debug', 'info', 'warn', 'error']],
  ])('with debug %j writes %j', (debug, levels) => {
    const logger = stderrLogger('juliet', debug);
    for (const level of ['debug', 'info', 'warn', 'error'] as const) logger[level]({}, `of ${level}`);
    expect(written.replaceAll(/^\d{4}-\S+Z /gm, '')).toBe(levels.map((one) => `${one} juliet: of ${one}\n`).join(''));
  });

  it('writes facts behind the message, and leaves out what is not known', () => {
    stderrLogger('a', false).warn({ text: 'x', number: 7, list: [1], none: undefined }, 'm');
    expect(written).toMatch(/ warn a: m text=x number=7 list=\[1\]\n$/);
  });

  it('of an error of ours shows what is below and says more', () => {
    const refused = Object.assign(new Error('connect ECONNREFUSED ::1:5222'), {
      code: 'ECONNREFUSED',
      syscall: 'connect',
    });
    const said = new BrokerError('TCP_REFUSED', 'tried ECONNREFUSED: connect ECONNREFUSED ::1:5222', {
      layer: 'tcp',
      cause: refused,
    });
    expect(shown(said)).toEqual(['error a: it failed']);
    written = '';
    const unsaid = new BrokerError('TCP_REFUSED', 'it is not there', { layer: 'tcp', cause: refused });
    expect(shown(unsaid)).toEqual(['error a: it failed', '    caused by ECONNREFUSED: connect ECONNREFUSED ::1:5222']);
  });

  it('of what is neither ours nor of the system shows the stack, if there is one', () => {
    expect(shown(new TypeError('no function'))).toEqual(['error a: it failed', '    at …']);
    written = '';
    const bare = new TypeError('no function');
    delete (bare as { stack?: string }).stack;
    Object.defineProperty(bare, 'stack', { value: undefined });
    expect(shown(bare)).toEqual(['error a: it failed']);
  });

  it.each([
    ['boom', 'string'],
    [7, 'number'],
    [null, 'object'],
  ])('of %j as a cause tells its kind only: it may hold anything', (cause, kind) => {
    expect(shown(new BrokerError('X', 'a message', { layer: 'tcp', cause }))).toEqual([
      'error a: it failed',
      `    caused by ${kind}`,
    ]);
    written = '';
    expect(shown(cause)).toEqual(['error a: it failed']);
  });

  it('goes down four times at most', () => {
    let error = new BrokerError('X', 'depth 9', { layer: 'tcp' });
    for (let depth = 8; depth >= 0; depth--) {
      error = new BrokerError('X', `depth ${String(depth)}`, { layer: 'tcp', cause: error });
    }
    expect(shown(error)).toEqual([
      'error a: it failed',
      ...[1, 2, 3].map((depth) => `    caused by X: depth ${String(depth)}`),
    ]);
  });
});
