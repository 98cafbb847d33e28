// The challenge of DIGEST-MD5, RFC 2831 §2.1.1, and its grammar, §7.1.
import { saslError } from './errors.js';

/** Longest challenge (RFC 2831 §2.1.1). */
const CHALLENGE_LIMIT = 2048;

/** The first challenge. */
export interface DigestChallenge {
  readonly realms: readonly string[];
  readonly nonce: string;
  /** Whether texts are UTF-8; otherwise they are ISO 8859-1. */
  readonly utf8: boolean;
}

/** @throws BrokerError `DIGEST_CHALLENGE` */
export function readChallenge(data: Buffer): DigestChallenge {
  const directives = parseDirectives(data);
  const utf8 = only(directives, 'charset') !== null;
  if (utf8 && only(directives, 'charset')?.toLowerCase() !== 'utf-8') throw bad('its charset is not utf-8');
  if (only(directives, 'algorithm')?.toLowerCase() !== 'md5-sess') throw bad('its algorithm is not md5-sess');
  const qop = only(directives, 'qop');
  if (qop !== null && !qop.split(/[ \t]*,[ \t]*/).includes('auth'))
    throw bad('it does not offer the protection "auth"');
  const nonce = only(directives, 'nonce');
  if (nonce === null || nonce === '') throw bad('it has no nonce');
  const decode = (text: string) => (utf8 ? decodeUtf8(text) : text);
  return { realms: (directives.get('realm') ?? []).map(decode), nonce: decode(nonce), utf8 };
}

/** The proof in the last message of the server. @throws BrokerError `DIGEST_CHALLENGE` */
export function readResponseAuth(data: Buffer): string {
  const proof = only(parseDirectives(data), 'rspauth');
  if (proof === null) throw bad('its last message has no rspauth');
  return proof;
}

/** Directives in order of appearance; the octets of the values as ISO 8859-1. */
function parseDirectives(data: Buffer): Map<string, string[]> {
  if (data.length > CHALLENGE_LIMIT) throw bad(`it is longer than ${CHALLENGE_LIMIT} bytes`);
  const text = data.toString('latin1');
  // A directive: token, "=", token or quoted string; a comma or the end. The list may have empty elements.
  const directive =
    /[ \t\r\n]*(?:([^\0-\x20\x7f-\xff()<>@,;:\\"/[\]?={}]+)[ \t\r\n]*=[ \t\r\n]*(?:"((?:[^"\\]|\\[^])*)"|([^\0-\x20\x7f-\xff()<>@,;:\\"/[\]?={}]+))[ \t\r\n]*)?(?:,|$)/y;
  const directives = new Map<string, string[]>();
  while (directive.lastIndex < text.length) {
    const match = directive.exec(text);
    if (match === null) throw bad('it is not a list of directives');
    const [, name, quoted, token = ''] = match;
    if (name === undefined) continue;
    const value = quoted === undefined ? token : quoted.replace(/\\([^])/g, '$1');
    const key = name.toLowerCase();
    const values = directives.get(key);
    if (values === undefined) directives.set(key, [value]);
    else values.push(value);
  }
  return directives;
}

/** The value of a directive that may come once, or null. */
function only(directives: ReadonlyMap<string, string[]>, name: string): string | null {
  const values = directives.get(name) ?? [];
  if (values.length > 1) throw bad(`${name} comes twice`);
  return values[0] ?? null;
}

function decodeUtf8(octets: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(Buffer.from(octets, 'latin1'));
  } catch {
    throw bad('it is no UTF-8 although it says so');
  }
}

function bad(reason: string): Error {
  return saslError('DIGEST_CHALLENGE', `the server's DIGEST-MD5 challenge cannot be used: ${reason}`);
}
