// The server's side of signing in with a token: draft-schmaus-kitten-sasl-ht, as XEP-0484 uses it.
import { createHmac, timingSafeEqual } from 'node:crypto';
import type { ChannelBinding } from './channel-binding.js';
import { SaslFailure, type ServerMechanism } from './mechanism.js';

const HASHES = { 'SHA-512': 'sha512', 'SHA-256': 'sha256' } as const;
const BINDINGS = {
  EXPR: 'tls-exporter',
  ENDP: 'tls-server-end-point',
  UNIQ: 'tls-unique',
  NONE: null,
} as const satisfies Record<string, ChannelBinding | null>;

/** Every mechanism with tokens, best first, and the channel binding that each needs. */
export const TOKEN_MECHANISMS: readonly (ServerMechanism & { readonly binding: ChannelBinding | null })[] =
  Object.entries(BINDINGS).flatMap(([short, binding]) =>
    Object.entries(HASHES).map(([long, hash]) => hashedToken(`HT-${long}-${short}`, hash, binding)),
  );

function hashedToken(
  name: string,
  hash: string,
  binding: ChannelBinding | null,
): ServerMechanism & { readonly binding: ChannelBinding | null } {
  return {
    name,
    binding,
    needs: ['account'],
    byDefault: 'never',
    async run(exchange, { accounts, bindings, tokens }) {
      const message = await exchange.initial();
      const end = message.indexOf(0);
      const data = binding === null ? Buffer.alloc(0) : bindings.get(binding);
      if (end <= 0 || data === undefined) throw new SaslFailure('malformed-request');
      const username = accounts.nameOf(message.toString('utf8', 0, end)) ?? '';
      const digest = message.subarray(end + 1);
      const proof = (secret: string, side: string) => createHmac(hash, secret).update(side).update(data).digest();
      const fits = (secret: string): boolean => {
        const expected = proof(secret, 'Initiator');
        return digest.length === expected.length && timingSafeEqual(digest, expected);
      };
      const token = accounts.has(username) ? (tokens?.match(username, name, fits) ?? null) : null;
      if (token === null) throw new SaslFailure('not-authorized');
      if (token === 'expired') throw new SaslFailure('credentials-expired');
      return { username, data: proof(token.secret, 'Responder') };
    },
  };
}
