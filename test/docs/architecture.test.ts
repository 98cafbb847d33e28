import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { cruise, type ICruiseOptions, type ICruiseResult, type IFlattenedRuleSet } from 'dependency-cruiser';
import { ESLint } from 'eslint';
import { describe, expect, it } from 'vitest';
import { ROOT, tableRows } from './support/markdown.js';

const { LAW } = (await import(`${ROOT}/eslint.config.js`)) as { readonly LAW: Readonly<Record<string, string[]>> };

const { CIRCLES, default: circles } = (await import(`${ROOT}/.dependency-cruiser.mjs`)) as {
  readonly CIRCLES: readonly { readonly why: string; readonly files: readonly string[] }[];
  readonly default: {
    readonly forbidden: IFlattenedRuleSet['forbidden'];
    readonly options: Pick<ICruiseOptions, 'enhancedResolveOptions'>;
  };
};

/** The rooms that a cell of the table names. "`broker` and all above" are that room and those in the rows above it. */
function roomsOf(cell: string, room: string, order: readonly string[]): string[] {
  if (cell === 'nothing') return [];
  const [named = '', more = ''] = cell.includes('all above') ? cell.split('all above') : ['', cell];
  const names = (text: string): string[] => [...text.matchAll(/`([\w-]+)`/g)].map(([, name = '']) => name);
  const [below] = names(named);
  const above = cell.includes('all above') ? order.slice(0, order.indexOf(below ?? room)) : [];
  return [...names(named), ...above, ...names(more)];
}

describe('the law of imports', () => {
  const table = tableRows('architecture.md', '## The rooms').map(([room = '', , cell = '']) => ({
    room: room.replaceAll('`', ''),
    cell,
  }));
  const order = table.map(({ room }) => room);
  // What every room may import is said below the table.
  const forAll = ['errors', 'logger', 'deferred', 'stats', 'channels', 'arguments'];

  it('is the table of docs/architecture.md', () => {
    const printed = Object.fromEntries(table.map(({ room, cell }) => [room, roomsOf(cell, room, order)]));
    const sorted = (law: Readonly<Record<string, string[]>>): [string, string[]][] =>
      Object.entries(law)
        .filter(([room]) => room === 'arguments' || !forAll.includes(room))
        .map(([room, rooms]): [string, string[]] => [room, rooms.filter((name) => !forAll.includes(name)).sort()])
        .sort(([a], [b]) => a.localeCompare(b));
    expect(sorted(printed)).toEqual(sorted(LAW));
  });

  it('goes one way: a room imports only rooms above it', () => {
    const upwards = order.flatMap((room, i) =>
      (LAW[room] ?? []).filter((name) => order.indexOf(name) >= i).map((name) => `${room} -> ${name}`),
    );
    expect(upwards).toEqual([]);
  });

  it('has a row for every room that there is, and no other', () => {
    const others = (names: readonly string[]): string[] => names.filter((name) => !forAll.includes(name)).sort();
    const rooms = readdirSync(`${ROOT}/src`).map((name) => name.replace(/\.ts$/, ''));
    expect(others(Object.keys(LAW))).toEqual(others(rooms.filter((name) => name !== 'index')));
  });

  describe('lint', () => {
    const eslint = new ESLint({
      cwd: ROOT,
      ruleFilter: ({ ruleId }) => ruleId === 'house/law',
      // The files are made up, so the compiler does not know them; this rule does not ask it.
      overrideConfig: { languageOptions: { parserOptions: { project: null } } },
    });
    const complaints = async (file: string, text: string): Promise<string[]> => {
      const [result] = await eslint.lintText(text, { filePath: `${ROOT}/src/${file}` });
      return result?.messages.map(({ message }) => message) ?? ['was not looked at'];
    };
    const refusal = (from: string, to: string): RegExp => new RegExp(`^src/${from} may not import src/${to} `);

    it.each([
      ['broker/outbox'],
      ['link/link'],
      ['lifecycle/attempt'],
      ['options/options'],
      ['protocols/dialect'],
      ['events'],
      ['index'],
    ])('refuses %s in xml, in tokenizer too', async (path) => {
      const [to = ''] = path.split('/');
      expect(await complaints('xml/x.ts', `import { a } from '../${path}.js';\nconsole.log(a);\n`)).toEqual([
        expect.stringMatching(refusal('xml', to)),
      ]);
      expect(await complaints('xml/tokenizer/x.ts', `export * from '../../${path}.js';\n`)).toEqual([
        expect.stringMatching(refusal('xml', to)),
      ]);
    });

    it.each([
      ["import { a } from '../events.js';\nconsole.log(a);"],
      ["import '../events.js';"],
      ["import type { A } from '../events.js';\nexport const a: A = 1;"],
      ["import a = require('../events.js');\nconsole.log(a);"],
      ["import type a = require('../events.js');\nexport type B = a.A;"],
      ["export { a } from '../events.js';"],
      ["export type { A } from '../events.js';"],
      ["export * from '../events.js';"],
      ["await import('../events.js');"],
      ['await import(`../events.js`);'],
      ["export type A = import('../events.js').A;"],
      ["export type A = typeof import('../events.js');"],
    ])('refuses events in stream: %s', async (text) => {
      expect(await complaints('stream/x.ts', `${text}\n`)).toEqual([
        expect.stringMatching(refusal('stream', 'events')),
      ]);
    });

    it('refuses a new folder and a new file in the root without a row', async () => {
      for (const file of ['attic/x.ts', 'attic.ts']) {
        expect(await complaints(file, 'export {};\n')).toEqual([expect.stringContaining('src/attic has no row')]);
      }
    });

    it.each(['xmpp-broker', 'xmpp-broker/testing'])('refuses the way round: %s', async (name) => {
      expect(await complaints('xml/x.ts', `import * as a from '${name}';\nconsole.log(a);\n`)).toEqual([
        'src/xml may not import the package by its name',
      ]);
    });

    it('allows what the row names, the room itself and what all may import', async () => {
      const text = ['../xml/element.js', './transport.js', '../errors.js', '../logger.js', 'node:net']
        .map((path) => `import '${path}';\n`)
        .join('');
      expect(await complaints('stream/x.ts', text)).toEqual([]);
    });
  });
});

describe('where to find things', () => {
  const read = (path: string): string => readFileSync(`${ROOT}/${path}`, 'utf8');
  const section = read('docs/architecture.md')
    .split(/^## /m)
    .find((text) => text.startsWith('Where to find things'));
  const notes = readdirSync(`${ROOT}/docs/decisions`).filter((name) => name !== 'README.md');

  it.each([
    ['docs/architecture.md', section ?? ''],
    ...['README.md', ...notes].map((name) => [`docs/decisions/${name}`, read(`docs/decisions/${name}`)]),
  ])('%s: every path that it names is there', (_page, text) => {
    const named = [...text.matchAll(/`([^`\n]+)`/g)].map(([, code = '']) => code);
    const paths = named.filter((code) => /^\.?[\w-]+(\/[\w.-]+)+$|^\.?[\w.-]+\.(?:ts|m?js|json)$/.test(code));
    expect(paths.filter((path) => !existsSync(`${ROOT}/${path}`))).toEqual([]);
  });

  it('names a file of every folder', () => {
    const named = new Set([...(section ?? '').matchAll(/`src\/([\w-]+)/g)].map(([, room = '']) => room));
    const folders = Object.keys(LAW).filter((room) => existsSync(`${ROOT}/src/${room}`));
    expect(folders.filter((room) => !named.has(room))).toEqual([]);
  });

  it('the list of decisions has every note, and its page begins with what was decided', () => {
    const rows = read('docs/decisions/README.md').match(/^\| \[.*$/gm) ?? [];
    expect(rows.map((row) => /^\| \[[^\]]*\]\(([\w-]+\.md)\) \| \S/.exec(row)?.[1] ?? row).sort()).toEqual(
      notes.sort(),
    );
    expect(notes.filter((name) => !/^# \S.*\n\n\S/.test(read(`docs/decisions/${name}`)))).toEqual([]);
  });
});

describe('the circle check', () => {
  const look = async (baseDir: string): Promise<ICruiseResult> => {
    const { output } = await cruise(['src'], {
      baseDir,
      validate: true,
      ruleSet: { forbidden: circles.forbidden ?? [] },
      tsPreCompilationDeps: true,
      doNotFollow: { path: 'node_modules' },
      enhancedResolveOptions: circles.options.enhancedResolveOptions ?? {},
    });
    return output as ICruiseResult;
  };

  /** The rules that a source tree of these files breaks. */
  const broken = async (files: Readonly<Record<string, string>>): Promise<string[]> => {
    const folder = mkdtempSync(join(tmpdir(), 'xmpp-broker-circle-'));
    try {
      for (const [file, text] of Object.entries(files)) {
        mkdirSync(dirname(join(folder, 'src', file)), { recursive: true });
        writeFileSync(join(folder, 'src', file), `${text}\n`);
      }
      const { summary } = await look(folder);
      return [...new Set(summary.violations.map(({ rule }) => rule.name))].sort();
    } finally {
      rmSync(folder, { recursive: true });
    }
  };

  it('finds every circle that is listed, and no other', async () => {
    const { modules, summary } = await look(ROOT);
    expect(summary.violations).toEqual([]);
    const inCircles = modules.filter(({ source, dependencies }) =>
      dependencies.some(({ circular, resolved }) => circular && resolved !== source),
    );
    expect(CIRCLES.flatMap(({ files }) => files).sort()).toEqual(inCircles.map(({ source }) => source).sort());
  });

  it('refuses a circle in a room, of types too', async () => {
    const type = "export type A = import('./b.js').B;";
    expect(await broken({ 'xml/a.ts': type, 'xml/b.ts': "export type { A as B } from './a.js';" })).toEqual(['circle']);
  });

  it('refuses a circle of two rooms, whichever files it leads through', async () => {
    const files = {
      'dial/a.ts': "import '../tls/a.js';",
      'dial/b.ts': 'export type B = 1;',
      'tls/a.ts': 'export {};',
      'tls/b.ts': "import type { B } from '../dial/b.js';\nexport type C = B;",
    };
    expect(await broken(files)).toEqual(['circle-between-folders']);
  });

  it('refuses a listed circle that grows', async () => {
    const [circle] = CIRCLES;
    const [first = ''] = circle?.files ?? [];
    const name = first.replace(/^src\//, '');
    const back = `import './${basename(name, '.ts')}.js';`;
    expect(await broken({ [name]: "import './new.js';", [join(dirname(name), 'new.ts')]: back })).toEqual([
      'circle',
      'circle-grows-1',
    ]);
  });

  it('refuses a package that users do not get', async () => {
    const files = {
      '../package.json': '{ "devDependencies": { "tool": "1" } }',
      '../node_modules/tool/package.json': '{ "name": "tool", "main": "tool.js" }',
      '../node_modules/tool/tool.js': '',
      'xml/a.ts': "import 'tool';",
      'xml/b.ts': "import 'nobody-has-this';",
    };
    expect(await broken(files)).toEqual(['nowhere', 'only-what-users-get']);
  });
});
