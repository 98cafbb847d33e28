import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Element } from '../../../../src/xml/element.js';
import { Name } from '../../../../src/xml/tokenizer/name.js';
import { nameAt } from '../../../../src/xml/tokenizer/names.js';
import { NS } from '../../../../src/xml/namespaces.js';
import { namespaceOf } from '../../../../src/xml/tokenizer/namespace-scope.js';
import { bytes } from '../../../../src/xml/tokenizer/window.js';
import { HEADER, record, recorder } from './recording.js';

// The tokenizer guesses names from their first four bytes and what came before, in a table that all streams share.
// Whatever is in it, a tag has the name that is written there.

interface Tag {
  name: string;
  attributes: string[];
  children: Tag[];
}

/** Names that are alike: the same beginnings and ends, all lengths around those that are compared at once. */
const name = fc
  .tuple(
    fc.constantFrom('a', 'i', 'x', 'ite', 'item', 'to', 'frö', 'forwarded', 'x'.repeat(61), 'y'.repeat(300)),
    fc.constantFrom('', '', 's', 'b', 'ab', 'abc', 'abcd', 'abcde', 'abcdefgh', 'ä', '-1', '.'),
    fc.constantFrom('', 's', 'm', 'ms', 'end'),
  )
  .map((parts) => parts.join(''));
const { tag } = fc.letrec<{ tag: Tag }>((tie) => ({
  tag: fc.record({
    name,
    attributes: fc.uniqueArray(name, { maxLength: 5 }),
    children: fc.oneof({ maxDepth: 4 }, fc.constant<Tag[]>([]), fc.array(tie('tag'), { maxLength: 3 })),
  }),
}));

function written({ name, attributes, children }: Tag): string {
  const start = `${name}${attributes.map((attribute) => ` ${attribute}='v'`).join('')}`;
  return children.length === 0 ? `<${start}/>` : `<${start}>${children.map(written).join('')}</${name}>`;
}

function read(element: Element): Tag {
  return {
    name: element.name,
    attributes: [...element.attributes].map((attr) => attr.name),
    children: element.children.map(read),
  };
}

/** More names than the table holds. */
const others = Array.from({ length: 8_000 }, (_, i) => `o${i}`);
const flood = `<flood>${others.map((other) => `<${other}/>`).join('')}</flood>`;
const LIMITS = { nodes: 20_000, attributes: 20_000, stanzaBytes: 10_000_000 };

const nameOf = (text: string) => nameAt(Buffer.from(text), 0, text.length);
const numberOf = (text: string) => nameOf(text).number;

describe('names', () => {
  test('are what is written, whatever came before', () => {
    const { tokenizer, elements } = recorder(LIMITS);
    tokenizer.write(Buffer.from(HEADER));
    fc.assert(
      fc.property(fc.array(tag, { maxLength: 5 }), fc.integer({ min: 1, max: 200 }), (tags, size) => {
        elements.length = 0;
        const bytes = Buffer.from(tags.map(written).join(''));
        for (let at = 0; at < bytes.length; at += size) tokenizer.write(bytes.subarray(at, at + size));
        expect(elements.map(read)).toEqual(tags);
      }),
      { numRuns: 1_000 },
    );
  });

  test('are what is written when others have taken their places', () => {
    const stanza = `<item jid='a' items='b'><items item='c' node='d'/><ite/></item>`;
    const { error, elements } = record(HEADER + stanza + flood + stanza + stanza, Infinity, LIMITS);
    expect(error).toBeNull();
    const [first, , ...later] = elements.map(read);
    expect(later).toEqual([first, first]);
  });

  test('S-XML-12: an end tag closes the element that is open, though another name has taken its place', () => {
    const inside = flood.slice('<flood>'.length, -'</flood>'.length);
    const place = numberOf('open');
    expect(record(`${HEADER}<open>${inside}</open>`, Infinity, LIMITS).error).toBeNull();
    const successors = others.filter((other) => numberOf(other) === place).slice(-3);
    expect(successors).not.toEqual([]);
    for (const other of successors) {
      const { error, elements } = record(`${HEADER}<open>${inside}<${other}/></${other}>`, Infinity, LIMITS);
      expect(elements).toEqual([]);
      expect(error?.message).toContain('an end tag that is not </open>');
    }
  });

  test('S-XML-11: A-XML-12: an attribute is there twice, though its name has left the table meanwhile', () => {
    const between = others.map((other) => `${other}=''`).join(' ');
    const { error } = record(`${HEADER}<message twice='' ${between} twice=''/>`, Infinity, LIMITS);
    expect(error?.message).toContain('attribute "twice" is there twice');
  });

  test('S-XML-11: A-XML-12: an attribute whose name is too long for the table is there twice', () => {
    const long = 'long'.repeat(40);
    const { error } = record(`${HEADER}<message ${long}='' x='' ${long}=''/>`, Infinity, LIMITS);
    expect(error?.message).toContain('is there twice');
  });

  test('S-XML-12: are no other ones, though their characters are the bytes of those and the hash is the same', () => {
    const name = new Name('x\u00c2\u00b7', 7);
    const isIn = (text: string) => name.isIn(Buffer.from(text), 0, Buffer.byteLength(text), 7);
    expect([...Buffer.from('x\u00b7')]).toEqual([0x78, 0xc2, 0xb7]);
    expect(isIn('x\u00b7')).toBe(false);
    expect(isIn('x\u00c2\u00b7')).toBe(true);
  });

  test('expect the namespaces that their own tags declared', () => {
    const stanza = `<m1><x1 xmlns='urn:x1'/><y1 xmlns='urn:y1'/></m1>`;
    expect(record(HEADER + stanza, Infinity).error).toBeNull();
    const expects = (name: string, uri: string) => {
      bytes.write(`${uri}'`);
      return nameOf(name).likelyNamespace(0, "'".charCodeAt(0))?.uri;
    };
    expect(expects('x1', 'urn:x1')).toBe('urn:x1');
    expect(expects('y1', 'urn:y1')).toBe('urn:y1');
    expect(expects('y1', 'urn:x1')).toBeUndefined();
    expect(expects('m1', 'urn:x1')).toBeUndefined();
  });

  const names =
    'xmlns affiliation presence stanza-id html stream:error streamhost jingle message body iq from to id type';
  const uris = [NS.PUBSUB, NS.CLIENT, 'jabber:component:accept', 'vcard-temp:x:update', 'urn:xmpp:eme:0'];
  const tables = [
    { what: 'names', lookUp: nameOf, texts: names.split(' '), others },
    { what: 'namespaces', lookUp: namespaceOf, texts: uris, others: others.map((other) => `urn:${other}`) },
  ];
  for (const { what, lookUp, texts, others } of tables) {
    test(`${what} that come by turns are looked up once, whatever a peer has made up before`, () => {
      for (const first of texts) {
        for (const other of others) lookUp(other);
        for (const second of texts) {
          for (const text of [first, second, first, second]) lookUp(text);
          const found = [lookUp(first), lookUp(second)];
          expect(lookUp(first)).toBe(found[0]);
          expect(lookUp(second)).toBe(found[1]);
        }
      }
    });
  }
});
