// What a command does to what is going on.
import { BrokerError } from '../errors.js';

export function superseded(): BrokerError {
  return new BrokerError('CONNECT_SUPERSEDED', 'a later connect() took the place of this one', { layer: 'usage' });
}

/** How a link ended that made room. */
export function replaced(): BrokerError {
  const text = 'connect() left the link for a new one, on which its session goes on';
  return new BrokerError('CONNECT_SUPERSEDED', text, { layer: 'usage', phase: 'closing' });
}

export function shutDown(): BrokerError {
  return new BrokerError('CONNECT_ABORTED', 'shutdown() ended the attempt to connect', { layer: 'usage' });
}

export function aborted(signal: AbortSignal): BrokerError {
  return new BrokerError('CONNECT_ABORTED', 'the abort signal ended the attempt to connect', {
    layer: 'usage',
    cause: signal.reason,
  });
}
