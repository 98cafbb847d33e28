import type { BrokerError } from 'xmpp-broker';

/** The error a promise rejects with. */
export const failure = (promise: Promise<unknown>): Promise<BrokerError> =>
  promise.then(
    () => {
      throw new Error('it did not fail');
    },
    (error: unknown) => error as BrokerError,
  );
