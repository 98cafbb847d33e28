// What a peer may send more and more of: a stream of one stanza, or of many, and twice as much of it.
import { Buffer } from 'node:buffer';
import { DEFAULT_LIMITS } from '../../../src/xml/tokenizer/limits.js';
import { Tokenizer } from '../../../src/xml/tokenizer/tokenizer.js';

/** Nothing but the kind itself is to end a stream. */
const UNLIMITED = Object.fromEntries(Object.keys(DEFAULT_LIMITS).map((name) => [name, Infinity]));

const HEADER = "<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>";

/** So many bytes of a piece again and again. */
const filled = (piece: string, bytes: number) => piece.repeat(Math.ceil(bytes / Buffer.byteLength(piece)));

const numbered = (bytes: number, piece: (n: number) => string): string => {
  let text = '';
  for (let n = 0; text.length < bytes; n += 1) text += piece(n);
  return text;
};

/** A stream with about so many bytes of the kind. What is refused is so behind them. */
type Kind = (bytes: number) => string;

const text: (piece: string) => Kind = (piece) => (bytes) => `<m>${filled(piece, bytes)}</m>`;
const value: (piece: string, quote?: string) => Kind =
  (piece, quote = "'") =>
  (bytes) =>
    `<m a=${quote}${filled(piece, bytes)}${quote}/>`;
const nested = (bytes: number, piece: string, name: string) => {
  const depth = Math.ceil(bytes / (piece.length + name.length + 3));
  return `${piece.repeat(depth)}${`</${name}>`.repeat(depth)}`;
};

/** By the code of the error that ends it; null: nothing is wrong. */
export const KINDS: Readonly<Record<string, readonly [Kind, string | null]>> = {
  'name of a tag': [(bytes) => `<${filled('n', bytes / 2)}></${filled('n', bytes / 2)}>`, null],
  'name of an attribute': [(bytes) => `<m ${filled('n', bytes)}=''/>`, null],
  'name with a prefix': [(bytes) => `<m xmlns:${filled('p', bytes / 3)}='u' ${filled('p', bytes / 3)}:${filled('n', bytes / 3)}=''/>`, null], // prettier-ignore
  'value in apostrophes': [value('v'), null],
  'value in quotes': [value('v', '"'), null],
  'value of white space': [value(' \n\t'), null],
  'value of references': [value('&amp;'), null],
  'value of other quotes': [value("'", '"'), null],
  text: [text('x'), null],
  'text of ends of lines': [text('\r\n'), null],
  'text of brackets': [text(']'), null],
  'text of two bytes each': [text('é'), null],
  'text of three bytes each': [text('€'), null],
  'text of four bytes each': [text('😀'), null],
  'text of one and four bytes': [text('abc😀'), null],
  'names of two bytes each': [(bytes) => `<m ${filled('é', bytes)}=''/>`, null],
  'names of three bytes each': [(bytes) => `<m ${filled('中', bytes)}=''/>`, null],
  'names of four bytes each': [(bytes) => `<m ${filled('𐀀', bytes)}=''/>`, null],
  'CDATA section': [(bytes) => `<m><![CDATA[${filled('x', bytes)}]]></m>`, null],
  'CDATA section of brackets': [(bytes) => `<m><![CDATA[${filled(']', bytes)}]]></m>`, null],
  'CDATA sections': [text('<![CDATA[x]]>'), null],
  'references to entities': [text('&lt;&amp;'), null],
  'references to characters': [text('&#65;&#x1F600;'), null],
  'reference with many digits': [(bytes) => `<m>&#${filled('0', bytes)}65;</m>`, 'XML_NOT_WELL_FORMED'],
  'reference that is none': [(bytes) => `<m>&${filled('n', bytes)};</m>`, 'XML_NOT_WELL_FORMED'],
  'comment behind it': [(bytes) => `<m>${filled('x', bytes)}<!--`, 'XML_RESTRICTED'],
  'instruction behind it': [(bytes) => `<m>${filled('x', bytes)}<?x`, 'XML_RESTRICTED'],
  'bad bytes behind it': [(bytes) => `<m>${filled('é', bytes)}\u0001`, 'XML_NOT_WELL_FORMED'],
  'white space in a tag': [(bytes) => `<m${filled(' ', bytes)}/>`, null],
  'white space in an end tag': [(bytes) => `<m></m${filled('\n', bytes)}>`, null],
  'white space between stanzas': [(bytes) => `<m/>${filled(' ', bytes)}<m/>`, null],
  attributes: [(bytes) => `<m${numbered(bytes, (n) => ` a${n}='${n}'`)}/>`, null],
  'attributes with prefixes': [(bytes) => `<m xmlns:p='u'${numbered(bytes, (n) => ` p:a${n}=''`)}/>`, null],
  'attribute twice, behind others': [(bytes) => `<m${numbered(bytes, (n) => ` a${n}=''`)} a0=''/>`, 'XML_NOT_WELL_FORMED'], // prettier-ignore
  'declarations of namespaces': [(bytes) => `<m${numbered(bytes, (n) => ` xmlns:p${n}='u${n}'`)}/>`, null],
  'declarations one in the other': [(bytes) => nested(bytes, "<a xmlns:p='u'>", 'a'), null],
  'prefixes declared far above': [(bytes) => `<m xmlns:p='u'>${nested(bytes, "<p:a xmlns:q='v'>", 'p:a')}</m>`, null],
  'prefix that is not declared, below others': [(bytes) => `<m${numbered(bytes, (n) => ` xmlns:p${n}='u${n}'`)}><x:a/></m>`, 'XML_NOT_WELL_FORMED'], // prettier-ignore
  children: [text('<a/>'), null],
  'children with names of their own': [(bytes) => `<m>${numbered(bytes, (n) => `<a${n}/>`)}</m>`, null],
  'children and text': [text('x<a>y</a>'), null],
  levels: [(bytes) => nested(bytes, '<a>', 'a'), null],
  stanzas: [(bytes) => filled("<message from='a@b'><body>x</body></message>", bytes), null],
  'stanzas with names of their own': [(bytes) => numbered(bytes, (n) => `<m${n} xmlns='u${n}' a${n}=''/>`), null],
};

/** What came of a stream: stanzas, their bytes as text, and the code of its error. */
export interface Read {
  stanzas: number;
  code: string | null;
}

/** Reads a stream in chunks of so many bytes. */
export function read(bytes: Buffer, chunk: number): Read {
  const read: Read = { stanzas: 0, code: null };
  const tokenizer = new Tokenizer(
    {
      onStreamStart: () => undefined,
      onElement: () => void (read.stanzas += 1),
      onStreamEnd: () => undefined,
      onError: ({ code }) => void (read.code = code),
    },
    UNLIMITED,
  );
  for (let at = 0; at < bytes.length; at += chunk) tokenizer.write(bytes.subarray(at, at + chunk));
  return read;
}

export const streamOf = (kind: Kind, bytes: number): Buffer => Buffer.from(HEADER + kind(bytes));
