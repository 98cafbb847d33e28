import type { Element } from '../../../src/xml/element.js';
import { parse } from '../../../src/xml/tokenizer/parse.js';

/** One element from text, of any size and depth. */
export function tree(source: string): Element {
  return parse(source, { stanzaBytes: 1e9, depth: 1e6, nodes: 1e7, attributes: 1e4, attributeValueBytes: 1e8 });
}
