// Named options: each is looked up in a table, and everything that is wrong with those of one call is told in one error.
import { printable, usageError } from '../errors.js';
import type { Check, UsageCode } from './checks.js';
import type { Given } from './optional.js';
import { nearest } from './suggestion.js';
import { isRecord, kindOf, namesOf, readOnce, UNREADABLE } from './values.js';

/** The options of a call, or those of a group inside others, such as `timeouts`. */
export interface OptionTable<T extends object> {
  /** What each must be. */
  readonly checks: { readonly [Name in keyof T & string]-?: Check | OptionTable<object> };
  /** For names that are not among them, where the program chooses the names. */
  readonly others?: Check | OptionTable<object>;
  /** What is wrong with a value in place of the object, such as `false`. Default: it must be an object. */
  readonly instead?: Check;
  /**
   * What is missing, and what does not go together: a sentence each.
   * @param right those that are right by themselves
   * @param given names of those and of the others
   */
  rule?(right: Partial<T>, given: ReadonlySet<string>): readonly string[];
}

interface Problem {
  readonly text: string;
  readonly code?: UsageCode | undefined;
}

/** Longest name of an option that a message repeats, in UTF-16 code units. */
const SHOWN = 40;

/**
 * A copy of a call's options, each read once. What is undefined counts as left out. That those are there which the type
 * demands is for the table's rule to see.
 * @param call how every message begins: `connect()`
 * @param path in front of each name, where the call takes options as `limits.` for example
 * @throws BrokerError with all that is wrong, and with that code unless the first wrong option has its own
 */
export function readOptions<T extends object>(
  code: UsageCode,
  call: string,
  value: unknown,
  table: OptionTable<T>,
  path = '',
): Given<T> {
  const problems: Problem[] = [];
  const options = read(value, table, path, problems);
  const [first] = problems;
  if (first === undefined) return options as Given<T>;
  const texts = problems.map(({ text }) => text);
  const what = texts.length === 1 ? first.text : `${texts.length} problems:\n- ${texts.join('\n- ')}`;
  throw usageError(first.code ?? code, `${call}: ${what}`);
}

/** A group of options out of those that were read: nothing in it is undefined either. */
export function readGroup<T extends object>(group: T | undefined): Given<T> | undefined {
  return group as Given<T> | undefined;
}

function read<T extends object>(value: unknown, table: OptionTable<T>, path: string, problems: Problem[]): unknown {
  const names = isRecord(value) ? namesOf(value) : null;
  if (names === null) {
    const { instead } = table;
    const problem = instead === undefined ? `must be an object, not ${kindOf(value)}` : instead(value);
    if (problem === null) return value;
    problems.push({ text: `${path.slice(0, -1) || 'the options'} ${problem}` });
    return undefined;
  }
  const right = Object.create(null) as Record<string, unknown>;
  const given = new Set<string>();
  let listed = false;
  for (const name of names) {
    const one = readOnce(value as object, name);
    const check = checkOf(table, name);
    if (check === undefined) {
      const near = meant(name, table, path);
      const hint =
        near === undefined ? `there are ${Object.keys(table.checks).join(', ') || 'none'}` : `did you mean ${near}?`;
      problems.push({ text: `${fullName(path, name)} is no option${near === undefined && listed ? '' : `; ${hint}`}` });
      listed ||= near === undefined;
      continue;
    }
    if (one === undefined && check !== table.others) continue;
    given.add(name);
    if (typeof check !== 'function' && one !== UNREADABLE) {
      right[name] = read(one, check, `${fullName(path, name)}.`, problems);
      continue;
    }
    const problem = problemOf(one, check);
    if (problem === null) right[name] = one;
    else
      problems.push({
        text: `${fullName(path, name)} ${problem}`,
        code: typeof check === 'function' ? check.code : undefined,
      });
  }
  for (const text of table.rule?.(right as Partial<T>, given) ?? []) problems.push({ text });
  return right;
}

function fullName(path: string, name: string): string {
  return `${path}${printable(name, SHOWN)}`;
}

function checkOf(table: OptionTable<object>, name: string): Check | OptionTable<object> | undefined {
  const checks: Readonly<Record<string, Check | OptionTable<object>>> = table.checks;
  return Object.hasOwn(checks, name) ? checks[name] : table.others;
}

function problemOf(value: unknown, check: Check | OptionTable<object>): string | null {
  if (value === UNREADABLE || typeof check !== 'function') return 'throws when it is read';
  try {
    return check(value);
  } catch {
    return 'throws when it is looked at';
  }
}

/** The option that was probably meant: one with a name much like it, or one of that very name in a group. */
function meant(name: string, table: OptionTable<object>, path: string): string | undefined {
  const near = nearest(name, Object.keys(table.checks));
  if (near !== undefined) return `${path}${near}`;
  for (const [group, check] of Object.entries<Check | OptionTable<object>>(table.checks)) {
    if (typeof check !== 'function' && Object.hasOwn(check.checks, name)) return `${path}${group}.${name}`;
  }
  return undefined;
}
