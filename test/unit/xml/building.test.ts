import { inspect } from 'node:util';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { BrokerError } from '../../../src/errors.js';
import { JID } from '../../../src/jid/jid.js';
import { Attr } from '../../../src/xml/attr.js';
import { xml } from '../../../src/xml/builder.js';
import { Element } from '../../../src/xml/element.js';
import { NS } from '../../../src/xml/namespaces.js';
import { parse, parseInScope } from '../../../src/xml/tokenizer/parse.js';
import { QName } from '../../../src/xml/qname.js';
import { serialize, serializeStart } from '../../../src/xml/serializer.js';
import { Text } from '../../../src/xml/text.js';

const code = (wanted: string) => expect.objectContaining({ name: 'BrokerError', code: wanted }) as Error;
const any = (value: unknown) => value as never;

describe('xml()', () => {
  test('builds what it says', () => {
    const element = xml(
      'message',
      { to: 'a@b', type: 'chat', 'xml:lang': 'en', n: 5, yes: true, no: undefined, nothing: null },
      xml('body', {}, 'hello ', 42, null, undefined, false, ['a', ['b', xml('c')]]),
    );
    expect(serialize(element)).toBe(
      `<message to='a@b' type='chat' n='5' yes='true' xml:lang='en'><body>hello 42ab<c/></body></message>`,
    );
    expect(element.getChild('body')!.childNodes).toHaveLength(2);
  });

  test('without attributes', () => {
    expect(serialize(xml('a'))).toBe('<a/>');
    expect(serialize(xml('a', null, 'x'))).toBe('<a>x</a>');
  });

  describe('namespaces (DECISIONS 28)', () => {
    test('an element without xmlns takes that of its parent, also when it was built before', () => {
      const body = xml('body', {}, xml('b'));
      expect(body.namespaceURI).toBeNull();
      const message = xml('message', { xmlns: NS.CLIENT }, body);
      expect(body.namespaceURI).toBe(NS.CLIENT);
      expect(body.firstElementChild!.namespaceURI).toBe(NS.CLIENT);
      expect(serialize(message)).toBe(`<message xmlns='jabber:client'><body><b/></body></message>`);
    });
    test('through levels that say nothing, and not below one that does', () => {
      const inner = xml('d', {}, xml('e'));
      const top = xml('a', { xmlns: 'u' }, xml('b', {}, xml('c', { xmlns: 'v' }, inner)));
      expect(inner.namespaceURI).toBe('v');
      expect(inner.firstElementChild!.namespaceURI).toBe('v');
      expect(serialize(top)).toBe(`<a xmlns='u'><b><c xmlns='v'><d><e/></d></c></b></a>`);
    });
    test(`xmlns='' is kept`, () => {
      const top = xml('a', { xmlns: 'u' }, xml('b', { xmlns: '' }, xml('c')));
      expect(top.firstElementChild!.firstElementChild!.namespaceURI).toBeNull();
      expect(serialize(top)).toBe(`<a xmlns='u'><b xmlns=''><c/></b></a>`);
      expect(serialize(xml('a', { xmlns: '' }), { defaultNamespace: 'u' })).toBe(`<a xmlns=''/>`);
    });
    test('a stanza without xmlns is written for the stream it is sent on', () => {
      const stanza = xml('message', {}, xml('body', {}, 'x'), xml('y', { xmlns: '' }), xml('z', { xmlns: NS.CLIENT }));
      expect(serialize(stanza, { defaultNamespace: NS.CLIENT })).toBe(
        `<message><body>x</body><y xmlns=''/><z/></message>`,
      );
      expect(serialize(stanza, { defaultNamespace: NS.COMPONENT_ACCEPT })).toBe(
        `<message><body>x</body><y xmlns=''/><z xmlns='jabber:client'/></message>`,
      );
    });
    test('the default namespace inside a prefixed element is that around it, or its own xmlns', () => {
      const waiting = xml('p:b', { 'xmlns:p': 'u' }, xml('c', {}, xml('d')));
      expect(waiting.firstElementChild!.namespaceURI).toBeNull();
      const top = xml('a', { xmlns: 'v' }, waiting);
      expect(waiting.firstElementChild!.namespaceURI).toBe('v');
      expect(waiting.firstElementChild!.firstElementChild!.namespaceURI).toBe('v');
      expect(serialize(top)).toBe(`<a xmlns='v'><p:b xmlns:p='u'><c><d/></c></p:b></a>`);
      const own = xml('p:b', { 'xmlns:p': 'u', xmlns: 'w' }, xml('c'));
      expect(own.firstElementChild!.namespaceURI).toBe('w');
      xml('a', { xmlns: 'v' }, own);
      expect(own.firstElementChild!.namespaceURI).toBe('w');
    });
    test('parsed elements without xmlns inherit in the same way', () => {
      const parsed = parse('<a><b/></a>');
      expect(serialize(parsed)).toBe('<a><b/></a>');
      const top = xml('t', { xmlns: 'u' }, parsed);
      expect(parsed.firstElementChild!.namespaceURI).toBe('u');
      expect(serialize(top)).toBe(`<t xmlns='u'><a><b/></a></t>`);
    });
    test('once settled, a namespace stays when the element moves', () => {
      const child = xml('b');
      xml('a', { xmlns: 'u' }, child);
      const other = xml('c', { xmlns: 'v' });
      other.appendChild(child);
      expect(child.namespaceURI).toBe('u');
      expect(serialize(other)).toBe(`<c xmlns='v'><b xmlns='u'/></c>`);
    });
    test('prefixes must be declared with it', () => {
      expect(serialize(xml('p:a', { 'p:b': '1', 'xmlns:p': 'u' }))).toBe(`<p:a xmlns:p='u' p:b='1'/>`);
      expect(xml('p:a', { 'xmlns:p': 'u' }).namespaceURI).toBe('u');
      for (const build of [
        () => xml('p:a'),
        () => xml('p:a', { 'xmlns:q': 'u' }),
        () => xml('a', { 'p:b': '1' }),
        () => xml('xmlns:a', { 'xmlns:xmlns': 'u' }),
        () => xml('a', { 'xmlns:p': '' }),
        () => xml('p:a', { 'xmlns:p': '' }),
        () => xml('a', { 'xmlns:xml': 'u' }),
        () => xml('a', { 'xmlns:p': NS.XML }),
        () => xml('a', { xmlns: NS.XMLNS }),
        () => xml('a', { 'xmlns:p': 'u', 'xmlns:q': 'u', 'p:b': '1', 'q:b': '2' }),
      ]) {
        expect(build).toThrow(code('XML_BAD_NAME'));
      }
    });
  });

  describe('A-STZ-7: nothing breaks out', () => {
    const names = [
      '',
      ' ',
      'a b',
      `a='x'`,
      'a/',
      '<a',
      'a>',
      '1a',
      '-a',
      'a\nb',
      'a\0',
      ':a',
      'a:',
      'a:b:c',
      'ä\u00d7',
    ];
    for (const name of names) {
      test(`the name ${JSON.stringify(name)} is refused`, () => {
        expect(() => xml(name)).toThrow(code('XML_BAD_NAME'));
        expect(() => xml('a', { [name]: 'x' })).toThrow(code('XML_BAD_NAME'));
        expect(() => xml('a').setAttribute(name, 'x')).toThrow(code('XML_BAD_NAME'));
        expect(() => xml('a').setAttributeNS('u', name, 'x')).toThrow(code('XML_BAD_NAME'));
      });
    }
    for (const text of ['\0', 'a\u0001', '\u001f', 'x\ud800', '\udc00y', '\ufffe', '\uffff', '\ud83d\ud83d']) {
      test(`the text ${JSON.stringify(text)} is refused`, () => {
        expect(() => xml('a', {}, text)).toThrow(code('XML_UNSERIALIZABLE'));
        expect(() => xml('a', { b: text })).toThrow(code('XML_UNSERIALIZABLE'));
        expect(() => xml('a', { xmlns: text })).toThrow(code('XML_UNSERIALIZABLE'));
        expect(() => xml('a').appendText(text)).toThrow(code('XML_UNSERIALIZABLE'));
      });
    }
    test('markup in texts and values is text', () => {
      const evil = `</body></message><presence type='unavailable'/>]]>&lt;"`;
      const element = xml('message', { to: evil }, xml('body', {}, evil));
      const again = parse(serialize(element));
      expect(again.getAttribute('to')).toBe(evil);
      expect(again.getChildText('body')).toBe(evil);
      expect(again.children).toHaveLength(1);
    });
  });

  test('A-STZ-10: __proto__ and its like are data', () => {
    const attributes = JSON.parse('{"__proto__":"x","constructor":"y","toString":"z"}') as Record<string, string>;
    const element = xml('__proto__', attributes, xml('then'), xml('hasOwnProperty'));
    expect(element.getAttribute('__proto__')).toBe('x');
    expect(element.getAttribute('constructor')).toBe('y');
    expect(element.getAttribute('valueOf')).toBeNull();
    expect(({} as Record<string, unknown>)['x']).toBeUndefined();
    expect(parse(serialize(element)).getAttribute('toString')).toBe('z');
    const inherited = Object.create({ from: 'nobody' }) as Record<string, string>;
    expect(xml('a', inherited).hasAttributes()).toBe(false);
  });

  test('awaiting an element does not call anything of it', async () => {
    const element = xml('a');
    expect(await Promise.resolve(element)).toBe(element);
    expect('then' in element).toBe(false);
  });

  test('a child that is part of another element is copied', () => {
    const received = parse(`<a xmlns='u'><b>x</b></a>`);
    const answer = xml('c', {}, received.firstElementChild);
    expect(serialize(received)).toBe(`<a xmlns='u'><b>x</b></a>`);
    expect(serialize(answer)).toBe(`<c><b xmlns='u'>x</b></c>`);
    const twice = xml('d');
    expect(serialize(xml('e', {}, twice, twice))).toBe('<e><d/><d/></e>');
  });

  test('other kinds of arguments are refused with what was given', () => {
    expect(() => xml(any(5))).toThrow(code('XML_BAD_NAME'));
    expect(() => xml(any(undefined))).toThrow(code('XML_BAD_NAME'));
    for (const attributes of ['text', 5, ['a'], xml('b')]) {
      expect(() => xml('a', any(attributes))).toThrow(code('USAGE_XML'));
    }
    for (const value of [{}, [], () => 'x', Symbol('x'), 5n, new Date()]) {
      expect(() => xml('a', { b: any(value) })).toThrow(code('USAGE_XML'));
    }
    for (const child of [{}, true, () => 'x', Symbol('x'), 5n]) {
      expect(() => xml('a', {}, any(child))).toThrow(code('USAGE_XML'));
    }
    const cycle: unknown[] = [];
    cycle.push(cycle);
    expect(() => xml('a', {}, any(cycle))).toThrow(code('USAGE_XML'));
  });
});

test('E6: more names than are remembered are written as they are', () => {
  for (let n = 0; n < 2_100; n++) {
    const name = `name${String(n)}`;
    expect(serialize(xml(name, { [name]: 'x', xmlns: 'u' }))).toBe(`<${name} xmlns='u' ${name}='x'/>`);
  }
});

test('a prefix that is declared as nothing is not declared; an attribute with one may be left out', () => {
  for (const none of [undefined, null]) {
    expect(() => xml('p:a', { 'xmlns:p': none })).toThrow(code('XML_BAD_NAME'));
    expect(serialize(xml('a', { 'xml:lang': none, b: 1 }))).toBe(`<a b='1'/>`);
  }
});

test('DECISIONS 28: in an element with a prefix that says so, a child has no namespace', () => {
  const outer = xml('p:a', { 'xmlns:p': 'u', xmlns: '' });
  const inner = outer.appendChild(xml('b'));
  expect([inner.namespaceURI, inner.qname.inherits]).toEqual([null, false]);
  expect(serialize(outer, { defaultNamespace: 'v' })).toBe(`<p:a xmlns='' xmlns:p='u'><b/></p:a>`);
});

describe('serialize()', () => {
  // Names and values that come again are remembered: few of each, so that every order of them turns up.
  test('writes an element the same, whatever was written before it', () => {
    type Tree = { name: string; attributes: Record<string, string>; children: (Tree | string)[] };
    const escapes: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', "'": '&apos;' };
    const escape = (text: string, which: RegExp) => text.replace(which, (char) => escapes[char]!);
    const naive = (tree: Tree | string): string => {
      if (typeof tree === 'string') return escape(tree, /[&<>]/g);
      const attributes = Object.entries(tree.attributes)
        .map(([name, value]) => ` ${name}='${escape(value, /[&<']/g)}'`)
        .join('');
      const inside = tree.children.map(naive).join('');
      return `<${tree.name}${attributes}${inside === '' ? '/' : `>${inside}</${tree.name}`}>`;
    };
    const built = ({ name, attributes, children }: Tree): Element =>
      xml(name, attributes, ...children.map((child) => (typeof child === 'string' ? child : built(child))));

    const value = fc.constantFrom('', 'alice@example.org', 'bob@example.org', 'chat', "a'b&<>", 'x'.repeat(300));
    const { tree } = fc.letrec<{ tree: Tree }>((tie) => ({
      tree: fc.record({
        name: fc.constantFrom('message', 'body', 'x'),
        attributes: fc.dictionary(fc.constantFrom('to', 'from', 'id', 'type'), value, { noNullPrototype: true }),
        children: fc.array(fc.oneof({ depthSize: 'small' }, value, tie('tree')), { maxLength: 3 }),
      }),
    }));
    fc.assert(
      fc.property(fc.array(tree, { minLength: 1, maxLength: 4 }), fc.integer({ min: 1, max: 4 }), (trees, times) => {
        for (let time = 0; time < times; time += 1) {
          for (const one of trees) expect(serialize(built(one))).toBe(naive(one));
        }
      }),
      { numRuns: 2_000 },
    );
  });

  test('what was changed after it was built is written as it is now', () => {
    for (let time = 0; time < 20; time += 1) {
      const element = xml('a', { to: 'alice', id: time }, 'plain');
      expect(serialize(element)).toBe(`<a to='alice' id='${time}'>plain</a>`);
      element.getAttributeNode('to')!.value = "it's";
      (element.firstChild as Text).data = '<';
      expect(serialize(element)).toBe(`<a to='it&apos;s' id='${time}'>&lt;</a>`);
      element.removeAttribute('to');
      expect(serialize(element)).toBe(`<a id='${time}'>&lt;</a>`);
    }
  });

  test('S-XML-19: what is escaped where', () => {
    const all = `&<>'"\t\n\r]]>ä😀`;
    expect(serialize(xml('a', { b: all }, all))).toBe(
      `<a b='&amp;&lt;>&apos;"&#x9;&#xA;&#xD;]]>ä😀'>&amp;&lt;&gt;'"\t\n&#xD;]]&gt;ä😀</a>`,
    );
    const again = parse(serialize(xml('a', { b: all }, all)));
    expect(again.textContent).toBe(all);
    expect(again.getAttribute('b')).toBe(all);
  });

  test('in a scope, declarations that change nothing are left out', () => {
    const features = xml('stream:features', { 'xmlns:stream': NS.STREAM }, xml('bind', { xmlns: NS.BIND }));
    const scope = { defaultNamespace: NS.CLIENT, prefixes: { stream: NS.STREAM } };
    expect(serialize(features, scope)).toBe(`<stream:features><bind xmlns='${NS.BIND}'/></stream:features>`);
    expect(serialize(features)).toContain(`xmlns:stream='${NS.STREAM}'`);
    const nested = parse(`<a xmlns='u' xmlns:p='v'><b xmlns='u' xmlns:p='v' p:c=''/><p:d xmlns='u'/></a>`);
    expect(serialize(nested)).toBe(`<a xmlns='u' xmlns:p='v'><b p:c=''/><p:d/></a>`);
  });

  test('S-XML-15: declarations that are missing are added, and only once', () => {
    const stanza = parseInScope(`<message><p:x xmlns:p='u' p:a='1'><p:y/></p:x></message>`, NS.CLIENT);
    const inner = stanza.firstElementChild!.firstElementChild!;
    expect(serialize(inner)).toBe(`<p:y xmlns:p='u'/>`);
    const moved = xml('m', { xmlns: NS.CLIENT });
    moved.appendChild(inner);
    moved.setAttributeNS('u', 'p:z', '2');
    expect(serialize(moved)).toBe(`<m xmlns='jabber:client' xmlns:p='u' p:z='2'><p:y/></m>`);
  });

  test('a prefix that means something else further in', () => {
    const text = `<p:a xmlns:p='u'><p:b xmlns:p='v'><p:c/></p:b><p:d/></p:a>`;
    expect(serialize(parse(text))).toBe(text);
  });

  test('a child of another namespace than its surroundings', () => {
    const parsed = parseInScope(`<message><body/></message>`, NS.CLIENT);
    expect(serialize(parsed.firstElementChild!)).toBe(`<body xmlns='jabber:client'/>`);
    expect(serialize(parsed, { defaultNamespace: NS.COMPONENT_ACCEPT })).toBe(
      `<message xmlns='jabber:client'><body/></message>`,
    );
  });

  test('S-XML-16: what cannot be written throws before anything is', () => {
    const bad = (qname: QName) => new Element(qname);
    const withAttr = (qname: QName, value = '') => {
      const element = new Element(new QName(null, 'a', null));
      element.firstAttribute = new Attr(qname, value, element);
      return element;
    };
    const cases: Element[] = [
      bad(new QName(null, 'a b', null)),
      bad(new QName('p', 'a', null)),
      bad(new QName('p', 'a', '')),
      bad(new QName('xmlns', 'a', NS.XMLNS)),
      bad(new QName('xml', 'a', 'u')),
      bad(new QName('p', 'a', NS.XML)),
      bad(new QName(null, 'a', NS.XML)),
      bad(new QName(null, 'a', NS.XMLNS)),
      bad(new QName('p>', 'a', 'u')),
      bad(new QName(null, 'a', '\0')),
      withAttr(new QName(null, `b='c' d`, null)),
      withAttr(new QName(null, 'b', 'u')),
      withAttr(new QName(null, 'xmlns', null), 'u'),
      withAttr(new QName('p', 'b', null)),
      withAttr(new QName('p', 'b', NS.XMLNS)),
      withAttr(new QName(null, 'b', NS.XMLNS)),
      withAttr(new QName('p', 'xmlns', NS.XMLNS), 'u'),
      withAttr(new QName('xmlns', 'b c', NS.XMLNS), 'u'),
      withAttr(new QName('xmlns', 'b', NS.XMLNS), ''),
      withAttr(new QName('xmlns', 'xml', NS.XMLNS), 'u'),
      withAttr(new QName(null, 'b', null), '\ud800'),
    ];
    const inText = xml('a', {}, 'x');
    (inText.firstChild as Text).data = '\u0000';
    cases.push(inText);
    const twoMeanings = parse(`<p:a xmlns:p='u'/>`);
    twoMeanings.setAttributeNS('v', 'p:b', 'x');
    cases.push(twoMeanings);
    cases.forEach((element, k) => {
      expect(() => serialize(element), String(k)).toThrow(code('XML_UNSERIALIZABLE'));
      expect(() => serialize(xml('outer', {}, 'text', element)), String(k)).toThrow(code('XML_UNSERIALIZABLE'));
      expect(inspect(element)).toContain('Element');
    });
  });

  test('what is no element is refused', () => {
    for (const wrong of [null, undefined, 'x', {}, new Text('x')]) {
      expect(() => serialize(any(wrong))).toThrow(code('USAGE_ELEMENT'));
      expect(() => serializeStart(any(wrong))).toThrow(code('USAGE_ELEMENT'));
    }
  });

  test('serializeStart() writes a stream header', () => {
    const header = xml('stream:stream', { xmlns: NS.CLIENT, 'xmlns:stream': NS.STREAM, to: 'a&b', version: '1.0' });
    expect(serializeStart(header)).toBe(
      `<stream:stream to='a&amp;b' version='1.0' xmlns='jabber:client' xmlns:stream='${NS.STREAM}'>`,
    );
  });

  test('A-SIZE-3: twenty thousand levels', () => {
    let element = xml('a', { xmlns: 'u' });
    for (let k = 0; k < 20_000; k++) element = xml('a', {}, element);
    const top = xml('a', { xmlns: 'v' }, element);
    const text = serialize(top);
    expect(text).toContain(`<a xmlns='u'/>`);
    const copy = top.clone();
    expect(serialize(copy)).toBe(text);
    expect(top.getElementsByTagName('a')).toHaveLength(20_001);
    expect(top.textContent).toBe('');
    expect(inspect(top).length).toBeLessThan(600);
    expect(parse(text, { depth: 30_000 }).getElementsByTagName('a')).toHaveLength(20_001);
    expect(() => parse(text)).toThrow(code('LIMIT_DEPTH'));
  });
});

describe('parse()', () => {
  test('reads exactly one element, white space around it is fine', () => {
    expect(serialize(parse(` \n<a b='1'>x</a>\r\n `))).toBe(`<a b='1'>x</a>`);
    expect(serialize(parse(Buffer.from('<ä/>')))).toBe('<ä/>');
    expect(parse('<a/>').parentElement).toBeNull();
  });
  test('more or less than one', () => {
    for (const text of ['', '  ', '<a/><b/>', '<a/> <a/>']) {
      expect(() => parse(text)).toThrow(code('USAGE_NOT_ONE_ELEMENT'));
    }
  });
  const cases: [string, string, number][] = [
    [`<?xml version='1.0'?><a/>`, 'XML_RESTRICTED', 1],
    ['x<a/>', 'XML_STREAM_TEXT', 0],
    ['<a/>x', 'XML_STREAM_TEXT', 4],
    ['<a>', 'XML_TRUNCATED', 3],
    ['<a', 'XML_TRUNCATED', 2],
    ['</a>', 'XML_NOT_WELL_FORMED', 1],
    ['<a/></a>', 'XML_NOT_WELL_FORMED', 5],
    ['<a></b>', 'XML_NOT_WELL_FORMED', 5],
    ['<é></b>', 'XML_NOT_WELL_FORMED', 5],
    ['<a>😀\0</a>', 'XML_NOT_WELL_FORMED', 5],
    ['<a>€\ud800</a>', 'XML_NOT_WELL_FORMED', 4],
    ['<a>€\ufffe</a>', 'XML_NOT_WELL_FORMED', 4],
    ['\ufeff<a/>', 'XML_STREAM_TEXT', 0],
    ['<a>&nbsp;</a>', 'XML_NOT_WELL_FORMED', 8],
    ['<!-- --><a/>', 'XML_RESTRICTED', 2],
    ['<!DOCTYPE a><a/>', 'XML_RESTRICTED', 2],
    ['<p:a/>', 'XML_NOT_WELL_FORMED', 6],
    ['plain text', 'XML_STREAM_TEXT', 0],
  ];
  for (const [text, wanted, offset] of cases) {
    test(`${JSON.stringify(text)}: ${wanted}`, () => {
      expect(() => parse(text)).toThrow(code(wanted));
      expect(() => parse(text)).toThrow(expect.objectContaining({ offset, origin: 'local' }) as Error);
      expect(() => parse(text)).toThrow(new RegExp(`at character ${offset}$`));
    });
  }
  // Around a third of the window, and the whole of it, strings are taken in another way.
  const lengths = [1, 2_710, 2_723, 2_724, 2_740, 8_180, 9_000];
  test.each(lengths)('a string of %i characters is read as its bytes are', (length) => {
    for (const end of ['', 'é', '€', '😀', '&lt;', '\0', '\ud800', '</b>', '</a><a>']) {
      for (const start of ['', 'é', '€', '😀']) {
        const text = `<a>${start}${'x'.repeat(length)}${end}</a>`;
        const outcome = (source: string | Uint8Array) => {
          try {
            return serialize(parse(source));
          } catch (error) {
            return (error as BrokerError).code;
          }
        };
        // Bytes cannot hold half a character.
        const wanted = text.isWellFormed() ? outcome(Buffer.from(text)) : 'XML_NOT_WELL_FORMED';
        expect(outcome(text)).toBe(wanted);
        expect(parse('<a>ok</a>').textContent).toBe('ok');
      }
    }
  });
  test('bytes that are no UTF-8', () => {
    expect(() => parse(Buffer.from([0x3c, 0x61, 0x3e, 0xff]))).toThrow(code('XML_BAD_UTF8'));
    expect(() => parse(Buffer.from([0x3c, 0x61, 0x3e, 0xe2, 0x82]))).toThrow(code('XML_BAD_UTF8'));
  });
  test('limits hold', () => {
    expect(() => parse('<a><b/></a>', { depth: 1 })).toThrow(code('LIMIT_DEPTH'));
    expect(() => parse('<aaaa/>', { stanzaBytes: 5 })).toThrow(code('LIMIT_STANZA_BYTES'));
    expect(() => parse('<a/>', { depth: 0 })).toThrow(code('USAGE_LIMITS'));
  });
  test('what is neither a string nor bytes', () => {
    for (const wrong of [null, undefined, 5, {}, ['<a/>'], xml('a')]) {
      expect(() => parse(any(wrong))).toThrow(code('USAGE_TYPE'));
    }
  });
  test('S-API-3: parseInScope() reads a stanza of the stream', () => {
    const stanza = parseInScope('<message><body/></message>', NS.CLIENT);
    expect(stanza.namespaceURI).toBe(NS.CLIENT);
    expect(stanza.firstElementChild!.namespaceURI).toBe(NS.CLIENT);
    for (const text of [`<message/><presence type='unavailable'/>`, '</stream:stream>', '<message>', '<message/>x']) {
      expect(() => parseInScope(text, NS.CLIENT)).toThrow(expect.objectContaining({ name: 'BrokerError' }) as Error);
    }
  });
});

describe('E6: what people write', () => {
  test('an undefined xmlns is refused, null leaves it out', () => {
    expect(() => xml('query', { xmlns: undefined })).toThrow(/xmlns of <query> is undefined/);
    expect(xml('query', { xmlns: null }).toString()).toBe('<query/>');
  });

  test('a JID is the value of an attribute', () => {
    expect(xml('message', { to: JID.parse('romeo@example.net/orchard') }).getAttribute('to')).toBe(
      'romeo@example.net/orchard',
    );
    expect(() => xml('message', { to: new Date() as unknown as string })).toThrow(/is a Date/);
  });
});
