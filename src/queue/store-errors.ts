// What is said when a store fails, and when it has what a process leaves behind.
import { isA, reasonOf } from '../arguments/values.js';
import { BrokerError } from '../errors.js';
import type { Ticket } from './ticket.js';

/** What a store says, or that it said something else. */
export function asStoreError(cause: unknown): BrokerError {
  if (isA(cause, BrokerError)) return cause.sent === undefined ? cause.with({ sent: 'no' }) : cause;
  const text = `the store of the queue failed: ${reasonOf(cause)}`;
  return new BrokerError('QUEUE_STORE_FAILED', text, { layer: 'queue', sent: 'no', cause });
}

/** The process goes, and the stanza stays. */
export function kept({ attempts }: Ticket): BrokerError {
  const text = 'the stanza stays in the store of the queue, for whoever opens it next';
  return new BrokerError('QUEUE_KEPT', text, { layer: 'queue', sent: attempts === 0 ? 'no' : 'maybe' });
}

/** The store does not take such a stanza. */
export function tooLarge(bytes: number, most: number): BrokerError {
  const text = `the stanza has ${String(bytes)} bytes, and the store of the queue takes ${String(most)} of one at most`;
  return new BrokerError('STORE_LIMIT', text, { layer: 'queue', sent: 'no' });
}
