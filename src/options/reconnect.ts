// The options of reconnecting: RFC 6120 §3.3.
import { count, flag, milliseconds, must } from '../arguments/checks.js';
import type { Complete } from '../arguments/optional.js';
import type { OptionTable } from '../arguments/options.js';
import type { Dialect } from '../protocols/dialect.js';
import { filled } from './filled.js';

/** When a lost link is dialled again. */
export interface ReconnectOptions {
  /** Whether the first attempt is retried, too. Default false. */
  initial?: boolean | undefined;
  /** Upper bound of the first, random delay in milliseconds (RFC 6120 §3.3). Default 60 000. */
  firstDelayMs?: number | undefined;
  /** Cap of the bound, which doubles with each failure, in milliseconds. Default 300 000. */
  maxDelayMs?: number | undefined;
  /** Upper bound of the delay before a resumable session is taken up again, in milliseconds. Default 1 000. */
  resumeDelayMs?: number | undefined;
  /** Attempts in a row before giving up. Default `Infinity`. */
  maxAttempts?: number | undefined;
}

const DEFAULT_RECONNECT: Readonly<Complete<ReconnectOptions>> = Object.freeze({
  initial: false,
  firstDelayMs: 60_000,
  maxDelayMs: 300_000,
  resumeDelayMs: 1_000,
  maxAttempts: Number.POSITIVE_INFINITY,
});

/** What may be given. */
export const RECONNECT: OptionTable<ReconnectOptions> = {
  checks: {
    initial: flag,
    firstDelayMs: milliseconds,
    maxDelayMs: milliseconds,
    resumeDelayMs: milliseconds,
    maxAttempts: (value) => (value === Number.POSITIVE_INFINITY ? null : count(value)),
  },
  instead: must('true, false or an object', (value) => typeof value === 'boolean'),
};

/** The options in force; false when the application dials again. */
export function reconnectInForce(
  given: boolean | ReconnectOptions = true,
  { connectionType }: { readonly connectionType: Dialect },
): false | Readonly<Complete<ReconnectOptions>> {
  const { firstDelayMs = DEFAULT_RECONNECT.firstDelayMs } = connectionType;
  return given !== false && filled(Object.freeze({ ...DEFAULT_RECONNECT, firstDelayMs }), given);
}
