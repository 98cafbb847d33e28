import { crc32 } from 'node:zlib';
import type { BrokerError } from '../../../src/errors.js';
import type { Element, Node } from '../../../src/xml/element.js';
import { NS } from '../../../src/xml/namespaces.js';
import { Text } from '../../../src/xml/text.js';
import { Tokenizer } from '../../../src/xml/tokenizer/tokenizer.js';

/** What a reader makes of a document. */
export interface Verdict {
  /** Restricted: XML that a stream may not have. */
  readonly verdict: 'taken' | 'refused' | 'restricted';
  /** Where it is known. */
  readonly at: number;
  /** The error of expat. */
  readonly code?: number;
  /** Where the elements of the first level end. */
  readonly ends: readonly number[];
  /** Of their trees. */
  readonly crc: number;
}

export const HEADER = `<stream:stream xmlns='jabber:client' xmlns:stream='${NS.STREAM}' id='1'>`;
export const FOOTER = '</stream:stream>';

/** Not the limits are asked for here. */
const NO_LIMITS = Object.fromEntries(
  [
    'stanzaBytes',
    'headerBytes',
    'depth',
    'attributes',
    'nodes',
    'namespaceDeclarations',
    'nameBytes',
    'attributeValueBytes',
  ].map((name) => [name, Infinity]),
);

/** A tree without declarations of namespaces and prefixes. */
function shape(node: Node): unknown {
  if (node instanceof Text) return node.data;
  const attributes = node.attributes
    .filter(({ namespaceURI }) => namespaceURI !== NS.XMLNS)
    .map(({ namespaceURI, localName, value }) => [namespaceURI, localName, value]);
  // As Python sorts them: what is null has no namespace, and comes first.
  attributes.sort((one, other) => compare(one[0] ?? '', other[0] ?? '') || compare(one[1]!, other[1]!));
  return [[node.namespaceURI, node.localName], attributes, ...node.childNodes.map(shape)];
}

const compare = (one: string, other: string): number => Buffer.compare(Buffer.from(one), Buffer.from(other));

/** Ours. */
export function ours(document: Buffer): Verdict {
  let crc = 0;
  const errors: BrokerError[] = [];
  const end: number[] = [];
  const ends: number[] = [];
  const tokenizer: Tokenizer = new Tokenizer(
    {
      onStreamStart: () => undefined,
      onElement: (element: Element) => {
        ends.push(tokenizer.offset);
        crc = crc32(JSON.stringify(shape(element)), crc);
      },
      onStreamEnd: () => {
        end.push(tokenizer.offset);
      },
      onError: (error) => {
        errors.push(error);
      },
    },
    NO_LIMITS,
  );
  tokenizer.write(document);
  tokenizer.end();
  const [found] = errors;
  if (found !== undefined) {
    const isRestricted = ['XML_RESTRICTED', 'XML_STREAM_TEXT'].includes(found.code);
    return { verdict: isRestricted ? 'restricted' : 'refused', at: found.offset ?? -1, ends, crc };
  }
  // Nobody reads on behind the end of a stream.
  const [at = document.length] = end;
  const isWhole = end.length === 1 && document.subarray(at).toString('latin1').trim() === '';
  return { verdict: isWhole ? 'taken' : 'refused', at, ends, crc };
}
