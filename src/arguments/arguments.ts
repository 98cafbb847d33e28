// Arguments come from programs that no compiler has checked: here they are looked at without running code of theirs.
import { printable, usageError } from '../errors.js';

/** Longest string a message repeats, in UTF-16 code units. */
const SHOWN = 40;

/** What a value is, in words for a message. */
export function kindOf(value: unknown): string {
  if (value === null || value === undefined) return String(value);
  if (value === UNREADABLE) return 'something that throws when it is read';
  if (typeof value !== 'object') return `a ${typeof value}`;
  return isArray(value) ? 'an array' : 'an object';
}

/** A number or string itself, else {@link kindOf}. Not for what may be a secret. */
export function shown(value: unknown): string {
  if (typeof value === 'number') return String(value);
  return typeof value === 'string' ? `"${printable(value, SHOWN)}"` : kindOf(value);
}

/** `Array.isArray`, which a revoked proxy makes throw. */
export function isArray(value: unknown): value is unknown[] {
  try {
    return Array.isArray(value);
  } catch {
    return false;
  }
}

/** `instanceof`, which a proxy can make throw: that is no instance of anything. */
export function isA<T>(
  value: unknown,
  type: { readonly prototype: T; [Symbol.hasInstance](value: unknown): boolean },
): value is T {
  try {
    return value instanceof type;
  } catch {
    return false;
  }
}

/** Whether a value can be read as names and values: no array, function, date, map and the like. */
export function isRecord(value: unknown): value is Record<string, unknown> {
  if (typeof value !== 'object' || value === null) return false;
  try {
    return Object.prototype.toString.call(value) === '[object Object]';
  } catch {
    return false;
  }
}

/** Stands for a property that threw when it was read; no check of a value accepts it. */
const UNREADABLE = Symbol('unreadable');

/** A copy of an object's own enumerable properties, each read once; null when not even their names can be had. */
export function ownProperties(value: object): Record<string, unknown> | null {
  const copy = Object.create(null) as Record<string, unknown>;
  let names: string[];
  try {
    names = Object.keys(value);
  } catch {
    return null;
  }
  for (const name of names) {
    try {
      copy[name] = (value as Record<string, unknown>)[name];
    } catch {
      copy[name] = UNREADABLE;
    }
  }
  return copy;
}

/**
 * The own properties of what a program gave as named options. Their values are still to be checked.
 * @param call whose options they are, for the message: `connect()`
 * @throws BrokerError with that code for what is no object, and for an unknown name
 */
export function readOptions<Name extends string>(
  code: `USAGE_${string}`,
  call: string,
  value: unknown,
  known: readonly Name[],
): Partial<Record<Name, unknown>> {
  if (value === undefined) return {};
  const options = isRecord(value) ? ownProperties(value) : null;
  if (options === null) throw usageError(code, `the options of ${call} are an object, not ${kindOf(value)}`);
  for (const name of Object.keys(options)) {
    if ((known as readonly string[]).includes(name)) continue;
    const others = known.length === 0 ? '' : `, but ${known.join(', ')}`;
    throw usageError(code, `${call} has no option "${printable(name, SHOWN)}"${others}`);
  }
  return options as Partial<Record<Name, unknown>>;
}

/** @throws BrokerError `USAGE_SIGNAL` */
export function checkSignal(call: string, signal: unknown): asserts signal is AbortSignal | undefined {
  if (signal === undefined || isA(signal, AbortSignal)) return;
  throw usageError('USAGE_SIGNAL', `the option signal of ${call} is an AbortSignal, not ${kindOf(signal)}`);
}

/**
 * Named options with a check for each: it says what is wrong with a value, or null.
 * @throws BrokerError with that code, as {@link readOptions}; and naming the first option that is wrong
 */
export function checkOptions<T extends object>(
  code: `USAGE_${string}`,
  call: string,
  value: unknown,
  checks: Readonly<Record<keyof T & string, (value: unknown) => string | null>>,
): T {
  if (value === undefined) throw usageError(code, `${call}() takes an object of options`);
  const options = readOptions(code, `${call}()`, value, Object.keys(checks));
  for (const [name, check] of Object.entries<(value: unknown) => string | null>(checks)) {
    const given = options[name];
    const problem = given === undefined ? null : check(given);
    if (problem !== null) throw usageError(code, `${call}({ ${name} }) ${problem}`);
  }
  return options as T;
}

/** A check for one of several words. */
export function oneOf(...words: readonly string[]): (value: unknown) => string | null {
  const choice = words.map((word) => `'${word}'`).join(' or ');
  return (value) => (words.includes(value as string) ? null : `must be ${choice}`);
}

/** A check for a list of one or more of several words. */
export function someOf(...words: readonly string[]): (value: unknown) => string | null {
  return (value) =>
    isArray(value) && value.length > 0 && value.every((one) => words.includes(one as string))
      ? null
      : `must be a list of one or more of ${words.join(', ')}`;
}

/** A check for true or false. */
export function flag(value: unknown): string | null {
  return typeof value === 'boolean' ? null : 'must be true or false';
}
