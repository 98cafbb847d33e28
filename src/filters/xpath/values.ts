// XPath 1.0 §3.5, §4.2, §4.4: numbers, strings and the way between them. Strings are counted in characters (§3.6),
// so a pair of surrogates is one.

const NUMBER = /^[ \t\r\n]*-?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)[ \t\r\n]*$/;
const SURROGATE = /[\ud800-\udfff]/;
const SPACES = /[ \t\r\n]+/g;

/** §4.4 `number()` of a string. */
export function toNumber(text: string): number {
  return NUMBER.test(text) ? Number(text) : NaN;
}

/** §4.2 `string()` of a number: never an exponent, no more digits than tell it from its neighbours. */
export function numberToString(value: number): string {
  const text = String(value);
  const exponent = text.indexOf('e');
  if (exponent < 0) return text;
  const sign = value < 0 ? '-' : '';
  const [whole = '', fraction = ''] = text.slice(sign.length, exponent).split('.');
  const digits = whole + fraction;
  const point = whole.length + Number(text.slice(exponent + 1));
  if (point <= 0) return `${sign}0.${'0'.repeat(-point)}${digits}`;
  return `${sign}${digits.padEnd(point, '0')}`;
}

/** §4.2 `string()` of a value that is no node-set. */
export function toText(value: string | number | boolean): string {
  return typeof value === 'number' ? numberToString(value) : String(value);
}

/** §4.4 `round()`: the nearest integer, the larger of two; keeps the sign of zero, NaN and the infinities. */
export function round(value: number): number {
  return Math.round(value);
}

export function stringLength(text: string): number {
  let pairs = 0;
  for (let i = 1; i < text.length; i += 1) {
    if ((text.charCodeAt(i) & 0xfc00) === 0xdc00 && (text.charCodeAt(i - 1) & 0xfc00) === 0xd800) pairs += 1;
  }
  return text.length - pairs;
}

/** §4.2 `substring()`: the characters whose position p has round(start) <= p < round(start) + round(length). */
export function substring(text: string, start: number, length?: number): string {
  const from = round(start);
  const to = length === undefined ? Infinity : from + round(length);
  if (!(to > from)) return '';
  const first = Math.max(from, 1);
  if (!SURROGATE.test(text)) return to > first ? text.slice(first - 1, Math.max(to - 1, 0)) : '';
  let result = '';
  let position = 0;
  for (const character of text) {
    position += 1;
    if (position >= to) break;
    if (position >= first) result += character;
  }
  return result;
}

export function normalizeSpace(text: string): string {
  const collapsed = text.replace(SPACES, ' ');
  const from = collapsed.startsWith(' ') ? 1 : 0;
  const to = collapsed.endsWith(' ') ? collapsed.length - 1 : collapsed.length;
  return from < to ? collapsed.slice(from, to) : '';
}

/** §4.2: from `from` to what stands at the same place in `to`; without counterpart, removed. The first mention counts. */
export function translationTable(from: string, to: string): ReadonlyMap<string, string> {
  const table = new Map<string, string>();
  const replacements = Array.from(to);
  for (const [i, character] of Array.from(from).entries()) {
    if (!table.has(character)) table.set(character, replacements[i] ?? '');
  }
  return table;
}

export function translate(text: string, table: ReadonlyMap<string, string>): string {
  let result = '';
  for (const character of text) result += table.get(character) ?? character;
  return result;
}
