import { expect } from 'vitest';
import { BrokerError } from '../../../src/errors.js';
import { PubSub } from '../../../src/pubsub/pubsub.js';

export const codeOf = (action: () => unknown): string => {
  try {
    action();
  } catch (error) {
    expect(error).toBeInstanceOf(BrokerError);
    return (error as BrokerError).code;
  }
  return 'nothing thrown';
};

export const rejection = async (promise: Promise<unknown>): Promise<BrokerError> => {
  const error: unknown = await promise.then(
    () => new Error('resolved'),
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(BrokerError);
  return error as BrokerError;
};

export function watched() {
  const errors: [string, unknown][] = [];
  const bus = new PubSub({ onHandlerError: (error, event) => errors.push([event, error]) });
  return { bus, errors };
}
