import { expect, it } from 'vitest';
import { BrokerError } from '../../../src/errors.js';
import { dialFailure, lookupFailure } from '../../../src/dial/errors.js';
import type { Target } from '../../../src/dial/resolve.js';

const target: Target = { host: 'xmpp.example.org', port: 5222, tls: 'starttls', srv: null };

it.each(['boom', 7, null, {}])('a lookup that fails with %j, which is no error, is a failure all the same', (why) => {
  const error = lookupFailure(target, why);
  expect(error).toMatchObject({ code: 'DNS_FAILED', layer: 'dns', retryable: true, cause: why });
  expect(error.message).toContain('unknown error');
});

it('an error of ours is passed on as it is', () => {
  const error = new BrokerError('ABORTED', 'it was given up', { layer: 'dns' });
  expect(lookupFailure(target, error)).toBe(error);
});

it.each([
  [[], 'TCP_FAILED', 'tcp'],
  [['USAGE_DOMAIN'], 'TCP_FAILED', 'tcp'],
  [['DNS_NOT_FOUND', 'TCP_REFUSED'], 'TCP_REFUSED', 'tcp'],
])('of a dial whose attempts ended with %j the error is %s', (codes, code, layer) => {
  const errors = codes.map((one) => new BrokerError(one, `it was ${one}`, { layer: 'tcp' }));
  const failed = dialFailure([target], errors);
  expect(failed).toMatchObject({ code, layer, retryable: true });
  expect((failed.cause as AggregateError).errors).toEqual(errors);
});
