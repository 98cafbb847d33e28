// Checks that the package may be published, and publishes it when told to: `npm run release -- --publish`.
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { problemsOf } from './release-problems.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const read = (name) => readFileSync(`${root}/${name}`, 'utf8');

/** Runs a command in the checkout; its output is shown. */
function run(command, ...args) {
  const { status } = spawnSync(command, args, { cwd: root, stdio: 'inherit' });
  return status === 0;
}

const { stdout, status } = spawnSync('git', ['status', '--porcelain'], { cwd: root, encoding: 'utf8' });
const problems = problemsOf({
  manifest: JSON.parse(read('package.json')),
  changelog: read('CHANGELOG.md'),
  uncommitted: status === 0 ? stdout : 'git does not know this folder',
});
for (const problem of problems) console.error(`release: ${problem}`);
if (problems.length > 0) process.exit(1);

const publish = process.argv.includes('--publish');
// Only a CI service that gives out identity tokens can vouch for the build.
const provenance =
  (process.env['ACTIONS_ID_TOKEN_REQUEST_URL'] ?? process.env['SIGSTORE_ID_TOKEN']) ? ['--provenance'] : [];
const ok =
  run('npm', 'run', 'build') &&
  run('node', 'scripts/check-package.mjs') &&
  run('npm', 'publish', '--access', 'public', ...provenance, ...(publish ? [] : ['--dry-run']));
process.exitCode = ok ? 0 : 1;
