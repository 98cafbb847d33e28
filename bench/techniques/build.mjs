/** Copies of the built package, each without one technique. */
import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../../', import.meta.url));

/**
 * A text with a patch made.
 * @throws Error if it is not there as often as it should: the code has changed, and the patch has to follow
 */
export function patched(text, { file, find, put, times }) {
  const found = text.match(
    typeof find === 'string' ? new RegExp(RegExp.escape?.(find) ?? escaped(find), 'g') : new RegExp(find, 'g'),
  );
  if (found?.length !== times) {
    throw new Error(`${file} has ${found?.length ?? 0} and not ${times} of ${find}: the patch does not fit any more`);
  }
  return typeof find === 'string' ? text.replaceAll(find, put) : text.replace(new RegExp(find, 'g'), put);
}

const escaped = (text) => text.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&');

/**
 * Makes a copy of the modules in `build/` in a new folder.
 * @returns the folder of the built package
 */
export function variant(folder, { patches = [], compile = null } = {}) {
  mkdirSync(folder, { recursive: true });
  symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'));
  cpSync(join(root, 'package.json'), join(folder, 'package.json'));
  const dist = join(folder, 'dist');
  if (compile === null) cpSync(join(root, 'build'), dist, { recursive: true });
  else compiled(dist, compile);
  for (const patch of patches) {
    const path = join(dist, patch.file);
    writeFileSync(path, patched(readFileSync(path, 'utf8'), patch));
  }
  return dist;
}

function compiled(dist, options) {
  const tsc = join(root, 'node_modules/typescript-7/bin/tsc');
  const args = [
    tsc,
    '-p',
    join(root, 'tsconfig.build.json'),
    '--outDir',
    dist,
    '--declaration',
    'false',
    '--declarationDir',
    'null',
    ...options,
  ];
  const { status, stdout } = spawnSync(process.execPath, args, { encoding: 'utf8' });
  if (status !== 0) throw new Error(`tsc ${options.join(' ')} failed\n${stdout}`);
}
