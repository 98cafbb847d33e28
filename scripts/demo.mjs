// `npm run demo`: in a fresh clone installs what is missing, builds, and runs the demo of the command.
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));

function run(command, args) {
  const { status, error } = spawnSync(command, args, {
    cwd: root,
    stdio: 'inherit',
    shell: process.platform === 'win32',
  });
  if (error !== undefined) console.error(`${command} could not be run: ${error.message}`);
  if (status !== 0) process.exit(status ?? 1);
}

if (!existsSync(new URL('../node_modules/typescript', import.meta.url))) run('npm', ['ci']);
run('npm', ['run', '--silent', 'build']);
run(process.execPath, ['dist/cli/main.js', 'demo', ...process.argv.slice(2)]);
