// What a program gives to be sent.
import { key } from '../arguments/checks.js';
import type { OptionTable } from '../arguments/options.js';
import type { Element } from '../xml/element.js';

/** What `output` takes: an element, an element of a DOM such as @xmldom/xmldom's, or a string with exactly one. */
export type Outbound = Element | object | string;

/** Options of one output. */
export interface OutputOptions {
  /**
   * Names the stanza, in 1 to 256 characters: as long as one with that key is in the queue or on its way, in a store also in
   * another process, it is not accepted again. Default 144 random bits.
   */
  key?: string | undefined;
}

export const OUTPUT_OPTIONS: OptionTable<OutputOptions> = { checks: { key } };
