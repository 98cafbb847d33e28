// What every report says of where its figures come from.
import { spawnSync } from 'node:child_process';
import { cpus } from 'node:os';
import { fileURLToPath } from 'node:url';

export const ROOT = fileURLToPath(new URL('../..', import.meta.url));

export const sum = (list, what) => list.reduce((total, one) => total + what(one), 0);
export const count = (value) => value.toLocaleString('en');

const git = (...args) => spawnSync('git', args, { cwd: ROOT, encoding: 'utf8' }).stdout.trim();

/** @param node the program that ran the tests */
export const provenance = (command, node = process.execPath) => ({
  command,
  date: new Date().toISOString().slice(0, 10),
  commit: git('rev-parse', '--short', 'HEAD'),
  node: spawnSync(node, ['--version'], { encoding: 'utf8' }).stdout.trim(),
  machine: `${cpus()[0]?.model ?? 'unknown'}, ${cpus().length} cores`,
});
