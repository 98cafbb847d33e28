import { expect, test } from 'vitest';
import { obeysBidiRule } from '../../../src/jid/bidi.js';

test.each([
  ['abc', true],
  ['ab1', true],
  ['ab\u0301', true],
  ['a!', false],
  ['a1!', false],
  ['אב', true],
  ['א1', true],
  ['א!', false],
  ['אa', false],
  ['aא', false],
  ['1א', false],
])('RFC 5893 §2: %j', (text, obeys) => {
  expect(obeysBidiRule(text)).toBe(obeys);
});
