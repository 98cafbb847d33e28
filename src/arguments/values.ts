// What a program gave, which no compiler has checked: it is looked at without running code of its own.
import { printable } from '../errors.js';

/** Longest string a message repeats, in UTF-16 code units. */
const SHOWN = 40;

/** The same of an error's message. */
const REASON = 200;

/** Stands for a property that threw when it was read. */
export const UNREADABLE = Symbol('unreadable');

/** What a value is, in words for a message. */
export function kindOf(value: unknown): string {
  if (value === null || value === undefined) return String(value);
  if (typeof value !== 'object') return `a ${typeof value}`;
  if (isArray(value)) return 'an array';
  const tag = tagOf(value);
  if (tag === null) return 'an object that cannot be read';
  if (tag === 'Object') return 'an object';
  return `${/^[AEIO]/.test(tag) ? 'an' : 'a'} ${printable(tag, SHOWN)}`;
}

/** A number, true, false or a string itself, else {@link kindOf}. Not for what may be a secret. */
export function shown(value: unknown): string {
  if (typeof value === 'number' || typeof value === 'boolean') return String(value);
  return typeof value === 'string' ? `"${printable(value, SHOWN)}"` : kindOf(value);
}

/** What was thrown, in words. It can be anything, and reading it can throw, too. */
export function reasonOf(thrown: unknown): string {
  try {
    return printable(thrown instanceof Error ? thrown.message : String(thrown), REASON);
  } catch {
    return 'it threw something that cannot be read';
  }
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
  return typeof value === 'object' && value !== null && tagOf(value) === 'Object';
}

/** A copy of an object's own enumerable properties, each read once; null when not even their names can be had. */
export function ownProperties(value: object): Record<string, unknown> | null {
  const names = namesOf(value);
  if (names === null) return null;
  const copy = Object.create(null) as Record<string, unknown>;
  for (const name of names) copy[name] = readOnce(value, name);
  return copy;
}

/** The names of an object's own enumerable properties; null when they cannot be had. */
export function namesOf(value: object): string[] | null {
  try {
    return Object.keys(value);
  } catch {
    return null;
  }
}

/** A property of an object; {@link UNREADABLE} when it throws. */
export function readOnce(value: object, name: string): unknown {
  try {
    return (value as Record<string, unknown>)[name];
  } catch {
    return UNREADABLE;
  }
}

/** What an object calls itself: `Object`, `Date`, `Map`; null when that throws. */
function tagOf(value: object): string | null {
  try {
    return Object.prototype.toString.call(value).slice('[object '.length, -1);
  } catch {
    return null;
  }
}
