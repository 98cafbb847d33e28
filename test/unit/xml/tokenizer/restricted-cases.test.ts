import { describe, expect, test } from 'vitest';
import { bytesOf, HEADER, recordAllWays } from './recording.js';

type Input = string | Buffer;
interface Case {
  name: string;
  /** Placed inside the stream as the child of the root. */
  stanza?: Input;
  /** The whole input instead. */
  whole?: Input;
  /** Text of the stanza's `<body/>`, or its serialised form, if it is to be accepted. */
  text?: string;
  attribute?: [name: string, value: string];
}

const body = (...content: (string | number[])[]) => bytesOf('<message><body>', ...content, '</body></message>');

/** The sixty cases every parser for restricted XML is held against; the first 42 are to be refused. */
const CASES: Case[] = [
  { name: 'duplicate attribute', stanza: `<message a='1' a='2'/>` },
  { name: 'duplicate attribute by namespace', stanza: `<message xmlns:p='u' xmlns:q='u' p:a='1' q:a='2'/>` },
  { name: 'unbound element prefix', stanza: `<p:message/>` },
  { name: 'unbound attribute prefix', stanza: `<message p:a='1'/>` },
  { name: 'char ref &#0;', stanza: body('&#0;') },
  { name: 'char ref &#x1F;', stanza: body('&#x1F;') },
  { name: 'char ref &#xD800;', stanza: body('&#xD800;') },
  { name: 'char ref &#xFFFE;', stanza: body('&#xFFFE;') },
  { name: 'char ref &#x110000;', stanza: body('&#x110000;') },
  { name: 'char ref &#;', stanza: body('&#;') },
  { name: 'char ref &#xZZ;', stanza: body('&#xZZ;') },
  { name: 'undefined entity &foo;', stanza: body('&foo;') },
  { name: 'bare & in text', stanza: body('a & b') },
  { name: '&amp without ;', stanza: body('a &amp b') },
  { name: 'control char U+0001 in text', stanza: body([1]) },
  { name: 'control char U+001F in attribute', stanza: bytesOf(`<message a='`, [0x1f], `'/>`) },
  { name: 'NUL in text', stanza: body([0]) },
  { name: ']]> in text', stanza: body('a ]]> b') },
  { name: '< in attribute value', stanza: `<message a='<'/>` },
  { name: 'mismatched end tag', stanza: `<message><body></message></body>` },
  { name: 'unquoted attribute', stanza: `<message a=1/>` },
  { name: 'attribute without value', stanza: `<message a/>` },
  { name: 'no space between attributes', stanza: `<message a='1'b='2'/>` },
  { name: 'name starts with digit', stanza: `<1message/>` },
  { name: '@ in name', stanza: `<mess@ge/>` },
  { name: 'two colons in QName', stanza: `<message xmlns:a='u'><a:b:c/></message>` },
  { name: 'comment (restricted)', stanza: body('<!-- x -->') },
  { name: 'PI (restricted)', stanza: body('<?x y?>') },
  {
    name: 'DTD with entity (restricted)',
    whole: `<?xml version='1.0'?><!DOCTYPE a [<!ENTITY e 'x'>]>${HEADER}<message><body>&e;</body></message>`,
  },
  { name: 'xmlns:p=""', stanza: `<message xmlns:p=""/>` },
  { name: 'xmlns:xml wrong URI', stanza: `<message xmlns:xml='u'/>` },
  { name: 'xmlns:xmlns', stanza: `<message xmlns:xmlns='u'/>` },
  { name: 'invalid UTF-8 C3 28', stanza: body([0xc3, 0x28]) },
  { name: 'overlong UTF-8 C0 AF', stanza: body([0xc0, 0xaf]) },
  { name: 'UTF-8 surrogate ED A0 80', stanza: body([0xed, 0xa0, 0x80]) },
  { name: 'raw U+FFFE', stanza: body([0xef, 0xbf, 0xbe]) },
  { name: 'truncated UTF-8 before <', stanza: body([0xe2, 0x82]) },
  { name: 'text between stanzas', stanza: 'text<message/>' },
  { name: 'space after <', stanza: '< message/>' },
  { name: 'attribute on end tag', stanza: `<message></message a='1'>` },
  { name: 'XML declaration mid-stream', stanza: `<?xml version='1.0'?><message/>` },
  { name: 'content after stream close', whole: `${HEADER}<message/></stream:stream><message/>` },
  { name: 'UTF-8 € split after byte 1', stanza: body('€'), text: '€' },
  { name: 'UTF-8 € split after byte 2', stanza: body('a€b'), text: 'a€b' },
  { name: 'emoji split at each byte', stanza: body('😀'), text: '😀' },
  { name: 'invalid UTF-8 split across chunks', stanza: body([0xe2, 0x28, 0xa1]) },
  { name: 'CDATA with ]] and >', stanza: body('<![CDATA[a]] > b]>c]]]]>'), text: 'a]] > b]>c]]' },
  { name: 'CDATA end split', stanza: body('<![CDATA[x]]>y'), text: 'xy' },
  { name: 'CDATA start split', stanza: body('x<![CDATA[<y>]]>'), text: 'x<y>' },
  { name: 'entity split', stanza: body('a&amp;b'), text: 'a&b' },
  { name: 'CRLF normalised in text', stanza: body('a\r\nb\rc\r\r\n'), text: 'a\nb\nc\n\n' },
  { name: 'attribute whitespace normalised', stanza: `<message a='1\t2\n3\r\n4\r5'/>`, attribute: ['a', '1 2 3 4 5'] },
  { name: '&#10; in attribute kept', stanza: `<message a='1&#10;2&#9;3&#xD;4'/>`, attribute: ['a', '1\n2\t3\r4'] },
  { name: 'quotes and > in attribute', stanza: `<message a='">"'/>`, attribute: ['a', '">"'] },
  { name: 'empty attribute', stanza: `<message a=''/>`, attribute: ['a', ''] },
  { name: 'non-ASCII element name', stanza: `<message><körper/><body>x</body></message>`, text: 'x' },
  { name: 'space in end tag', stanza: `<message><body>x</body \n></message\t>`, text: 'x' },
  { name: '&#x1F600;', stanza: body('&#x1F600;'), text: '😀' },
  { name: 'five predefined entities', stanza: body('&lt;&gt;&amp;&apos;&quot;'), text: `<>&'"` },
  { name: 'attribute name __proto__', stanza: `<message __proto__='x'/>`, attribute: ['__proto__', 'x'] },
];

describe('the sixty restricted-XML cases', () => {
  test('there are sixty', () => expect(CASES).toHaveLength(60));

  CASES.forEach((entry, index) => {
    const accepted = entry.text !== undefined || entry.attribute !== undefined;
    test(`${index + 1}: ${entry.name} is ${accepted ? 'accepted' : 'refused'}`, () => {
      const { error, elements } = recordAllWays(entry.whole ?? bytesOf(HEADER, entry.stanza as string, '<presence/>'));
      if (!accepted) {
        expect(error).not.toBeNull();
        expect(error?.layer).toBe('xml');
        expect(error?.origin).toBe('peer');
        expect(error?.condition).toBeTypeOf('string');
        expect(elements.map((element) => element.localName)).not.toContain('presence');
        return;
      }
      expect(error).toBeNull();
      expect(elements.map((element) => element.localName)).toEqual(['message', 'presence']);
      if (entry.text !== undefined) expect(elements[0]!.getChildText('body')).toBe(entry.text);
      if (entry.attribute !== undefined) expect(elements[0]!.getAttribute(entry.attribute[0])).toBe(entry.attribute[1]);
    });
  });

  test('of them 43 are refused', () => {
    expect(CASES.filter((entry) => entry.text === undefined && entry.attribute === undefined)).toHaveLength(43);
  });
});
