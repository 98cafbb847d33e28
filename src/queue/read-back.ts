import { BrokerError } from '../errors.js';
import type { Element } from '../xml/element.js';
import { DEFAULT_LIMITS } from '../xml/tokenizer/limits.js';
import { parseInScope } from '../xml/tokenizer/parse.js';

const NO_LIMITS = Object.fromEntries(Object.keys(DEFAULT_LIMITS).map((name) => [name, Number.POSITIVE_INFINITY]));

/** Reads a stanza that a program gave, which may be larger than what is taken from a peer. @throws BrokerError as `parse` */
export function readBack(text: string, xmlns: string): Element {
  try {
    return parseInScope(text, xmlns);
  } catch (error) {
    if (!(error instanceof BrokerError) || !error.code.startsWith('LIMIT_')) throw error;
    return parseInScope(text, xmlns, NO_LIMITS);
  }
}
