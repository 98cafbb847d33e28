import { PassThrough } from 'node:stream';
import { expect, test } from 'vitest';
import { ask } from '../../../src/cli/ask.js';

/** What somebody at a terminal is asked and answers. */
function asked(typed: string | null) {
  const input = new PassThrough();
  let shown = '';
  const answer = ask('Password: ', input, { write: (text) => (shown += text) });
  if (typed === null) input.end();
  else input.write(typed);
  return { answer, shown: () => shown };
}

test('what is typed is the answer, and is not shown', async () => {
  const { answer, shown } = asked('s3cret\r');
  expect(await answer).toBe('s3cret');
  expect(shown()).toBe('Password: \n');
});

test.each([
  ['the end of what comes in', null],
  ['Ctrl-C', '\u0003'],
  ['Ctrl-D', '\u0004'],
  ['nothing', '\r'],
])('%s is no answer, and nothing hangs', async (_, typed) => {
  await expect(asked(typed).answer).rejects.toThrow('no password was given');
});
