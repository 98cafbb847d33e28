import { describe, expect, test } from 'vitest';
import {
  normalizeSpace,
  numberToString,
  stringLength,
  substring,
  toNumber,
  translate,
  translationTable,
} from '../../../../src/filters/xpath/values.js';

describe('numbers to strings (XPath 1.0 §4.2)', () => {
  test.each<[number, string]>([
    [0, '0'],
    [-0, '0'],
    [NaN, 'NaN'],
    [Infinity, 'Infinity'],
    [-Infinity, '-Infinity'],
    [1, '1'],
    [-1.5, '-1.5'],
    [1e20, '100000000000000000000'],
    [1e21, '1000000000000000000000'],
    [-1.5e21, '-1500000000000000000000'],
    [1.2345e25, '12345000000000000000000000'],
    [1e-6, '0.000001'],
    [1e-7, '0.0000001'],
    [-1.25e-7, '-0.000000125'],
    [123456789012345680000, '123456789012345680000'],
    [5e-324, `0.${'0'.repeat(323)}5`],
    [Number.MAX_VALUE, `17976931348623157${'0'.repeat(292)}`],
  ])('%d', (value, text) => {
    expect(numberToString(value)).toBe(text);
    if (Number.isFinite(value)) expect(toNumber(text) + 0).toBe(value + 0);
  });
});

describe('strings to numbers (§4.4)', () => {
  test.each<[string, number]>([
    ['1', 1],
    [' \t\r\n-1.5 ', -1.5],
    ['1.', 1],
    ['.5', 0.5],
    ['-.5', -0.5],
    ['-0', -0],
    ['', NaN],
    ['+1', NaN],
    ['1e3', NaN],
    ['0x1', NaN],
    ['- 1', NaN],
    ['1 1', NaN],
    ['.', NaN],
    ['Infinity', NaN],
    ['\u00a01', NaN],
    ['１', NaN],
  ])('%j', (text, value) => {
    expect(toNumber(text)).toBe(value);
  });

  test('long texts take linear time', () => {
    const long = 1_000_000;
    expect(toNumber(`${' '.repeat(long)}x`)).toBeNaN();
    expect(toNumber(`${'1'.repeat(long)}x`)).toBeNaN();
    expect(toNumber(`1${' '.repeat(long)}x`)).toBeNaN();
    expect(normalizeSpace(`${' '.repeat(long)}x${' '.repeat(long)}`)).toBe('x');
  });
});

describe('strings are counted in characters (§3.6)', () => {
  test('string-length, substring and translate', () => {
    expect(stringLength('a😀b')).toBe(3);
    expect(stringLength('\ud83d')).toBe(1);
    expect(substring('a😀b', 2, 1)).toBe('😀');
    expect(substring('a😀b', 3)).toBe('b');
    expect(translate('a😀b', translationTable('😀b', 'x'))).toBe('ax');
    expect(translate('abc', translationTable('b', '😀'))).toBe('a😀c');
  });

  test('substring without a length goes to the end from wherever it starts', () => {
    expect(substring('abc', -Infinity)).toBe('abc');
    expect(substring('abc', Infinity)).toBe('');
    expect(substring('abc', NaN)).toBe('');
  });
});
