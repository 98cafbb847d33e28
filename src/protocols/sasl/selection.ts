// Which mechanism is used: RFC 6120 §6.3.3, XEP-0474 §6. What each of them needs is said in its row.
import type { Optional } from '../../arguments/optional.js';
import { BrokerError, printable, usageError } from '../../errors.js';
import type { ChannelBindings } from '../../tls/channel-binding.js';
import type { ClientCertificate } from '../../tls/client-certificate.js';
import { planBinding, type BindingChoice, type BindingPlan } from './binding-plan.js';
import { saslError } from './errors.js';
import { accountOf, type Account, type Mechanism, type MechanismSettings, type Need } from './mechanism.js';
import { MECHANISMS, type MechanismName } from './mechanisms.js';
import { sharedMemory } from './memory.js';
import type { SaslOffer } from './offer.js';
import type { Password } from './password.js';
import type { IterationLimits } from './scram-message.js';

/** How to sign in. */
export interface SaslSettings extends Account {
  /** The only mechanisms that may be used, best first. */
  readonly mechanisms: readonly MechanismName[];
  /** Password, or the token for OAUTHBEARER. It is asked for when the mechanism needs it. */
  readonly password?: Password | undefined;
  /** Whom to act for, when it is not the user (RFC 6120 §6.3.8). */
  readonly authzid?: string | undefined;
  /** Our own certificate in TLS; default none. */
  readonly certificate?: ClientCertificate | null | undefined;
  /**
   * Channel binding for -PLUS mechanisms: `auto` takes what the server lists (XEP-0440); a type is used also where the
   * server lists none; `none` never. Default `auto`.
   */
  readonly channelBinding?: BindingChoice | undefined;
  readonly iterations?: Optional<IterationLimits> | undefined;
}

/** The connection below. */
export interface SaslLink {
  /** Whether TLS is up and the server's certificate was checked. Nothing that shows the password is used without. */
  readonly verified: boolean;
  /** Channel bindings of TLS, or null while there is no TLS. */
  readonly bindings: ChannelBindings | null;
  /** Version of TLS, such as `TLSv1.3`; null without TLS. Default null. */
  readonly tlsVersion?: string | null | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** A mechanism that can be run, and what it works with. */
export interface ChosenMechanism {
  readonly mechanism: Mechanism;
  readonly settings: MechanismSettings;
}

/** What a choice depends on. */
interface Circumstances {
  readonly ours: readonly Mechanism[];
  readonly offer: SaslOffer;
  readonly settings: SaslSettings;
  readonly link: SaslLink;
  readonly binding: BindingPlan;
}

/** Of each need, whether it is met, and what is said where it is not. */
const NEEDS: Readonly<Record<Need, { isMet: (now: Circumstances) => boolean; otherwise: string }>> = {
  password: { isMet: ({ settings }) => settings.password !== undefined, otherwise: 'needs a password' },
  username: { isMet: ({ settings }) => settings.username !== undefined, otherwise: 'needs a user name' },
  tls: { isMet: ({ link }) => link.bindings !== null, otherwise: 'needs TLS' },
  'channel-binding': {
    isMet: ({ binding }) => binding.chosen !== null,
    otherwise: 'needs a channel binding that both sides know',
  },
};

/**
 * Chooses the first mechanism of our own list that the server offers and the link allows.
 * @throws BrokerError `SASL_NO_ACCEPTABLE_MECHANISM`, or `SASL_DOWNGRADE` when only PLAIN is left and something better was
 * there before, or when channel binding is offered by half where that cannot be (XEP-0440); `USAGE_SASL_MECHANISM` for a name
 * in our list that is not known
 */
export function chooseMechanism(offer: SaslOffer, settings: SaslSettings, link: SaslLink): ChosenMechanism {
  const ours = settings.mechanisms.map(mechanismNamed);
  const bindable = ours.some(({ needs }) => needs.includes('channel-binding'));
  const binding = planBinding(offer, bindable ? (settings.channelBinding ?? 'auto') : 'none', link.bindings);
  const now: Circumstances = { ours, offer, settings, link, binding };
  const refused: string[] = [];
  let downgrade: BrokerError | null = null;
  for (const mechanism of ours.filter(({ name }) => offer.mechanisms.has(name))) {
    const obstacle = obstacleTo(mechanism, now);
    if (obstacle instanceof BrokerError) downgrade = obstacle;
    else if (obstacle !== null) refused.push(`${mechanism.name} ${obstacle}`);
    else return { mechanism: unlessHalfOffered(mechanism, now), settings: mechanismSettings(now) };
  }
  throw downgrade ?? nothingLeft(now, refused);
}

/**
 * XEP-0440: who offers channel binding in SASL2 offers both the mechanisms and the types. Where one of them is missing,
 * somebody may have taken it out, and a password is not used without binding.
 */
function unlessHalfOffered(mechanism: Mechanism, { ours, offer, binding }: Circumstances): Mechanism {
  const { needs } = mechanism;
  const couldBind = ours.some((row) => row.needs.includes('channel-binding'));
  const binds = needs.includes('channel-binding') || !needs.includes('password');
  if (!offer.listsBindings || binding.lacks === null || binds || !couldBind) return mechanism;
  const what = {
    types: 'mechanisms with channel binding, but no types for them',
    mechanisms: 'types of channel binding, but no mechanisms for them',
  };
  throw saslError(
    'SASL_DOWNGRADE',
    `the server offers ${what[binding.lacks]} (XEP-0440): somebody may have changed the offer, or the server is set up so; channelBinding: 'none' signs in all the same`,
  );
}

function mechanismNamed(name: MechanismName): Mechanism {
  const mechanism = MECHANISMS.find((row) => row.name === name);
  if (mechanism !== undefined) return mechanism;
  throw usageError('USAGE_SASL_MECHANISM', `${printable(name, 40)} is no SASL mechanism that can be used here`);
}

/** Why a mechanism of ours that the server offers cannot be used now, or null. */
function obstacleTo({ needs, showsPassword, floor }: Mechanism, now: Circumstances): BrokerError | string | null {
  const unmet = needs.find((need) => !NEEDS[need].isMet(now));
  if (unmet !== undefined) return NEEDS[unmet].otherwise;
  if (showsPassword && !now.link.verified) return 'is used over TLS with a verified certificate only';
  return floor === 'obeys' ? belowFloor(now) : null;
}

/** What obeys the floor is no fallback for something better that is there, or was (XEP-0474 §6). */
function belowFloor({ ours, offer, settings }: Circumstances): BrokerError | string | null {
  const better = ours.filter(({ floor }) => floor === 'sets');
  if (better.some(({ name }) => offer.mechanisms.has(name) || offer.beside.has(name)))
    return 'is not used where there is something better';
  if (better.length === 0 || !sharedMemory.knows(accountOf(settings))) return null;
  return saslError(
    'SASL_DOWNGRADE',
    'the server offers only PLAIN for an account that has had SCRAM or EXTERNAL: somebody may want the password',
  );
}

function mechanismSettings({
  settings,
  offer,
  binding,
  link: { tlsVersion, signal },
}: Circumstances): MechanismSettings {
  const { domain, username = '', password = '', authzid, certificate = null, iterations } = settings;
  return { domain, username, password, authzid, certificate, iterations, offer, binding, tlsVersion, signal };
}

function nothingLeft({ ours, offer, settings }: Circumstances, refused: readonly string[]): BrokerError {
  const offered = printable([...offer.mechanisms].join(' '), 300) || 'nothing that is known';
  const reasons = refused.length === 0 ? '' : ` Not used: ${refused.join('; ')}.`;
  const unused = ours.find(({ name, byDefault }) => byDefault === 'with-certificate' && !offer.mechanisms.has(name));
  const port =
    unused === undefined || settings.certificate == null
      ? ''
      : ` ${unused.name} is not offered, although tls.cert is given: it may be that this port asks for no certificate.`;
  return saslError(
    'SASL_NO_ACCEPTABLE_MECHANISM',
    `the server offers no way to sign in that is allowed here. Offered: ${offered}.${reasons}${port}`,
    { origin: 'local' },
  );
}
