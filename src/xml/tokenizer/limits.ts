import type { Optional } from '../../arguments/optional.js';
import { must, type Check } from '../../arguments/checks.js';
import { readOptions, type OptionTable } from '../../arguments/options.js';

/** What one stream, stanza or name may cost. Every number is enforced while the bytes arrive. */
export interface XmlLimits {
  /** Bytes of one first-level element, from its `<` to its last `>`. Default 1 MiB. */
  stanzaBytes: number;
  /** Bytes up to the end of the root's start tag, an XML declaration included. Default 64 KiB. */
  headerBytes: number;
  /** Levels of elements below the stream's root: a stanza is level 1. Default 64. */
  depth: number;
  /** Attributes of one element, namespace declarations included. Default 64. */
  attributes: number;
  /** Elements and text nodes of one stanza. Default 50,000. */
  nodes: number;
  /** Namespace declarations of one stanza. Default 256. */
  namespaceDeclarations: number;
  /** Bytes of one element or attribute name. Default 1,024. */
  nameBytes: number;
  /** Bytes of one attribute value as it is written on the wire. Default 64 KiB. */
  attributeValueBytes: number;
}

/** The limits that hold unless an option says otherwise. */
export const DEFAULT_LIMITS: Readonly<XmlLimits> = Object.freeze({
  stanzaBytes: 1024 * 1024,
  headerBytes: 64 * 1024,
  depth: 64,
  attributes: 64,
  nodes: 50_000,
  namespaceDeclarations: 256,
  nameBytes: 1024,
  attributeValueBytes: 64 * 1024,
});

const limit = must(
  'a whole number of at least 1, or Infinity',
  (value) => value === Number.POSITIVE_INFINITY || (Number.isInteger(value) && (value as number) >= 1),
);

/** What each limit must be. `Infinity` lifts it. */
export const XML_LIMITS: OptionTable<Optional<XmlLimits>> = {
  checks: Object.fromEntries(Object.keys(DEFAULT_LIMITS).map((name) => [name, limit])) as Record<
    keyof XmlLimits,
    Check
  >,
};

/**
 * The defaults with the given limits put over them.
 * @throws BrokerError `USAGE_LIMITS` for an unknown limit or one that is not a whole number of at least 1, or `Infinity`
 */
export function xmlLimits(given: Optional<XmlLimits> = DEFAULT_LIMITS): Readonly<XmlLimits> {
  if (given === DEFAULT_LIMITS) return DEFAULT_LIMITS;
  return { ...DEFAULT_LIMITS, ...readOptions('USAGE_LIMITS', 'parse()', given, XML_LIMITS, 'limits.') };
}
