// What a server offers for signing in: RFC 6120 §6.3.3, XEP-0388 §2.1, XEP-0440.
import { trimmed } from '../../xml/characters.js';
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
  /** Whether channel bindings have to be listed where there are mechanisms for them, and the other way round (XEP-0440). */
  readonly listsBindings: boolean;
  /** What the other profile offers on this stream: nothing here is used that would be a step down from it. */
  readonly beside: ReadonlySet<string>;
}

/** Most mechanisms looked at. */
const MECHANISM_LIMIT = 64;
/** RFC 4422 §3.1 */
const MECHANISM_NAME = /^[A-Z0-9_-]{1,20}$/;

/** Reads `<mechanisms/>` and `<sasl-channel-binding/>` from `<stream:features/>`; null when no mechanisms are offered. */
export function readOffer(features: Element): SaslOffer | null {
  const list = features.getChild('mechanisms', NS.SASL);
  if (list === null) return null;
  return makeOffer(namesIn(list), readBindings(features), {
    beside: namesIn(features.getChild('authentication', NS.SASL2)),
  });
}

/** The same of SASL2: reads `<authentication/>`. */
export function readSasl2Offer(features: Element): SaslOffer | null {
  const list = features.getChild('authentication', NS.SASL2);
  if (list === null) return null;
  const beside = namesIn(features.getChild('mechanisms', NS.SASL));
  return makeOffer(namesIn(list), readBindings(features), { beside, listsBindings: true });
}

/** An offer of these mechanisms and channel binding types. */
export function makeOffer(
  advertised: readonly string[],
  bindings: readonly string[] | null = null,
  { beside = [], listsBindings = false }: { beside?: readonly string[]; listsBindings?: boolean } = {},
): SaslOffer {
  const mechanisms = properNames(advertised);
  const ignored = advertised.length - mechanisms.size;
  return { advertised, mechanisms, bindings, ignored, listsBindings, beside: properNames(beside) };
}

function properNames(advertised: readonly string[]): Set<string> {
  return new Set(advertised.slice(0, MECHANISM_LIMIT).filter((name) => MECHANISM_NAME.test(name)));
}

function namesIn(list: Element | null): string[] {
  return list?.getChildren('mechanism').map(({ textContent }) => trimmed(textContent)) ?? [];
}

function readBindings(features: Element): string[] | null {
  const types = features.getChild('sasl-channel-binding', NS.SASL_CHANNEL_BINDING);
  if (types === null) return null;
  return types.getChildren('channel-binding', NS.SASL_CHANNEL_BINDING).map((type) => type.getAttribute('type') ?? '');
}

/** The text whose hash a server may sign (XEP-0474 §5.1): both lists sorted by octets. */
export function offerText({ advertised, bindings }: SaslOffer): string {
  const mechanisms = sortByOctets(advertised).join('\x1e');
  return bindings === null ? mechanisms : `${mechanisms}\x1f${sortByOctets(bindings).join('\x1e')}`;
}

function sortByOctets(texts: readonly string[]): string[] {
  return [...texts].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
}
