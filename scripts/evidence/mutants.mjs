// Each check taken out of the sources, one at a time: some test has to fail. Which tests see a check refuse is noted first, in
// one run of all of them; only those can tell that it is gone.
import { spawnSync } from 'node:child_process';
import { appendFileSync, existsSync, readFileSync, rmSync, statSync } from 'node:fs';
import { join, relative } from 'node:path';
import { createVitest } from 'vitest/node';
import { count, provenance, ROOT } from './facts.mjs';
import { checkedFiles, guardsIn } from './mutants/guards.mjs';
import { bars } from './plot.mjs';

const PROJECTS = ['unit', 'wire'];
/** Files that are run first; the others only where these tell nothing. */
const FIRST = 2;

/** Tests that are not done by then hang without the check, which is a way of missing it. */
const HANGS_MS = 60_000;

/** Ends the processes of this run that tests are in. */
function killWorkers() {
  const { stdout } = spawnSync('pgrep', ['-P', String(process.pid)], { encoding: 'utf8' });
  for (const pid of stdout.trim().split('\n').map(Number).filter(Boolean)) {
    try {
      process.kill(pid, 'SIGKILL');
    } catch {
      // It is gone.
    }
  }
}

const allGuards = () => checkedFiles().flatMap((path) => guardsIn(path));

/** The tests by project and file, which need no building, servers or long times. */
async function openVitest(bail) {
  const options = {
    watch: false,
    bail,
    reporters: [{}],
    maxWorkers: 2,
    testTimeout: 20_000,
    coverage: { enabled: false },
  };
  return createVitest('test', { ...options, project: PROJECTS, root: ROOT });
}

/** Which test files see each check refuse. */
async function notedTests(path) {
  if (!existsSync(path)) {
    console.log('evidence: mutants: one run of all tests, to see which check refuses where');
    const scratch = `${path}.part`;
    rmSync(scratch, { force: true });
    process.env.XMPP_BROKER_NOTED = scratch;
    const vitest = await openVitest(0);
    await vitest.start();
    await vitest.close();
    delete process.env.XMPP_BROKER_NOTED;
    const noted = readFileSync(scratch, 'utf8')
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    // Below the checkout, so that another one can go on with it.
    const lines = noted.map(([key, file]) => JSON.stringify([key, relative(ROOT, file)]));
    appendFileSync(path, `${[...new Set(lines)].join('\n')}\n`);
    rmSync(scratch);
  }
  const seen = new Map();
  for (const line of readFileSync(path, 'utf8').trim().split('\n')) {
    const [key, file] = JSON.parse(line);
    seen.set(key, [...(seen.get(key) ?? []), join(ROOT, file)]);
  }
  return seen;
}

/** Unit tests first, and short files before long ones. */
const order = (file) => (file.includes('/unit/') ? 0 : 1_000_000) + statSync(file).size;

/** The test that fails without the check; null when none does. */
async function killer(vitest, guard, files) {
  const sorted = files.filter((file) => existsSync(file)).sort((one, other) => order(one) - order(other));
  const mutated = join(ROOT, guard.path);
  for (const some of [sorted.slice(0, FIRST), sorted.slice(FIRST)]) {
    if (some.length === 0) continue;
    process.env.XMPP_BROKER_MUTANT = guard.key;
    vitest.invalidateFile(mutated);
    const specs = (await vitest.globTestSpecifications()).filter(({ moduleId }) => some.includes(moduleId));
    const watch = setTimeout(killWorkers, HANGS_MS);
    const { testModules, unhandledErrors } = await vitest.runTestSpecifications(specs);
    clearTimeout(watch);
    delete process.env.XMPP_BROKER_MUTANT;
    vitest.invalidateFile(mutated);
    // Vitest remembers what failed in earlier runs, too.
    const failed = testModules.find((module) => some.includes(module.moduleId) && module.state() === 'failed');
    if (failed !== undefined) {
      const [test] = [...failed.children.allTests('failed')];
      return `${relative(join(ROOT, 'test'), failed.moduleId)}: ${test?.fullName ?? 'does not load'}`;
    }
    if (unhandledErrors.length > 0)
      return `${relative(join(ROOT, 'test'), some[0])}: ${String(unhandledErrors[0]?.message)}`;
  }
  return null;
}

async function run({ size, book }) {
  const noted = await notedTests(`${book.path}.noted`);
  const done = new Set(book.read().map(({ key }) => key));
  const left = allGuards()
    .filter(({ key }) => !done.has(key))
    .slice(0, Math.max(0, size - done.size));
  if (left.length === 0) return true;
  const vitest = await openVitest(1);
  for (const guard of left) {
    const files = noted.get(guard.key) ?? [];
    const began = Date.now();
    const by = files.length === 0 ? null : await killer(vitest, guard, files);
    const line = { key: guard.key, path: guard.path, refused: files.length, by, ms: Date.now() - began };
    appendFileSync(book.path, `${JSON.stringify(line)}\n`);
    if (by === null) console.log(`evidence: ${guard.path}:${guard.line}: nothing fails without it: ${guard.key}`);
  }
  await vitest.close();
  return true;
}

function report({ size, book }) {
  const lines = book.read();
  const alive = lines.filter(({ by }) => by === null);
  const folders = [...new Set(lines.map(({ path }) => path.split('/')[1]))].sort();
  const of = (folder, list) => list.filter(({ path }) => path.split('/')[1] === folder).length;
  const rows = folders.map((name) => ({ name, value: of(name, lines), wrong: of(name, alive) }));
  return {
    title: 'each check taken out',
    unit: 'checks',
    cases: lines.length,
    text: [
      'A check is an `if` or a `? :` that leads to a refusal, or one part of an "and" that is returned, in the code that sees what',
      'others send. Each is taken out of the sources alone, and some test has to fail then. Wrong is one that no test misses.',
      'Some cannot be reached: others have refused before, and it stands there in case they are changed.',
      'mutants.json tells for each check which test misses it.',
    ],
    facts: {
      ...provenance(`npm run evidence -- --only mutants --size ${size}`),
      wrong: alive.map(({ key, refused }) => ({
        seed: null,
        where: key,
        what: refused === 0 ? 'no test sees it refuse' : 'no test misses it',
      })),
      checks: lines.map(({ key, by }) => ({ check: key, missedBy: by })),
    },
    figures: {
      bullets: [`- Checks: ${count(lines.length)} checks of ${count(allGuards().length)}`],
      tables: [
        '| room | checks | wrong |',
        '| --- | --: | --: |',
        ...rows.map(({ name, value, wrong }) => `| ${name} | ${value} | ${wrong} |`),
      ],
    },
    plots: { rooms: bars(rows, 'checks') },
  };
}

export const mutants = { name: 'mutants', size: 10_000, run, report };
