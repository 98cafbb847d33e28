// Reconnecting: RFC 6120 §3.3.
import type { Complete } from '../arguments/optional.js';
import type { ReconnectOptions } from '../options/reconnect.js';

/**
 * How long to wait before the next attempt, in milliseconds: random below a bound that doubles with each failure up
 * to a cap, so that a thousand clients of a restarted server do not come back in the same second.
 * @param failures failed attempts since the link was last ready
 * @param random a number from 0 up to 1
 */
export function reconnectDelay(
  { firstDelayMs, maxDelayMs }: Pick<Complete<ReconnectOptions>, 'firstDelayMs' | 'maxDelayMs'>,
  failures: number,
  random: number,
): number {
  const bound = Math.min(maxDelayMs, firstDelayMs * 2 ** Math.min(failures, 30));
  return Math.floor(random * bound);
}
