// The server's side of PLAIN (RFC 4616), ANONYMOUS (RFC 4505), EXTERNAL (RFC 4422 appendix A), OAUTHBEARER (RFC 7628).
import { createHash, randomUUID, timingSafeEqual } from 'node:crypto';
import { presentedNames } from '../../tls/certificate.js';
import { SaslFailure, textOf, type SaslContext, type ServerMechanism } from './exchange.js';

/** User name and password as they are. */
export const plain: ServerMechanism = async (exchange, context) => {
  const [authzid, name, password, ...rest] = textOf(await exchange.initial()).split('\0');
  if (authzid === undefined || name === undefined || password === undefined || rest.length > 0) {
    throw new SaslFailure('malformed-request');
  }
  const username = context.accounts.nameOf(name) ?? '';
  const known = context.accounts.password(username);
  if (known === null || !sameText(known, password)) throw new SaslFailure('not-authorized');
  checkIdentity(authzid, username, context);
  return { username, data: null };
};

/** Nobody in particular; the name is new each time. */
export const anonymous: ServerMechanism = async (exchange) => {
  await exchange.initial();
  return { username: `anonymous-${randomUUID()}`, data: null };
};

/** Whoever the client's certificate names as `user@domain` (XmppAddr). */
export const external: ServerMechanism = async (exchange, context) => {
  const wanted = textOf(await exchange.initial());
  const names = certifiedUsers(context);
  const asked = wanted === '' ? names[0] : names.find((name) => wanted === `${name}@${context.accounts.domain}`);
  if (asked === undefined) throw new SaslFailure(names.length === 0 ? 'not-authorized' : 'invalid-authzid');
  return { username: asked, data: null };
};

/** A token, which here is the account's password. */
export const oauthBearer: ServerMechanism = async (exchange, context) => {
  const [header = '', ...pairs] = textOf(await exchange.initial()).split('\x01');
  const name = /^n,a=(?<name>[^,@]+)(?:@[^,]*)?,$/.exec(header)?.groups?.name ?? '';
  const token = pairs.find((pair) => pair.startsWith('auth=Bearer '))?.slice('auth=Bearer '.length);
  const username = context.accounts.nameOf(name) ?? '';
  const known = context.accounts.password(username);
  if (token !== undefined && known !== null && sameText(known, token)) return { username, data: null };
  // The client hears why, and has to answer once more before it is refused (RFC 7628 §3.2.3).
  await exchange.challenge(Buffer.from('{"status":"invalid_token"}'));
  throw new SaslFailure('not-authorized');
};

function certifiedUsers({ certificate, accounts }: SaslContext): string[] {
  if (certificate === null) return [];
  const suffix = `@${accounts.domain}`;
  return presentedNames(certificate)
    .filter(({ type, value }) => type === 'XMPP' && value.endsWith(suffix))
    .map(({ value }) => value.slice(0, -suffix.length))
    .filter((name) => accounts.has(name));
}

/** Nobody may act for another (RFC 6120 §6.3.8). */
function checkIdentity(authzid: string, username: string, { accounts }: SaslContext): void {
  if (authzid !== '' && authzid !== `${username}@${accounts.domain}`) throw new SaslFailure('invalid-authzid');
}

/** Compares in a time that does not depend on where the texts differ. */
export function sameText(a: string, b: string): boolean {
  const hash = (text: string) => createHash('sha256').update(text).digest();
  return timingSafeEqual(hash(a), hash(b));
}
