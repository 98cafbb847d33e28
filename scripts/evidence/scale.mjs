import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { count, provenance, sum } from './facts.mjs';
import { anySeed, runTests } from './vitest.mjs';

const FOLDER = 'test/servers/nats';

/**
 * What is run at a size of its own: which file, and which of its tests; how much of it, if `size` is the kills of J-1; how much at
 * a time.
 */
const PARTS = [
  { part: 'L-1 partition', file: 'partition', what: 'cuts', size: (size) => size / 25, batch: 20 },
  { part: 'L-1 cluster', file: 'partition', what: 'cuts', size: (size) => size / 500, batch: 1 },
  ...['prosody', 'ejabberd', 'jabberd2'].map((server) => ({
    part: `L-2 ${server}`,
    only: server,
    file: 'standby',
    test: 'how long until',
    what: 'takeovers of each pair',
    size: (size) => size / 20,
    batch: 100,
  })),
  { part: 'I-2 killed', file: 'fan-out-outage', test: 'I-2: NATS is killed', what: 'stanzas', size: () => 60_000 },
  { part: 'I-2 frozen', file: 'fan-out-outage', test: 'I-2: NATS is frozen', what: 'stanzas', size: () => 60_000 },
  { part: 'J-1 account', file: 'kills', what: 'kills', size: (size) => size / 2, batch: 15 },
  { part: 'J-1 component', file: 'kills', what: 'kills', size: (size) => size / 2, batch: 15 },
  { part: 'F-1', file: 'fleet-example', what: 'accounts', size: () => 1_000 },
  { part: 'I-1', file: 'sizes', what: 'stanzas', size: () => 20_000 },
  { part: 'J-2', file: 'sizes', what: 'outages', size: (size) => Math.max(40, size / 10) },
  { part: 'J-3', file: 'sizes', what: 'stanzas', size: () => 4_000 },
  { part: 'J-4', file: 'sizes', what: 'purges and drops', size: () => 1_000 },
];

/** What is a list of cases, and is run as `npm test` does it. */
const LISTS = [
  { part: 'J-2, cases', id: 'J-2', files: ['outage', 'fan-out-outage'] },
  { part: 'J-3, cases', id: 'J-3', files: ['outage'] },
  { part: 'J-4, cases', id: 'J-4', files: ['publisher'] },
  { part: 'L-1, cases', id: 'L-1', files: ['lease'] },
  { part: 'I-1, cases', id: 'I-1', files: ['fan-out', 'workers-example'] },
  { part: 'F-1, cases', id: 'F-1', files: ['fleet'] },
];

const lineOf = (part, more) => ({ part, seed: null, ...more });

/** One part at a time; what gave no result is noted as wrong, and the others go on. */
function run({ size, book }) {
  for (const one of PARTS) runPart(one, size, book);
  for (const { part, id = part, files } of LISTS) {
    if (!book.read().some((line) => line.part === part)) book.add(runList(part, id, files));
  }
  return true;
}

function runPart({ part, only, file, test, size: sizeOf, batch = Infinity }, size, book) {
  const goal = Math.ceil(sizeOf(size));
  for (;;) {
    const lines = book.read();
    const those = lines.filter((line) => line.part === part || line.part === only);
    const done = only === undefined ? sum(those, (line) => line.size) : (those[0]?.size ?? 0);
    if (done >= goal) return;
    const portion = Math.min(goal - done, batch);
    const seed = anySeed();
    console.log(`evidence: scale, ${part}: ${done} of ${goal}; next ${portion}, seed ${seed}`);
    const began = performance.now();
    const status = runTests(
      process.execPath,
      'servers',
      `${FOLDER}/${file}.test.ts`,
      {
        XMPP_BROKER_PART: only ?? part,
        XMPP_BROKER_SIZE: String(portion),
        XMPP_BROKER_SEED: String(seed),
        XMPP_BROKER_OUTCOME: book.path,
      },
      test === undefined ? [] : ['-t', test],
    );
    if (book.read().length > lines.length) continue;
    const wrong = [`it gave no result (exit code ${status})`];
    book.add(lineOf(part, { seed, size: portion, ms: Math.round(performance.now() - began), wrong }));
    return;
  }
}

/** The tests with that id in their names. */
function runList(part, id, files) {
  const folder = mkdtempSync(join(tmpdir(), 'xmpp-broker-scale-'));
  const tests = [];
  const began = performance.now();
  for (const file of files) {
    const output = join(folder, `${file}.json`);
    console.log(`evidence: scale, ${part}: ${file}`);
    const more = ['-t', id, '--reporter=json', `--outputFile=${output}`];
    runTests(process.execPath, 'servers', `${FOLDER}/${file}.test.ts`, {}, more);
    const { testResults } = JSON.parse(readFileSync(output, 'utf8'));
    tests.push(...testResults.flatMap(({ assertionResults }) => assertionResults));
  }
  rmSync(folder, { recursive: true });
  const done = tests.filter(({ status }) => status === 'passed' || status === 'failed');
  const wrong = done.filter(({ status }) => status === 'failed').map(({ title }) => title);
  return lineOf(part, { size: done.length, ms: Math.round(performance.now() - began), wrong });
}

const sorted = (values) => [...values].sort((a, b) => a - b);
const median = (values) => sorted(values)[Math.floor((values.length - 1) / 2)] ?? 0;
const seconds = (ms) => (ms / 1_000).toFixed(2);

const NAMES = { prosody: 'Prosody', ejabberd: 'ejabberd', jabberd2: 'jabberd2' };

/** How long takeovers took, as the table stands in docs/scaling-out.md. */
export function takeoverTable({ takeovers }) {
  const head = ['server', 'pair', 'takeovers', '`ttlMs`', 'holder, median', 'holder, longest'];
  head.push('link, median', 'link, longest', 'first stanza, median');
  const rows = takeovers.map(({ server, pair, ttlMs, held, link, first }) => {
    const all = [median(held), Math.max(...held), median(link), Math.max(...link), median(first)];
    const times = all.map((ms) => `${seconds(ms)} s`);
    return [NAMES[server], pair, count(link.length), count(ttlMs), ...times];
  });
  return [head, head.map((_, at) => (at < 2 ? '---' : '--:')), ...rows].map((row) => `| ${row.join(' | ')} |`);
}

function report({ size, book }) {
  const lines = book.read();
  const takeovers = lines
    .filter(({ series }) => series !== undefined)
    .map(({ server, kind, ttlMs, held, series, first }) => ({ server, pair: kind, ttlMs, held, link: series, first }));
  const parts = [
    ...PARTS.map(({ part, only = part, what }) => ({ part, what, those: lines.filter((line) => line.part === only) })),
    ...LISTS.map(({ part }) => ({ part, what: 'cases', those: lines.filter((line) => line.part === part) })),
  ].filter(({ those }) => those.length > 0);
  const rows = parts.map(({ part, what, those }) => {
    const counted = {};
    for (const { counts = {} } of those)
      for (const [name, value] of Object.entries(counts)) counted[name] = (counted[name] ?? 0) + value;
    const told = Object.entries(counted).map(([name, value]) => `${count(value)} ${name}`);
    const done = part.startsWith('L-2') ? (those[0]?.size ?? 0) : sum(those, (line) => line.size);
    const wrong = sum(those, (line) => line.wrong.length);
    return [part, `${count(done)} ${what}`, told.join(', '), wrong, Math.round(sum(those, ({ ms }) => ms) / 1_000)];
  });
  const head = ['part', 'size', 'counted', 'wrong', 'seconds'];
  const table = [head, ['---', '---', '---', '--:', '--:'], ...rows].map((row) => `| ${row.join(' | ')} |`);
  const command = `npm run evidence -- --only scale --size ${size}`;
  const kills = sum(
    lines.filter(({ part }) => part.startsWith('J-1')),
    (line) => line.size,
  );
  return {
    title: 'several processes, killed and cut off',
    unit: 'kills of J-1',
    cases: kills,
    text: [
      'Producers, holders and nats-server are killed at random while numbered stanzas go through; networks between holders, NATS',
      'and its nodes are cut (a proxy that swallows, and network namespaces of Linux); standby pairs on real servers are killed one',
      'after the other; NATS is away for a minute under a thousand stanzas a second; a fleet of a thousand accounts loses members; workers are killed in their handlers, and queues are purged from elsewhere. What was not run is not in the table.',
      'Wrong is: what was stored and is lost, what came twice without a flag, and two holders at a time. Counted beside that',
      'is what came late: behind a stanza that was output later.',
    ],
    facts: {
      ...provenance(command),
      takeovers,
      wrong: lines.flatMap(({ part, seed, wrong }) => wrong.map((what) => ({ seed, where: part, what }))),
      parts: lines.map((line) => ({
        ...line,
        series: undefined,
        held: undefined,
        first: undefined,
        wrong: line.wrong.length,
      })),
    },
    figures: {
      bullets: [`- Cases: ${count(kills)} kills of J-1; the sizes of the others are in the table`],
      tables: [...table, '', '## Takeovers', '', ...takeoverTable({ takeovers })],
    },
  };
}

export const scale = { name: 'scale', size: 5_000, run, report };
