import type { ServerMechanism } from './exchange.js';
import { digestMd5 } from './digest-md5.js';
import { anonymous, external, oauthBearer, plain } from './plain.js';
import { scram } from './scram.js';

/** Every SASL mechanism the loopback server knows. */
export const MECHANISMS: Readonly<Record<string, ServerMechanism>> = {
  'SCRAM-SHA-512-PLUS': scram('sha512', true),
  'SCRAM-SHA-256-PLUS': scram('sha256', true),
  'SCRAM-SHA-1-PLUS': scram('sha1', true),
  'SCRAM-SHA-512': scram('sha512', false),
  'SCRAM-SHA-256': scram('sha256', false),
  'SCRAM-SHA-1': scram('sha1', false),
  PLAIN: plain,
  'DIGEST-MD5': digestMd5,
  EXTERNAL: external,
  OAUTHBEARER: oauthBearer,
  ANONYMOUS: anonymous,
};

/** What is offered unless an option says otherwise: PLAIN inside TLS only. */
export const DEFAULT_MECHANISMS: readonly string[] = Object.keys(MECHANISMS).filter(
  (name) => name.startsWith('SCRAM') || name === 'PLAIN',
);
