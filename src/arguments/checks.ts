// Checks of single values.
import { unixSocketProblem } from './unix-socket.js';
import { printable } from '../errors.js';
import { isA, isArray, isRecord, ownProperties, shown } from './values.js';

/** Code of an error about an argument. */
export type UsageCode = `USAGE_${string}`;

/** What is wrong with a value, in words that follow its name; null when it is right. */
export interface Check {
  (value: unknown): string | null;
  /** Code of the error, where it is not that of the whole call. */
  readonly code?: UsageCode;
}

/** A check that says what a value must be, and shows what it is. Not for secrets. */
export function must(be: string, holds: (value: unknown) => boolean): Check {
  return (value) => (holds(value) ? null : `must be ${be}, not ${shown(value)}`);
}

/** A check whose error has a code of its own. */
export function withCode(code: UsageCode, check: Check): Check {
  return Object.assign((value: unknown) => check(value), { code });
}

/** Longest time Node's timers can wait, in milliseconds. */
const MAX_TIMEOUT = 2 ** 31 - 1;

export const isText = (value: unknown): value is string => typeof value === 'string' && value !== '';

export const anything: Check = () => null;
export const string = must('a string', (value) => typeof value === 'string');
export const text = must('a string that is not empty', isText);
export const flag = must('true or false', (value) => typeof value === 'boolean');
export const method = must('a function', (value) => typeof value === 'function');
export const port = whole(1, 65_535);
export const count = whole(1, 2 ** 40);
export const milliseconds = must(
  `a whole number of milliseconds from 1 to ${MAX_TIMEOUT}`,
  (value) => isWhole(value) && value >= 1 && value <= MAX_TIMEOUT,
);

/** A time that one call may take; fractions do no harm. */
export const duration = must(
  'a number of milliseconds above 0 and below 2^31',
  (value) => typeof value === 'number' && value > 0 && value <= MAX_TIMEOUT,
);

/** The signal that gives a call up. */
export const signal = withCode(
  'USAGE_SIGNAL',
  must('an AbortSignal', (value) => isA(value, AbortSignal)),
);

const isPlainKey = (value: string): boolean => value.trim() === value && !/\p{Cc}/u.test(value);

/** What names a stanza in a store: short enough for a column or a header, and the same behind each of them. */
export const key = withCode(
  'USAGE_KEY',
  must(
    'a string of 1 to 256 characters, without control characters and without white space at its ends',
    (value) => isText(value) && value.length <= 256 && value.isWellFormed() && isPlainKey(value),
  ),
);

/** The name or address of a host to dial, or `unix:` and a path; what it stands for is found out when it is dialled. */
export const host: Check = (value) =>
  text(value) ?? ((value as string).startsWith('unix:') ? unixSocketProblem(value as string) : nameProblem(value));

const nameProblem: Check = (value) =>
  /[\s\p{Cc}\p{Cs}/@]/u.test(value as string)
    ? `must be the name or address of a host and nothing else, not ${shown(value)}`
    : null;

/** A password, which is in no message. */
export const password: Check = (value) =>
  isText(value) || typeof value === 'function'
    ? null
    : 'must be a string that is not empty, or a function that returns one';

export function whole(least: number, most: number): Check {
  const range = most >= 2 ** 31 ? `, ${least} or more` : ` from ${least} to ${most}`;
  return must(`a whole number${range}`, (value) => isWhole(value) && value >= least && value <= most);
}

/** One of several words. */
export function oneOf(...words: readonly string[]): Check {
  return must(anyOf(words), (value) => words.includes(value as string));
}

/** A list of one or more of several words. */
export function someOf(...words: readonly string[]): Check {
  return listOf(`one or more of ${words.join(', ')}`, oneOf(...words), 1);
}

/** A list whose members each pass a check. */
export function listOf(what: string, check: Check, least = 0): Check {
  return (value) => {
    if (!isArray(value)) return `must be a list of ${what}, not ${shown(value)}`;
    if (value.length < least) return `must be a list of ${what}, not an empty one`;
    const odd = value.findIndex((one) => check(one) !== null);
    return odd < 0 ? null : `must be a list of ${what}, without ${shown(value[odd])}${namesOf(value[odd])}`;
  };
}

/** The names in an object, never its values: one of them may be misspelt. */
function namesOf(value: unknown): string {
  const names = isRecord(value) ? Object.keys(ownProperties(value) ?? {}) : [];
  if (names.length === 0) return '';
  const some = names.slice(0, 5).map((name) => printable(name, 40));
  return ` that has ${some.join(', ')}${names.length > some.length ? ', …' : ''}`;
}

/** Words as a choice: `'a', 'b' or 'c'`. */
export function anyOf(words: readonly string[]): string {
  const quoted = words.map((word) => `'${word}'`);
  const last = quoted.pop() ?? '';
  return quoted.length === 0 ? last : `${quoted.join(', ')} or ${last}`;
}

function isWhole(value: unknown): value is number {
  return Number.isInteger(value);
}
