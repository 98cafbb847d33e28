// Each recipe of the cookbook is run by a test, and each of its pages is in its list.
import { readdirSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { ROOT } from '../../docs/support/markdown.js';
import { recipes } from './kitchen.js';

const tests = readdirSync(import.meta.dirname)
  .filter((name) => name.endsWith('.test.ts'))
  .map((name) => readFileSync(`${import.meta.dirname}/${name}`, 'utf8'))
  .join('\n');

test('every recipe is started by a test', () => {
  const names = [...recipes().keys()];
  expect(names.length).toBeGreaterThan(0);
  expect(names.filter((name) => !tests.includes(`start('${name}'`))).toEqual([]);
});

test('every page is in the list', () => {
  const list = readFileSync(`${ROOT}/docs/cookbook/README.md`, 'utf8');
  const pages = readdirSync(`${ROOT}/docs/cookbook`).filter((name) => name !== 'README.md');
  expect(pages.filter((name) => !list.includes(`](${name})`))).toEqual([]);
});
