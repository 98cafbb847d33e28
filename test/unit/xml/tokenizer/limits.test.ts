import { describe, expect, test } from 'vitest';
import { DEFAULT_LIMITS, type XmlLimits, xmlLimits } from '../../../../src/xml/tokenizer/limits.js';
import { chunksOf, HEADER, record, recordAllWays, recorder } from './recording.js';

/** One limit, and inputs that cost exactly what is asked for. */
interface Case {
  limit: keyof XmlLimits;
  code: string;
  /** What the limit is set to. */
  value: number;
  input: (cost: number) => string;
  /** Offset at which one too many is noticed, if that is worth a test. */
  offset?: number;
}

const open = '<m>'.length;
const CASES: Case[] = [
  {
    limit: 'stanzaBytes',
    code: 'LIMIT_STANZA_BYTES',
    value: 100,
    input: (n) => `${HEADER}<a/><m>${'x'.repeat(n - 7)}</m><a/>`,
    offset: HEADER.length + 4 + 100,
  },
  {
    limit: 'stanzaBytes',
    code: 'LIMIT_STANZA_BYTES',
    value: 20_000,
    input: (n) => `${HEADER}<a/><m b='${'x'.repeat(n - 9)}'/><a/>`,
    offset: HEADER.length + 4 + 20_000,
  },
  {
    limit: 'headerBytes',
    code: 'LIMIT_HEADER_BYTES',
    value: 300,
    input: (n) => `<?xml version='1.0'?> <s a='${'x'.repeat(n - 30)}'><m/>`,
    offset: 300,
  },
  {
    limit: 'headerBytes',
    code: 'LIMIT_HEADER_BYTES',
    value: 300,
    input: (n) => `<?xml version='1.0'?>${' '.repeat(n - 24)}<s><m/>`,
    offset: 300,
  },
  {
    limit: 'headerBytes',
    code: 'LIMIT_HEADER_BYTES',
    value: 300,
    input: (n) => `<?xml version='1.0'${' '.repeat(n - 24)}?><s><m/>`,
    offset: 300,
  },
  {
    limit: 'depth',
    code: 'LIMIT_DEPTH',
    value: 10,
    input: (n) => `${HEADER}${'<m>'.repeat(n)}${'</m>'.repeat(n)}`,
  },
  {
    limit: 'attributes',
    code: 'LIMIT_ATTRIBUTES',
    value: 5,
    input: (n) => `${HEADER}<m ${Array.from({ length: n }, (_, k) => `a${k}=''`).join(' ')}/>`,
  },
  {
    limit: 'nodes',
    code: 'LIMIT_NODES',
    value: 9,
    input: (n) => `${HEADER}<m>${'<a/>'.repeat(n - 1)}</m>`,
  },
  {
    limit: 'nodes',
    code: 'LIMIT_NODES',
    value: 9,
    input: (n) => `${HEADER}<m>${'x<a/>y<b/>'.repeat(10).slice(0, 0)}${texts(n - 1)}</m>`,
  },
  {
    limit: 'namespaceDeclarations',
    code: 'LIMIT_NS',
    value: 6,
    input: (n) =>
      `${HEADER}<m>${`<a xmlns='u' xmlns:p='u'/>`.repeat(Math.floor(n / 2))}${n % 2 ? `<a xmlns='u'/>` : ''}</m>`,
  },
  {
    limit: 'nameBytes',
    code: 'LIMIT_NAME_BYTES',
    value: 50,
    input: (n) => `${HEADER}<${'n'.repeat(n)}/>`,
    offset: HEADER.length + 1 + 50,
  },
  {
    limit: 'nameBytes',
    code: 'LIMIT_NAME_BYTES',
    value: 50,
    input: (n) => `${HEADER}<m ${'ä'.repeat(n >> 1)}${n % 2 ? 'a' : ''}=''/>`,
    offset: HEADER.length + open + 50,
  },
  {
    limit: 'attributeValueBytes',
    code: 'LIMIT_ATTRIBUTE_VALUE_BYTES',
    value: 50,
    input: (n) => `${HEADER}<m a='${'v'.repeat(n)}'/>`,
    offset: HEADER.length + 6 + 50,
  },
  {
    limit: 'attributeValueBytes',
    code: 'LIMIT_ATTRIBUTE_VALUE_BYTES',
    value: 50,
    input: (n) => `${HEADER}<m a='${'&lt;'.repeat(3)}"\n${'v'.repeat(n - 14)}'/>`,
    offset: HEADER.length + 6 + 50,
  },
];

/** Text nodes and elements by turns, `n` of them. */
function texts(n: number): string {
  return Array.from({ length: n }, (_, k) => (k % 2 === 0 ? 'x' : '<a/>')).join('');
}

describe('S-XML-18: limits hold while the bytes arrive', () => {
  CASES.forEach(({ limit, code, value, input, offset }, index) => {
    for (const cost of [value - 1, value]) {
      test(`${limit} (${index}): ${cost === value ? 'the limit itself' : 'one less'} is fine`, () => {
        const { error, elements } = recordAllWays(input(cost), { [limit]: value });
        expect(error).toBeNull();
        expect(elements.length).toBeGreaterThan(0);
      });
    }
    test(`${limit} (${index}): one more is refused`, () => {
      const { error } = recordAllWays(input(value + 1), { [limit]: value });
      expect(error?.code).toBe(code);
      expect(error?.condition).toBe('policy-violation');
      expect(error?.message).toContain(String(value));
      if (offset !== undefined) expect(error?.offset).toBe(offset);
    });
    test(`${limit} (${index}): without the limit it is fine`, () => {
      expect(record(input(value + 1), 7, { [limit]: Infinity }).error).toBeNull();
    });
  });

  test('limits that count things of a stanza begin anew with each', () => {
    const stanza = `<m xmlns='u'><a>x</a></m>`;
    const { error, elements } = recordAllWays(HEADER + stanza.repeat(20), {
      nodes: 3,
      namespaceDeclarations: 2,
      stanzaBytes: stanza.length,
    });
    expect(error).toBeNull();
    expect(elements).toHaveLength(20);
  });

  test('the defaults are the documented ones', () => {
    expect(DEFAULT_LIMITS).toEqual({
      stanzaBytes: 1_048_576,
      headerBytes: 65_536,
      depth: 64,
      attributes: 64,
      nodes: 50_000,
      namespaceDeclarations: 256,
      nameBytes: 1024,
      attributeValueBytes: 65_536,
    });
    expect(xmlLimits({ depth: 3, nodes: undefined })).toEqual({ ...DEFAULT_LIMITS, depth: 3 });
  });

  test('limits that are none are refused', () => {
    for (const limits of [{ depth: 0 }, { depth: -1 }, { depth: 1.5 }, { depth: NaN }, { depth: '5' }, { deep: 1 }]) {
      expect(() => xmlLimits(limits as Partial<XmlLimits>)).toThrow(
        expect.objectContaining({ code: 'USAGE_LIMITS' }) as Error,
      );
    }
    expect(({} as Record<string, unknown>)['polluted']).toBeUndefined();
  });
});

/** Feeds `count` chunks, or as many as it takes until the tokenizer has enough. Gives what it ever kept. */
function flood(first: string, chunk: string, count: number) {
  const recording = recorder();
  recording.tokenizer.write(Buffer.from(first));
  const bytes = Buffer.from(chunk);
  let pending = 0;
  let written = first.length;
  for (let k = 0; k < count && recording.error === null; k++) {
    recording.tokenizer.write(bytes);
    written += bytes.length;
    pending = Math.max(pending, recording.tokenizer.pending);
  }
  return { ...recording, written, pending };
}

describe('A-SIZE: with the default limits', () => {
  const MiB = 1024 * 1024;
  test('A-SIZE-1: an endless body', () => {
    const { error, pending, written } = flood(`${HEADER}<message><body>`, 'A'.repeat(65_536), 1000);
    expect(error?.code).toBe('LIMIT_STANZA_BYTES');
    expect(pending).toBeLessThanOrEqual(MiB);
    expect(written).toBeLessThan(MiB + 2 * 65_536);
  });
  test('A-SIZE-1: an endless body in single bytes', () => {
    const { error } = flood(`${HEADER}<message><body>`, 'A', 2 * MiB);
    expect(error?.code).toBe('LIMIT_STANZA_BYTES');
    expect(error?.offset).toBe(HEADER.length + MiB);
  });
  test('A-SIZE-1: an endless CDATA section, and one of brackets', () => {
    expect(flood(`${HEADER}<m><![CDATA[`, 'x]'.repeat(500), 5000).error?.code).toBe('LIMIT_STANZA_BYTES');
    expect(flood(`${HEADER}<m><![CDATA[`, ']'.repeat(1000), 5000).error?.code).toBe('LIMIT_STANZA_BYTES');
  });
  test('A-SIZE-1: a body of references only', () => {
    const { error, pending } = flood(`${HEADER}<m>`, '&lt;&#x1F600;'.repeat(100), 5000);
    expect(error?.code).toBe('LIMIT_STANZA_BYTES');
    expect(pending).toBeLessThanOrEqual(MiB);
  });
  test('A-SIZE-2: an endless name', () => {
    expect(flood(`${HEADER}<`, 'a'.repeat(100), 100).error?.code).toBe('LIMIT_NAME_BYTES');
    expect(flood(`${HEADER}<m `, 'a'.repeat(100), 100).error?.code).toBe('LIMIT_NAME_BYTES');
    expect(flood(`${HEADER}<m></m`, ' '.repeat(1000), 5000).error?.code).toBe('LIMIT_STANZA_BYTES');
    expect(flood(`${HEADER}<m a`, ' '.repeat(1000), 5000).error?.code).toBe('LIMIT_STANZA_BYTES');
  });
  test('A-SIZE-2: an endless value', () => {
    expect(flood(`${HEADER}<m a='`, 'v'.repeat(1000), 100).error?.code).toBe('LIMIT_ATTRIBUTE_VALUE_BYTES');
    expect(flood(`${HEADER}<m a='`, '&lt;'.repeat(100), 500).error?.code).toBe('LIMIT_ATTRIBUTE_VALUE_BYTES');
  });
  test('A-SIZE-2: an endless header', () => {
    expect(flood(`<?xml version='1.0'`, ' '.repeat(1000), 100).error?.code).toBe('LIMIT_HEADER_BYTES');
    expect(flood(' ', ' '.repeat(1000), 100).error?.code).toBe('LIMIT_HEADER_BYTES');
    expect(flood('<s', ` a='${'v'.repeat(40_000)}'`, 1).error).toBeNull();
    expect(flood('<s', ' '.repeat(1000), 100).error?.code).toBe('LIMIT_HEADER_BYTES');
  });
  test('A-SIZE-3: a hundred thousand levels, open or closed', () => {
    expect(flood(`${HEADER}<message>`, '<a>'.repeat(1000), 100).error?.code).toBe('LIMIT_DEPTH');
    const { error } = record(`${HEADER}<message>${'<a>'.repeat(64)}`);
    expect(error?.code).toBe('LIMIT_DEPTH');
    expect(record(`${HEADER}<message>${'<a>'.repeat(63)}`).error).toBeNull();
  });
  test('A-SIZE-4: a million children', () => {
    expect(flood(`${HEADER}<m>`, '<a/>'.repeat(1000), 1000).error?.code).toBe('LIMIT_NODES');
    expect(flood(`${HEADER}<m>`, 'x<a/>'.repeat(1000), 1000).error?.code).toBe('LIMIT_NODES');
  });
  test('A-SIZE-5: namespace floods', () => {
    const declare = Array.from({ length: 10 }, (_, k) => ` xmlns:p${k}='u${k}'`).join('');
    expect(flood(`${HEADER}<m>`, `<a${declare}>`, 100).error?.code).toBe('LIMIT_NS');
  });
  test('A-XML-12: 64 attributes are read, 65 and 10,000 are not', () => {
    const attributes = (n: number) => Array.from({ length: n }, (_, k) => ` a${k}='${k}'`).join('');
    expect(record(`${HEADER}<m${attributes(64)}/>`).error).toBeNull();
    expect(record(`${HEADER}<m${attributes(65)}/>`).error?.code).toBe('LIMIT_ATTRIBUTES');
    expect(record(`${HEADER}<m${attributes(10_000)}/>`).error?.code).toBe('LIMIT_ATTRIBUTES');
  });
  test('A-SLOW-1: white space between stanzas costs nothing and is not a stanza', () => {
    const { error, pending, tokenizer } = flood(HEADER, ' '.repeat(65_536), 200);
    expect(error).toBeNull();
    expect(pending).toBe(0);
    expect(tokenizer.inStanza).toBe(false);
  });
});

describe('S-XML-17: the work is in proportion to the bytes', () => {
  // Work that grows with the square would take minutes here: the test's own deadline finds it.
  const long = 400_000;
  const inputs: Record<string, string> = {
    'A-SIZE-6: value': `<m a='${'v'.repeat(long)}'/>`,
    text: `<m>${'t'.repeat(long)}</m>`,
    'text in another script': `<m>${'ы'.repeat(long / 2)}</m>`,
    references: `<m>${'&amp;'.repeat(long / 5)}</m>`,
    CDATA: `<m><![CDATA[${'c'.repeat(long)}]]></m>`,
    brackets: `<m><![CDATA[${']'.repeat(long)}]]></m>`,
    'line ends': `<m>${'\r\n'.repeat(long / 2)}</m>`,
    name: `<${'n'.repeat(long)}/>`,
    'white space in a tag': `<m${' '.repeat(long)}/>`,
    elements: `<m>${'<a/>'.repeat(long / 4)}</m>`,
  };
  for (const [name, stanza] of Object.entries(inputs)) {
    test(name, () => {
      const limits = { stanzaBytes: Infinity, attributeValueBytes: Infinity, nameBytes: Infinity, nodes: Infinity };
      const input = Buffer.from(HEADER + stanza);
      for (const size of [1, 4096, Infinity]) {
        const recording = recorder(limits);
        for (const chunk of chunksOf(input, size)) recording.tokenizer.write(chunk);
        expect(recording.error).toBeNull();
        expect(recording.elements).toHaveLength(1);
      }
    });
  }
});
