/**
 * What filters cost: CPU time per stanza of parsing alone, and of parsing and matching with 0 to 100,000 filters of
 * mixed kinds, in one interleaved run; then memory and time per filter added.
 *
 *   node --expose-gc bench/filters.mjs [--rounds 5] [--most 100000]
 */
import { FOOTER, HEADER, stanzas } from './corpus.mjs';
import { addMixed } from './filter-mix.mjs';

const dist = new URL(process.env.DIST ?? '../build/', import.meta.url);
const { FilterSet } = await import(new URL('filters/filter-set.js', dist).href);
const { Tokenizer } = await import(new URL('xml/tokenizer/tokenizer.js', dist).href);

const argument = (name, otherwise) => {
  const at = process.argv.indexOf(`--${name}`);
  return at < 0 ? otherwise : Number(process.argv[at + 1]);
};
const rounds = argument('rounds', 5);
const most = argument('most', 100_000);
const CHUNK = 16_384;

const corpus = Buffer.from(HEADER + stanzas().join('') + FOOTER);
const count = 10_000;

/** Parses the corpus once and hands each stanza on. */
function parseAll(onElement) {
  const tokenizer = new Tokenizer({
    onStreamStart() {},
    onStreamEnd() {},
    onElement,
    onError(error) {
      throw error;
    },
  });
  for (let at = 0; at < corpus.length; at += CHUNK) tokenizer.write(corpus.subarray(at, at + CHUNK));
}

let matches = 0;
const onMatch = () => {
  matches += 1;
};
const onError = (_filter, error) => {
  throw error;
};

const collect = globalThis.gc ?? (() => undefined);
const heap = () => {
  collect();
  collect();
  return process.memoryUsage().heapUsed;
};

const cases = [{ name: 'parse', run: () => parseAll(() => undefined) }];
for (const size of [0, 10, 100, 1000, 10_000, 100_000].filter((each) => each <= most)) {
  const before = heap();
  const start = process.cpuUsage();
  const set = new FilterSet();
  addMixed(set, size);
  const { user, system } = process.cpuUsage(start);
  const bytes = (heap() - before) / Math.max(1, size);
  const each = (user + system) / Math.max(1, size);
  if (size >= 1000)
    console.log(`${size} filters: ${bytes.toFixed(0)} bytes of heap and ${each.toFixed(1)} µs to add, each`);
  cases.push({ name: `${size} filters`, run: () => parseAll((stanza) => set.match(stanza, onMatch, onError)), set });
}

const WARM_UP = 3;
const REPEAT = 5;
for (const { run } of cases) for (let i = 0; i < WARM_UP; i += 1) run();

const results = cases.map(() => []);
const matched = cases.map(() => 0);
for (let round = 0; round < rounds; round += 1) {
  for (const [i, { run }] of cases.entries()) {
    collect();
    matches = 0;
    const start = process.cpuUsage();
    for (let j = 0; j < REPEAT; j += 1) run();
    const { user, system } = process.cpuUsage(start);
    results[i].push((user + system) / (REPEAT * count));
    matched[i] = matches / (REPEAT * count);
  }
}

const median = (list) => [...list].sort((a, b) => a - b)[list.length >> 1];
const ten = median(results[cases.findIndex(({ name }) => name === '10 filters')]);
const parse = median(results[0]);
console.log('| | CPU µs/stanza | spread | over parse | over 10 filters | matches/stanza |');
console.log('|---|--:|---|--:|--:|--:|');
for (const [i, { name }] of cases.entries()) {
  const value = median(results[i]);
  const spread = `${Math.min(...results[i]).toFixed(2)}..${Math.max(...results[i]).toFixed(2)}`;
  console.log(
    `| ${name} | ${value.toFixed(2)} | ${spread} | ${(value - parse).toFixed(2)} | ${(value / ten).toFixed(2)} | ${matched[i].toFixed(3)} |`,
  );
}
