import { expect, test } from 'vitest';
import { BrokerError } from '../../../src/errors.js';
import { isUnreachable } from '../../../src/lifecycle/discovery.js';

test('a WebSocket is looked for where nothing could be reached, and after no other failure', () => {
  expect(isUnreachable(new BrokerError('TCP_REFUSED', 'refused', { layer: 'tcp' }))).toBe(true);
  expect(isUnreachable(new BrokerError('DNS_FAILED', 'no such name', { layer: 'dns' }))).toBe(true);
  expect(isUnreachable(new BrokerError('TLS_CERT_EXPIRED', 'expired', { layer: 'tls' }))).toBe(false);
  expect(isUnreachable(new BrokerError('SASL_FAILURE', 'refused', { layer: 'sasl' }))).toBe(false);
  expect(isUnreachable(new BrokerError('ABORTED', 'given up', { layer: 'tcp' }))).toBe(false);
  expect(isUnreachable(Object.assign(new Error('refused'), { layer: 'tcp' }))).toBe(false);
});
