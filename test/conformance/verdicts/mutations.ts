import { stanzas } from '../../../bench/corpus.mjs';
import type { Random } from '../../support/random.js';

/** Beside the stanzas of the benchmarks: what those do not have. */
const SEEDS = [
  "<a xmlns='urn:a' xmlns:b='urn:b' b:c='1' c='2'><b:d xmlns:b='urn:e' b:f='&lt;&#x9;'/></a>",
  "<m:message xmlns:m='urn:m' xml:lang='de'><m:body xml:space='preserve'> a\r\nb\rc </m:body></m:message>",
  '<message><body>x<![CDATA[ <y> ]] > & ]]>z&amp;&#65;&#x1F600;</body></message>',
  "<iq type='get' id='&quot;&apos;&#10;\n\t'><q xmlns=''><r xmlns='urn:r'><s xmlns=''/></r></q></iq>",
  "<π:ξ xmlns:π='urn:π' ñ='é' 名='値'>日本😀é\u0301</π:ξ>",
  "<message  from = 'a@b'\n to\t=\"c'd\" ><x:y xmlns:x='jabber:client' ></x:y  ></message >",
].map((text) => Buffer.from(text));

/** What is put in: markup, halves of markup, references, and bytes that are no text. */
const TOKENS = [
  ...[
    '<',
    '>',
    '&',
    '/',
    '=',
    "'",
    '"',
    '!',
    '?',
    ':',
    ';',
    ' ',
    '\n',
    '\r\n',
    '\r',
    '\t',
    '\0',
    ']]>',
    '<![CDATA[',
    ']]',
  ],
  ...[
    '<!--x-->',
    '<!-',
    '<?a b?>',
    "<?xml version='1.0'?>",
    '<!DOCTYPE a>',
    "<!DOCTYPE a [<!ENTITY b 'c'>]>",
    '&b;',
    '&lt;',
  ],
  ...[
    '&amp;',
    '&apos;',
    '&quot;',
    '&gt',
    '&#0;',
    '&#9;',
    '&#xD;',
    '&#65;',
    '&#x41;',
    '&#xD800;',
    '&#xFFFE;',
    '&#x10FFFF;',
  ],
  ...[
    '&#x110000;',
    '&#99999999999;',
    '&#x;',
    '&#;',
    '&;',
    '& ',
    "xmlns='urn:x'",
    "xmlns=''",
    "xmlns:a='urn:a'",
    "xmlns:a=''",
  ],
  ...[
    " xmlns:xml='urn:x'",
    " xmlns:xmlns='urn:x'",
    " a:b='1'",
    " xml:b='1'",
    " id='1'",
    " id='1' id='2'",
    'a:',
    ':a',
    'a:b:c',
  ],
  ...[
    '<a>',
    '</a>',
    '<a/>',
    '<a:b/>',
    '<stream:x/>',
    '</stream:stream>',
    '\u{fffe}',
    '\u{ffff}',
    '\u{feff}',
    '\u{85}',
    '\u{2028}',
  ],
  ...['é', 'e\u0301', '\u{b7}', '\u{200d}', '\u{37e}', '\u{f900}', '\u{10000}', '·', '-', '.', '0'],
].map((text) => Buffer.from(text));
const BYTES = [
  [0xc0, 0x80],
  [0xed, 0xa0, 0x80],
  [0xf4, 0x90, 0x80, 0x80],
  [0xff],
  [0x80],
  [0xe2, 0x82],
  [0xc3],
  [0xf8],
].map((bytes) => Buffer.from(bytes));

/** Changes to a document, each of its bytes or of a range. */
export class Mutations {
  readonly #seeds: readonly Buffer[] = [...SEEDS, ...stanzas(200).map((text) => Buffer.from(text))];

  constructor(readonly random: Random) {}

  /** One to three stanzas, changed at one to four places. Every tenth time not at all. */
  next(): Buffer {
    const { random } = this;
    let bytes: Buffer = Buffer.concat(Array.from({ length: 1 + random.below(3) }, () => this.#pick(this.#seeds)));
    const times = random.below(10) === 0 ? 0 : 1 + random.below(4);
    for (let time = 0; time < times; time += 1) bytes = this.#change(bytes);
    return bytes;
  }

  #pick<T>(list: readonly T[]): T {
    return list[this.random.below(list.length)]!;
  }

  #change(bytes: Buffer): Buffer {
    const { random } = this;
    const at = random.below(bytes.length + 1);
    const to = Math.min(bytes.length, at + 1 + random.below(random.below(4) === 0 ? 40 : 4));
    const around = (middle: Buffer, rest = at): Buffer =>
      Buffer.concat([bytes.subarray(0, at), middle, bytes.subarray(rest)]);
    switch (random.below(9)) {
      case 0:
        return around(Buffer.of((bytes[at] ?? 0) ^ (1 << random.below(8))), at + 1);
      case 1:
        return around(Buffer.of(random.below(256)), at + 1);
      case 2:
        return around(Buffer.alloc(0), to);
      case 3:
        return around(bytes.subarray(at, to));
      case 4:
        return around(this.#pick(BYTES));
      case 5:
        return around(this.#pick(TOKENS), to);
      case 6: {
        const other = this.#pick(this.#seeds);
        const from = random.below(other.length);
        return around(other.subarray(from, from + random.below(60)));
      }
      default:
        return around(this.#pick(TOKENS));
    }
  }
}
