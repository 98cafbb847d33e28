// What JetStream is told of the stanzas that it brought to a queue.
import { ANSWER_MS } from './base.js';
import type { NatsLink } from './connection.js';

/**
 * Done with, still at it, or not for us.
 * @returns whether the last of them was confirmed, which tells that those before it are through, too. It does not reject; null:
 * nothing is on its way, such as when the connection is closed. What was not heard comes again
 */
export function answer(
  { connection }: NatsLink,
  replies: readonly string[],
  text: '+ACK' | '+WPI' | '-NAK',
): Promise<boolean> | null {
  const last = replies.at(-1);
  if (last === undefined) return null;
  try {
    for (const reply of replies.slice(0, -1)) connection.publish(reply, text);
    return connection.request(last, text, { timeout: ANSWER_MS }).then(
      () => true,
      () => false,
    );
  } catch {
    return null;
  }
}
