// Signing in with a token: draft-schmaus-kitten-sasl-ht in the form that XEP-0484 and its servers use.
import { createHmac, timingSafeEqual } from 'node:crypto';
import type { ChannelBindings, ChannelBindingType } from '../../tls/channel-binding.js';
import { notAuthenticated, unexpected } from './errors.js';
import type { Mechanism } from './mechanism.js';
import { makeOffer } from './offer.js';
import { prepare } from './password.js';
import type { ChosenMechanism } from './selection.js';

/** What each mechanism computes with, and what it is bound to; best first. */
const ROWS = {
  'HT-SHA-512-EXPR': { hash: 'sha512', binding: 'tls-exporter' },
  'HT-SHA-256-EXPR': { hash: 'sha256', binding: 'tls-exporter' },
  'HT-SHA-512-ENDP': { hash: 'sha512', binding: 'tls-server-end-point' },
  'HT-SHA-256-ENDP': { hash: 'sha256', binding: 'tls-server-end-point' },
  'HT-SHA-512-UNIQ': { hash: 'sha512', binding: 'tls-unique' },
  'HT-SHA-256-UNIQ': { hash: 'sha256', binding: 'tls-unique' },
  'HT-SHA-512-NONE': { hash: 'sha512', binding: null },
  'HT-SHA-256-NONE': { hash: 'sha256', binding: null },
} as const satisfies Record<string, { hash: string; binding: ChannelBindingType | null }>;

/** A mechanism for tokens. `-NONE` is bound to nothing: who sees one sign-in inside TLS can repeat it. */
export type TokenMechanism = keyof typeof ROWS;

export const TOKEN_MECHANISMS = Object.keys(ROWS) as readonly TokenMechanism[];

/** Those that are used without being named: bound to the connection, or to the server's certificate. */
export const DEFAULT_TOKEN_MECHANISMS: readonly TokenMechanism[] = TOKEN_MECHANISMS.filter((name) =>
  /-(?:EXPR|ENDP)$/.test(name),
);

export const isTokenMechanism = (name: string): name is TokenMechanism => Object.hasOwn(ROWS, name);

/** Whether a token for it is good on one connection or for one certificate only. */
export const isBound = (name: TokenMechanism): boolean => ROWS[name].binding !== null;

/** What a mechanism is bound to on this connection; null when that cannot be had. */
export function bindingData(name: TokenMechanism, bindings: ChannelBindings | null): Buffer | null {
  const { binding } = ROWS[name];
  return binding === null ? Buffer.alloc(0) : (bindings?.(binding) ?? null);
}

/**
 * The mechanism with a token. One message each way: ours proves that we know the token, the server's that it does, too
 * (XEP-0484 §3.4).
 * @param data what it is bound to
 */
export function withToken(
  name: TokenMechanism,
  { token, data, username, domain }: { token: string; data: Buffer; username: string; domain: string },
): ChosenMechanism {
  const proof = (side: string) => createHmac(ROWS[name].hash, token).update(side).update(data).digest();
  const mechanism: Mechanism = {
    name,
    needs: ['username'],
    showsPassword: true,
    floor: 'neither',
    byDefault: 'never',
    async run(exchange) {
      const said = `${prepare(username, 'user name')}\0`;
      const answer = await exchange.say(Buffer.concat([Buffer.from(said), proof('Initiator')]));
      if (answer.type === 'challenge') throw unexpected(name, 'challenge');
      const expected = proof('Responder');
      if (answer.data?.length !== expected.length || !timingSafeEqual(answer.data, expected))
        throw notAuthenticated(name, 'token');
    },
  };
  const binding = { chosen: null, flag: 'n', suspicious: false, lacks: null } as const;
  const settings = {
    domain,
    username,
    password: '',
    certificate: null,
    offer: makeOffer([]),
    binding,
    tlsVersion: null,
  };
  return { mechanism, settings };
}
