/**
 * What each technique is worth that makes the code longer than it had to be: copies of the built package, each without
 * one of them (bench/techniques/list.mjs), against the package as it is.
 *
 *   npm run build && node bench/techniques.mjs [--only 'fast path,raw buffer'] [--rounds 9]
 *   node bench/techniques.mjs --against ../other/build [--workloads parse,inbound-0]
 *
 * A round runs each pair of builds once, in two fresh processes that take steps of some 20 ms in turn. A full run writes
 * `techniques.md` and `techniques.json` into `bench/results/`. Another build than the one in `build/` is compared instead
 * with `--against`.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { load, machine } from './machine.mjs';
import { percentile } from './statistics.mjs';
import { variant } from './techniques/build.mjs';
import { TECHNIQUES } from './techniques/list.mjs';
import { compare } from './techniques/pair.mjs';
import { WORKLOADS } from './techniques/workloads.mjs';

/** A technique has to be worth more than what two copies of one build differ by. */
const NOISE = 0.03;

const STEPS = { warm: 8, steps: 16 };

/** What is compared: `key`, `text`, the folder of the other build, and a workload. */
function comparisons({ only, against, workloads }, scratch) {
  const of = (key, text, folder, names) => names.map((workload) => ({ key, text, folder, workload, rounds: [] }));
  if (against !== undefined)
    return of('', 'the other build', resolve(against), workloads?.split(',') ?? Object.keys(WORKLOADS));
  const chosen = TECHNIQUES.filter(({ key }) => only === undefined || only.split(',').includes(key));
  if (chosen.length === 0) throw new Error(`--only: there are ${TECHNIQUES.map(({ key }) => key).join(', ')}`);
  const used = [...new Set(chosen.flatMap((technique) => technique.workloads))];
  return [
    ...chosen.flatMap((technique) => {
      const folder = variant(join(scratch, technique.key), technique);
      return of(technique.key, technique.text, folder, technique.workloads);
    }),
    ...of('', 'a copy: nothing is done without', variant(join(scratch, 'copy')), used),
  ];
}

const number = (value, digits = 2) => value.toFixed(digits);

function row({ key, text, workload, rounds }) {
  const ratios = rounds.map(({ ratio }) => ratio);
  const [low, middle, high] = [0.25, 0.5, 0.75].map((share) => percentile(ratios, share));
  const verdict =
    key === '' ? '' : middle >= 1 + NOISE && low > 1 ? 'pays' : middle <= 1 - NOISE && high < 1 ? 'costs' : 'nothing';
  const cost = percentile(
    rounds.map(({ first }) => first),
    0.5,
  );
  return { key, text, workload: WORKLOADS[workload].text, cost, low, middle, high, verdict };
}

function markdown({ command, date, machine: on, load: { before, after }, rounds }, rows) {
  const heads = ['', 'what is done', 'workload', 'CPU µs/stanza', 'without it', 'half of the rounds', ''];
  const line = (cells) => `| ${cells.join(' | ')} |`;
  return [
    '# What techniques are worth',
    '',
    `- Command: \`${command}\`, ${date}`,
    `- Machine: ${on.cpu}, ${on.cores} cores; ${on.system}; Node ${on.node}`,
    `- Load average before and after: ${number(before)} and ${number(after)}; the run itself makes about 1`,
    `- ${rounds} rounds; "without it" is the median of the rounds: CPU time of a build without the technique, over that of the build as it is`,
    `- Less than ${NOISE * 100} % counts as nothing`,
    '',
    line(heads),
    line(heads.map((_, i) => (i < 3 || i === 6 ? '---' : '--:'))),
    ...rows.map(({ key, text, workload, cost, low, middle, high, verdict }) =>
      line([key, text, workload, number(cost), `${number(middle)}x`, `${number(low)}x..${number(high)}x`, verdict]),
    ),
    '',
  ].join('\n');
}

const { values } = parseArgs({
  options: {
    only: { type: 'string' },
    rounds: { type: 'string', default: '9' },
    against: { type: 'string' },
    workloads: { type: 'string' },
  },
});
const rounds = Number(values.rounds);
const scratch = mkdtempSync(join(tmpdir(), 'xmpp-broker-techniques-'));
process.once('exit', () => rmSync(scratch, { recursive: true, force: true }));
const before = load();
const list = comparisons(values, scratch);
const dist = fileURLToPath(new URL('../build', import.meta.url));
const full = values.only === undefined && values.against === undefined;
const stem = fileURLToPath(new URL(`results/${full ? 'techniques' : 'latest.techniques'}`, import.meta.url));

/** Written after each round: a run takes hours, and may be ended before. */
function write(done) {
  const report = {
    command: `node bench/techniques.mjs ${process.argv.slice(2).join(' ')}`.trim(),
    date: new Date().toISOString().slice(0, 10),
    rounds: done,
    machine: machine(),
    load: { before, after: load() },
  };
  const rows = list.map(row);
  const text = markdown(report, rows);
  writeFileSync(`${stem}.md`, text);
  writeFileSync(`${stem}.json`, `${JSON.stringify({ ...report, rows }, null, 1)}\n`);
  return text;
}

for (let round = 1; round <= rounds; round += 1) {
  for (const one of list) {
    const result = await compare(one.workload, [dist, one.folder], STEPS);
    one.rounds.push(result);
    console.log(`round ${round}: ${one.key || one.text}, ${WORKLOADS[one.workload].text}: ${number(result.ratio, 3)}`);
  }
  const text = write(round);
  if (round === rounds) console.log(`\n${text}`);
}
