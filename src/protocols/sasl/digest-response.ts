// The response of DIGEST-MD5, RFC 2831 §2.1.2, and what the server has to prove itself with, §2.1.3.
import { createHash } from 'node:crypto';
import type { DigestChallenge } from './digest-challenge.js';
import { saslError } from './errors.js';

/** What is answered to a challenge. */
export interface DigestCredentials {
  readonly username: string;
  readonly password: string;
  readonly authzid?: string | undefined;
  /** Undefined when the server names none. */
  readonly realm: string | undefined;
  /** Service and host, such as `xmpp/example.com`. */
  readonly uri: string;
  readonly cnonce: string;
}

/** The first and only use of a nonce. */
const NONCE_COUNT = '00000001';

/** @throws BrokerError `SASL_PREP` for what cannot be said in the server's character set */
export function digestResponse(
  { utf8, nonce }: DigestChallenge,
  { username, password, authzid, realm, uri, cnonce }: DigestCredentials,
): { message: Buffer; expected: string } {
  const charset = utf8 ? 'utf8' : 'latin1';
  if (!utf8 && !isLatin1(username + password)) {
    throw saslError(
      'SASL_PREP',
      'the user name or password has characters that this server cannot take: it knows ISO 8859-1 only',
    );
  }

  const secret = md5([stored(username), ':', Buffer.from(realm ?? '', charset), ':', stored(password)]);
  const a1 = [secret, Buffer.from(`:${nonce}:${cnonce}${authzid === undefined ? '' : `:${authzid}`}`, charset)];
  const session = hex(md5(a1));
  const digest = (a2: string) =>
    hex(md5([Buffer.from(`${session}:${nonce}:${NONCE_COUNT}:${cnonce}:auth:${hex(md5([a2]))}`, charset)]));

  const directives = [
    ...(utf8 ? ['charset=utf-8'] : []),
    `username=${quote(username)}`,
    ...(realm === undefined ? [] : [`realm=${quote(realm)}`]),
    `nonce=${quote(nonce)}`,
    `nc=${NONCE_COUNT}`,
    `cnonce=${quote(cnonce)}`,
    `digest-uri=${quote(uri)}`,
    `response=${digest(`AUTHENTICATE:${uri}`)}`,
    'qop=auth',
    ...(authzid === undefined ? [] : [`authzid=${quote(authzid)}`]),
  ];
  return { message: Buffer.from(directives.join(','), charset), expected: digest(`:${uri}`) };
}

/** What the server's database has hashed: ISO 8859-1 where that can hold the text, UTF-8 otherwise (RFC 2831 §2.1.2.1). */
function stored(text: string): Buffer {
  return Buffer.from(text, isLatin1(text) ? 'latin1' : 'utf8');
}

function isLatin1(text: string): boolean {
  return /^[\0-\xff]*$/.test(text);
}

function md5(parts: readonly (string | Buffer)[]): Buffer {
  const hash = createHash('md5');
  for (const part of parts) hash.update(part);
  return hash.digest();
}

function hex(digest: Buffer): string {
  return digest.toString('hex');
}

function quote(text: string): string {
  return `"${text.replace(/["\\]/g, '\\$&')}"`;
}
