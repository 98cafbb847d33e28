import { DOMImplementation, DOMParser, XMLSerializer } from '@xmldom/xmldom';
import { describe, expect, test } from 'vitest';
import { xml } from '../../../src/xml/builder.js';
import { fromDom, toDom } from '../../../src/xml/dom.js';
import { NS } from '../../../src/xml/namespaces.js';
import { parse, parseInScope } from '../../../src/xml/tokenizer/parse.js';
import { serialize } from '../../../src/xml/serializer.js';

const code = (wanted: string) => expect.objectContaining({ name: 'BrokerError', code: wanted }) as Error;
const read = (text: string) => new DOMParser().parseFromString(text, 'text/xml');

describe('toDom()', () => {
  test('makes nodes of @xmldom/xmldom', () => {
    const text = `<message xmlns='jabber:client' to='a' xml:lang='en'>x<p:y xmlns:p='u' p:z='1'><q xmlns='v'>deep</q></p:y>&amp;</message>`;
    const root = toDom(parse(text));
    expect(root.ownerDocument!.documentElement).toBe(root);
    expect(root.getAttributeNS(NS.XML, 'lang')).toBe('en');
    expect(root.getElementsByTagNameNS('u', 'y')[0]!.getAttributeNS('u', 'z')).toBe('1');
    expect(root.getElementsByTagNameNS('v', 'q')[0]!.textContent).toBe('deep');
    expect(root.textContent).toBe('xdeep&');
    expect(serialize(fromDom(read(new XMLSerializer().serializeToString(root))))).toBe(serialize(parse(text)));
  });
  test('a stanza knows its namespace without an xmlns', () => {
    expect(toDom(parseInScope('<message><body/></message>', NS.CLIENT)).firstChild!.namespaceURI).toBe(NS.CLIENT);
  });
  test('what is no element is refused', () => {
    expect(() => toDom(null as never)).toThrow(code('USAGE_ELEMENT'));
    expect(() => toDom(read('<a/>') as never)).toThrow(code('USAGE_ELEMENT'));
  });
});

describe('fromDom()', () => {
  test('takes an element or a document', () => {
    const document = read(`<a xmlns='u'>x<![CDATA[<y>]]><b/></a>`);
    expect(serialize(fromDom(document))).toBe(`<a xmlns='u'>x&lt;y&gt;<b/></a>`);
    expect(fromDom(document).childNodes).toHaveLength(2);
    expect(serialize(fromDom(document.documentElement!))).toBe(`<a xmlns='u'>x&lt;y&gt;<b/></a>`);
  });
  test('a part of a document, without what is around it', () => {
    const document = read(`<a xmlns='u' xmlns:p='v'><p:b><c/></p:b><d/></a>`);
    const part = fromDom(document.documentElement!.firstChild as never);
    expect(serialize(part)).toBe(`<p:b xmlns:p='v'><c xmlns='u'/></p:b>`);
    expect(part.nextSibling).toBeNull();
  });
  test('nodes built with the DOM', () => {
    const document = new DOMImplementation().createDocument(NS.CLIENT, 'message');
    const body = document.createElementNS(NS.CLIENT, 'body');
    body.appendChild(document.createTextNode('a<b'));
    document.documentElement!.appendChild(body);
    document.documentElement!.setAttribute('to', `x'y`);
    expect(serialize(fromDom(document))).toBe(
      `<message xmlns='jabber:client' to='x&apos;y'><body>a&lt;b</body></message>`,
    );
  });
  test('an element in no namespace takes one where it is put', () => {
    expect(serialize(xml('x', { xmlns: 'u' }, fromDom(read('<a><b/></a>'))))).toBe(`<x xmlns='u'><a><b/></a></x>`);
    expect(serialize(fromDom(read(`<a xmlns='u'><b xmlns=''><c/></b></a>`)))).toBe(
      `<a xmlns='u'><b xmlns=''><c/></b></a>`,
    );
  });
  test('S-XML-1, S-XML-2, S-XML-3: what XMPP does not have is refused', () => {
    for (const text of [
      '<a><!-- x --></a>',
      '<!-- x --><a/>',
      '<a><?x y?></a>',
      '<!DOCTYPE a><a/>',
      '<a/><!-- x -->',
    ]) {
      expect(() => fromDom(read(text)), text).toThrow(code('XML_RESTRICTED'));
    }
  });
  test('A-STZ-7: names and characters that cannot be written are refused', () => {
    const document = new DOMImplementation().createDocument(null, 'a');
    const root = document.documentElement!;
    root.appendChild(document.createTextNode('\u0001'));
    expect(() => fromDom(root)).toThrow(code('XML_UNSERIALIZABLE'));
    const fake = {
      nodeType: 1,
      nodeName: 'a\n',
      localName: 'a\n',
      namespaceURI: null,
      prefix: null,
      attributes: [],
      firstChild: null,
      hasAttribute: () => false,
    };
    expect(() => fromDom(fake as never)).toThrow(code('XML_BAD_NAME'));
  });
  test('a node of DOM Level 1 has no local name but its own', () => {
    const { documentElement } = new DOMImplementation().createDocument(null, 'a');
    for (const none of [undefined, null]) {
      Object.defineProperty(documentElement!, 'localName', { value: none, configurable: true });
      expect(serialize(fromDom(documentElement!))).toBe('<a/>');
    }
  });
  test('A-STZ-7: a prefix without a namespace, and a name with a prefix that is none, are refused', () => {
    for (const wrong of [
      { prefix: 'p', namespaceURI: null },
      { prefix: 'p', namespaceURI: 'u', localName: 'b c' },
    ]) {
      const { documentElement } = new DOMImplementation().createDocument('u', 'p:a');
      for (const [name, value] of Object.entries(wrong)) Object.defineProperty(documentElement!, name, { value });
      expect(() => fromDom(documentElement!)).toThrow(code('XML_BAD_NAME'));
    }
  });
  test('what is no node is refused', () => {
    for (const wrong of [null, undefined, 'x', {}, new DOMImplementation().createDocument(null, '')]) {
      expect(() => fromDom(wrong as never)).toThrow(code('USAGE_ELEMENT'));
    }
    expect(() => fromDom(read('<a>x</a>').documentElement!.firstChild as never)).toThrow(code('USAGE_ELEMENT'));
  });
  test('A-SIZE-3: depth does not matter', () => {
    const document = new DOMImplementation().createDocument('u', 'a');
    let at = document.documentElement!;
    for (let k = 0; k < 5000; k++) {
      const inner = document.createElementNS('u', 'a');
      at.appendChild(inner);
      at = inner;
    }
    const copy = fromDom(document);
    expect(copy.getElementsByTagName('a')).toHaveLength(5000);
    expect(toDom(copy).ownerDocument).not.toBeNull();
  });
});
