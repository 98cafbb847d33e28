// Which SASL profile is used where a server offers both: that of RFC 6120, or that of XEP-0388.
import { BrokerError } from '../../errors.js';
import type { Element } from '../../xml/element.js';
import { saslError } from './errors.js';
import { readOffer, readSasl2Offer, type SaslOffer } from './offer.js';
import type { ProfileName } from './profile.js';
import { chooseMechanism, type ChosenMechanism, type SaslLink, type SaslSettings } from './selection.js';

/** When SASL2 is used: where it is offered and not worse, never, or always. */
export type Sasl2Use = 'auto' | 'off' | 'required';

/** How to sign in. */
export interface ProfileChoice {
  readonly profile: ProfileName;
  readonly chosen: ChosenMechanism;
}

/**
 * Chooses profile and mechanism. SASL2 is for TLS only (XEP-0388 §3), whatever a server offers. Where it is left to us, SASL2
 * is used unless the other profile offers a better mechanism: nobody is talked down by the choice.
 * @throws BrokerError `SASL2_NOT_OFFERED`, and as `chooseMechanism` does
 */
export function chooseProfile(features: Element, settings: SaslSettings, link: SaslLink, use: Sasl2Use): ProfileChoice {
  const classic = readOffer(features);
  const modern = link.bindings === null || use === 'off' ? null : readSasl2Offer(features);
  if (use === 'required' && modern === null) throw notOffered(link);
  if (modern === null || (classic !== null && use === 'auto' && isBetter(classic, modern, settings, link))) {
    if (classic === null) throw nothingOffered();
    return { profile: 'sasl', chosen: chooseMechanism(classic, settings, link) };
  }
  return { profile: 'sasl2', chosen: chooseMechanism(modern, settings, link) };
}

/** Whether a mechanism of `one` comes before all of `other` in our list. A downgrade in either is not passed over. */
function isBetter(one: SaslOffer, other: SaslOffer, settings: SaslSettings, link: SaslLink): boolean {
  return rank(one, settings, link) < rank(other, settings, link);
}

/** Place of the mechanism in our list; the end where there is none. */
function rank(offer: SaslOffer, settings: SaslSettings, link: SaslLink): number {
  try {
    const { mechanism } = chooseMechanism(offer, settings, link);
    return settings.mechanisms.findIndex((name) => name === mechanism.name);
  } catch (error) {
    const ours = error instanceof BrokerError && error.code === 'SASL_NO_ACCEPTABLE_MECHANISM';
    if (ours) return settings.mechanisms.length;
    throw error;
  }
}

function notOffered({ bindings }: SaslLink): BrokerError {
  const why = bindings === null ? 'it is for TLS only' : 'the server does not offer it';
  return saslError('SASL2_NOT_OFFERED', `SASL2 cannot be used, which sasl2: 'required' wants: ${why}`);
}

function nothingOffered(): BrokerError {
  return saslError(
    'SASL_NO_ACCEPTABLE_MECHANISM',
    'the server offers no way to sign in: its features have no <mechanisms/>',
  );
}
