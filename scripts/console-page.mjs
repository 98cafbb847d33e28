// Makes the plain files of the console's page out of src/console/page: one script with what it needs, one style sheet, and
// the licences of what was taken in. The package needs none of that when it is installed.
//
//   node scripts/console-page.mjs [TARGET]      a folder instead of dist/console/page/
import { copyFileSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { rolldown } from 'rolldown';

const root = fileURLToPath(new URL('..', import.meta.url));
const page = join(root, 'src/console/page');

/** Packages that are taken in. Nothing else may be. */
const TAKEN_IN = ['preact', 'uplot'];

/** What their licences ask for. */
function licences() {
  const texts = TAKEN_IN.map((name) => {
    const folder = join(root, 'node_modules', name);
    const { version, license } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
    const text = readFileSync(join(folder, 'LICENSE'), 'utf8').trim();
    return `${name} ${version} (${license})\n\n${text}`;
  });
  return `/*!\nThe console of xmpp-broker. In it are, under their own licences:\n\n${texts.join('\n\n')}\n*/`;
}

/** Writes the files of the page. */
export async function buildPage(target) {
  rmSync(target, { recursive: true, force: true });
  mkdirSync(target, { recursive: true });
  const bundle = await rolldown({
    input: join(page, 'main.tsx'),
    platform: 'browser',
    tsconfig: join(page, 'tsconfig.json'),
    external: (id) => /^[^./]/.test(id) && !TAKEN_IN.some((name) => id === name || id.startsWith(`${name}/`)),
    checks: { pluginTimings: false },
    onLog: (level, log, next) => {
      if (log.code === 'UNRESOLVED_IMPORT') throw new Error(log.message);
      next(level, log);
    },
  });
  await bundle.write({
    file: join(target, 'page.js'),
    format: 'esm',
    minify: true,
    comments: false,
    postBanner: licences(),
  });
  await bundle.close();
  // What stands further down counts more.
  const own = ['base', 'layout', 'parts', 'narrow'].map((name) => `src/console/page/${name}.css`);
  const styles = ['node_modules/uplot/dist/uPlot.min.css', ...own];
  const css = styles.map((path) => readFileSync(join(root, path), 'utf8').trim()).join('\n');
  writeFileSync(join(target, 'page.css'), `${licences()}\n${css}\n`);
  for (const file of ['index.html', 'icon.svg']) copyFileSync(join(page, file), join(target, file));
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  await buildPage(resolve(root, process.argv[2] ?? 'dist/console/page'));
}
