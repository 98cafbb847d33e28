// Makes the few files that are published out of the many modules that the compiler wrote to build/: each file that has to
// be found, read and linked costs a program some of its start. Types stay as the compiler wrote them to dist/. A debugger,
// and `node --enable-source-maps`, shows the sources as they were written.
//
//   node scripts/bundle.mjs [TARGET]      a folder instead of dist/
import { mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { rolldown, RolldownMagicString } from 'rolldown';
import { buildPage } from './console-page.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const { exports, bin } = JSON.parse(readFileSync(`${root}/package.json`, 'utf8'));

/** Files that a thread begins with: they are found beside the file that starts it. */
const threads = ['./dist/stores/sqlite-writer.js'];

/** What can be imported or run, by its path below dist/ without the ending. */
const entries = [...Object.values(exports).map(({ default: path }) => path), ...Object.values(bin), ...threads]
  .filter((path) => path !== undefined)
  .map((path) => /^\.\/dist\/(.+)\.js$/.exec(path)[1]);

/** Takes the compiler's source maps over, so that ours lead to the sources and not to build/. */
const compiled = {
  name: 'compiled',
  load(path) {
    const map = JSON.parse(readFileSync(`${path}.map`, 'utf8'));
    map.sources = map.sources.map((source) => resolve(dirname(path), source));
    map.sourcesContent = map.sources.map((source) => readFileSync(source, 'utf8'));
    return { code: readFileSync(path, 'utf8'), map };
  },
};

/**
 * Writes characters outside of Latin-1 as escapes: all of them are in strings and templates. With a single one among
 * them, the engine would keep all of the file in two bytes for each character.
 */
const narrow = {
  name: 'narrow',
  renderChunk(code) {
    const text = new RolldownMagicString(code);
    // Whole characters, as both halves of a pair are one for who overwrites.
    for (const { 0: character, index } of code.matchAll(/[^\0-\xff]/gu)) {
      const units = Array.from({ length: character.length }, (_, at) => character.charCodeAt(at));
      const escapes = units.map((unit) => `\\u${unit.toString(16).padStart(4, '0')}`);
      text.overwrite(index, index + character.length, escapes.join(''));
    }
    return { code: text.toString(), map: JSON.parse(text.generateMap({ hires: true }).toString()) };
  },
};

const bundle = await rolldown({
  input: Object.fromEntries(entries.map((entry) => [entry, `${root}/build/${entry}.js`])),
  // Packages and Node's own modules are imported, not taken in.
  external: /^[^./]/,
  platform: 'node',
  plugins: [compiled, narrow],
  // No module does anything but to define, so what nobody imports can go.
  checks: { pluginTimings: false },
  treeshake: { moduleSideEffects: false },
});
const target = resolve(root, process.argv[2] ?? 'dist');
mkdirSync(target, { recursive: true });
for (const path of readdirSync(target, { recursive: true })) {
  if (/\.js(\.map)?$/.test(path)) rmSync(join(target, path));
}
await bundle.write({
  dir: target,
  format: 'esm',
  sourcemap: true,
  minify: false,
  comments: false,
  chunkFileNames: 'shared/[name].js',
});
await bundle.close();
await buildPage(join(target, 'console/page'));
