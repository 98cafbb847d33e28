import { readdirSync, readFileSync } from 'node:fs';
import { runInNewContext } from 'node:vm';
import { describe, expect, it } from 'vitest';
import { EQUIVALENT } from '../../scripts/evidence/mutants/equivalent.mjs';
import { checkedFiles, guardsIn, switched } from '../../scripts/evidence/mutants/guards.mjs';
import { withTables, type Facts } from '../../scripts/evidence/interoperability.mjs';
import { SUBJECTS } from '../../scripts/evidence/subjects.mjs';
import { KINDS } from '../conformance/doubling/kinds.js';
import { OTHERS } from '../conformance/doubling/others.js';
import { TARGETS } from '../conformance/fuzz/targets.js';
import { PEERS } from '../servers/interoperability/peers.js';
import { serverNames } from '../servers/interoperability/server-cases.js';
import { ATTACKS } from '../wire/attacks/attacks.js';
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
    ['attacks', Object.keys(ATTACKS)],
    ['doubling', [...Object.keys(KINDS), ...Object.keys(OTHERS)]],
    ['interoperability', [...Object.keys(PEERS), ...serverNames]],
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

describe('checks without which nothing changes', () => {
  const keys = new Set(checkedFiles().flatMap((path) => guardsIn(path).map(({ key }) => key)));
  it('are checks that there are, each with the reason', () => {
    expect(Object.keys(EQUIVALENT).filter((key) => !keys.has(key))).toEqual([]);
    expect(Object.values(EQUIVALENT).filter((why) => why.length < 20)).toEqual([]);
  });

  it('are found in a source by their text, one within another', () => {
    const source =
      'function f(a, b) {\n  if (a && (() => { if (b) throw 1; return b && a; })()) throw 2;\n  return a && b;\n}';
    const text = switched(source, guardsIn('f.ts', source));
    const run = (missing: string | null, ...values: boolean[]): unknown => {
      const check = (key: string, when: boolean, value: unknown) => (key === missing ? !when : value);
      const f = runInNewContext(`${text}; f`, { __checks: { check } }) as (...given: boolean[]) => unknown;
      try {
        return f(...values);
      } catch (thrown) {
        return thrown;
      }
    };
    expect(guardsIn('f.ts', source).map(({ key }) => key)).toEqual([
      'f.ts: a && (() => { if (b) throw 1; return b && a; })()',
      'f.ts: b',
      'f.ts: b (2)',
      'f.ts: a',
      'f.ts: a (2)',
      'f.ts: b (3)',
    ]);
    expect([run(null, true, true), run(null, false, true), run('f.ts: b', true, true)]).toEqual([1, false, 2]);
    expect([run('f.ts: a (2)', false, true), run('f.ts: b (3)', true, false)]).toEqual([true, true]);
  });
});

describe('docs/interoperability.md', () => {
  it('has the tables of the last run, in which nothing was wrong', () => {
    const facts = JSON.parse(read('interoperability.json')) as Facts;
    const page = read('../interoperability.md');
    const words = (text: string) => text.replaceAll(/[ -]+/g, ' ');
    expect(words(page)).toBe(words(withTables(page, facts)));
    expect(facts.cells.filter(({ verdict }) => verdict === 'wrong')).toEqual([]);
  });
});
