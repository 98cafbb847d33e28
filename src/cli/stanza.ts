// What somebody wants sent, as it stands on the command line.
import { usageError } from '../errors.js';
import { JID } from '../jid/jid.js';
import type { Element } from '../xml/element.js';
import { parse } from '../xml/tokenizer/parse.js';
import type { Given } from './command.js';

/** The element that somebody wrote. @throws BrokerError `USAGE_ARGUMENT` for what is none, naming `what` it is for */
export function elementIn(text: string, what: string): Element {
  if (text === '') throw usageError('USAGE_ARGUMENT', `${what} must be one element of XML, and nothing was given`);
  try {
    return parse(text);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw usageError('USAGE_ARGUMENT', `${what} must be one element of XML: ${reason}`);
  }
}

/** The address that an option names, as it was written. @throws BrokerError `USAGE_ARGUMENT` for what is none */
export function jidIn(given: Given, option: string): string | undefined {
  const text = given.text(option);
  if (text === undefined) return undefined;
  try {
    JID.parse(text);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw usageError('USAGE_ARGUMENT', `--${option} takes an address such as juliet@example.org: ${reason}`);
  }
  return text;
}
