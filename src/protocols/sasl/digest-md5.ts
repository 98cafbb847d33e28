// DIGEST-MD5: RFC 2831, historic since RFC 6331. Only for servers that have nothing better, such as jabberd2's router.
import { randomBytes, timingSafeEqual } from 'node:crypto';
import { readChallenge, readResponseAuth } from './digest-challenge.js';
import { digestResponse } from './digest-response.js';
import { notAuthenticated, saslError } from './errors.js';
import type { Mechanism } from './mechanism.js';
import { readPassword } from './password.js';

/** Signs in with DIGEST-MD5, authentication only (qop `auth`). */
export const DIGEST_MD5 = {
  name: 'DIGEST-MD5',
  needs: ['password', 'username'],
  showsPassword: false,
  floor: 'neither',
  byDefault: 'never',
  async run(exchange, settings) {
    const { username, domain, authzid } = settings;
    const challenge = readChallenge(await exchange.challenge(null));
    const { message, expected } = digestResponse(challenge, {
      username,
      password: await readPassword(settings.password),
      authzid,
      realm: challenge.realms.includes(domain) ? domain : challenge.realms[0],
      uri: `xmpp/${domain}`,
      cnonce: randomBytes(24).toString('base64'),
    });
    const { data } = await exchange.say(message);
    if (data === null) throw notAuthenticated('DIGEST-MD5');
    checkProof(Buffer.from(readResponseAuth(data)), Buffer.from(expected));
  },
} as const satisfies Mechanism;

function checkProof(proof: Buffer, expected: Buffer): void {
  if (proof.length === expected.length && timingSafeEqual(proof, expected)) return;
  throw saslError('DIGEST_RSPAUTH', "The server's rspauth is wrong: it does not know the password.");
}
