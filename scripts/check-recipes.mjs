// Tries the cookbook as a new user would: an empty project, the package as it would be published, the commands of the
// pages, each program pasted as it is. They must compile, and do what the tests of the cookbook want of them. Run after the
// build.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { nodeRelease } from './runtimes.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const cookbook = join(root, 'docs', 'cookbook');
/** One that runs TypeScript as it is. */
const NODE = 24;
/** The project, empty at first. */
const project = mkdtempSync(join(tmpdir(), 'xmpp-broker-recipes-'));

/** For each command: what hangs is a failure. */
const TIMEOUT_MS = 900_000;

function run(cwd, env, command, ...args) {
  const options = { cwd, stdio: 'inherit', env: { ...process.env, ...env }, timeout: TIMEOUT_MS };
  const { status, signal } = spawnSync(command, args, options);
  if (status !== 0) throw new Error(`${command} ${args.join(' ')} ended with ${status ?? signal}`);
}
const npm = (...args) => run(project, { npm_config_audit: 'false', npm_config_fund: 'false' }, 'npm', ...args);

/** What the pages say is to be installed, beside the package itself. */
function packagesOf(text) {
  const lines = [...text.matchAll(/^npm install (?:--save-dev )?(?<names>.+)$/gm)];
  return lines.flatMap(({ groups }) => groups.names.split(' ')).filter((name) => name !== 'xmpp-broker');
}

function main() {
  const pages = readdirSync(cookbook).map((name) => ({ name, text: readFileSync(join(cookbook, name), 'utf8') }));
  run(root, {}, 'npm', 'pack', '--ignore-scripts', '--silent', '--pack-destination', project);
  const tarball = readdirSync(project).find((name) => name.endsWith('.tgz'));
  npm('init', '--yes', '--silent');
  npm('pkg', 'set', 'type=module');
  npm('install', join(project, tarball), ...new Set(pages.flatMap(({ text }) => packagesOf(text))));
  npm('install', '--save-dev', 'typescript@6', '@types/node@24');

  const programs = pages.flatMap(({ name, text }) =>
    [...text.matchAll(/^```ts\n(?<source>[^]*?)^```$/gm)].map(({ groups }, i) => {
      const file = `pasted-${name.replace('.md', '')}-${i + 1}.ts`;
      writeFileSync(join(project, file), groups.source);
      return file;
    }),
  );
  const strict = ['--strict', '--exactOptionalPropertyTypes', '--noUncheckedIndexedAccess', '--erasableSyntaxOnly'];
  const settings = ['--noEmit', '--module', 'nodenext', '--target', 'es2023', '--types', 'node', '--skipLibCheck'];
  run(project, {}, 'npx', 'tsc', ...settings, ...strict, ...programs);

  const node = nodeRelease(NODE);
  if ('missing' in node) throw new Error(`there is no Node ${NODE}: ${node.missing}`);
  const vitest = join(root, 'node_modules', 'vitest', 'vitest.mjs');
  const tests = ['test/servers/cookbook', 'test/stores/forwarder.test.ts'];
  run(root, { XMPP_BROKER_PROJECT: project }, node.path, vitest, 'run', ...tests);
  console.log(`recipes: ${programs.length} programs work in an empty project`);
}

try {
  main();
} catch (error) {
  console.error(`recipes: ${error.message}`);
  process.exitCode = 1;
} finally {
  rmSync(project, { recursive: true, force: true });
}
