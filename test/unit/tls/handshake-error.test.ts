import { expect, it } from 'vitest';
import { BrokerError } from '../../../src/errors.js';
import { fromUnknownIssuer } from '../../../src/tls/certificate-error.js';
import { handshakeError } from '../../../src/tls/handshake-error.js';

const coded = (code: string, more: object = {}) => Object.assign(new Error(`it was ${code}`), { code, ...more });

it.each([
  ['a certificate', coded('CERT_HAS_EXPIRED'), 'TLS_CERT_EXPIRED', false],
  ['our certificate', coded('ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED'), 'TLS_CLIENT_CERT', false],
  ['nothing in common', coded('ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION'), 'TLS_PROTOCOL', false],
  ['another alert', coded('ERR_SSL_TLSV1_ALERT_INTERNAL_ERROR'), 'TLS_HANDSHAKE', true],
  ['no TLS', coded('ERR_SSL_WRONG_VERSION_NUMBER', { reason: 'wrong version number' }), 'TLS_PROTOCOL', false],
  ['the connection', coded('ECONNRESET'), 'TLS_HANDSHAKE', true],
  ['an error without a code', new Error('it was nothing'), 'TLS_HANDSHAKE', true],
  ['no error', 'boom', 'TLS_HANDSHAKE', true],
  ['nothing', undefined, 'TLS_HANDSHAKE', true],
])('S-TLS: a handshake that fails for %s', (_what, why, code, retryable) => {
  const error = handshakeError(why);
  expect(error).toMatchObject({ code, layer: 'tls', retryable });
  expect(error.cause).toBe(why);
  if (!(why instanceof Error)) expect(error.message).toContain('unknown error');
});

it('an error of ours is passed on as it is', () => {
  const error = new BrokerError('TLS_RENEGOTIATION', 'it was asked for', { layer: 'tls' });
  expect(handshakeError(error)).toBe(error);
});

it.each([
  [coded('DEPTH_ZERO_SELF_SIGNED_CERT'), true],
  [coded('CERT_HAS_EXPIRED'), false],
  [new Error('without a code'), false],
  [null, false],
])('S-CERT: only an unknown issuer is one: %s', (error, unknown) => {
  expect(fromUnknownIssuer(error)).toBe(unknown);
});
