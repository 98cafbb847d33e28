import { readFileSync } from 'node:fs';
import { posix } from 'node:path';
import ts from 'typescript';
import { describe, expect, it } from 'vitest';
import { patched } from '../../bench/techniques/build.mjs';
import { TECHNIQUES } from '../../bench/techniques/list.mjs';
import { ROOT } from './support/markdown.js';

const { options } = ts.convertCompilerOptionsFromJson(
  (ts.readConfigFile(`${ROOT}/tsconfig.json`, ts.sys.readFile.bind(ts.sys)).config as { compilerOptions: object })
    .compilerOptions,
  ROOT,
);
const files = new Map<string, string>();

/** A file of the built package, by its path in there. */
function built(file: string): string {
  let text = files.get(file);
  if (text === undefined) {
    const source = readFileSync(`${ROOT}/src/${file.replace(/\.js$/, '.ts')}`, 'utf8');
    const compilerOptions = { ...options, module: ts.ModuleKind.ESNext };
    text = ts.transpileModule(source, { compilerOptions }).outputText;
    files.set(file, text);
  }
  return text;
}

/** What a text imports of other files that they do not export. */
function missing(text: string, file: string): string[] {
  return [...text.matchAll(/^import \{(?<names>[^}]*)\} from '(?<from>\.[^']*)';/gm)].flatMap(({ groups }) => {
    const from = built(posix.join(posix.dirname(file), groups?.['from'] ?? ''));
    const names = (groups?.['names'] ?? '').split(',').map((name) => name.trim().replace(/ as .*/, ''));
    return names.filter(
      (name) => name !== '' && !new RegExp(`^export (?:const|class|function\\*?|let) ${name}\\b`, 'm').test(from),
    );
  });
}

describe('bench/techniques', () => {
  it.each(TECHNIQUES)('$key: can still be done without, and the code is still a program', ({ patches = [] }) => {
    const without = new Map<string, string>();
    for (const patch of patches) without.set(patch.file, patched(without.get(patch.file) ?? built(patch.file), patch));
    for (const [file, text] of without) {
      const { diagnostics } = ts.transpileModule(text, { reportDiagnostics: true, fileName: file });
      expect(diagnostics, file).toEqual([]);
      expect(text, file).not.toBe(built(file));
      expect(missing(text, file), file).toEqual([]);
    }
  });

  it('refuses a patch that does not fit', () => {
    const patch = { file: 'a.js', find: 'one', put: 'two', times: 1 };
    expect(patched('one', patch)).toBe('two');
    expect(() => patched('one one', patch)).toThrow('a.js has 2 and not 1 of one');
    expect(() => patched('none at all', { ...patch, find: /on(?!e)/ })).toThrow('a.js has 0 and not 1 of /on(?!e)/');
  });
});

describe('docs/architecture.md', () => {
  it('names the techniques that are measured, and no other', () => {
    const page = readFileSync(`${ROOT}/docs/architecture.md`, 'utf8');
    const section = page.split('\n## ').find((each) => each.startsWith('Techniques\n')) ?? '';
    const rows = section.split('\n').filter((line) => line.startsWith('| '));
    expect(rows.slice(2)).toEqual(TECHNIQUES.map(({ key, text }) => `| ${key} | ${text} |`));
  });
});
