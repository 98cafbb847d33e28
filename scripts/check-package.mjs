// Checks that the npm package holds what users need and nothing else. Run after the build.
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const { exports, bin } = JSON.parse(readFileSync(`${root}/package.json`, 'utf8'));

/** What may be in it: compiled code with its types, and the papers. */
const ALLOWED = /^(package\.json|README\.md|LICENSE|CHANGELOG\.md|dist\/.+\.(js|d\.ts))$/;
/** Tests and tools must not slip in through dist. */
const FORBIDDEN = /(^|\/)(test|tests|bench|scripts|examples)\/|\.test\.|\.tsbuildinfo$|\.map$/;

const packed = spawnSync('npm', ['pack', '--dry-run', '--json', '--ignore-scripts'], { cwd: root, encoding: 'utf8' });
if (packed.status !== 0) {
  console.error(`package: npm pack failed\n${packed.stderr}`);
  process.exit(1);
}
const [{ files, size }] = JSON.parse(packed.stdout);
const paths = files.map((file) => file.path);

const targets = Object.values(exports).flatMap((target) =>
  typeof target === 'string' ? [target] : Object.values(target),
);
const needed = [...targets, ...Object.values(bin ?? {})].map((path) => path.replace(/^\.\//, ''));
const problems = [
  ...['README.md', 'LICENSE', 'CHANGELOG.md', ...needed]
    .filter((path) => !paths.includes(path))
    .map((path) => `${path} is missing`),
  ...paths
    .filter((path) => !ALLOWED.test(path) || FORBIDDEN.test(path.replace(/^dist\/testing\//, 'dist/')))
    .map((path) => `${path} does not belong in it`),
];
for (const problem of problems) console.error(`package: ${problem}`);
console.log(`package: ${paths.length} files, ${Math.round(size / 1024)} KiB packed`);
process.exitCode = problems.length > 0 ? 1 : 0;
