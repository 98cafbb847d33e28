import { createRequire } from 'node:module';
import { inspect } from 'node:util';
import { describe, expect, test } from 'vitest';
import { xml } from '../../../src/xml/builder.js';
import { Element, following } from '../../../src/xml/element.js';
import { NS } from '../../../src/xml/namespaces.js';
import { parse, parseInScope } from '../../../src/xml/tokenizer/parse.js';
import { serialize } from '../../../src/xml/serializer.js';
import { Text } from '../../../src/xml/text.js';

const code = (wanted: string) => expect.objectContaining({ name: 'BrokerError', code: wanted }) as Error;
const sample = () =>
  parseInScope(
    `<message to='a' xml:lang='en'>x<body>one<b/>two</body><q xmlns='u' a='1'><body/><p:r xmlns:p='v' p:a='2'/></q>y</message>`,
    NS.CLIENT,
  );

describe('the read side of the DOM', () => {
  test('names and values', () => {
    const element = sample();
    expect([element.nodeType, element.nodeName, element.tagName, element.name, element.localName]).toEqual([
      1,
      'message',
      'message',
      'message',
      'message',
    ]);
    expect([element.prefix, element.namespaceURI, element.nodeValue]).toEqual([null, NS.CLIENT, null]);
    const r = element.getElementsByTagNameNS('v', 'r')[0]!;
    expect([r.nodeName, r.prefix, r.localName, r.namespaceURI]).toEqual(['p:r', 'p', 'r', 'v']);
    const text = element.firstChild as Text;
    expect([text.nodeType, text.nodeName, text.nodeValue, text.length, text.textContent]).toEqual([
      3,
      '#text',
      'x',
      1,
      'x',
    ]);
    const attr = element.getAttributeNode('xml:lang')!;
    expect([attr.nodeType, attr.nodeName, attr.localName, attr.prefix, attr.namespaceURI, attr.nodeValue]).toEqual([
      2,
      'xml:lang',
      'lang',
      'xml',
      NS.XML,
      'en',
    ]);
    expect(attr.ownerElement).toBe(element);
    expect(attr.parentNode).toBeNull();
  });

  test('structure', () => {
    const element = sample();
    expect(element.childNodes.map((node) => node.nodeName)).toEqual(['#text', 'body', 'q', '#text']);
    expect(element.childNodes).toBe(element.childNodes);
    expect(element.children.map((child) => child.nodeName)).toEqual(['body', 'q']);
    expect(element.firstElementChild!.nextSibling).toBe(element.children[1]);
    expect(element.lastChild!.previousSibling).toBe(element.children[1]);
    expect(element.parentElement).toBeNull();
    expect(element.parentNode).toBe(element.ownerDocument);
    expect(element.ownerDocument.documentElement).toBe(element);
    expect(element.children[0]!.ownerDocument).toBe(element.ownerDocument);
    expect(element.children[0]!.parentNode).toBe(element);
    expect(element.hasChildNodes()).toBe(true);
    expect(element.textContent).toBe('xonetwoy');
    const inOrder = [...element.descendants()].map((node) => node.nodeName);
    expect(inOrder).toEqual(['#text', 'body', '#text', 'b', '#text', 'q', 'body', 'p:r', '#text']);
    expect(following(element.lastChild!, element)).toBeNull();
    for (const node of [element.firstChild, element.getAttributeNode('to')]) {
      expect(node!.childNodes).toEqual([]);
      expect(node!.firstChild).toBeNull();
      expect(node!.lastChild).toBeNull();
    }
  });

  test('searching', () => {
    const element = sample();
    expect(element.getElementsByTagName('body')).toHaveLength(2);
    expect(element.getElementsByTagName('*')).toHaveLength(5);
    expect(element.getElementsByTagNameNS('u', '*').map((found) => found.localName)).toEqual(['q', 'body']);
    expect(element.getElementsByTagNameNS('*', 'body')).toHaveLength(2);
    expect(element.getAttributeNS('u', 'a')).toBeNull();
    expect(element.children[1]!.getAttributeNS(null, 'a')).toBe('1');
    expect(element.children[1]!.children[1]!.getAttributeNS('v', 'a')).toBe('2');
    expect(element.hasAttributeNS(NS.XML, 'lang')).toBe(true);
    expect(element.hasAttribute('lang')).toBe(false);
    expect(element.getAttribute('none')).toBeNull();
    expect(element.attributes.getNamedItem('to')!.value).toBe('a');
    expect(element.attributes.getNamedItemNS(NS.XML, 'lang')!.value).toBe('en');
    expect(element.attributes.item(1)!.name).toBe('xml:lang');
    expect(element.attributes.item(9)).toBeNull();
    expect(element.attributes.map((attr) => attr.name)).toEqual(['to', 'xml:lang']);
  });

  test('lookupNamespaceURI', () => {
    const element = sample();
    const r = element.getElementsByTagName('p:r')[0]!;
    expect(r.lookupNamespaceURI('p')).toBe('v');
    expect(r.lookupNamespaceURI(null)).toBe('u');
    expect(r.lookupNamespaceURI('')).toBe('u');
    expect(r.lookupNamespaceURI('xml')).toBe(NS.XML);
    expect(r.lookupNamespaceURI('xmlns')).toBe(NS.XMLNS);
    expect(r.lookupNamespaceURI('q')).toBeNull();
    expect(element.lookupNamespaceURI(null)).toBe(NS.CLIENT);
    expect(
      parse(`<a xmlns='u'><b xmlns=''><c/></b></a>`).getElementsByTagName('c')[0]!.lookupNamespaceURI(null),
    ).toBeNull();
  });

  test('short helpers keep to the own namespace unless told otherwise', () => {
    const element = parseInScope(
      `<message><body xmlns='evil'>no</body><body>yes</body><x xmlns='u'>u</x></message>`,
      NS.CLIENT,
    );
    expect(element.getChildText('body')).toBe('yes');
    expect(element.getChildText('body', 'evil')).toBe('no');
    expect(element.getChildText('body', '*')).toBe('no');
    expect(element.getChild('x')).toBeNull();
    expect(element.getChild('x', 'u')!.textContent).toBe('u');
    expect(element.getChildText('nothing')).toBeNull();
    expect(element.getChildren('body', '*')).toHaveLength(2);
    expect(element.getChildren('*')).toHaveLength(1);
    expect(element.is('message')).toBe(true);
    expect(element.is('message', NS.CLIENT)).toBe(true);
    expect(element.is('message', null)).toBe(false);
    expect(element.is('*', '*')).toBe(true);
  });

  test('the xpath package runs on it', () => {
    const xpath = createRequire(import.meta.url)('xpath') as {
      select(expression: string, node: unknown): { nodeName: string }[];
    };
    const found = xpath.select(`//*[local-name()='body']`, sample());
    expect(found).toHaveLength(2);
  });
});

describe('the write side', () => {
  test('setAttribute adds and replaces, in order', () => {
    const element = xml('a', { b: '1' });
    element.setAttribute('c', '2');
    element.setAttribute('b', '3');
    expect(serialize(element)).toBe(`<a b='3' c='2'/>`);
    element.removeAttribute('b');
    element.removeAttribute('none');
    expect(serialize(element)).toBe(`<a c='2'/>`);
    element.setAttribute('d', '4');
    element.removeAttribute('d');
    element.setAttribute('e', '5');
    expect(element.attributes.map((attr) => attr.name)).toEqual(['c', 'e']);
  });
  test('setAttribute of a prefixed name needs its declaration', () => {
    const element = parse(`<a xmlns:p='u'><b/></a>`);
    element.firstElementChild!.setAttribute('p:x', '1');
    expect(element.firstElementChild!.getAttributeNS('u', 'x')).toBe('1');
    expect(() => element.setAttribute('q:x', '1')).toThrow(code('XML_BAD_NAME'));
    element.setAttribute('xmlns:q', 'u');
    element.setAttribute('q:x', '1');
    expect(() => element.setAttribute('p:x', '2')).toThrow(code('XML_BAD_NAME'));
    expect(serialize(element)).toBe(`<a xmlns:p='u' xmlns:q='u' q:x='1'><b p:x='1'/></a>`);
  });
  test('setAttribute xmlns moves the element', () => {
    const element = xml('a', {}, xml('b'));
    element.setAttribute('xmlns', 'u');
    expect(element.namespaceURI).toBe('u');
    expect(element.firstElementChild!.namespaceURI).toBe('u');
    expect(serialize(element)).toBe(`<a xmlns='u'><b/></a>`);
    element.setAttribute('xmlns', '');
    expect(element.firstElementChild!.namespaceURI).toBe('u');
    expect(element.namespaceURI).toBeNull();
    expect(() => element.setAttribute('xmlns', NS.XML)).toThrow(code('XML_BAD_NAME'));
    expect(element.getAttribute('xmlns')).toBe('');
  });
  test('setAttributeNS', () => {
    const element = xml('a');
    element.setAttributeNS(null, 'b', '1');
    element.setAttributeNS('u', 'p:c', '2');
    element.setAttributeNS('u', 'q:c', '3');
    element.setAttributeNS(NS.XML, 'xml:lang', 'en');
    element.setAttributeNS(NS.XMLNS, 'xmlns:r', 'w');
    expect(serialize(element)).toBe(`<a b='1' xmlns:r='w' xmlns:p='u' p:c='3' xml:lang='en'/>`);
    for (const [namespace, name] of [
      [NS.XMLNS, 'xmlns:b c'],
      ['u', 'p:'],
      ['u', 'b'],
      [null, 'p:b'],
      [NS.XML, 'p:b'],
      ['u', 'xml:b'],
      ['u', 'xmlns:b'],
      ['u', 'xmlns'],
      [NS.XMLNS, 'p:b'],
    ] as const) {
      expect(() => element.setAttributeNS(namespace, name, 'x'), `${namespace} ${name}`).toThrow(code('XML_BAD_NAME'));
    }
    expect(() => element.setAttributeNS('u', 'p:c', '\0')).toThrow(code('XML_UNSERIALIZABLE'));
    expect(() => element.setAttribute('b', 5 as never)).toThrow(code('USAGE_XML'));
  });
  test('appendChild moves, and merges text', () => {
    const element = parse('<a>x<b/>y</a>');
    const other = xml('c');
    expect(other.appendChild(element.firstElementChild!)).toBe(other.firstChild);
    expect(serialize(element)).toBe('<a>xy</a>');
    expect(element.childNodes).toHaveLength(2);
    const text = new Text('z');
    expect(element.appendChild(text)).toBe(element.lastChild);
    expect(text.parentElement).toBeNull();
    expect(serialize(element)).toBe('<a>xyz</a>');
    element.appendChild(element.firstChild!);
    expect(serialize(element)).toBe('<a>yzx</a>');
    element.appendText('');
    expect(element.childNodes).toHaveLength(1);
  });
  test('appendChild refuses cycles and what is no node', () => {
    const element = parse('<a><b><c/></b></a>');
    const b = element.firstElementChild!;
    const c = b.firstElementChild!;
    for (const [parent, child] of [
      [element, element],
      [c, element],
      [c, b],
      [c, c],
    ] as const) {
      expect(() => parent.appendChild(child)).toThrow(code('USAGE_ELEMENT'));
    }
    expect(serialize(element)).toBe('<a><b><c/></b></a>');
    for (const wrong of [null, undefined, 'x', {}, element.ownerDocument]) {
      expect(() => element.appendChild(wrong as never)).toThrow(code('USAGE_ELEMENT'));
    }
  });
  test('removeChild takes children only', () => {
    const element = parse('<a>x<b/>y<c/></a>');
    const [x, b, y, c] = element.childNodes;
    element.removeChild(b!);
    expect(b!.parentElement).toBeNull();
    expect(element.childNodes).toEqual([x, y, c]);
    element.removeChild(x!);
    element.removeChild(c!);
    expect(serialize(element)).toBe('<a>y</a>');
    expect(() => element.removeChild(b!)).toThrow(code('USAGE_ELEMENT'));
    expect(() => element.removeChild(element)).toThrow(code('USAGE_ELEMENT'));
    element.removeChild(y!);
    expect(element.hasChildNodes()).toBe(false);
  });
  test('clone is deep and apart', () => {
    const element = sample();
    const copy = element.clone();
    expect(serialize(copy)).toBe(serialize(element));
    copy.setAttribute('to', 'b');
    copy.children[0]!.appendText('z');
    expect(element.getAttribute('to')).toBe('a');
    expect(element.textContent).toBe('xonetwoy');
    const part = element.children[1]!.clone();
    expect(part.parentElement).toBeNull();
    expect(part.nextSibling).toBeNull();
    expect(serialize(part)).toBe(serialize(element.children[1]!));
  });
});

describe('documents of nodes', () => {
  test('are those of their element, while they have one', () => {
    const element = parse(`<a b='1'>x<c/></a>`);
    const attr = element.getAttributeNode('b')!;
    const text = element.firstChild as Text;
    expect([attr.ownerDocument, text.ownerDocument]).toEqual([element.ownerDocument, element.ownerDocument]);
    element.removeAttribute('b');
    element.removeChild(text);
    expect([attr.ownerDocument, text.ownerDocument]).toEqual([null, null]);
  });
  test('find their root, too', () => {
    const document = parse(`<p:a xmlns:p='u'><a/><p:a/><b/></p:a>`).ownerDocument;
    const names = (found: Element[]) => found.map(({ name }) => name);
    expect(names(document.getElementsByTagName('p:a'))).toEqual(['p:a', 'p:a']);
    expect(names(document.getElementsByTagName('*'))).toEqual(['p:a', 'a', 'p:a', 'b']);
    expect(names(document.getElementsByTagName('b'))).toEqual(['b']);
    expect(names(document.getElementsByTagNameNS('u', 'a'))).toEqual(['p:a', 'p:a']);
    expect(names(document.getElementsByTagNameNS(null, 'b'))).toEqual(['b']);
  });
});

test('attributes are found by name, or are not there', () => {
  const { attributes } = parse(`<a b='1' xmlns:p='u' p:b='2'/>`);
  expect(attributes.getNamedItem('p:b')?.value).toBe('2');
  expect(attributes.getNamedItem('c')).toBeNull();
  expect(attributes.getNamedItemNS('u', 'b')?.value).toBe('2');
  for (const none of [null, '']) expect(attributes.getNamedItemNS(none, 'b')?.value).toBe('1');
  expect(attributes.getNamedItemNS('v', 'b')).toBeNull();
  expect(attributes.item(9)).toBeNull();
});

test('nothing follows a node in a tree that it is not in', () => {
  expect(following(xml('a'), xml('b'))).toBeNull();
  const [inner, text] = [xml('c'), new Text('x')];
  const root = xml('b', {}, inner);
  inner.appendChild(text);
  expect(following(inner.firstChild!, root)).toBeNull();
});

test('toString and inspect show XML', () => {
  const element = xml('a', { xmlns: 'u' }, 'x'.repeat(1000));
  expect(String(element)).toBe(serialize(element));
  expect(inspect(element)).toMatch(/^Element <a xmlns='u'>x+…$/);
  expect(inspect({ node: xml('b') })).toBe('{ node: Element <b/> }');
  expect(element).toBeInstanceOf(Element);
});
