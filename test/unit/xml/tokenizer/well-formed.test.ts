import { describe, expect, test } from 'vitest';
import { NS } from '../../../../src/xml/namespaces.js';
import { serialize } from '../../../../src/xml/serializer.js';
import { bytesOf, chunksOf, HEADER, record, recordAllWays, recorder, shape } from './recording.js';

const body = (...content: (string | number[])[]) => bytesOf(HEADER, '<message><body>', ...content, '</body></message>');
const attribute = (...content: (string | number[])[]) => bytesOf(HEADER, `<message a='`, ...content, `'/>`);

/** Refused with that code and condition, and nothing but what came before was reported. */
function refused(input: string | Uint8Array, code: string, condition: string, before = 0) {
  const { error, elements } = recordAllWays(input);
  expect(error?.code).toBe(code);
  expect(error?.condition).toBe(condition);
  expect(error?.message).toContain(`at byte ${error?.offset} of the stream`);
  expect(elements).toHaveLength(before);
  return error!;
}
const malformed = (input: string | Uint8Array, before = 0) =>
  refused(input, 'XML_NOT_WELL_FORMED', 'not-well-formed', before);
const restricted = (input: string | Uint8Array, before = 0) =>
  refused(input, 'XML_RESTRICTED', 'restricted-xml', before);
const badUtf8 = (input: string | Uint8Array, before = 0) =>
  refused(input, 'XML_BAD_UTF8', 'unsupported-encoding', before);
const foreign = (input: string | Uint8Array) => refused(input, 'XML_ENCODING', 'unsupported-encoding');

function accepted(input: string | Uint8Array) {
  const recording = recordAllWays(input);
  expect(recording.error).toBeNull();
  return recording;
}
const textOf = (input: string | Uint8Array) => accepted(input).elements[0]!.getChildText('body');

describe('S-XML-1: comments are refused', () => {
  for (const comment of ['<!-- x -->', '<!---->', '<!-- -- -->', '<!-->', '<!-- never closed', '<!--<message/>-->']) {
    test(`A-XML-5: ${comment}`, () => {
      restricted(comment + HEADER);
      restricted(`<?xml version='1.0'?>${comment}${HEADER}`);
      restricted(`${HEADER}<a/>${comment}`, 1);
      restricted(`${HEADER}<message><body>x${comment}`);
    });
  }
});

describe('S-XML-2: processing instructions are refused', () => {
  for (const pi of ['<?foo?>', `<?xml-stylesheet href='x'?>`, `<?xml version='1.0'?>`, '<?XML?>', '<??>']) {
    test(`A-XML-6: ${pi}`, () => {
      restricted(`<?xml version='1.0'?>${pi}${HEADER}`);
      restricted(`${HEADER}<a/>${pi}`, 1);
      restricted(`${HEADER}<message><body>x${pi}`);
    });
  }
  test('A-XML-6: as the very first bytes', () => {
    restricted('<?foo?>');
    restricted('<?xmlx?>');
    restricted(`<?XML version='1.0'?>`);
  });
  test('A-XML-6: one that never ends is refused at its start', () => {
    expect(restricted(`<?x${' '.repeat(10_000)}`).offset).toBe(3);
  });
});

describe('S-XML-3: a document type is refused at its token', () => {
  for (const dtd of ['<!DOCTYPE x>', '<!DOCTYPE', '<!doctype x>', '<!ELEMENT', '<!D']) {
    test(`A-XML-4: ${dtd}`, () => {
      expect(restricted(dtd).offset).toBe(2);
      restricted(`<?xml version='1.0'?>${dtd}${HEADER}`);
      restricted(`${HEADER}<a/>${dtd}<a/>`, 1);
      restricted(`${HEADER}<message>${dtd}<a/>`);
    });
  }
  test('A-XML-4: <!>', () => void malformed('<!>'));
  test('A-XML-1: billion laughs costs nothing', () => {
    const { tokenizer, error } = record(
      `<!DOCTYPE lolz [<!ENTITY a "lol"><!ENTITY b "${'&a;'.repeat(10)}">]><message><body>&b;</body></message>`,
    );
    expect(error?.code).toBe('XML_RESTRICTED');
    expect(tokenizer.pending).toBe(0);
  });
  test('A-XML-2, A-XML-3: entities in a document type', () => {
    restricted(`<!DOCTYPE x [<!ENTITY a "AAAA">]><x b="&a;&a;">&a;</x>`);
    restricted(`<!DOCTYPE x [<!ENTITY % p SYSTEM "http://127.0.0.1:1/"> %p;]><x/>`);
  });
});

describe('S-XML-4: no entities but the predefined ones', () => {
  const references = [
    '&nbsp;',
    '&foo;',
    '&;',
    '& ',
    '&<',
    '&lt',
    '&#;',
    '&#x;',
    '&#0;',
    '&#8;',
    '&#xD800;',
    '&#x110000;',
  ];
  references.push(
    '&#xFFFE;',
    '&#xFFFF;',
    '&#99999999999999999999;',
    '&#x1F',
    '&#-1;',
    '&#x 41;',
    '&#X41;',
    '&LT;',
    '&lt ;',
  );
  for (const reference of references) {
    test(`A-XML-8: ${reference}`, () => {
      malformed(body(reference));
      malformed(attribute(reference));
    });
  }
  test('A-XML-8: a million zeros', () => {
    const input = body(`&#${'0'.repeat(1_000_000)}65;`);
    expect(record(input).error?.code).toBe('XML_NOT_WELL_FORMED');
    expect(record(input, 64).error?.offset).toBeLessThan(HEADER.length + 100);
  });
  test('references are resolved in text and in values', () => {
    expect(textOf(body('&lt;&gt;&amp;&apos;&quot;&#65;&#x42;&#x00043;&#128512;&#xd;&#x9;&#x10FFFF;'))).toBe(
      `<>&'"ABC😀\r\t\u{10ffff}`,
    );
    const { elements } = accepted(attribute('&lt;&gt;&amp;&apos;&quot;&#65;&#x42;&#x00043;&#128512;'));
    expect(elements[0]!.getAttribute('a')).toBe(`<>&'"ABC😀`);
  });
  test('what a reference gives is not read again', () => {
    expect(textOf(body('&amp;lt;&#38;#60;&lt;a/>'))).toBe('&lt;&#60;<a/>');
  });
  test('a reference between "]]" and ">"', () => {
    expect(textOf(body(']&#93;>]]&gt;&#93;]>'))).toBe(']]>]]>]]>');
  });
});

describe('S-XML-5: the XML declaration', () => {
  const good = [
    `<?xml version='1.0'?>`,
    `<?xml version="1.0" ?>`,
    `<?xml version='1.0' encoding='UTF-8'?>`,
    `<?xml version='1.0' encoding="utf-8"?>`,
    `<?xml version = '1.0' encoding = 'Utf-8' standalone = 'yes' ?>`,
    `<?xml\tversion='1.0'\r\nstandalone='no'?>`,
  ];
  for (const declaration of good) {
    test(`${JSON.stringify(declaration)} is read`, () => {
      expect(accepted(`${declaration}\r\n ${HEADER}<a/>`).elements).toHaveLength(1);
    });
  }
  const bad = [
    `<?xml?>`,
    `<?xml ?>`,
    `<?xml encoding='UTF-8'?>`,
    `<?xml version='1.1'?>`,
    `<?xml version='2.0'?>`,
    `<?xml version=1.0?>`,
    `<?xml version='1.0"?>`,
    `<?xml version='1.0'encoding='UTF-8'?>`,
    `<?xml encoding='UTF-8' version='1.0'?>`,
    `<?xml version='1.0' encoding=''?>`,
    `<?xml version='1.0' encoding='UTF 8'?>`,
    `<?xml version='1.0' standalone='maybe'?>`,
    `<?xml version='1.0' standalone='YES'?>`,
    `<?xml version='1.0' x='y'?>`,
    `<?xml version='1.0'>`,
    `<?xml version='1.0' version='1.0'?>`,
  ];
  for (const declaration of bad) {
    test(`${declaration} is refused`, () => {
      const { error } = recordAllWays(`${declaration}${HEADER}<a/>`);
      expect(['XML_NOT_WELL_FORMED', 'XML_RESTRICTED']).toContain(error?.code);
    });
  }
  test('only as the very first bytes', () => {
    restricted(` <?xml version='1.0'?>${HEADER}`);
    restricted(`${HEADER}<?xml version='1.0'?>`);
  });
  test('white space in front of the root is fine, text is not', () => {
    expect(accepted(` \r\n\t${HEADER}<a/>`).elements).toHaveLength(1);
    malformed(` x${HEADER}`);
    malformed(`<?xml version='1.0'?>x${HEADER}`);
  });
});

describe('S-XML-6: other encodings are refused', () => {
  for (const encoding of ['ISO-8859-1', 'UTF-16', 'utf8', 'US-ASCII', 'windows-1252']) {
    test(`declared ${encoding}`, () => void foreign(`<?xml version='1.0' encoding='${encoding}'?>${HEADER}`));
  }
  const utf16le = Buffer.from(HEADER, 'utf16le');
  const utf16be = Buffer.from(HEADER, 'utf16le').swap16();
  const utf32 = (header: string, le: boolean) => {
    const out = Buffer.alloc(header.length * 4);
    for (let k = 0; k < header.length; k++) out[le ? 'writeUInt32LE' : 'writeUInt32BE'](header.charCodeAt(k), 4 * k);
    return out;
  };
  const cases: [string, Buffer][] = [
    ['UTF-16LE', utf16le],
    ['UTF-16BE', utf16be],
    ['UTF-16LE with mark', bytesOf([0xff, 0xfe], utf16le)],
    ['UTF-16BE with mark', bytesOf([0xfe, 0xff], utf16be)],
    ['UTF-32LE', utf32(HEADER, true)],
    ['UTF-32BE', utf32(HEADER, false)],
    ['UTF-32BE with mark', bytesOf([0, 0, 0xfe, 0xff], utf32(HEADER, false))],
    ['EBCDIC', bytesOf([0x4c, 0x6f, 0xa7, 0x94, 0x93, 0x40])],
    ['00 3C', bytesOf([0, 0x3c])],
  ];
  for (const [name, bytes] of cases) test(`A-UTF-5: ${name}`, () => void foreign(bytes));
});

describe('S-XML-7: invalid UTF-8 is refused, never replaced', () => {
  const sequences: [string, number[]][] = [
    ['A-UTF-1: overlong C0 AF', [0xc0, 0xaf]],
    ['A-UTF-1: overlong C0 80', [0xc0, 0x80]],
    ['A-UTF-1: overlong E0 80 AF', [0xe0, 0x80, 0xaf]],
    ['A-UTF-1: overlong F0 80 80 AF', [0xf0, 0x80, 0x80, 0xaf]],
    ['A-UTF-1: overlong <', [0xc0, 0xbc]],
    [`A-UTF-1: overlong '`, [0xc0, 0xa7]],
    ['A-UTF-2: surrogate', [0xed, 0xa0, 0x80]],
    ['A-UTF-2: CESU-8', [0xed, 0xa0, 0x80, 0xed, 0xb0, 0x80]],
    ['A-UTF-2: above U+10FFFF', [0xf4, 0x90, 0x80, 0x80]],
    ['A-UTF-2: five bytes', [0xf8, 0x88, 0x80, 0x80, 0x80]],
    ['A-UTF-2: FF', [0xff]],
    ['A-UTF-2: FE', [0xfe]],
    ['stray continuation', [0x80]],
    ['lead and no continuation', [0xc3, 0x28]],
    ['E2 82 and no third', [0xe2, 0x82, 0x20]],
    ['F0 9F 98 and no fourth', [0xf0, 0x9f, 0x98, 0x41]],
  ];
  for (const [name, sequence] of sequences) {
    test(name, () => {
      const prefix = bytesOf(HEADER, '<message><body>');
      expect(badUtf8(body(sequence)).offset).toBe(prefix.length);
      badUtf8(attribute(sequence));
      badUtf8(bytesOf(HEADER, '<a', sequence, '/>'));
      badUtf8(bytesOf(HEADER, '<a/>', sequence), 1);
      badUtf8(bytesOf(HEADER, '<a><![CDATA[', sequence, ']]></a>'));
      badUtf8(bytesOf(HEADER, '<a></a', sequence, '>'));
    });
  }

  test('A-UTF-3: a lead byte does not swallow markup', () => {
    const smuggled = `</body></message><message from='admin@d'><body>pwn</body></message>`;
    badUtf8(bytesOf(HEADER, '<message><body>', [0xeb], smuggled));
    badUtf8(bytesOf(HEADER, `<message a='`, [0xc3], `'/><message from='admin@d'/>`));
    badUtf8(bytesOf(HEADER, '<message><body>', [0xe2, 0x82], smuggled));
    badUtf8(bytesOf(HEADER, `<message a='`, [0xf0, 0x9f], `'/>`));
    badUtf8(bytesOf(HEADER, '<a', [0xe2], '>'));
    badUtf8(bytesOf(HEADER, '<a', [0xe2, 0x82], '/>'));
  });

  test('A-UTF-4: every kind of character, cut at every byte', () => {
    const text = 'aé߿ࠀ€퟿\ue000\ufffd𐀀😀\u{10ffff}z';
    const input = bytesOf(HEADER, `<message a='${text}'><body>${text}</body><äö/></message>`);
    for (let at = 0; at <= input.length; at++) {
      const recording = recorder();
      recording.tokenizer.write(input.subarray(0, at));
      recording.tokenizer.write(input.subarray(at));
      expect(recording.error).toBeNull();
      expect(recording.elements[0]!.getChildText('body')).toBe(text);
      expect(recording.elements[0]!.getAttribute('a')).toBe(text);
    }
  });

  test('what comes in front of it in the same chunk is delivered', () => {
    badUtf8(bytesOf(HEADER, '<a/><b/>', [0xff]), 2);
  });

  test('a truncated character at the end of the stream', () => {
    const { tokenizer } = record(bytesOf(HEADER, '<a/>', [0xe2, 0x82]));
    expect(tokenizer.end()?.code).toBe('XML_BAD_UTF8');
  });
});

describe('S-XML-8: U+FEFF is a character and no mark', () => {
  test('A-UTF-5: in front of the root or the declaration', () => {
    malformed(`\ufeff${HEADER}`);
    malformed(`\ufeff<?xml version='1.0'?>${HEADER}`);
    malformed(` \ufeff${HEADER}`);
  });
  test('in a body it is kept', () => {
    expect(textOf(body('\ufeffa\ufeff'))).toBe('\ufeffa\ufeff');
  });
});

describe('S-XML-9: characters that are none', () => {
  for (let code = 0; code < 0x20; code++) {
    if (code === 9 || code === 10 || code === 13) continue;
    test(`A-XML-15: U+${code.toString(16).padStart(4, '0')}`, () => {
      malformed(body([code]));
      malformed(attribute([code]));
      malformed(bytesOf(HEADER, '<a', [code], '/>'));
      malformed(bytesOf(HEADER, '<a/>', [code]), 1);
      malformed(bytesOf(HEADER, '<a><![CDATA[', [code], ']]></a>'));
      malformed(bytesOf(HEADER, '<a></a', [code], '>'));
      malformed(bytesOf(HEADER, '<a b', [code], `='1'/>`));
      malformed(body(`&#${code};`));
    });
  }
  for (const char of ['\ufffe', '\uffff']) {
    test(`raw U+${char.charCodeAt(0).toString(16)}`, () => {
      malformed(body(`a${char}b`));
      malformed(attribute(char));
      malformed(`${HEADER}<a${char}/>`);
      malformed(`${HEADER}<a/>${char}`, 1);
      malformed(body(`\uffff\ufffe`));
    });
  }
  test('U+007F to U+009F and the rest of the planes are characters', () => {
    const text = '\u007f\u0080\u009f\ufffd\u{1fffe}\u{1ffff}\uffe0\uffef';
    expect(textOf(body(text))).toBe(text);
  });
});

describe('S-XML-10: namespaces', () => {
  const cases: Record<string, string> = {
    'A-XML-9: unbound element prefix': '<zz:message><body/></zz:message>',
    'A-XML-9: unbound attribute prefix': `<message zz:a='1'/>`,
    'A-XML-10: xml rebound': `<x xmlns:xml='evil'/>`,
    'A-XML-10: xmlns declared': `<x xmlns:xmlns='e'/>`,
    'A-XML-10: xmlns declared as itself': `<x xmlns:xmlns='${NS.XMLNS}'/>`,
    'A-XML-10: prefix undeclared': `<x xmlns:a=''/>`,
    'A-XML-10: two colons': `<a:b:c xmlns:a='u'/>`,
    'A-XML-10: leading colon': '<:a/>',
    'A-XML-10: trailing colon': `<a: xmlns:a='u'/>`,
    'A-XML-10: only a colon': '<:/>',
    'A-XML-10: default bound to the xmlns namespace': `<x xmlns='${NS.XMLNS}'/>`,
    'A-XML-10: default bound to the xml namespace': `<x xmlns='${NS.XML}'/>`,
    'A-XML-10: another prefix bound to the xml namespace': `<x xmlns:a='${NS.XML}'/>`,
    'A-XML-10: a prefix bound to the xmlns namespace': `<x xmlns:a='${NS.XMLNS}'/>`,
    'an element with prefix xmlns': '<xmlns:a/>',
    'a local part that is no name': `<a:1 xmlns:a='u'/>`,
    'xmlns: without a prefix': `<a xmlns:='u'/>`,
    'a prefix whose element is closed': `<a><b xmlns:p='u'/><p:c/></a>`,
    'an attribute with two colons': `<a xmlns:b='u' b:c:d='1'/>`,
  };
  for (const [name, stanza] of Object.entries(cases)) test(name, () => void malformed(HEADER + stanza));

  test('declarations may follow their use in a tag, and are in scope inside only', () => {
    const { elements } = accepted(
      `${HEADER}<p:a p:b='1' xmlns:p='u1'><p:c xmlns:p='u2' p:d='2'/><p:e/><f xmlns='u3'><g/><h xmlns=''/></f><i/></p:a>`,
    );
    const top = elements[0]!;
    expect(top.namespaceURI).toBe('u1');
    expect(top.getAttributeNS('u1', 'b')).toBe('1');
    expect(top.children.map((child) => [child.localName, child.namespaceURI])).toEqual([
      ['c', 'u2'],
      ['e', 'u1'],
      ['f', 'u3'],
      ['i', NS.CLIENT],
    ]);
    expect(top.children[2]!.children.map((child) => child.namespaceURI)).toEqual(['u3', null]);
    expect(top.children[0]!.getAttributeNS('u2', 'd')).toBe('2');
  });
  test('xml: needs no declaration, and may be declared as what it is', () => {
    const { elements } = accepted(`${HEADER}<a xml:lang='en'/><a xmlns:xml='${NS.XML}' xml:lang='de'/>`);
    expect(elements.map((element) => element.getAttributeNS(NS.XML, 'lang'))).toEqual(['en', 'de']);
  });
  test('an attribute without prefix is in no namespace', () => {
    expect(accepted(`${HEADER}<a b='1'/>`).elements[0]!.getAttributeNodeNS(null, 'b')).not.toBeNull();
  });
  test('the same name in two namespaces, also when many alternate', () => {
    const stanza = Array.from({ length: 50 }, (_, k) => `<x xmlns='u${k % 5}'><y/></x>`).join('');
    const { elements } = accepted(`${HEADER}<a>${stanza}</a>`);
    elements[0]!.children.forEach((child, k) => {
      expect(child.namespaceURI).toBe(`u${k % 5}`);
      expect(child.children[0]!.namespaceURI).toBe(`u${k % 5}`);
    });
  });
  test('A-XML-11: namespace names are compared as they are', () => {
    const { elements } = accepted(`${HEADER}<x xmlns='jabber:client|message'/><x xmlns='a} b&#10;c'/>`);
    expect(elements[0]!.is('x', 'jabber:client|message')).toBe(true);
    expect(elements[0]!.is('message', 'jabber:client')).toBe(false);
    expect(elements[1]!.namespaceURI).toBe('a} b\nc');
  });
});

describe('S-XML-11: duplicate attribute is refused', () => {
  const duplicates = [
    `<message from='a@b' from='evil@e'/>`,
    `<message xmlns:p='u' xmlns:q='u' p:a='1' q:a='2'/>`,
    `<message xmlns='u' xmlns='v'/>`,
    `<message xmlns:p='u' xmlns:p='u'/>`,
    `<message ä='1' ä='2'/>`,
    `<message xml:lang='a' xmlns:xml='${NS.XML}' xml:lang='b'/>`,
  ];
  for (const stanza of duplicates) test(`A-XML-12: ${stanza}`, () => void malformed(HEADER + stanza));
  test('the same local name in different namespaces is no duplicate', () => {
    accepted(`${HEADER}<message a='1' p:a='2' q:a='3' xmlns:p='u' xmlns:q='v'/>`);
  });
  test('A-XML-12: names with the same hash are different names', () => {
    // With a factor of 31 "Aa" and "BB" collide, and so does everything made of them.
    const names = ['AaAa', 'AaBB', 'BBAa', 'BBBB'].map((name) => `x${name}`);
    const { elements } = accepted(`${HEADER}<m ${names.map((name, k) => `${name}='${k}'`).join(' ')}/>`);
    expect(names.map((name) => elements[0]!.getAttribute(name))).toEqual(['0', '1', '2', '3']);
    malformed(`${HEADER}<m xAaAa='1' xBBBB='2' xAaAa='3'/>`);
  });
});

describe('S-XML-12: syntax', () => {
  const stanzas = [
    '<a>]]></a>',
    '<a>]]]></a>',
    `<a b='<'/>`,
    '<a b=c/>',
    `<a b='c"/>`,
    `<a b 'c'/>`,
    `<a b='x'c='y'/>`,
    `<a b=/>`,
    `<a b/>`,
    `<a ='b'/>`,
    '<message / foo>',
    '<a/ >',
    '<a//>',
    '< message>',
    '<1a>',
    '<-a/>',
    '<.a/>',
    '<a\u00d7/>',
    '<a\u2000/>',
    '<\u0301a/>',
    `<a b\u00d7='1'/>`,
    '<message></message x>',
    '<a></b>',
    '<a></ab>',
    '<aa></a>',
    '<a></A>',
    '<a></ a>',
    '<a></>',
    '<>',
    '</a>',
    '<a></a/>',
    '<message></stream:stream>',
    '<a b=\u00a0"c"/>',
    '<![CDATA',
    '<a><![cdata[x]]></a>',
    '<a><![CDATA x]]></a>',
    '<a><!CDATA[x]]></a>',
    '<a><&/></a>',
    `<a &lt;='1'/>`,
    '<a "b"/>',
  ];
  for (const stanza of stanzas) {
    test(`A-XML-13, A-XML-14: ${stanza}`, () => {
      const { error, elements } = recordAllWays(HEADER + stanza + '<presence/>');
      expect(error?.layer).toBe('xml');
      expect(['not-well-formed', 'restricted-xml', 'bad-format']).toContain(error?.condition);
      expect(elements).toHaveLength(0);
    });
  }
  test.each([
    ['< message>', 'behind "<"'],
    ['<a><=/></a>', 'behind "<"'],
    [`<a ='b'/>`, 'in a tag'],
    ['<a "b"/>', 'in a tag'],
    ['<a b=c/>', 'an attribute value without quotes'],
    ['<a b=bcb/>', 'an attribute value without quotes'],
    ['<a b=&c&/>', 'an attribute value without quotes'],
    ['<a b=<c</>', 'an attribute value without quotes'],
  ])('A-XML-13: what is wrong with %s', (stanza, what) => {
    expect(malformed(HEADER + stanza).message).toContain(what);
  });
  test('white space is allowed where XML has it', () => {
    const { elements } = accepted(`${HEADER}<a\n b\t=\r\n'1'  c = "2"\t>x</a >\r\n<b />`);
    expect(elements[0]!.getAttribute('b')).toBe('1');
    expect(elements[0]!.getAttribute('c')).toBe('2');
  });
});

describe('S-XML-13: CDATA sections are text', () => {
  test('A-XML-7: markup in it is none', () => {
    const { elements } = accepted(body('<![CDATA[</body></message><message>]]>'));
    expect(elements).toHaveLength(1);
    expect(elements[0]!.getChildText('body')).toBe('</body></message><message>');
  });
  test('it is merged with the text around it', () => {
    const { elements } = accepted(body('a<![CDATA[b]]>&amp;<![CDATA[]]><![CDATA[&amp;]]>c'));
    expect(elements[0]!.getChild('body')!.childNodes).toHaveLength(1);
    expect(elements[0]!.getChildText('body')).toBe('ab&&amp;c');
  });
  test('an empty one is nothing', () => {
    expect(accepted(body('<![CDATA[]]>')).elements[0]!.getChild('body')!.hasChildNodes()).toBe(false);
  });
  test('brackets and line ends in it', () => {
    expect(textOf(body('<![CDATA[]]]]]><![CDATA[]>]]]><![CDATA[\r\r\nä]]]>x'))).toBe(']]]]>]\n\nä]x');
  });
  test('A-XML-7: at stream level it is text', () => {
    refused(`${HEADER}<![CDATA[<message from='admin@d'/>]]>`, 'XML_STREAM_TEXT', 'bad-format');
  });
  test('"]]>" is refused in the text behind it, not in it', () => {
    malformed(body('<![CDATA[x]]>]]>'));
    expect(textOf(body(']<![CDATA[]>]]>]>'))).toBe(']]>]>');
  });
});

describe('S-XML-14, S-XML-15: namespaces of the stream header', () => {
  test('stanzas inherit the content namespace without an xmlns', () => {
    const { elements } = accepted(`${HEADER}<message><body>x</body></message>`);
    expect(elements[0]!.namespaceURI).toBe(NS.CLIENT);
    expect(elements[0]!.hasAttributes()).toBe(false);
    expect(elements[0]!.parentElement).toBeNull();
    expect(elements[0]!.firstElementChild!.namespaceURI).toBe(NS.CLIENT);
  });
  test('a prefixed stanza is just an element in its namespace', () => {
    const { elements } = accepted(`${HEADER}<c:message xmlns:c='jabber:client'/><stream:features/>`);
    expect(elements[0]!.is('message', NS.CLIENT)).toBe(true);
    expect(elements[1]!.is('features', NS.STREAM)).toBe(true);
  });
  test('S-XML-15: a stanza that uses a prefix of the header is written so that it stands alone', () => {
    const { elements } = accepted(
      `<s:stream xmlns='jabber:client' xmlns:s='${NS.STREAM}' xmlns:x='evil' xmlns:db='${NS.DIALBACK}'><message x:a='1'><x:y db:k='2'/></message></s:stream>`,
    );
    const text = serialize(elements[0]!);
    const again = accepted(`<s>${text}</s>`).elements[0]!;
    expect(again.getAttributeNS('evil', 'a')).toBe('1');
    expect(again.firstElementChild!.namespaceURI).toBe('evil');
    expect(again.firstElementChild!.getAttributeNS(NS.DIALBACK, 'k')).toBe('2');
  });
  test('a header without xmlns: elements are in no namespace', () => {
    const { elements } = accepted('<s><a/></s>');
    expect(elements[0]!.namespaceURI).toBeNull();
    expect(elements[0]!.qname.inherits).toBe(false);
  });
});

describe('S-XML-17: the cut makes no difference', () => {
  const input = bytesOf(
    `<?xml version='1.0' encoding='utf-8'?>\n${HEADER} \n`,
    `<message to="a'b" xml:lang='de' x='&quot;\t&#10;€'>t€xt &amp; ]] &#x1f600; \r\n<![CDATA[ ]]] ]]>]<p:y xmlns:p='u' p:z=''/>ü</message>`,
    ` <iq\tid = '1' /> <ä:ö xmlns:ä='ü' ä:é='1'>x</ä:ö ></stream:stream >\n`,
  );
  const whole = record(input);
  test('the whole is fine', () => {
    expect(whole.error).toBeNull();
    expect(whole.elements).toHaveLength(3);
    expect(whole.ended).toBe(true);
  });
  test('one cut, anywhere', () => {
    for (let at = 1; at < input.length; at++) {
      const recording = recorder();
      recording.tokenizer.write(input.subarray(0, at));
      recording.tokenizer.write(input.subarray(at));
      expect(recording.events).toEqual(whole.events);
    }
  });
  test('chunks of every size', () => {
    for (let size = 1; size < 80; size++) expect(record(input, size).events).toEqual(whole.events);
  });
  test('a chunk is not kept: it may be overwritten after write()', () => {
    const recording = recorder();
    for (const chunk of chunksOf(input, 5)) {
      const scratch = Uint8Array.from(chunk);
      recording.tokenizer.write(scratch);
      scratch.fill(0x21);
    }
    expect(recording.events).toEqual(whole.events);
  });
  test('two tokenizers at once do not meet', () => {
    const one = recorder();
    const two = recorder({}, { onElement: () => one.tokenizer.write(input.subarray(100)) });
    one.tokenizer.write(input.subarray(0, 100));
    two.tokenizer.write(bytesOf(HEADER, '<a><b>one</b></a><c>two</c><d/>'));
    expect(two.elements.map((element) => shape(element))).toEqual(
      record(bytesOf(HEADER, '<a><b>one</b></a><c>two</c><d/>')).elements.map((element) => shape(element)),
    );
    expect(one.events).toEqual(expect.arrayContaining(whole.events.slice(0, 4)));
  });
});

describe('S-XML-19: line ends and white space', () => {
  test('CR and CRLF become LF in text and CDATA', () => {
    expect(textOf(body('\r\n\ra\r\r\n<![CDATA[\r\n\r]]>\n\r'))).toBe('\n\na\n\n\n\n\n\n');
  });
  test('tab and line ends become blanks in values, one each', () => {
    const { elements } = accepted(attribute(' \t\n\r\n\r\r x '));
    expect(elements[0]!.getAttribute('a')).toBe('       x ');
  });
});

describe('S-STREAM-20: text between stanzas', () => {
  test('is refused with bad-format', () => {
    refused(`${HEADER}<a/>x`, 'XML_STREAM_TEXT', 'bad-format', 1);
    refused(`${HEADER}&amp;`, 'XML_STREAM_TEXT', 'bad-format');
    refused(`${HEADER} é`, 'XML_STREAM_TEXT', 'bad-format');
  });
  test('white space is none', () => {
    expect(accepted(`${HEADER} \r\n\t<a/>\n<b/> `).elements).toHaveLength(2);
  });
});

describe('S-STREAM-6: bytes that are no XML', () => {
  const others: [string, Buffer][] = [
    ['HTTP', bytesOf('HTTP/1.1 400 Bad Request\r\n\r\n')],
    ['SSH', bytesOf('SSH-2.0-OpenSSH_9.2\r\n')],
    ['SMTP', bytesOf('220 mail.example.org ESMTP\r\n')],
    ['TLS alert', bytesOf([0x15, 3, 3, 0, 2, 2, 70])],
    ['letter L', bytesOf('LOGIN')],
    ['letters Lo', bytesOf('Lo!')],
    ['anything', bytesOf('{"json":1}')],
  ];
  for (const [name, bytes] of others) {
    test(`STREAM_NOT_XMPP: ${name}`, () => {
      const error = refused(bytes, 'STREAM_NOT_XMPP', 'not-well-formed');
      expect(error.offset).toBe(0);
      expect(error.message).toContain('check host and port');
    });
  }
  test('HTML is XML as far as its root goes: the stream has to judge it', () => {
    expect(record('<html><head/>').header?.localName).toBe('html');
  });
});
