import { describe, expect, test } from 'vitest';
import { BrokerError } from '../../../../src/errors.js';
import { parse } from '../../../../src/xml/tokenizer/parse.js';

// Values and texts are looked through four bytes at a time, and what one byte leaves over spills into those behind it.
// So every character of ASCII is tried at every place of such a word, alone and beside every other one.

const ASCII = Array.from({ length: 0x80 }, (_, code) => String.fromCharCode(code));
const forbidden = (char: string) => char < ' ' && !'\t\n\r'.includes(char);

/** What comes of a source: the value or text in it, or null if it is refused. */
function read(source: string, of: (element: ReturnType<typeof parse>) => string | null): string | null {
  try {
    return of(parse(source));
  } catch (error) {
    if (error instanceof BrokerError && error.code === 'XML_NOT_WELL_FORMED') return null;
    throw error;
  }
}

const kinds = [
  {
    what: 'value',
    source: (content: string) => `<a b='${content}'/>`,
    of: (element: ReturnType<typeof parse>) => element.getAttribute('b'),
    refused: (char: string) => forbidden(char) || '<&'.includes(char),
    meant: (content: string) => content.replace(/\r\n|[\t\n\r]/g, ' '),
    ends: "'",
  },
  {
    what: 'text',
    source: (content: string) => `<a>${content}</a>`,
    of: (element: ReturnType<typeof parse>) => element.textContent,
    refused: (char: string) => forbidden(char) || '<&'.includes(char),
    meant: (content: string) => content.replace(/\r\n|\r/g, '\n'),
    ends: '<',
  },
];

describe.each(kinds)('S-XML-9: each $what', ({ source, of, refused, meant, ends }) => {
  const chars = ASCII.filter((char) => char !== ends);
  const expected = (content: string) => (Array.from(content).some(refused) ? null : meant(content));

  test('has every character of ASCII at every place of a word', () => {
    for (const char of chars) {
      for (let place = 0; place < 9; place += 1) {
        const content = `${'x'.repeat(place)}${char}${'x'.repeat(9 - place)}`;
        expect([content, read(source(content), of)]).toEqual([content, expected(content)]);
      }
    }
  });

  test('has every character of ASCII behind every other one', () => {
    for (const first of chars) {
      for (const second of chars) {
        const content = `x${first}${second}yz`;
        const found = read(source(content), of);
        if (found !== expected(content)) expect([content, found]).toEqual([content, expected(content)]);
      }
    }
  });
});
