import { BrokerError, printable } from '../../errors.js';

/** How much of the expression an error message shows on each side of the place it is about. */
const EXCERPT = 40;

/** What can be wrong with an expression; every one is found when the filter is added. */
export type XPathErrorCode =
  /** The expression is not XPath 1.0. */
  | 'USAGE_XPATH_SYNTAX'
  /** A prefix is not bound, or may not be bound. */
  | 'USAGE_XPATH_PREFIX'
  /** A variable has no value, or one that is neither string, number nor boolean. */
  | 'USAGE_XPATH_VARIABLE'
  /** There is no such function in the core library, or it takes another number of arguments. */
  | 'USAGE_XPATH_FUNCTION'
  /** A node-set is needed where the expression gives something else. */
  | 'USAGE_XPATH_TYPE'
  /** The expression is too long or too deeply nested. */
  | 'USAGE_XPATH_LIMIT';

/** An error in an expression; the message shows the place, `offset` tells it in UTF-16 code units. */
export function xpathError(code: XPathErrorCode, what: string, source: string, offset: number): BrokerError {
  const from = Math.max(0, offset - EXCERPT);
  const to = Math.min(source.length, offset + EXCERPT);
  const before = `${from > 0 ? '…' : ''}${printable(source.slice(from, offset))}`;
  const after = `${printable(source.slice(offset, to))}${to < source.length ? '…' : ''}`;
  return new BrokerError(code, `XPath: ${what}, at offset ${offset}: ${before} ⟶ ${after || '(end)'}`, {
    layer: 'filter',
    offset,
  });
}
