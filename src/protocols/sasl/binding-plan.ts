// Channel binding of SCRAM: RFC 5802 §6, with the lists of XEP-0440.
import type { ChannelBindings, ChannelBindingType } from '../../tls/channel-binding.js';
import type { SaslOffer } from './offer.js';

/** What is to be said about channel binding on this connection (RFC 5802 §6). */
export interface BindingPlan {
  /** For -PLUS mechanisms; null when there is none. */
  readonly chosen: { readonly type: ChannelBindingType; readonly data: Buffer } | null;
  /** For the others: `y`, we could and think that the server cannot; `n`, we cannot. */
  readonly flag: 'y' | 'n';
  /** The server lists types, but none that everybody has: to be believed only when it signs its offer. */
  readonly suspicious: boolean;
  /** What the offer lacks for us to bind, though XEP-0440 wants it there: the list of types, or mechanisms for it. Null: nothing. */
  readonly lacks: 'types' | 'mechanisms' | null;
}

/** Which type to use: what the server lists, a certain one also where it lists none, or none. */
export type BindingChoice = 'auto' | 'none' | ChannelBindingType;

/** Types that are tried without being named, best first. */
const AUTOMATIC_TYPES: readonly ChannelBindingType[] = ['tls-exporter', 'tls-server-end-point'];

/**
 * One deviation from RFC 5802 §6: a server that offers -PLUS without saying which types it takes gets no -PLUS unless a type
 * is named, and the flag `n` rather than `y`, which such servers refuse. In SASL2, which knows the list, `lacks` ends the
 * sign-in.
 *
 * @param bindings what TLS has; null without TLS
 */
export function planBinding(offer: SaslOffer, choice: BindingChoice, bindings: ChannelBindings | null): BindingPlan {
  const cannot: BindingPlan = { chosen: null, flag: 'n', suspicious: false, lacks: null };
  if (choice === 'none' || bindings === null) return cannot;
  const ours = choice === 'auto' ? AUTOMATIC_TYPES : [choice];
  const available = ours.flatMap((type) => {
    const data = bindings(type);
    return data === null ? [] : [{ type, data }];
  });
  const [first] = available;
  if (first === undefined) return cannot;

  const listed = offer.bindings;
  const offersPlus = [...offer.mechanisms].some((name) => name.endsWith('-PLUS'));
  if (!offersPlus) return { ...cannot, flag: 'y', lacks: listed === null ? null : 'mechanisms' };
  if (listed === null) {
    return choice === 'auto' ? { ...cannot, lacks: 'types' } : { ...cannot, chosen: first };
  }
  const chosen = available.find(({ type }) => listed.includes(type)) ?? null;
  return { ...cannot, chosen, suspicious: chosen === null && !AUTOMATIC_TYPES.some((type) => listed.includes(type)) };
}
