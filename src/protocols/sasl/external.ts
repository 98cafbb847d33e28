// EXTERNAL: RFC 4422 appendix A, with client certificates in XMPP: XEP-0178.
import { BrokerError, printable } from '../../errors.js';
import { JID } from '../../jid/jid.js';
import { accountAddress } from '../account.js';
import type { Mechanism, MechanismSettings } from './mechanism.js';
import { prepare } from './password.js';

/** Most addresses of a certificate that a warning shows. */
const SHOWN_ADDRESSES = 8;

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
  advice: {
    'not-authorized':
      ' Check that the certificate (tls.cert) names this account as XmppAddr, and comes from an authority that the server trusts.',
    'account-disabled':
      ' That may mean that the server cannot use the certificate (tls.cert): check its issuer, its purpose, its time, and that it names this account as XmppAddr.',
  },
  warning(settings) {
    const addresses = addressesOf(settings);
    if (settings.authzid !== undefined || settings.username === '' || addresses.length === 0) return null;
    return isNamed(settings) ? null : otherNames(addresses, accountAddress(settings.username, settings.domain));
  },
  async run(exchange, settings) {
    const identity = settings.authzid ?? identityOf(settings);
    await exchange.success(Buffer.from(identity === '' ? '' : prepare(identity, 'authorization identity')));
  },
} as const satisfies Mechanism;

/** XEP-0178 §2: which of several addresses is meant; of one, or of none that is ours, the server knows more. */
function identityOf(settings: MechanismSettings): string {
  const several = addressesOf(settings).length > 1;
  return several && settings.username !== '' && isNamed(settings)
    ? accountAddress(settings.username, settings.domain)
    : '';
}

/** Whether our certificate names the account. A resource says nothing. */
function isNamed(settings: MechanismSettings): boolean {
  const account = accountAddress(settings.username, settings.domain);
  return addressesOf(settings).some((address) => JID.equivalent(address.replace(/\/.*/s, ''), account));
}

function addressesOf({ certificate }: MechanismSettings): readonly string[] {
  return certificate?.addresses ?? [];
}

function otherNames(addresses: readonly string[], account: string): BrokerError {
  const shown = addresses.slice(0, SHOWN_ADDRESSES).map((address) => printable(address, 100));
  const more = addresses.length > SHOWN_ADDRESSES ? `, and ${String(addresses.length - SHOWN_ADDRESSES)} more` : '';
  return new BrokerError(
    'TLS_CLIENT_CERT_NAMES',
    `our own certificate (tls.cert) does not name the account ${account}, which is to sign in with it; it names ${shown.join(', ')}${more}`,
    { layer: 'tls', phase: 'auth' },
  );
}
