import { existsSync, readFileSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { posix } from 'node:path';
import { check, resolveConfig } from 'prettier';
import ts from 'typescript';
import { describe, expect, it } from 'vitest';
import { readArguments } from '../../src/cli/command.js';
import { COMMANDS } from '../../src/cli/commands/index.js';
import { readPages, ROOT, type Page } from './support/markdown.js';

const pages = readPages();
const byPath = new Map(pages.map((page) => [page.path, page]));
const everything = pages.map(({ text }) => text).join('\n');

/** Hosts that the pages may link to or name. */
const HOSTS = new Set([
  '127.0.0.1',
  'keepachangelog.com',
  'semver.org',
  'jabber.org',
  'etherx.jabber.org',
  'jabberd.jabberstudio.org',
]);

/** Commands that need no check of their own. */
const KNOWN_COMMANDS =
  /^(?:npm install(?: --save-dev)?(?: [@\w/-]+)+|npm init --yes|npm pkg set type=module|(?:\w+=\S+ )*node (?:--test )?program\.ts\b.*|openssl .*|cp .* && sqlite3 [\w./]+)$/;

/** Whether it is a command line of `xmpp-broker` that would be taken. */
function isOurs(command: string): boolean {
  const [npx, program, name, ...args] = [...command.matchAll(/'([^']*)'|(\S+)/g)].map(([word, text]) => text ?? word);
  const known = COMMANDS.find((one) => one.name === name);
  if (npx !== 'npx' || program !== 'xmpp-broker' || known === undefined) return false;
  readArguments(known, args); // names what is wrong
  return true;
}

describe('README, changelog and docs', () => {
  it.each(pages)('$path: every link leads somewhere', (page) => {
    expect(
      page.links.map(({ target, line }) => problemOf(page, target, line)).filter((problem) => problem !== null),
    ).toEqual([]);
  });

  it('every page can be reached from the README', () => {
    const reached = new Set(['README.md']);
    for (const path of reached) {
      for (const { target } of byPath.get(path)?.links ?? []) {
        const linked = posix.join(posix.dirname(path), target.replace(/#.*/, ''));
        if (byPath.has(linked)) reached.add(linked);
      }
    }
    expect(pages.map(({ path }) => path).filter((path) => !reached.has(path))).toEqual([]);
  });

  it('names no place of the machine it was written on, and no host but those that are meant', () => {
    const places = [ROOT, homedir(), tmpdir()].filter((place) => everything.includes(`${place}/`));
    // In code a path may be XPath, and a server's configuration names its files; elsewhere one that begins at the root is
    // somebody's folder.
    const outside = pages.flatMap(({ path, text }) => {
      const prose = text.replaceAll(/^```(?:ts|sh|yaml|lua|ini)\n[^]*?^```/gm, '').replaceAll(/`[^`\n]*`/g, '');
      return [...prose.matchAll(/(?:^|[\s'"=(])(\/[\w.-]+\/[\w./-]*)/g)].map(([, found = '']) => `${path}: ${found}`);
    });
    const hosts = [...everything.matchAll(/https?:\/\/([\w.-]+)/g)].map(([, host = '']) => host);
    expect([
      ...places,
      ...outside,
      ...hosts.filter((host) => !HOSTS.has(host) && !/(^|\.)example\.org$/.test(host)),
    ]).toEqual([]);
  });

  it('the commands exist', () => {
    const { scripts } = JSON.parse(readFileSync(`${ROOT}/package.json`, 'utf8')) as { scripts: Record<string, string> };
    const commands = pages.flatMap(({ blocks }) =>
      blocks.filter(({ language }) => language === 'sh').flatMap(({ text }) => text.split('\n')),
    );
    const unknown = commands.filter((command) => {
      const script = /^npm (?:run )?(?<name>[\w:]+)(?: -- .*)?$/.exec(command)?.groups?.['name'] ?? '';
      return !Object.hasOwn(scripts, script) && !KNOWN_COMMANDS.test(command) && !isOurs(command);
    });
    expect(unknown).toEqual([]);
  });

  it.each(pages)('$path: the code is formatted like the sources', async ({ path, blocks }) => {
    const options = { ...(await resolveConfig(`${ROOT}/src/index.ts`)), parser: 'typescript' };
    const other: string[] = [];
    for (const { language, text, line } of blocks) {
      if (language === 'ts' && !(await check(`${text}\n`, options))) other.push(`${path}:${String(line)}`);
    }
    expect(other).toEqual([]);
  });

  it.each(pages)('$path: a program that is quoted is the one in its file', ({ blocks }) => {
    for (const { notes, text } of blocks) {
      const file = /^as (?<file>\S+)$/.exec(notes)?.groups?.['file'];
      if (file !== undefined) expect(`${text}\n`).toBe(readFileSync(`${ROOT}/${file}`, 'utf8'));
    }
  });

  it('no picture is in a link: the site leaves that as it is', () => {
    expect(pages.filter(({ text }) => /\[!\[/.test(text)).map(({ path }) => path)).toEqual([]);
  });

  it('every line of a table has as many cells as its head', () => {
    const uneven = pages.flatMap(({ path, text }) => {
      let columns = 0;
      return text.split('\n').flatMap((line, index) => {
        const cells = line.startsWith('|') ? line.replaceAll(/`[^`]*`/g, '').split('|').length : 0;
        if (cells === 0 || columns === 0) columns = cells;
        return cells === columns ? [] : [`${path}:${String(index + 1)}`];
      });
    });
    expect(uneven).toEqual([]);
  });
});

function problemOf(page: Page, target: string, line: number): string | null {
  if (/^https?:/.test(target)) return null;
  const [file = '', anchor] = target.split('#');
  const path = file === '' ? page.path : posix.join(posix.dirname(page.path), file);
  const where = `${page.path}:${String(line)} -> ${target}`;
  if (!existsSync(`${ROOT}/${path}`)) return `${where}: there is no such file`;
  if (anchor === undefined) return null;
  return byPath.get(path)?.anchors.has(anchor) === true ? null : `${where}: there is no such heading`;
}

describe('what the package exports', () => {
  it.each(['src/index.ts', 'src/testing/index.ts'])('%s: everything is explained where it is declared', (entry) => {
    const { options } = ts.parseJsonConfigFileContent(
      ts.readConfigFile(`${ROOT}/tsconfig.json`, (path) => ts.sys.readFile(path)).config,
      ts.sys,
      ROOT,
    );
    const program = ts.createProgram([`${ROOT}/${entry}`], options);
    const checker = program.getTypeChecker();
    const source = program.getSourceFile(`${ROOT}/${entry}`);
    const module = source === undefined ? undefined : checker.getSymbolAtLocation(source);
    if (module === undefined) throw new Error(`${entry} is no module`);
    const unexplained = checker.getExportsOfModule(module).filter((symbol) => {
      const declared = symbol.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(symbol) : symbol;
      return declared.getDocumentationComment(checker).length === 0;
    });
    expect(unexplained.map(({ name }) => name)).toEqual([]);
  });

  it('every function, class and constant is on a page', () => {
    const index = readFileSync(`${ROOT}/src/index.ts`, 'utf8');
    const values = [...index.matchAll(/^export \{([^}]*)\}/gm)]
      .flatMap(([, names = '']) => names.split(','))
      .map((name) => name.trim())
      .filter((name) => name !== '' && !name.startsWith('type '));
    expect(values.length).toBeGreaterThan(10);
    expect(values.filter((name) => !new RegExp(`\\b${name}\\b`).test(everything))).toEqual([]);
  });
});
