import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { ROOT } from './facts.mjs';

/** Runs one test file, and tells its exit code. What it finds it writes into the book. */
export function runTests(node, project, file, variables, more = []) {
  const vitest = join(ROOT, 'node_modules', 'vitest', 'vitest.mjs');
  const args = [vitest, 'run', `--project=${project}`, '--maxWorkers=1', '--retry=0', file, ...more];
  const env = { ...process.env, ...variables };
  return spawnSync(node, args, { cwd: ROOT, env, stdio: ['ignore', 'ignore', 'inherit'] }).status;
}

export const anySeed = () => 1 + Math.floor(Math.random() * (2 ** 31 - 1));
