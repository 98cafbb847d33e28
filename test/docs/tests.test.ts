import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { ROOT } from './support/markdown.js';

const page = readFileSync(`${ROOT}/test/README.md`, 'utf8');
const files = readdirSync(`${ROOT}/test`, { recursive: true, encoding: 'utf8' }).filter((name) =>
  name.endsWith('.test.ts'),
);
const sourceOf = (name: string): string => readFileSync(`${ROOT}/test/${name}`, 'utf8');

describe('test/README.md', () => {
  it('explains every kind of id in the names of tests', () => {
    const kinds = files.flatMap(
      (name) => sourceOf(name).match(/\b[SA]-(?!Z)[A-Z0-9]+(?=-\d)|\[X\]|\bDECISIONS\b/g) ?? [],
    );
    expect([...new Set(kinds)].filter((kind) => !page.includes(`\`${kind}\``))).toEqual([]);
  });

  it('shows a test that is run', () => {
    const [, code = ''] = /```ts\n(.*?)```/s.exec(page) ?? [];
    expect(sourceOf('wire/rig.test.ts')).toBe(code);
  });

  it('names folders and files that are there', () => {
    const named = [...page.matchAll(/`((?:unit|wire|servers|conformance|docs|support)(?:\/[\w./-]+)?)`/g)];
    expect(named.length).toBeGreaterThan(8);
    expect(named.map(([, path = '']) => path).filter((path) => !existsSync(`${ROOT}/test/${path}`))).toEqual([]);
  });
});
