// The contract of a SASL mechanism, RFC 4422 §5, as a state machine without a transport.
import { BrokerError, type ErrorFacts } from '../../errors.js';

/**
 * One run of one mechanism, from the client's side. It is used for one exchange only: `start`, then `challenge` for each
 * challenge, then `success`.
 *
 * Whatever the server sends, the methods throw nothing but BrokerErrors of the layer `sasl`, without secrets.
 */
export interface Mechanism {
  /** Registered name, for example `SCRAM-SHA-256-PLUS`. */
  readonly name: string;
  /** Initial response; empty is not the same as null, which leaves the first word to the server. */
  start(): Promise<Buffer | null>;
  /** The answer to a challenge. */
  challenge(data: Buffer): Promise<Buffer>;
  /**
   * The server reported success, with this additional data or none (RFC 6120 §6.4.6).
   * @throws BrokerError when the exchange was not complete, or the server has not proved itself where it has to
   */
  success(data: Buffer | null): void;
  /** What the mechanism has learnt about a failure that the server is about to report, for its message. */
  readonly failure?: string;
}

/** An error of the exchange. It is the peer's doing unless the facts say otherwise. */
export function saslError(code: string, message: string, facts: Partial<ErrorFacts> = {}): BrokerError {
  return new BrokerError(code, message, { layer: 'sasl', phase: 'auth', origin: 'peer', ...facts });
}

/** A challenge or success that the state of the mechanism has no place for. */
export function unexpected(mechanism: string, what: 'challenge' | 'data'): BrokerError {
  const message =
    what === 'challenge'
      ? `The server sent a challenge that ${mechanism} has no place for.`
      : `The server sent data with its success that ${mechanism} has no place for.`;
  return saslError('SASL_UNEXPECTED', message);
}

/** A success before the server has shown what the mechanism makes it show. */
export function notAuthenticated(mechanism: string): BrokerError {
  return saslError(
    'SASL_SERVER_NOT_AUTHENTICATED',
    `The server reported success before ${mechanism} was complete: it has not shown that it knows the password.`,
  );
}
