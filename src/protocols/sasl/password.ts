// Passwords and how SASL mechanisms prepare them: SASLprep, RFC 4013.
import { createRequire } from 'node:module';
import type * as SaslprepPackage from '@mongodb-js/saslprep';
import { BrokerError, usageError } from '../../errors.js';
import { saslError } from './errors.js';

/** A password or token, or what gives it when it is needed. */
export type Password = string | (() => string | Promise<string>);

/** More than any password needs; keeps preparation quick. */
const LENGTH_LIMIT = 4096;

/**
 * Asks for the password.
 * @throws BrokerError `USAGE_PASSWORD` when it is no text, or the function fails
 */
export async function readPassword(source: Password): Promise<string> {
  let password: unknown;
  try {
    password = typeof source === 'function' ? await source() : source;
  } catch (cause) {
    if (cause instanceof BrokerError) throw cause;
    throw usageError('USAGE_PASSWORD', 'the function that gives the password failed; see cause', { cause });
  }
  if (typeof password !== 'string' || password === '') {
    throw usageError('USAGE_PASSWORD', 'the password has to be a string that is not empty');
  }
  if (password.length > LENGTH_LIMIT) {
    throw usageError('USAGE_PASSWORD', `the password is longer than ${LENGTH_LIMIT} characters`);
  }
  return password;
}

/**
 * Prepares a user name or password as a stored string (RFC 5802 §2.2).
 * @param what named in the error, which never shows the text
 * @throws BrokerError `SASL_PREP`
 */
export function prepare(text: string, what: 'user name' | 'password' | 'authorization identity'): string {
  const prepared = saslprepOrNull(text);
  if (prepared === null || prepared === '') {
    throw saslError(
      'SASL_PREP',
      `the ${what} is empty, or holds characters that SASLprep (RFC 4013) does not allow: change it at the server`,
      { origin: 'local' },
    );
  }
  return prepared;
}

const require = createRequire(import.meta.url);

/** Loaded with the first text that is not plain ASCII: its tables are larger than the rest of what is loaded. */
const saslprep = (text: string): string => (require('@mongodb-js/saslprep') as typeof SaslprepPackage).saslprep(text);

function saslprepOrNull(text: string): string | null {
  if (/^[ -~]*$/.test(text)) return text;
  if (text.length > LENGTH_LIMIT || !text.isWellFormed()) return null;
  try {
    return saslprep(text);
  } catch {
    return null;
  }
}

/** A name as the GS2 header has it (RFC 5801 §4, RFC 5802 §5.1 `saslname`). */
export function saslname(name: string): string {
  return name.replaceAll('=', '=3D').replaceAll(',', '=2C');
}
