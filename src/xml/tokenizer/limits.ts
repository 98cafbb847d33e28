import { isRecord, ownProperties, kindOf } from '../../arguments/arguments.js';
import { usageError } from '../../errors.js';

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

/**
 * The defaults with the given limits put over them.
 * @throws BrokerError `USAGE_LIMITS` for an unknown limit or one that is not a whole number of at least 1 (`Infinity` lifts a limit)
 */
export function xmlLimits(given: Partial<XmlLimits> = DEFAULT_LIMITS): Readonly<XmlLimits> {
  if (given === DEFAULT_LIMITS) return DEFAULT_LIMITS;
  const limits: XmlLimits = { ...DEFAULT_LIMITS };
  const own = isRecord(given) ? ownProperties(given) : null;
  if (own === null) throw usageError('USAGE_LIMITS', `the limits are an object of numbers, not ${kindOf(given)}`);
  for (const [key, value] of Object.entries(own)) {
    if (!Object.hasOwn(DEFAULT_LIMITS, key)) {
      throw usageError('USAGE_LIMITS', `unknown limit "${key}": known are ${Object.keys(DEFAULT_LIMITS).join(', ')}`);
    }
    if (value === undefined) continue;
    if (typeof value !== 'number' || !(value >= 1) || (!Number.isInteger(value) && value !== Infinity)) {
      throw usageError(
        'USAGE_LIMITS',
        `limit ${key} is ${typeof value === 'number' ? value : kindOf(value)}: give a whole number of at least 1, or Infinity`,
      );
    }
    limits[key as keyof XmlLimits] = value;
  }
  return limits;
}
