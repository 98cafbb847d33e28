// Errors of signing in.
import { BrokerError, type ErrorFacts } from '../../errors.js';

/** An error of the exchange. It is the peer's doing unless the facts say otherwise. */
export function saslError(code: string, message: string, facts: Partial<ErrorFacts> = {}): BrokerError {
  return new BrokerError(code, message, { layer: 'sasl', phase: 'auth', origin: 'peer', ...facts });
}

/** A challenge, or data with success, that the mechanism has no place for. */
export function unexpected(mechanism: string, what: 'challenge' | 'data'): BrokerError {
  const message =
    what === 'challenge'
      ? `the server sent a challenge that ${mechanism} has no place for`
      : `the server sent data with its success that ${mechanism} has no place for`;
  return saslError('SASL_UNEXPECTED', message);
}

/** A success before the server has shown what the mechanism makes it show. */
export function notAuthenticated(mechanism: string, what: 'password' | 'token' = 'password'): BrokerError {
  return saslError(
    'SASL_SERVER_NOT_AUTHENTICATED',
    `the server reported success before ${mechanism} was complete: it has not shown that it knows the ${what}`,
  );
}
