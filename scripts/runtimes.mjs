// Brings what tests need and `npm ci` does not: another release of Node, whose npm package for this platform is
// a plain binary, Bun, Jazzer.js, and better-sqlite3, which compiles for a minute or more where no binary of it can be had. Both are kept
// in .cache/runtimes. XMPP_BROKER_NO_INSTALL=1 forbids it. Plain Node without dependencies.
//
//   node scripts/runtimes.mjs node 24          prints the path of the program
//   node scripts/runtimes.mjs better-sqlite3   prints the folder to be named in NODE_PATH
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const home = fileURLToPath(new URL('../.cache/runtimes/', import.meta.url));
const say = (text) => console.error(`runtimes: ${text}`);

/** Installs one package into a folder of its own. @returns why it could not, or null */
function install(folder, seconds, ...args) {
  if (process.env.XMPP_BROKER_NO_INSTALL === '1') return 'XMPP_BROKER_NO_INSTALL=1 forbids installing packages';
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'package.json'), '{ "private": true }\n');
  const npm = process.env.npm_execpath;
  const [command, before] = npm?.endsWith('.js') ? [process.execPath, [npm]] : ['npm', []];
  const { status, signal, error } = spawnSync(
    command,
    [...before, 'install', '--no-save', '--no-audit', '--no-fund', ...args],
    // npm of the same Node, whatever npm runs this; its own settings of a run do not go with it.
    { cwd: folder, stdio: ['ignore', 2, 2], timeout: seconds * 1_000 },
  );
  if (status === 0) return null;
  return signal === 'SIGTERM'
    ? `it took longer than ${seconds} s`
    : `npm failed, see above${error ? ` (${error.message})` : ''}`;
}

/** Whether a program runs and says what it should. */
function works(command, args, env = {}) {
  return spawnSync(command, args, { stdio: 'ignore', env: { ...process.env, ...env } }).status === 0;
}

/**
 * A release of Node.
 * @returns {{ path: string } | { missing: string }} the program, or why there is none
 */
export function nodeRelease(release) {
  if (process.versions.node.split('.')[0] === String(release)) return { path: process.execPath };
  const name = `node-${process.platform}-${process.arch}`;
  const folder = join(home, `node-${release}`);
  const path = join(folder, 'node_modules', name, 'bin', 'node');
  if (!existsSync(path)) {
    say(`npm install ${name}@${release} into .cache/runtimes`);
    const problem = install(folder, 300, '--ignore-scripts', `${name}@${release}`);
    if (problem !== null) return { missing: `Node ${release} could not be brought: ${problem}` };
  }
  return works(path, ['--version']) ? { path } : { missing: `Node ${release} was brought, but does not run here` };
}

/**
 * better-sqlite3, for the Node that runs this.
 * @returns {{ path: string } | { missing: string }} the folder to be named in NODE_PATH, or why there is none
 */
export function betterSqlite3() {
  const folder = join(home, `better-sqlite3-${process.versions.modules}`);
  const path = join(folder, 'node_modules');
  const loads = () =>
    works(process.execPath, ['-e', "new (require('better-sqlite3'))(':memory:')"], { NODE_PATH: path });
  if (loads()) return { path };
  say('npm install better-sqlite3@12 into .cache/runtimes; it may have to compile, for at most ten minutes');
  const problem = install(folder, 600, 'better-sqlite3@12');
  if (problem !== null) return { missing: `better-sqlite3 could not be brought: ${problem}` };
  return loads() ? { path } : { missing: 'better-sqlite3 was installed, but cannot be loaded' };
}

/**
 * Bun, whose npm package for this platform is a plain binary, too.
 * @returns {{ path: string } | { missing: string }} the program, or why there is none
 */
export function bun() {
  const name = `@oven/bun-${process.platform}-${process.arch === 'arm64' ? 'aarch64' : process.arch}`;
  const folder = join(home, 'bun');
  const path = join(folder, 'node_modules', name, 'bin', 'bun');
  if (!existsSync(path)) {
    say(`npm install ${name} into .cache/runtimes`);
    const problem = install(folder, 300, '--ignore-scripts', name);
    if (problem !== null) return { missing: `Bun could not be brought: ${problem}` };
  }
  return works(path, ['--version']) ? { path } : { missing: 'Bun was brought, but does not run here' };
}

/**
 * Jazzer.js, the fuzzer. Its binary needs a C library of 2023 or newer.
 * @param program the Node that is to run it
 * @returns {{ path: string } | { missing: string }} the folder of the packages, or why there is none
 */
export function jazzer(program) {
  const folder = join(home, 'jazzer-4');
  const path = join(folder, 'node_modules');
  const loads = () => works(program, ['-e', "require('@jazzer.js/fuzzer')"], { NODE_PATH: path });
  if (loads()) return { path };
  if (!existsSync(join(path, '@jazzer.js', 'fuzzer'))) {
    say('npm install @jazzer.js/core@4 into .cache/runtimes');
    const problem = install(folder, 300, '--ignore-scripts', '@jazzer.js/core@4');
    if (problem !== null) return { missing: `Jazzer.js could not be brought: ${problem}` };
  }
  return loads() ? { path } : { missing: 'Jazzer.js was brought, but this system cannot load its binary (glibc 2.38)' };
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [, , what, release] = process.argv;
  const brought = what === 'node' ? nodeRelease(release) : betterSqlite3();
  if ('missing' in brought) {
    say(`LEFT OUT: ${brought.missing}`);
    process.exitCode = 1;
  } else console.log(brought.path);
}
