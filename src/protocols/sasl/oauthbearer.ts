// OAUTHBEARER: RFC 7628.
import { printable, usageError } from '../../errors.js';
import { unexpected } from './errors.js';
import type { Mechanism, MechanismSettings } from './mechanism.js';
import { prepare, readPassword, saslname } from './password.js';

/** RFC 6750 §2.1 */
const TOKEN = /^[A-Za-z0-9._~+/-]+=*$/;

/** Signs in with an OAuth 2.0 bearer token, which is given as the password, without `Bearer`. */
export const OAUTHBEARER = {
  name: 'OAUTHBEARER',
  needs: ['password'],
  showsPassword: true,
  floor: 'neither',
  byDefault: 'never',
  async run(exchange, settings) {
    const token = await readPassword(settings.password);
    if (!TOKEN.test(token)) {
      throw usageError('USAGE_PASSWORD', 'the token is no bearer token (RFC 6750 §2.1): give it without "Bearer"');
    }
    const owner = ownerOf(settings);
    const identity = owner === undefined ? '' : `a=${saslname(prepare(owner, 'authorization identity'))}`;
    const answer = await exchange.say(Buffer.from(`n,${identity},\x01auth=Bearer ${token}\x01\x01`));
    // The one challenge there is reports a failure, and is answered by one octet (RFC 7628 §3.2.3).
    if (answer.type === 'challenge') return exchange.failure(Buffer.of(1), statusOf(answer.data));
    if (answer.data !== null) throw unexpected('OAUTHBEARER', 'data');
  },
} as const satisfies Mechanism;

/** Whom the token is for (RFC 7628 §3.1, RFC 6120 §6.3.8); undefined leaves it to the token. */
function ownerOf({ authzid, username, domain }: MechanismSettings): string | undefined {
  return authzid ?? (username === '' ? undefined : `${username}@${domain}`);
}

/** The status the server gives (RFC 7628 §3.2.2), for example `invalid_token`. */
function statusOf(data: Buffer): string {
  try {
    const report: unknown = JSON.parse(data.toString('utf8'));
    if (typeof report === 'object' && report !== null && 'status' in report && typeof report.status === 'string') {
      return printable(report.status, 100);
    }
  } catch {
    // Not JSON: there is nothing to tell.
  }
  return 'no status';
}
