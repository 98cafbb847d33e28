// What is wrong with single values of the broker's options, in words that follow the option's name.
import { isRecord, ownProperties } from '../arguments/arguments.js';
import { JID } from '../jid/jid.js';
import type { Logger } from '../logger.js';
import { escapeValue } from '../xml/escape.js';

/** Longest time Node's timers can wait, in milliseconds. */
const MAX_TIMEOUT = 2 ** 31 - 1;

/** What is wrong with a value, or null. */
export type Check = (value: unknown) => string | null;

export const text: Check = (value) => (typeof value === 'string' && value !== '' ? null : 'must be a non-empty string');
export const flag: Check = (value) => (typeof value === 'boolean' ? null : 'must be true or false');
export const milliseconds: Check = (value) =>
  typeof value === 'number' && Number.isInteger(value) && value >= 1 && value <= MAX_TIMEOUT
    ? null
    : `must be a whole number of milliseconds from 1 to ${String(MAX_TIMEOUT)}`;
export const count: Check = (value) =>
  typeof value === 'number' && Number.isInteger(value) && value >= 1 && value <= 2 ** 40
    ? null
    : 'must be a whole number, 1 or more';

/** Whether a value can be read as a group of options. */
export function readable(value: unknown): boolean {
  return isRecord(value) && ownProperties(value) !== null;
}

const LEVELS = ['debug', 'info', 'warn', 'error'];

export function isLogger(value: unknown): value is Logger {
  if (typeof value !== 'object' || value === null) return false;
  try {
    return LEVELS.every((level) => typeof (value as Record<string, unknown>)[level] === 'function');
  } catch {
    return false;
  }
}

/** What is wrong with a host to dial, or null. */
export function hostProblem(value: unknown): string | null {
  if (typeof value !== 'string' || value === '') return 'must be a non-empty string';
  return /[\s\p{Cc}\p{Cs}/@]/u.test(value) ? 'must be the name or address of a host and nothing else' : null;
}

/** What is wrong with a port to dial, or null. */
export function portProblem(value: unknown): string | null {
  return typeof value === 'number' && Number.isInteger(value) && value >= 1 && value <= 65_535
    ? null
    : 'must be a whole number from 1 to 65535';
}

/** What stands in the stream header has to be something XML can hold. */
export function headerText(value: unknown): string | null {
  if (typeof value !== 'string' || value === '') return 'must be a non-empty string';
  try {
    escapeValue(value);
    return null;
  } catch {
    return 'has a character that XML cannot hold';
  }
}

export function isDomain(value: unknown): string | null {
  if (typeof value !== 'string' || value === '') return 'must be a non-empty string';
  try {
    const jid = JID.parse(value);
    return jid.local === null && jid.resource === null
      ? null
      : "must be a domain such as example.org, without '@' and '/'";
  } catch (error) {
    return `is no domain: ${error instanceof Error ? error.message : String(error)}`;
  }
}
