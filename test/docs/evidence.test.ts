import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { SUBJECTS } from '../../scripts/evidence/subjects.mjs';
import { TARGETS } from '../conformance/fuzz/targets.js';
import { SPLIT_PARTS, VARIANTS } from '../wire/cuts/variants.js';
import { ROOT } from './support/markdown.js';

interface Report {
  readonly title: string;
  readonly cases: number;
  readonly unit: string;
  readonly command: string;
  readonly wrong: readonly unknown[];
}

const read = (path: string) => readFileSync(`${ROOT}/docs/evidence/${path}`, 'utf8');
const reported = readdirSync(`${ROOT}/docs/evidence`).flatMap((name) => /^(.*)\.json$/.exec(name)?.[1] ?? []);

describe('npm run evidence', () => {
  it.each([
    ['split', Object.keys(SPLIT_PARTS)],
    ['disconnect', Object.keys(VARIANTS)],
    ['fuzz', Object.keys(TARGETS)],
  ])('%s: has the parts that the test has', (name, parts) => {
    const subject = SUBJECTS.find((one) => one.name === name);
    expect([...(subject?.parts ?? [])].sort()).toEqual(parts.sort());
  });
});

describe('docs/evidence', () => {
  it('has reports of subjects only', () => {
    const names = SUBJECTS.map(({ name }) => name);
    expect(reported.filter((name) => !names.includes(name))).toEqual([]);
  });

  it.each(reported)('%s: the pages say what the data says', (name) => {
    const { title, cases, unit, wrong, command } = JSON.parse(read(`${name}.json`)) as Report;
    const count = cases.toLocaleString('en');
    const page = read(`${name}.md`);
    for (const part of [title, `\`${command}\``, count, `Wrong: ${wrong.length}`]) expect(page).toContain(part);
    expect(read('README.md').replaceAll(/ +/g, ' ')).toContain(
      `| [${title}](${name}.md) | ${count} ${unit} | ${wrong.length} |`,
    );
  });
});
