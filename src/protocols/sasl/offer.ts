// What a server offers for signing in: RFC 6120 §6.3.3, XEP-0440.
import { NS } from '../../xml/namespaces.js';
import type { Element } from '../../xml/element.js';

/** The offer of one set of stream features. */
export interface SaslOffer {
  /** Every mechanism as the server wrote it, also those that are no proper names. */
  readonly advertised: readonly string[];
  /** Proper names among them, each once. */
  readonly mechanisms: ReadonlySet<string>;
  /** Channel binding types as the server wrote them, or null when it lists none (XEP-0440). */
  readonly bindings: readonly string[] | null;
  /** How many entries were ignored, because they are no names, come twice, or are too many. */
  readonly ignored: number;
}

/** Most mechanisms looked at. */
const MECHANISM_LIMIT = 64;
/** RFC 4422 §3.1 */
const MECHANISM_NAME = /^[A-Z0-9_-]{1,20}$/;

/** Reads `<mechanisms/>` and `<sasl-channel-binding/>` from `<stream:features/>`; null when no mechanisms are offered. */
export function readOffer(features: Element): SaslOffer | null {
  const list = features.children.find((child) => child.is('mechanisms', NS.SASL));
  if (list === undefined) return null;
  const advertised = list.children
    .filter((child) => child.is('mechanism', NS.SASL))
    .map((mechanism) => mechanism.textContent);
  const types = features.children.find((child) => child.is('sasl-channel-binding', NS.SASL_CHANNEL_BINDING));
  const bindings = types?.children
    .filter((child) => child.is('channel-binding', NS.SASL_CHANNEL_BINDING))
    .map((binding) => binding.getAttribute('type') ?? '');
  return makeOffer(advertised, bindings ?? null);
}

/** An offer of these mechanisms and channel binding types. */
export function makeOffer(advertised: readonly string[], bindings: readonly string[] | null = null): SaslOffer {
  const proper = advertised.slice(0, MECHANISM_LIMIT).filter((name) => MECHANISM_NAME.test(name));
  const mechanisms = new Set(proper);
  return { advertised, mechanisms, bindings, ignored: advertised.length - mechanisms.size };
}

/** The text whose hash a server may sign (XEP-0474 §5.1): both lists sorted by octets. */
export function offerText({ advertised, bindings }: SaslOffer): string {
  const mechanisms = sortByOctets(advertised).join('\x1e');
  return bindings === null ? mechanisms : `${mechanisms}\x1f${sortByOctets(bindings).join('\x1e')}`;
}

function sortByOctets(texts: readonly string[]): string[] {
  return [...texts].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
}
