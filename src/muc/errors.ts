// Why we are not in a room, beside what the room itself says.
import { BrokerError } from '../errors.js';
import type { Departure } from './what-follows.js';

export function left(room: string, how: Departure): BrokerError {
  return new BrokerError('MUC_LEFT', how === 'left' ? 'the room was left' : `the room ${room} was left: ${how}`, {
    layer: 'stanza',
  });
}

/** The nickname or the password is the program's to give. */
export function notAsked(cause: unknown): BrokerError {
  const text = 'the room could not be asked: our nickname or the password cannot be had or used';
  return new BrokerError('MUC_NOT_ASKED', text, { layer: 'stanza', cause });
}

export function notCreated(room: string, cause: unknown): BrokerError {
  return new BrokerError('MUC_NOT_CREATED', `the room ${room} did not exist, and was not made`, {
    layer: 'stanza',
    cause,
  });
}

export function outside(room: string): BrokerError {
  const text = `the room ${room} is not entered; join() it, or wait for its event joined`;
  return new BrokerError('MUC_OUTSIDE', text, { layer: 'stanza', sent: 'no', retryable: true });
}

/** @param cause why the broker rests */
export function offline(cause: BrokerError | undefined): BrokerError {
  const text = 'the broker has come to rest, so the room is out of reach';
  return new BrokerError('MUC_OFFLINE', text, { layer: 'stanza', cause });
}
