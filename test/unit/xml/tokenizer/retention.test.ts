import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { describe, expect, test } from 'vitest';
import { FilterSet } from '../../../../src/filters/filter-set.js';
import { xml } from '../../../../src/xml/builder.js';
import type { Element } from '../../../../src/xml/element.js';
import { NS } from '../../../../src/xml/namespaces.js';
import { Piece } from '../../../../src/xml/piece.js';
import { serialize } from '../../../../src/xml/serializer.js';
import { Tokenizer } from '../../../../src/xml/tokenizer/tokenizer.js';

// What a peer makes up must not stay: the tables of names are shared by all streams of a process.
setFlagsFromString('--expose-gc');
const gc = runInNewContext('gc') as () => void;

function heap(): number {
  gc();
  gc();
  return process.memoryUsage().heapUsed;
}

const MB = 1e6;

const ignoring = {
  onStreamStart: () => undefined,
  onStreamEnd: () => undefined,
  onElement: () => undefined,
  onError: (error: Error) => {
    throw error;
  },
};

/** Feeds stanzas into a stream, and tells how many bytes stay when all the tables have been filled. */
function kept(first: number, more: number, stanza: (i: number) => string, use: (stanza: Element) => void): number {
  const tokenizer = new Tokenizer({ ...ignoring, onElement: use });
  tokenizer.write(Buffer.from(`<s:stream xmlns='${NS.CLIENT}' xmlns:s='${NS.STREAM}'>`));
  let i = 0;
  const feed = (until: number) => {
    for (; i < until; i += 1) tokenizer.write(Buffer.from(stanza(i)));
  };
  feed(first);
  const before = heap();
  feed(first + more);
  return heap() - before;
}

const ignore = () => undefined;
const long = 'x'.repeat(60_000);

describe('G6: nothing that a peer makes up is kept', () => {
  test('names of elements', () => {
    expect(kept(20_000, 40_000, (i) => `<made-up-${i}/>`, ignore)).toBeLessThan(4 * MB);
  });

  test('names of elements inside one another', () => {
    const nested = (i: number) => `<a><made-up-${i}><in-${i}/></made-up-${i}><also-${i}/></a>`;
    expect(kept(10_000, 20_000, nested, ignore)).toBeLessThan(4 * MB);
  });

  test('what was open, on streams that are idle', () => {
    const levels = 50;
    const open = (i: number) => `<a xmlns='urn:${i}:${'x'.repeat(5_000)}' xmlns:p='urn:${i}:${'p'.repeat(5_000)}'>`;
    const stanza = Array.from({ length: levels }, (_, i) => open(i)).join('') + '</a>'.repeat(levels);
    const streams = Array.from({ length: 40 }, () => new Tokenizer(ignoring));
    for (const stream of streams) stream.write(Buffer.from(`<s:stream xmlns='${NS.CLIENT}' xmlns:s='${NS.STREAM}'>`));
    const before = heap();
    for (const stream of streams) stream.write(Buffer.from(`${stanza}<message/>`));
    expect(heap() - before).toBeLessThan(2 * MB);
    expect(streams.every(({ offset }) => offset > stanza.length)).toBe(true);
  });

  test('names that are too long for the table', () => {
    expect(kept(2_000, 20_000, (i) => `<made-up-${'x'.repeat(200)}-${i}/>`, ignore)).toBeLessThan(4 * MB);
  });

  test('names of attributes', () => {
    const attributes = (i: number) => `<message made-up-${i}='' also-${i}='' p:one-${i}='' xmlns:p='urn:${i}'/>`;
    expect(kept(10_000, 20_000, attributes, ignore)).toBeLessThan(4 * MB);
  });

  test('long namespaces, under many names', () => {
    const stanza = (i: number) => `<message><x${i % 700} xmlns='urn:${i}:${long}'/></message>`;
    expect(kept(100, 1_500, stanza, ignore)).toBeLessThan(8 * MB);
  });

  test('long namespaces that filters looked at', () => {
    const set = new FilterSet();
    set.add('e', '//e:e', { namespaces: { e: 'urn:e' } });
    set.add('a', '//@a');
    const stanza = (i: number) =>
      `<message><x${i % 700} xmlns='urn:${i}:${long}' p:y='' xmlns:p='p${long}'/></message>`;
    const match = (element: Element) => set.match(element, ignore, ignore);
    expect(kept(10, 600, stanza, match)).toBeLessThan(8 * MB);
  });

  test('long namespaces that were written again', () => {
    const stanza = (i: number) => `<y${i % 300}><x${i % 300} xmlns='urn:${i}:${long}'/></y${i % 300}>`;
    const write = (element: Element) => {
      for (let time = 0; time < 3; time += 1) serialize(element);
    };
    expect(kept(10, 600, stanza, write)).toBeLessThan(8 * MB);
  });

  test('long names and namespaces that the program took over', () => {
    const take = (element: Element) => {
      const { localName } = element;
      for (const name of [localName, `p${localName}`]) {
        serialize(xml(name, { [`a${name}`]: '', xmlns: element.namespaceURI ?? '' }, xml('body')));
      }
    };
    const stanza = (i: number) => `<y${'y'.repeat(900)}-${i % 400} xmlns='urn:${i}:${long}'/>`;
    expect(kept(10, 600, stanza, take)).toBeLessThan(8 * MB);
  });
});

describe('names that come again are still the same objects', () => {
  test('also after so many others that they were forgotten', () => {
    const seen: Element[] = [];
    const stanza = (i: number) => (i % 4_000 < 3 ? `<message to='a'><body/></message>` : `<made-up-${i}/>`);
    kept(0, 8_003, stanza, (element) => {
      if (element.localName === 'message') seen.push(element);
    });
    expect(seen).toHaveLength(9);
    for (const element of seen) {
      expect(serialize(element)).toBe(`<message xmlns='${NS.CLIENT}' to='a'><body/></message>`);
    }
    expect(seen[8]!.qname).toBe(seen[7]!.qname);
    expect(seen[8]!.firstElementChild!.qname).toBe(seen[7]!.firstElementChild!.qname);
  });
});

describe('Piece', () => {
  test('is joined with what follows it again, up to a length', () => {
    const [start, end] = [new Piece('<a'), new Piece('>')];
    expect(start.with(end)).toBeNull();
    const joined = start.with(end);
    expect(joined?.text).toBe('<a>');
    expect(start.with(end)).toBe(joined);
    const other = new Piece('/>');
    expect(start.with(other)).toBeNull();
    expect(start.with(end)).toBeNull();
    const longer = new Piece('x'.repeat(300));
    expect([start.with(longer), start.with(longer), start.with(longer)]).toEqual([null, null, null]);
  });
});
