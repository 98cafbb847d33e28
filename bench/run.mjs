/**
 * All benchmarks in one interleaved run: `npm run bench`.
 *
 *   npm run bench -- [--short] [--only parse,inbound] [--rounds 5]
 *
 * Each cell of a table is a process of its own. A round runs every cell once, so that what disturbs the machine
 * disturbs all of them. A full run writes `results.md`, `results.json` and `inbound.svg` into `bench/results/`, any
 * other one `latest.md` and so on; and the figures in the pages of docs (bench/figures.mjs). It fails when a ratio is beyond its bound (bench/goals.mjs).
 */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { locate } from './candidates.mjs';
import { PAGES, withFigures } from './figures.mjs';
import { runCell } from './cell-process.mjs';
import { HEADER } from './corpus.mjs';
import { failures, NOISE } from './goals.mjs';
import { load, machine } from './machine.mjs';
import { benchOptions, MEASURES } from './options.mjs';
import { plot } from './plot.mjs';
import { markdown } from './report.mjs';
import { median } from './statistics.mjs';
import { corpus } from './traffic.mjs';

/** Files that programs read, in a folder that is removed at the end. */
function scratchFiles(scratch) {
  let made = 0;
  const file = (content) => {
    made += 1;
    const path = join(scratch, `file-${made}`);
    writeFileSync(path, content);
    return path;
  };
  return { header: file(HEADER), corpus: file(corpus), file };
}

/** The lines of the plot: what a stanza costs with more and more filters, and what others need without. */
function inboundPlot(cells) {
  const cost = (key) => {
    const cell = cells.find((one) => one.key === key);
    return cell === undefined ? null : median(cell.results.map(({ cpu }) => cpu));
  };
  const line = (name, prefix, counts) => ({
    name,
    points: counts
      .map((count) => [count.toLocaleString('en'), cost(`${prefix}${count}`)])
      .filter(([, y]) => y !== null),
  });
  const single = (name, key) => ({ name, points: cost(key) === null ? [] : [['0', cost(key)]] });
  const counts = [0, 10, 100, 1_000, 10_000, 100_000];
  return plot({
    title: 'CPU time per inbound stanza',
    y: 'microseconds; less is better',
    x: 'filters',
    xs: counts.map((count) => count.toLocaleString('en')),
    series: [
      line('xmpp-broker', 'ours-', counts),
      line('saxes, xmldom, xpath', 'obvious-', counts),
      line('PCJ (Perl)', 'pcj-', counts),
      line('slixmpp (Python)', 'slixmpp-', counts),
      single('@xmpp/component, no filters', 'xmppjs'),
      single('libstrophe (C), no filters', 'libstrophe'),
      single('bare socket', 'raw'),
    ].filter(({ points }) => points.length > 0),
  });
}

async function main() {
  const options = benchOptions(process.argv.slice(2));
  const { short, only, rounds } = options;
  const scratch = mkdtempSync(join(tmpdir(), 'xmpp-broker-bench-'));
  process.once('exit', () => rmSync(scratch, { recursive: true, force: true }));
  const files = scratchFiles(scratch);
  const before = load();

  const measures = await Promise.all(
    only.map(async (name) => {
      const measure = await import(`./measures/${name}.mjs`);
      return { name, measure, cells: measure.cells(short) };
    }),
  );
  const keys = [...new Set(measures.flatMap(({ cells }) => cells.map(({ candidate }) => candidate)))];
  const candidates = Object.fromEntries(keys.map((key) => [key, locate(key, scratch)]));
  for (const { name, missing } of Object.values(candidates)) {
    if (missing !== undefined) console.log(`bench: ${name} is left out: it is not installed (${missing})`);
  }
  for (const entry of measures) {
    entry.cells = entry.cells
      .filter(({ candidate }) => candidates[candidate].missing === undefined)
      .map((cell) => ({ ...cell, results: [] }));
  }

  /** Stanzas per second that a cell of the inbound measure reached; measured now if it was not. */
  const capacities = new Map();
  const capacity = async (key) => {
    if (capacities.has(key)) return capacities.get(key);
    const inbound = await import('./measures/inbound.mjs');
    const known = measures.find(({ name }) => name === 'inbound')?.cells.find((cell) => cell.key === key)?.results;
    const cell = inbound.cells(false).find((one) => one.key === key);
    const { rate } = known?.[0] ?? (await runCell('inbound', inbound, cell, candidates[cell.candidate], files));
    capacities.set(key, rate);
    return rate;
  };

  for (let round = 1; round <= rounds; round += 1) {
    for (const { name, measure, cells } of measures) {
      for (const cell of cells) {
        const ready = cell.load === undefined ? cell : measure.at(cell, await capacity(cell.load));
        const result = await runCell(name, measure, ready, candidates[cell.candidate], files);
        if (result.version !== undefined) candidates[cell.candidate].version = result.version;
        cell.results.push(result);
        const [primary] = measure.columns;
        console.log(`round ${round}: ${name}, ${cell.label}: ${primary.of(result).toFixed(2)} ${primary.head}`);
      }
    }
  }

  const results = {};
  for (const { name, measure, cells } of measures) {
    for (const { key, results: list } of cells) {
      for (const [i, { of }] of measure.columns.entries()) {
        results[i === 0 ? `${name}/${key}` : `${name}/${key}/${i}`] = list.map(of);
      }
    }
  }
  const report = {
    command: ['npm run bench', ...(process.argv.length > 2 ? ['--', ...process.argv.slice(2)] : [])].join(' '),
    date: new Date().toISOString().slice(0, 10),
    rounds,
    machine: machine(),
    load: { before, after: load() },
    // Without the commands: they are paths of this machine.
    candidates: Object.values(candidates).map(({ name, version, missing }) => ({ name, version, missing })),
    measures,
    results,
  };
  const text = markdown(report);
  const folder = fileURLToPath(new URL('results/', import.meta.url));
  const stem = !short && only.length === MEASURES.length ? 'results' : 'latest';
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, `${stem}.md`), text);
  const plain = { ...report, measures: measures.map(({ name, cells }) => ({ name, cells })) };
  writeFileSync(join(folder, `${stem}.json`), `${JSON.stringify(plain, null, 1)}\n`);
  for (const page of stem === 'results' ? PAGES : []) {
    const path = fileURLToPath(new URL(`../${page}`, import.meta.url));
    writeFileSync(path, withFigures(readFileSync(path, 'utf8'), report));
  }
  const inbound = measures.find(({ name }) => name === 'inbound');
  if (inbound !== undefined) {
    const image = stem === 'results' ? 'inbound.svg' : 'latest.svg';
    writeFileSync(join(folder, image), inboundPlot(inbound.cells));
  }
  console.log(`\n${text}\nbench: written to bench/results/${stem}.md and ${stem}.json`);

  for (const { text: what, value, bound, gate } of failures(results)) {
    console.error(
      `bench: FAILED: ${what} is ${value.toFixed(2)}, beyond ${bound.toFixed(2)} (${gate}, with ${NOISE * 100} % for noise)`,
    );
    process.exitCode = 1;
  }
}

await main();
