// Signing in: choosing a mechanism, RFC 6120 §6.3.3, and running it, §6.4.
import type { Element } from '../../xml/element.js';
import type { Negotiation } from '../dialect.js';
import { runExchange, type SaslStream } from './exchange.js';
import { accountOf } from './mechanism.js';
import { sharedMemory } from './memory.js';
import { chooseProfile } from './profile-choice.js';
import { SASL, type SaslProfile } from './profile.js';
import type { ChosenMechanism, SaslLink, SaslSettings } from './selection.js';

/** What signing in needs of a negotiation. */
export type SaslSession = SaslStream & Pick<Negotiation, 'publish'>;

/**
 * Signs in as RFC 6120 has it, with what these stream features offer. Publishes PCJ_AUTHNEGOTIATE before the first element is sent, and
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
  const { chosen } = chooseProfile(features, settings, link, 'off');
  await authenticate(session, SASL, chosen, link);
  session.publish('PCJ_AUTHSUCCESS', { mechanism: chosen.mechanism.name, profile: SASL.name });
  return chosen.mechanism.name;
}

/**
 * Runs the chosen mechanism over a profile, and remembers for the account what may not be fallen behind any more. Publishes
 * PCJ_AUTHNEGOTIATE, and leaves PCJ_AUTHSUCCESS to the caller, who may want to look at the success first.
 *
 * @returns the element that reported success
 */
export async function authenticate(
  session: SaslSession,
  profile: SaslProfile,
  { mechanism, settings }: ChosenMechanism,
  { verified }: SaslLink,
): Promise<Element> {
  const account = accountOf(settings);
  const setsFloor = mechanism.floor === 'sets';
  if (setsFloor && verified) sharedMemory.remember(account);
  const warning = mechanism.warning?.(settings) ?? null;
  if (warning !== null) session.publish('PCJ_PROTOCOLERROR', warning);
  session.publish('PCJ_AUTHNEGOTIATE', { mechanism: mechanism.name, profile: profile.name });
  const success = await runExchange(session, profile, mechanism, settings);
  if (setsFloor) sharedMemory.remember(account);
  return success;
}
