// EXTERNAL: RFC 4422 appendix A, with client certificates in XMPP: XEP-0178.
import type { Mechanism } from './mechanism.js';
import { prepare } from './password.js';

/**
 * Signs in by what lies below, the client certificate of TLS. An identity is sent only where the certificate does not say
 * it, or names several.
 */
export const EXTERNAL = {
  name: 'EXTERNAL',
  needs: ['tls'],
  showsPassword: false,
  floor: 'sets',
  byDefault: 'with-certificate',
  async run(exchange, { authzid = '' }) {
    const identity = authzid === '' ? '' : prepare(authzid, 'authorization identity');
    await exchange.success(Buffer.from(identity));
  },
} as const satisfies Mechanism;
