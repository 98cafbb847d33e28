import { DOMParser } from '@xmldom/xmldom';
import { SaxesParser } from 'saxes';
import { beforeAll, describe, expect, test } from 'vitest';
import { FOOTER, HEADER, random, stanzas } from '../../bench/corpus.mjs';
import { fromDom, toDom } from '../../src/xml/dom.js';
import { type Element } from '../../src/xml/element.js';
import { NS } from '../../src/xml/namespaces.js';
import { parseInScope } from '../../src/xml/tokenizer/parse.js';
import { serialize } from '../../src/xml/serializer.js';
import { Tokenizer } from '../../src/xml/tokenizer/tokenizer.js';

const COUNT = 10_000;
const CONTENT = NS.COMPONENT_ACCEPT;
const source = stanzas(COUNT);
const stream = Buffer.from(HEADER + source.join('') + FOOTER);

/** One line for each tree: compared as strings, because there are many. */
function line(element: Element): string {
  return JSON.stringify(shape(element));
}
function shape(element: Element): unknown[] {
  const attributes: unknown[] = [];
  for (const attr of element.attributes) attributes.push([attr.namespaceURI, attr.name, attr.value]);
  return [
    element.namespaceURI,
    element.name,
    attributes,
    ...element.childNodes.map((node) => (node.nodeType === 3 ? node.data : shape(node))),
  ];
}

function tokenized(size: () => number): string[] {
  const lines: string[] = [];
  const tokenizer = new Tokenizer({
    onStreamStart: () => undefined,
    onElement: (element) => void lines.push(line(element)),
    onStreamEnd: () => void lines.push('end'),
    onError: (error) => {
      lines.push(`error ${error.message}`);
    },
  });
  for (let at = 0; at < stream.length;) {
    const length = size();
    tokenizer.write(stream.subarray(at, at + length));
    at += length;
  }
  return lines;
}

/** The trees saxes sees, in the same form. */
function saxesLines(): string[] {
  const lines: string[] = [];
  const open: unknown[][] = [];
  const addText = (text: string): void => {
    const parent = open.at(-1);
    if (parent === undefined || text === '') return;
    const last = parent.length - 1;
    if (typeof parent[last] === 'string' && last > 2) parent[last] += text;
    else parent.push(text);
  };
  const parser = new SaxesParser({ xmlns: true });
  let depth = 0;
  parser.on('opentag', (tag) => {
    if (depth++ === 0) return;
    const attributes = Object.values(tag.attributes).map((attr) => [attr.uri || null, attr.name, attr.value]);
    const node: unknown[] = [tag.uri || null, tag.name, attributes];
    open.at(-1)?.push(node);
    open.push(node);
  });
  parser.on('text', addText);
  parser.on('cdata', addText);
  parser.on('closetag', () => {
    depth--;
    const closed = open.pop();
    if (depth === 1) lines.push(JSON.stringify(closed));
  });
  parser.on('error', (error) => {
    throw error;
  });
  parser.write(stream.toString()).close();
  return lines;
}

describe(`S-XML-17: the trees of ${COUNT} generated stanzas`, () => {
  let expected: string[];
  beforeAll(() => {
    expected = saxesLines();
  });

  test('the corpus is what it is meant to be', () => {
    expect(expected).toHaveLength(COUNT);
    const mean = (stream.length - HEADER.length - FOOTER.length) / COUNT;
    expect(mean).toBeGreaterThan(500);
    expect(mean).toBeLessThan(650);
    const foreign = source.filter((text) => Buffer.byteLength(text) !== text.length).length / COUNT;
    expect(foreign).toBeGreaterThan(0.08);
    expect(foreign).toBeLessThan(0.16);
    expect(source.some((text) => text.includes('<![CDATA['))).toBe(true);
  });

  const next = random(7);
  const sizes: [string, () => number][] = [
    ...[1, 2, 3, 7, 64, 1460, 16_384].map((size): [string, () => number] => [`${size} bytes`, () => size]),
    ['the whole', () => stream.length],
    ['random lengths', () => 1 + Math.floor(next() ** 4 * 20_000)],
  ];
  for (const [name, size] of sizes) {
    test(`equal those of saxes when read in ${name}`, () => {
      const lines = tokenized(size);
      expect(lines.pop()).toBe('end');
      expect(lines.length).toBe(expected.length);
      const different = lines.findIndex((text, k) => text !== expected[k]);
      expect(different < 0 ? null : [lines[different], expected[different]]).toBeNull();
    });
  }

  test('equal those of @xmldom/xmldom', () => {
    const parser = new DOMParser({
      onError: (_level, message) => {
        throw new Error(message);
      },
    });
    const document = parser.parseFromString(stream.toString(), 'text/xml');
    let k = 0;
    for (let child = document.documentElement?.firstChild ?? null; child !== null; child = child.nextSibling) {
      expect(line(fromDom(child as Parameters<typeof fromDom>[0]))).toBe(expected[k]);
      k++;
    }
    expect(k).toBe(COUNT);
  });

  test('S-XML-16: come back the same when they are written and read again', () => {
    source.forEach((text, k) => {
      const element = parseInScope(text, CONTENT);
      expect(line(element)).toBe(expected[k]);
      const written = serialize(element, { defaultNamespace: CONTENT });
      const again = parseInScope(written, CONTENT);
      expect(serialize(again, { defaultNamespace: CONTENT })).toBe(written);
      expect(withoutDeclarations(again)).toBe(withoutDeclarations(element));
      const alone = parseInScope(serialize(element), 'elsewhere');
      expect(withoutDeclarations(alone)).toBe(withoutDeclarations(element));
    });
  });

  test('survive the way to @xmldom/xmldom and back', () => {
    source.slice(0, 2000).forEach((text, k) => {
      expect(line(fromDom(toDom(parseInScope(text, CONTENT))))).toBe(expected[k]);
    });
  });
});

/** The tree without namespace declarations: which of those are needed depends on the place. */
function withoutDeclarations(element: Element): string {
  return line(element)
    .replaceAll(/,?\["http:\/\/www\.w3\.org\/2000\/xmlns\/","[^"]*","[^"]*"\]/g, '')
    .replaceAll('[,', '[');
}
