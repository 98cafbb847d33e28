// `npm test`: everything from a fresh clone. Installs the dependencies when they are missing, brings the test servers
// where it may (scripts/provision.mjs), runs all suites and says at the end which ran and which were left out. The suites of
// the store run on Node 24, which has SQLite; it is brought when another Node runs this (scripts/runtimes.mjs).
// Arguments go to vitest: `npm test -- --project unit`, `npm test -- test/unit/jid.test.ts`.
// Plain Node without dependencies: this runs before anything is installed.
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, existsSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { provision } from './provision.mjs';
import { nodeRelease } from './runtimes.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const args = process.argv.slice(2);

/** A Node with SQLite. */
const STORE_RELEASE = 24;

function run(program, ...command) {
  return spawnSync(program, command, { cwd: root, stdio: 'inherit' }).status ?? 1;
}

/** npm writes this file last: without it node_modules is missing or was left half done. */
function installDependencies() {
  if (existsSync(join(root, 'node_modules', '.package-lock.json'))) return;
  console.log('test: the dependencies are missing, npm ci');
  const npm = process.env.npm_execpath;
  const status =
    npm === undefined
      ? spawnSync('npm', ['ci'], { cwd: root, stdio: 'inherit' }).status
      : run(process.execPath, npm, 'ci');
  if (status !== 0) {
    console.error('test: npm ci failed, see above');
    process.exit(1);
  }
}

/** The projects that the arguments name, none: all of them. */
const projects = args.flatMap((arg, i) => {
  if (arg === '--project') return [args[i + 1] ?? ''];
  return arg.startsWith('--project=') ? [arg.slice('--project='.length)] : [];
});

/** Whether the tests of a project are among what the arguments select. */
function wants(project) {
  return projects.length === 0 || projects.some((name) => name.includes(project) || /[*!]/.test(name));
}

/** What passed at its second try, and why the first one failed: somebody has to look at it all the same. */
const secondTries = [];

/** Counts by suite (the folder below test/) from vitest's report. */
function countResults(file, suites) {
  const report = existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : { testResults: [] };
  for (const { name, status, assertionResults } of report.testResults) {
    const [, suite = 'other'] = relative(root, name).split(sep);
    const counts = suites.get(suite) ?? { passed: 0, failed: 0, skipped: 0 };
    suites.set(suite, counts);
    for (const test of assertionResults) {
      if (test.status === 'passed' || test.status === 'failed') counts[test.status]++;
      else counts.skipped++;
      const [why = ''] = test.failureMessages ?? [];
      if (test.status === 'passed' && why !== '') secondTries.push(`${test.fullName}\n      ${why.split('\n')[0]}`);
    }
    // A file that could not be loaded has no tests to fail.
    if (status === 'failed' && !assertionResults.some((test) => test.status === 'failed')) counts.failed++;
  }
}

const line = ({ passed, failed, skipped }) => `${passed} passed, ${failed} failed, ${skipped} skipped`;

const vitest = join(root, 'node_modules', 'vitest', 'vitest.mjs');

/** Runs suites on a Node, and adds what came of them. What is printed goes into a file, if there is one. @returns the exit code */
async function runSuites(program, suites, selection, into = 'inherit') {
  const folder = mkdtempSync(join(tmpdir(), 'xmpp-broker-test-'));
  const report = join(folder, 'report.json');
  const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${report}`];
  const child = spawn(program, [vitest, 'run', ...reporters, ...selection], {
    cwd: root,
    stdio: ['inherit', into, into],
  });
  const [code] = await once(child, 'exit');
  countResults(report, suites);
  rmSync(folder, { recursive: true, force: true });
  return code ?? 1;
}

/**
 * The suites of the store on the Node that is for them, and at the same time all others on this one. The suites of the store
 * wait for disks and servers most of the time; what they print comes at the end. @returns the exit code
 */
async function runApart(storeNode, suites) {
  const rest = args.filter((arg, i) => !arg.startsWith('--project') && args[i - 1] !== '--project');
  const others = projects.length === 0 ? ['!stores'] : projects.filter((name) => name !== 'stores');
  // Files that are named may all be of one of the two.
  const select = (names) => [...names.map((name) => `--project=${name}`), '--passWithNoTests', ...rest];
  const stores = select(['stores']);
  if (others.length === 0) return runSuites(storeNode, suites, stores);
  if (!rest.some((arg) => arg.startsWith('--maxWorkers'))) stores.push('--maxWorkers=1');
  const folder = mkdtempSync(join(tmpdir(), 'xmpp-broker-stores-'));
  const printed = join(folder, 'printed');
  const into = openSync(printed, 'w');
  const statuses = await Promise.all([
    runSuites(process.execPath, suites, select(others)),
    runSuites(storeNode, suites, stores, into),
  ]);
  closeSync(into);
  console.log(`test: the suites of the store, on Node ${STORE_RELEASE}`);
  process.stdout.write(readFileSync(printed));
  rmSync(folder, { recursive: true, force: true });
  return statuses.find((status) => status !== 0) ?? 0;
}

async function main() {
  installDependencies();
  const missing = wants('servers') || wants('browser') ? provision() : [];
  const store = wants('stores') ? nodeRelease(STORE_RELEASE) : { path: process.execPath };
  if ('missing' in store) missing.push(`a Node with SQLite (${store.missing})`);

  const suites = new Map();
  const { path: storeNode = process.execPath } = store;
  let status = await (storeNode === process.execPath
    ? runSuites(process.execPath, suites, args)
    : runApart(storeNode, suites));

  const total = { passed: 0, failed: 0, skipped: 0 };
  console.log('\ntest: suites that ran');
  for (const [suite, counts] of [...suites].sort()) {
    for (const key of Object.keys(total)) total[key] += counts[key];
    console.log(`  ${suite.padEnd(12)} ${line(counts)}`);
  }
  for (const each of secondTries) console.log(`test: PASSED AT THE SECOND TRY ONLY: ${each}`);
  if (missing.length > 0) {
    console.log(`test: LEFT OUT: what needs ${missing.join(', ')} (not installed, see above)`);
    if (process.env.CI === 'true') status ||= 1;
  }
  if (status !== 0 && total.failed === 0) {
    console.log('test: the run failed outside of a test, see above; counted as one failure');
    total.failed = 1;
  }
  console.log(line(total));
  if (process.env.XMPP_BROKER_SUMMARY !== undefined) writeFileSync(process.env.XMPP_BROKER_SUMMARY, `${line(total)}\n`);
  process.exitCode = status;
}

await main();
