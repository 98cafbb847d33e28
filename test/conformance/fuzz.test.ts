// The inputs that coverage-guided fuzzing kept, and changes of them. `npm run evidence -- --only fuzz` looks for more.
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { portion } from '../support/evidence.js';
import { generator } from '../support/random.js';
import { TARGETS } from './fuzz/targets.js';

const CORPUS = fileURLToPath(new URL('fuzz/corpus/', import.meta.url));
const CHANGES = 20;

const inputs = (target: string): Buffer[] =>
  readFileSync(join(CORPUS, `${target}.txt`), 'utf8')
    .trim()
    .split('\n')
    .map((line) => Buffer.from(line, 'base64'));

describe('A-XML-15, A-STZ-8, A-STZ-9: what a fuzzer found', () => {
  it('is kept for every target', () => {
    expect(readdirSync(CORPUS).sort()).toEqual(Object.keys(TARGETS).map((name) => `${name}.txt`).sort()); // prettier-ignore
  });

  it.each(Object.entries(TARGETS))('%s', (name, target) => {
    const { seed } = portion(CHANGES);
    const random = generator(seed);
    for (const input of inputs(name)) {
      target(input);
      for (let change = 0; change < CHANGES; change += 1) {
        const changed = Buffer.from(input);
        if (changed.length > 0) changed[random.below(changed.length)] = random.below(256);
        try {
          target(changed);
        } catch (error) {
          throw new Error(`seed ${seed}, ${changed.toString('base64')}`, { cause: error });
        }
      }
    }
  });
});
