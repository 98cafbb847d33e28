// Signing in: choosing a mechanism, RFC 6120 §6.3.3, and running it, §6.4.
import type { Element } from '../../xml/element.js';
import type { Negotiation } from '../dialect.js';
import { runExchange, type SaslStream } from './exchange.js';
import { SaslMemory } from './memory.js';
import { saslError } from './mechanism.js';
import { readOffer } from './offer.js';
import { accountOf, chooseMechanism, isBetterThanPlain, type SaslLink, type SaslSettings } from './selection.js';

/** What signing in needs of a negotiation. */
export type SaslSession = SaslStream & Pick<Negotiation, 'publish'>;

/** Of all sign-ins of the process that bring no memory of their own. */
const sharedMemory = new SaslMemory();

/**
 * Signs in with what these stream features offer. Publishes PCJ_AUTHNEGOTIATE before the first element is sent, and
 * PCJ_AUTHSUCCESS when the server has accepted us and, where the mechanism can, has proved itself. The stream has to be
 * restarted then, and the old features forgotten (RFC 6120 §6.4.6).
 *
 * After an error the connection has to be closed. It must not be used for a second try: a channel binding belongs to
 * one exchange (RFC 9266 §4.1).
 *
 * @returns the name of the mechanism
 * @throws BrokerError of the layer `sasl` or `usage`
 */
export async function signIn(
  session: SaslSession,
  features: Element,
  settings: SaslSettings,
  link: SaslLink,
): Promise<string> {
  const offer = readOffer(features);
  if (offer === null) {
    throw saslError(
      'SASL_NO_ACCEPTABLE_MECHANISM',
      'The server offers no way to sign in: its features have no <mechanisms/>.',
    );
  }
  const { memory = sharedMemory } = settings;
  const account = accountOf(settings);
  const mechanism = chooseMechanism(offer, { ...settings, memory }, link);
  const better = isBetterThanPlain(mechanism.name);
  if (better && link.verified) memory.remember(account);

  session.publish('PCJ_AUTHNEGOTIATE', { mechanism: mechanism.name });
  await runExchange(session, mechanism);
  if (better) memory.remember(account);
  session.publish('PCJ_AUTHSUCCESS', { mechanism: mechanism.name });
  return mechanism.name;
}
