// The server's messages of SCRAM, RFC 5802 §5.1 and §7.
import { printable } from '../../errors.js';
import { decodeBase64 } from './base64.js';
import { saslError } from './errors.js';

/** Iteration counts that are accepted. */
export interface IterationLimits {
  /** Default 4096 (RFC 5802 §5.1). */
  min: number;
  /** Default 1,000,000, a third of a second or so of one core. */
  max: number;
}

export const DEFAULT_ITERATION_LIMITS: Readonly<IterationLimits> = { min: 4096, max: 1_000_000 };

/** Longest nonce and longest salt accepted, in characters and bytes. */
const NONCE_LIMIT = 1024;
const SALT_LIMIT = 1024;

export interface ServerFirst {
  /** The message as it came, for the signatures. */
  readonly text: string;
  readonly nonce: string;
  readonly salt: Buffer;
  readonly iterations: number;
  /** Optional attribute `h`: what the server says it offered (XEP-0474), or null. */
  readonly offerHash: string | null;
  /** Optional attribute `t`: the version of TLS on the server's side, as it is on the wire (XEP-0515), or null. */
  readonly tlsVersion: string | null;
}

/**
 * Reads the server-first message and checks all of it before anything is computed.
 * @throws BrokerError `SCRAM_MALFORMED`, `SCRAM_EXTENSION`, `SCRAM_NONCE`, `SCRAM_SALT`, `SCRAM_ITERATIONS`
 */
export function readServerFirst(data: Buffer, clientNonce: string, limits: IterationLimits): ServerFirst {
  const text = decodeText(data);
  if (text.startsWith('m=')) throw mandatoryExtension();
  const [nonce, salt, iterations, ...extensions] = splitAttributes(text);
  if (nonce?.name !== 'r' || salt?.name !== 's' || iterations?.name !== 'i') {
    throw malformed('the first message has to begin with r, s and i in this order');
  }
  const known = new Map<string, string>();
  for (const { name, value } of extensions) {
    if (name === 'm') throw mandatoryExtension();
    if (known.has(name) || 'rsi'.includes(name)) throw malformed(`the attribute ${name} comes twice`);
    known.set(name, value);
  }
  return {
    text,
    nonce: checkNonce(nonce.value, clientNonce),
    salt: checkSalt(salt.value),
    iterations: checkIterations(iterations.value, limits),
    offerHash: known.get('h') ?? null,
    tlsVersion: known.get('t') ?? null,
  };
}

/** The verifier of a server-final message, or the error it reports instead. */
export type ServerFinal = { readonly signature: Buffer } | { readonly error: string };

/** @throws BrokerError `SCRAM_MALFORMED`, `SCRAM_EXTENSION`, `SCRAM_SERVER_SIGNATURE` */
export function readServerFinal(data: Buffer): ServerFinal {
  const [first, ...extensions] = splitAttributes(decodeText(data));
  if (extensions.some(({ name }) => name === 'm')) throw mandatoryExtension();
  if (extensions.some(({ name }) => name === 'v' || name === 'e')) throw malformed('it has two results');
  if (first?.name === 'e') return { error: first.value };
  if (first?.name !== 'v') throw malformed('the last message has to begin with v or e');
  const signature = decodeBase64(first.value);
  if (signature === null) throw saslError('SCRAM_SERVER_SIGNATURE', "The server's signature is no base64.");
  return { signature };
}

function decodeText(data: Buffer): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(data);
  } catch {
    throw malformed('it is no UTF-8');
  }
}

function splitAttributes(text: string): { name: string; value: string }[] {
  return text.split(',').map((attribute) => {
    // A value is never empty and holds no NUL (RFC 5802 §7).
    if (!/^[A-Za-z]=[^\0]+$/.test(attribute)) throw malformed('an attribute is not of the form x=value');
    return { name: attribute.charAt(0), value: attribute.slice(2) };
  });
}

function checkNonce(nonce: string, clientNonce: string): string {
  if (nonce.startsWith(clientNonce) && nonce.length > clientNonce.length && nonce.length <= NONCE_LIMIT) {
    if (/^[!-+\--~]+$/.test(nonce)) return nonce;
  }
  throw saslError(
    'SCRAM_NONCE',
    `the server's nonce has to continue ours by at least one printable character, up to ${NONCE_LIMIT} in all, and does not`,
  );
}

function checkSalt(text: string): Buffer {
  const salt = text.length > SALT_LIMIT * 2 ? null : decodeBase64(text);
  if (salt === null || salt.length > SALT_LIMIT) {
    throw saslError('SCRAM_SALT', `the server's salt has to be base64 of 1 to ${SALT_LIMIT} bytes, and is not`);
  }
  return salt;
}

function checkIterations(text: string, { min, max }: IterationLimits): number {
  const iterations = /^[1-9][0-9]{0,14}$/.test(text) ? Number(text) : NaN;
  if (iterations >= min && iterations <= max) return iterations;
  throw saslError(
    'SCRAM_ITERATIONS',
    `the server asks for ${printable(text, 40)} iterations; a number from ${min} to ${max} is accepted`,
  );
}

function mandatoryExtension(): Error {
  return saslError('SCRAM_EXTENSION', 'the server requires an extension of SCRAM that is not known here');
}

function malformed(reason: string): Error {
  return saslError('SCRAM_MALFORMED', `the server's SCRAM message cannot be read: ${reason}`);
}
