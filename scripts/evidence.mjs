// `npm run evidence -- --only durable [--size 10000] [--places loopback,prosody,ejabberd]`: what the tests show in small, at
// full size. What was done is kept in .cache/evidence: a run that was ended goes on where it was, and a larger size adds to
// it. `--fresh` begins anew. The report is written to docs/evidence.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { nodeRelease } from './runtimes.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const cache = join(root, '.cache', 'evidence');
const SUBJECTS = ['durable'];
/** Kills with one queue, one after the other. */
const BATCH = 100;

const { values } = parseArgs({
  options: {
    only: { type: 'string', default: SUBJECTS.join(',') },
    size: { type: 'string', default: '10000' },
    places: { type: 'string', default: 'loopback,prosody,ejabberd' },
    fresh: { type: 'boolean', default: false },
  },
});
const size = Number(values.size);
const unknown = values.only.split(',').filter((name) => !SUBJECTS.includes(name));
if (unknown.length > 0 || !Number.isInteger(size) || size < 1) {
  console.error(`evidence: --only takes ${SUBJECTS.join(', ')}, and --size a whole number of kills`);
  process.exit(1);
}

const sum = (list, what) => list.reduce((total, one) => total + what(one), 0);

/** What was done so far: one object for each batch with stream management, and one for each without. */
function done(book) {
  if (!existsSync(book)) return [];
  return readFileSync(book, 'utf8')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line));
}

/** Half of the kills with stream management, half without, in turn at each place. */
function run(node, book) {
  const places = values.places.split(',');
  for (let batches = done(book); ; batches = done(book)) {
    const left = size - sum(batches, ({ kills }) => kills);
    if (left <= 0) return batches;
    const place = places[Math.floor(batches.length / 2) % places.length];
    const seed = 1 + Math.floor(Math.random() * (2 ** 31 - 1));
    const kills = Math.min(BATCH, Math.ceil(left / 2));
    console.log(`evidence: ${size - left} of ${size} kills; next ${kills} each way, ${place}, seed ${seed}`);
    const env = {
      ...process.env,
      XMPP_BROKER_KILLS: String(kills),
      XMPP_BROKER_SEED: String(seed),
      XMPP_BROKER_PLACE: place,
      XMPP_BROKER_OUTCOME: book,
    };
    const vitest = join(root, 'node_modules', 'vitest', 'vitest.mjs');
    const args = [vitest, 'run', '--project=stores', '--maxWorkers=1', 'test/stores/kills.test.ts'];
    const { status } = spawnSync(node, args, { cwd: root, env, stdio: ['ignore', 'ignore', 'inherit'] });
    if (done(book).length < batches.length + 2) {
      console.error(`evidence: the batch with seed ${seed} gave no result (exit code ${status})`);
      process.exit(1);
    }
  }
}

const git = (...args) => spawnSync('git', args, { cwd: root, encoding: 'utf8' }).stdout.trim();
const count = (value) => value.toLocaleString('en');

/** The report, as data and as a page. */
function report(node, batches) {
  const [command] = [`npm run evidence -- --only durable --size ${size}`];
  const wrong = batches.flatMap(({ seed, place, managed, wrong }) =>
    wrong.map((what) => ({ seed, place, managed, what })),
  );
  const steps = {};
  for (const batch of batches)
    for (const [step, times] of Object.entries(batch.steps)) steps[step] = (steps[step] ?? 0) + times;
  const facts = {
    command,
    date: new Date().toISOString().slice(0, 10),
    commit: git('rev-parse', '--short', 'HEAD'),
    node: spawnSync(node, ['--version'], { encoding: 'utf8' }).stdout.trim(),
    machine: `${cpus()[0]?.model ?? 'unknown'}, ${cpus().length} cores`,
    steps,
    wrong,
    batches: batches.map((batch) => ({ ...batch, wrong: batch.wrong.length })),
  };
  const rows = [...new Set(batches.map(({ place }) => place))].flatMap((place) =>
    [true, false].map((managed) => {
      const those = batches.filter((batch) => batch.place === place && batch.managed === managed);
      const of = (what) => count(sum(those, what));
      const name = `${place}, ${managed ? 'stream management' : 'component'}`;
      const cells = [
        of(({ kills }) => kills),
        of(({ sent }) => sent),
        of(({ stored }) => stored),
        of(({ received }) => received),
      ];
      const more = [of(({ repeated }) => repeated), of(({ resumed }) => resumed), of((batch) => batch.wrong.length)];
      return `| ${[name, ...cells, ...more].join(' | ')} |`;
    }),
  );
  const page = [
    '# Evidence: a queue in a file, killed',
    '',
    'A program outputs numbered messages through a queue in a SQLite file, and is killed with SIGKILL: at a step that it was',
    'told beforehand, or from outside at any moment. The other side keeps a book of what arrived. At the end of each batch both',
    'books are compared. Wrong is: what was stored and is lost, what came twice without having been flagged, what came out of',
    'order, what was acknowledged and did not arrive, and a file that did not open.',
    '',
    `- Command: \`${command}\`, ${facts.date}, commit ${facts.commit}`,
    `- Machine: ${facts.machine}; Node ${facts.node}`,
    `- Kills: ${count(sum(batches, ({ kills }) => kills))}, in batches of at most ${BATCH} with one queue each; seeds and counts of each batch are in durable.json`,
    `- Wrong: ${wrong.length}`,
    '',
    '| place | kills | output | stored | arrived | repeated, flagged | sessions resumed | wrong |',
    '| --- | --: | --: | --: | --: | --: | --: | --: |',
    ...rows,
    '',
    '| the last step | times |',
    '| --- | --: |',
    ...Object.entries(steps)
      .sort()
      .map(([step, times]) => `| ${step} | ${count(times)} |`),
    ...(wrong.length === 0
      ? []
      : ['', '## What was wrong', '', ...wrong.map((one) => `- seed ${one.seed}, ${one.place}: ${one.what}`)]),
    '',
  ].join('\n');
  const folder = join(root, 'docs', 'evidence');
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'durable.json'), `${JSON.stringify(facts, null, 1)}\n`);
  writeFileSync(join(folder, 'durable.md'), page);
  const paths = ['docs/evidence/durable.json', 'docs/evidence/durable.md'];
  spawnSync(process.execPath, [join(root, 'node_modules', 'prettier', 'bin', 'prettier.cjs'), '--write', ...paths], {
    cwd: root,
  });
  console.log(`evidence: ${wrong.length} wrong; written to ${paths.join(' and ')}`);
  if (wrong.length > 0) process.exitCode = 1;
}

const brought = nodeRelease(24);
if ('missing' in brought) {
  console.error(`evidence: ${brought.missing}`);
  process.exit(1);
}
mkdirSync(cache, { recursive: true });
const book = join(cache, 'durable.jsonl');
if (values.fresh) rmSync(book, { force: true });
report(brought.path, run(brought.path, book));
