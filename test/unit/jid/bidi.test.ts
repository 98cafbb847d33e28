import { expect, test } from 'vitest';
import { isRightToLeft, obeysBidiRule } from '../../../src/jid/bidi.js';

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
  ['אaב', false],
  ['aאb', false],
  ['א\u0301', true],
  ['a\u064b', true],
])('RFC 5893 §2: %j', (text, obeys) => {
  expect(obeysBidiRule(text)).toBe(obeys);
});

test.each([
  ['abc', false],
  ['a\u064b', false],
  ['א', true],
  ['a\u0661', true],
])('RFC 5893 §1.4: %j', (text, applies) => {
  expect(isRightToLeft(text)).toBe(applies);
});
