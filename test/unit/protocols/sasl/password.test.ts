import { expect, it } from 'vitest';
import { BrokerError } from '../../../../src/errors.js';
import { readPassword } from '../../../../src/protocols/sasl/password.js';
import { failure } from '../../../support/failure.js';

it('an error of ours that the function for the password throws is passed on as it is', async () => {
  const error = new BrokerError('MY_VAULT', 'the vault is shut', { layer: 'usage', retryable: true });
  expect(await failure(readPassword(() => Promise.reject(error)))).toBe(error);
  expect(await failure(readPassword(() => Promise.reject(new Error('shut'))))).toMatchObject({
    code: 'USAGE_PASSWORD',
  });
});
