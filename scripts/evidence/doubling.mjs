import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from './facts.mjs';
import { partsSubject } from './parts.mjs';

/** The names in the tables, which are TypeScript. */
const namesIn = (file) => {
  const text = readFileSync(join(ROOT, 'test', 'conformance', 'doubling', file), 'utf8');
  const [, table] = text.split(/^export const [A-Z]+: Readonly<Record<string, .*\{$/m);
  return [...table.split(/^\};$/m)[0].matchAll(/^ {2}(?:'([^']+)'|(\w+)):/gm)].map(
    ([, quoted, plain]) => quoted ?? plain,
  );
};
const names = ['kinds.ts', 'others.ts'].flatMap(namesIn);

export const doubling = partsSubject({
  name: 'doubling',
  title: 'twice as much takes twice as long',
  text: [
    'Whatever a peer may make as large as it likes is made twice as large, and the time of the processor for both is compared: five',
    'pairs, one after the other, and their medians. The tokenizer, without its limits, gets each kind of token in chunks of 1, 7, 64,',
    '1,460 and 16,384 bytes and whole, 8 to 512 KiB and twice that, so often that the half takes 6 ms at least; what is refused is so at the end. Filters are evaluated with and',
    'without the index, without their budget. Wrong is more than 2.3, three times in a row: 2 is in proportion, 4 is quadratic.',
  ],
  unit: 'comparisons',
  size: names.length * 6,
  batch: 6,
  project: 'conformance',
  file: 'test/conformance/doubling.test.ts',
  parts: names,
  counts: [
    ['times as long, at most', 'ratio', 'most'],
    ['ms for the double, at most', 'ms', 'most'],
  ],
});
