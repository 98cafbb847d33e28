// Which branches of the sources the tests take: V8 counts them, a project of tests at a time.
import { spawnSync } from 'node:child_process';
import { appendFileSync, existsSync, readFileSync } from 'node:fs';
import { join, relative, sep } from 'node:path';
import { count, provenance, ROOT, sum } from './facts.mjs';
import { bars } from './plot.mjs';

const PARTS = ['unit', 'wire', 'conformance', 'stores'];

/** Tests that take long, and take no branch that others do not. */
const LEFT_OUT = ['xml-corpus', 'verdicts', 'memory', 'growth', 'trickle', 'leaks', 'disconnect', 'split'];

/** A few are enough here. */
const PAIRS = '13000';

/** Where every branch has to be taken. */
const WHOLE = [
  ['tokenizer', /^src\/xml\/tokenizer\//],
  ['SASL', /^src\/protocols\/sasl\//],
  [
    'stream management',
    /^src\/(?:protocols\/features\/(?:stream-management|managed-session)|link\/acknowledgements|broker\/resumption)\.ts/,
  ],
  ['requests', /^src\/requests\//],
  ['queue and journal', /^src\/queue\//],
];
/** Of all other branches, so many in a hundred. */
const REST = 97;

/** What runs in other processes, in browsers and with real servers, where nothing is counted. */
const ELSEWHERE = /^src\/(?:nats|cli|console|stores|index\.ts)/;

const folderOf = (book, part) => `${book.path.replace(/\.jsonl$/, '')}-${part}`;

async function run({ size, book }) {
  const done = new Set(book.read().map(({ part }) => part));
  for (const part of PARTS.slice(0, size).filter((name) => !done.has(name))) {
    const folder = folderOf(book, part);
    const args = [join(ROOT, 'node_modules', 'vitest', 'vitest.mjs'), 'run', `--project=${part}`, '--reporter=dot'];
    const coverage = [
      '--coverage',
      '--coverage.reporter=json',
      '--coverage.reportOnFailure',
      `--coverage.reportsDirectory=${folder}`,
    ];
    const without = LEFT_OUT.map((name) => `--exclude=**/${name}.test.ts`);
    const env = { ...process.env, XMPP_BROKER_NO_INSTALL: '1', XMPP_BROKER_PAIRS: PAIRS };
    const { status } = spawnSync(process.execPath, [...args, ...coverage, ...without], {
      cwd: ROOT,
      env,
      stdio: ['ignore', 'ignore', 'inherit'],
    });
    if (!existsSync(join(folder, 'coverage-final.json'))) return false;
    appendFileSync(book.path, `${JSON.stringify({ part, failed: status !== 0 })}\n`);
  }
  return PARTS.slice(0, size).length === book.read().length;
}

/** How often each branch was taken: by file, then by what it is and where. */
function branchesTaken(book) {
  const files = new Map();
  for (const { part } of book.read()) {
    const covered = JSON.parse(readFileSync(join(folderOf(book, part), 'coverage-final.json'), 'utf8'));
    for (const [file, { branchMap, b }] of Object.entries(covered)) {
      const path = relative(ROOT, file).split(sep).join('/');
      const branches = files.get(path) ?? new Map();
      files.set(path, branches);
      for (const [id, { type, loc, locations }] of Object.entries(branchMap)) {
        locations.forEach((place, index) => {
          const { line, column } = place.start?.line === undefined ? loc.start : place.start;
          const key = `${type} ${line}:${column} ${index}`;
          const taken = (branches.get(key)?.taken ?? 0) + b[id][index];
          branches.set(key, { type, line, isElse: type === 'if' && index === 1, taken });
        });
      }
    }
  }
  return files;
}

const roomOf = (path) =>
  WHOLE.find(([, pattern]) => pattern.test(path))?.[0] ?? path.split('/')[1].replace(/\.ts$/, '');

function report({ book }) {
  const parts = book
    .read()
    .map(({ part }) => `\`${part}\``)
    .join(', ');
  const rooms = new Map();
  const missed = [];
  for (const [path, branches] of [...branchesTaken(book)].sort(([one], [other]) => (one < other ? -1 : 1))) {
    if (ELSEWHERE.test(path) || branches.size === 0) continue;
    const room = roomOf(path);
    const figures = rooms.get(room) ?? { name: room, of: 0, taken: 0 };
    rooms.set(room, figures);
    const text = readFileSync(join(ROOT, path), 'utf8').split('\n');
    for (const { type, line, isElse, taken } of branches.values()) {
      figures.of += 1;
      if (taken > 0) figures.taken += 1;
      else missed.push({ room, place: `${path}:${line}`, type: isElse ? 'else' : type, source: text[line - 1].trim() });
    }
  }
  const whole = new Set(WHOLE.map(([name]) => name));
  const rest = [...rooms.values()].filter(({ name }) => !whole.has(name));
  const [restTaken, restOf] = [sum(rest, ({ taken }) => taken), sum(rest, ({ of }) => of)];
  const share = (taken, of) => `${(Math.floor((taken / of) * 1000) / 10).toFixed(1)} %`;
  const isBelow = restTaken / restOf < REST / 100;
  const wrong = missed.filter(({ room }) => whole.has(room));
  const rows = [...rooms.values()].map(({ name, of, taken }) => ({
    ...{ name, of, taken, value: taken, wrong: whole.has(name) ? of - taken : 0 },
  }));
  rows.sort(
    (one, other) => Number(whole.has(other.name)) - Number(whole.has(one.name)) || (one.name < other.name ? -1 : 1),
  );
  const total =
    restOf +
    sum(
      rows.filter(({ name }) => whole.has(name)),
      ({ of }) => of,
    );
  return {
    title: 'branches that tests take',
    unit: 'branches',
    cases: total,
    text: [
      `V8 counts which branches of the sources are taken by tests; here those of ${parts}. In the tokenizer, SASL, stream`,
      `management, requests and the queue all of them must be, of the others ${REST} in a hundred together. What runs in other`,
      'processes, in browsers and with servers that are no part of this is not counted: `cli`, `console`, `nats`, the thread of `stores`.',
      'coverage.json names every branch that is not taken.',
    ],
    facts: {
      ...provenance('npm run evidence -- --only coverage'),
      wrong: [
        ...wrong.map(({ place, type, source }) => ({ seed: null, where: place, what: `${type}: ${source}` })),
        ...(isBelow ? [{ seed: null, where: 'the rest', what: `${share(restTaken, restOf)} of its branches` }] : []),
      ],
      missed,
    },
    figures: {
      bullets: [
        `- Branches: ${count(
          restTaken +
            sum(
              rows.filter(({ name }) => whole.has(name)),
              ({ taken }) => taken,
            ),
        )} of ${count(total)}`,
        `- The rest: ${share(restTaken, restOf)}`,
      ],
      tables: [
        '| room | branches | taken | |',
        '| --- | --: | --: | --: |',
        ...rows.map(({ name, of, taken }) => `| ${name} | ${count(of)} | ${count(taken)} | ${share(taken, of)} |`),
      ],
    },
    plots: { rooms: bars(rows, 'branches taken') },
  };
}

export const coverage = { name: 'coverage', size: PARTS.length, run, report };
