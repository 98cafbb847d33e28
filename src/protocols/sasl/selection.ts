// Which mechanism is used: RFC 6120 §6.3.3, RFC 5802 §6, XEP-0440 §4, XEP-0474 §6.
import { shown } from '../../arguments/arguments.js';
import { BrokerError, printable, usageError } from '../../errors.js';
import { Anonymous } from './anonymous.js';
import type { ChannelBindings, ChannelBindingType } from '../../tls/channel-binding.js';
import { DigestMd5 } from './digest-md5.js';
import { External } from './external.js';
import { saslError, type Mechanism } from './mechanism.js';
import type { SaslMemory } from './memory.js';
import { OauthBearer } from './oauthbearer.js';
import type { SaslOffer } from './offer.js';
import type { Password } from './password.js';
import { Plain } from './plain.js';
import { Scram, type ScramBinding } from './scram.js';
import type { ScramHash, ScramKeyCache } from './scram-keys.js';
import type { IterationLimits } from './scram-message.js';

/** Every mechanism there is. */
export type MechanismName =
  | 'EXTERNAL'
  | 'SCRAM-SHA-512-PLUS'
  | 'SCRAM-SHA-256-PLUS'
  | 'SCRAM-SHA-1-PLUS'
  | 'SCRAM-SHA-512'
  | 'SCRAM-SHA-256'
  | 'SCRAM-SHA-1'
  | 'OAUTHBEARER'
  | 'DIGEST-MD5'
  | 'PLAIN'
  | 'ANONYMOUS';

/** What a client uses unless it is told otherwise, best first. EXTERNAL comes before them when there is a client certificate. */
export const DEFAULT_MECHANISMS: readonly MechanismName[] = [
  'SCRAM-SHA-512-PLUS',
  'SCRAM-SHA-256-PLUS',
  'SCRAM-SHA-1-PLUS',
  'SCRAM-SHA-512',
  'SCRAM-SHA-256',
  'SCRAM-SHA-1',
  'PLAIN',
];

/** How to sign in. */
export interface SaslSettings {
  /** The only mechanisms that may be used, best first. */
  readonly mechanisms: readonly MechanismName[];
  /** XMPP domain that was dialled. */
  readonly domain: string;
  readonly username?: string;
  /** Password, or the token for OAUTHBEARER. It is asked for when the mechanism needs it. */
  readonly password?: Password;
  /** Whom to act for, when it is not the user (RFC 6120 §6.3.8). */
  readonly authzid?: string;
  /** Realm for DIGEST-MD5, when the server offers several. */
  readonly realm?: string;
  /**
   * Channel binding for -PLUS mechanisms: `auto` takes what the server lists (XEP-0440); a type is used also where the
   * server lists none; `none` never. Default `auto`.
   */
  readonly channelBinding?: 'auto' | 'none' | ChannelBindingType;
  readonly iterations?: Partial<IterationLimits>;
  /** What is known of earlier sign-ins. */
  readonly memory?: SaslMemory;
  readonly cache?: ScramKeyCache;
}

/** The connection below. */
export interface SaslLink {
  /** Whether TLS is up and the server's certificate was checked. Nothing that shows the password is used without. */
  readonly verified: boolean;
  /** Channel bindings of TLS, or null while there is no TLS. */
  readonly bindings: ChannelBindings | null;
  readonly signal?: AbortSignal;
}

/** The name of an account in memories and caches. */
export function accountOf({ username = '', domain }: SaslSettings): string {
  return JSON.stringify([username, domain]);
}

/** Whom a token is for (RFC 7628 §3.1, RFC 6120 §6.3.8); undefined leaves it to the token. */
function bareAddress({ username, domain }: SaslSettings): string | undefined {
  return username === undefined ? undefined : `${username}@${domain}`;
}

const SCRAM = /^SCRAM-SHA-(1|256|512)(-PLUS)?$/;

/** Types that are tried without being named, best first. */
const AUTOMATIC_TYPES: readonly ChannelBindingType[] = ['tls-exporter', 'tls-server-end-point'];

/**
 * Chooses the first mechanism of our own list that the server offers and the link allows.
 * @throws BrokerError `SASL_NO_ACCEPTABLE_MECHANISM`, or `SASL_DOWNGRADE` when only PLAIN is left and something better was
 * there before; `USAGE_SASL_MECHANISM` for a name in our list that is not known
 */
export function chooseMechanism(offer: SaslOffer, settings: SaslSettings, link: SaslLink): Mechanism {
  const refused: string[] = [];
  let downgrade: BrokerError | null = null;
  const binding = planBinding(offer, settings, link);
  for (const name of settings.mechanisms) {
    if (!isMechanismName(name)) {
      throw usageError(
        'USAGE_SASL_MECHANISM',
        `${printable(String(name), 40)} is no SASL mechanism that can be used here.`,
      );
    }
    if (!offer.mechanisms.has(name)) continue;
    const obstacle = obstacleTo(name, offer, settings, link, binding);
    if (obstacle instanceof BrokerError) downgrade = obstacle;
    else if (obstacle !== null) refused.push(`${name} ${obstacle}`);
    else return makeMechanism(name, offer, settings, link, binding);
  }
  throw downgrade ?? nothingLeft(offer, refused);
}

/** Why a mechanism of ours that the server offers cannot be used now, or null. */
function obstacleTo(
  name: MechanismName,
  offer: SaslOffer,
  settings: SaslSettings,
  link: SaslLink,
  binding: BindingPlan,
): BrokerError | string | null {
  const { username, password } = settings;
  if (name === 'ANONYMOUS') return null;
  if (name === 'EXTERNAL') return link.bindings === null ? 'needs TLS' : null;
  if (password === undefined) return 'needs a password';
  if (username === undefined && name !== 'OAUTHBEARER') return 'needs a user name';
  if (name.endsWith('-PLUS') && binding.chosen === null) return 'needs a channel binding that both sides know';
  if (name !== 'PLAIN' && name !== 'OAUTHBEARER') return null;
  if (!link.verified) return 'is used over TLS with a verified certificate only';
  return name === 'PLAIN' ? downgradeTo(offer, settings) : null;
}

/** PLAIN is no fallback for something better that is there, or was (XEP-0474 §6). */
function downgradeTo(offer: SaslOffer, settings: SaslSettings): BrokerError | string | null {
  const better = settings.mechanisms.filter(isBetterThanPlain);
  if (better.some((name) => offer.mechanisms.has(name))) return 'is not used where there is something better';
  if (better.length === 0 || settings.memory?.knows(accountOf(settings)) !== true) return null;
  return saslError(
    'SASL_DOWNGRADE',
    'The server offers only PLAIN for an account that has had SCRAM or EXTERNAL: somebody may want the password.',
  );
}

/** Whether a mechanism keeps the password from whoever plays the server. */
export function isBetterThanPlain(mechanism: string): boolean {
  return mechanism === 'EXTERNAL' || mechanism.startsWith('SCRAM-');
}

function makeMechanism(
  name: MechanismName,
  offer: SaslOffer,
  settings: SaslSettings,
  link: SaslLink,
  binding: BindingPlan,
): Mechanism {
  const { username = '', password = '', authzid, realm, domain } = settings;
  switch (name) {
    case 'EXTERNAL':
      return new External(authzid);
    case 'ANONYMOUS':
      return new Anonymous();
    case 'PLAIN':
      return new Plain({ username, password, authzid });
    case 'OAUTHBEARER':
      return new OauthBearer({ authzid: authzid ?? bareAddress(settings), token: password });
    case 'DIGEST-MD5':
      return new DigestMd5({ username, password, authzid, realm, host: domain });
    default:
      return new Scram({
        hash: hashOf(name),
        binding: name.endsWith('-PLUS') && binding.chosen !== null ? binding.chosen : { flag: binding.flag },
        username,
        password,
        authzid,
        account: accountOf(settings),
        iterations: settings.iterations,
        cache: settings.cache,
        offer,
        requireOfferHash: binding.suspicious,
        signal: link.signal,
      });
  }
}

/** What is to be said about channel binding on this connection. */
interface BindingPlan {
  /** For -PLUS mechanisms; null when there is none. */
  readonly chosen: Extract<ScramBinding, { flag: 'p' }> | null;
  /** For the others. */
  readonly flag: 'y' | 'n';
  /** The server lists types, but none that everybody has: to be believed only when it signs its offer. */
  readonly suspicious: boolean;
}

/**
 * RFC 5802 §6 with the lists of XEP-0440. One deviation: a server that offers -PLUS without saying which types it takes gets
 * no -PLUS unless the settings name a type, and the flag `n` rather than `y`, which such servers refuse.
 */
function planBinding(offer: SaslOffer, settings: SaslSettings, { bindings }: SaslLink): BindingPlan {
  const { channelBinding = 'auto', mechanisms } = settings;
  const wanted = channelBinding !== 'none' && mechanisms.some((name) => name.endsWith('-PLUS'));
  if (!wanted || bindings === null) return { chosen: null, flag: 'n', suspicious: false };

  const ours = channelBinding === 'auto' ? AUTOMATIC_TYPES : [channelBinding];
  const available = ours.flatMap((type) => {
    const data = bindings(type);
    return data === null ? [] : [{ flag: 'p', type, data } as const];
  });
  if (available.length === 0) return { chosen: null, flag: 'n', suspicious: false };

  const listed = offer.bindings;
  const offersPlus = [...offer.mechanisms].some((name) => name.endsWith('-PLUS'));
  if (!offersPlus) return { chosen: null, flag: 'y', suspicious: false };
  if (listed === null)
    return { chosen: channelBinding === 'auto' ? null : (available[0] ?? null), flag: 'n', suspicious: false };
  const chosen = available.find(({ type }) => listed.includes(type)) ?? null;
  return { chosen, flag: 'n', suspicious: chosen === null && !AUTOMATIC_TYPES.some((type) => listed.includes(type)) };
}

function hashOf(name: MechanismName): ScramHash {
  const bits = SCRAM.exec(name)?.[1];
  return bits === '512' ? 'sha512' : bits === '256' ? 'sha256' : 'sha1';
}

/** Whether something is the name of a mechanism there is. */
function isMechanismName(name: unknown): name is MechanismName {
  if (typeof name !== 'string') return false;
  return SCRAM.test(name) || ['EXTERNAL', 'OAUTHBEARER', 'DIGEST-MD5', 'PLAIN', 'ANONYMOUS'].includes(name);
}

/** What is wrong with a list of mechanisms to use, or null. */
export function mechanismsProblem(value: unknown): string | null {
  if (!Array.isArray(value) || value.length === 0) return 'must be a list of at least one SASL mechanism';
  const unknown: unknown[] = value.filter((name) => !isMechanismName(name));
  return unknown.length === 0 ? null : `has ${shown(unknown[0])}, which is no SASL mechanism that can be used here`;
}

function nothingLeft(offer: SaslOffer, refused: readonly string[]): BrokerError {
  const offered = printable([...offer.mechanisms].join(' '), 300) || 'nothing that is known';
  const reasons = refused.length === 0 ? '' : ` Not used: ${refused.join('; ')}.`;
  return saslError(
    'SASL_NO_ACCEPTABLE_MECHANISM',
    `The server offers no way to sign in that is allowed here. Offered: ${offered}.${reasons}`,
    { origin: 'local' },
  );
}
