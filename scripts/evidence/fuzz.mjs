// Coverage-guided fuzzing with Jazzer.js, which is brought when it is needed: it has a binary that not every system can load.
// XMPP_BROKER_FUZZ_NODE names another program to run it with. Inputs that reach new code are kept in .cache/fuzz, and some of
// them in test/conformance/fuzz/corpus, which `npm test` runs.
import { spawnSync } from 'node:child_process';
import { appendFileSync, existsSync, mkdirSync, readFileSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { rolldown } from 'rolldown';
import { jazzer } from '../runtimes.mjs';
import { ROOT } from './facts.mjs';
import { partsSubject } from './parts.mjs';

const TARGETS = ['tokenizer', 'xpath', 'jid', 'der', 'sasl', 'records'];
const HOME = join(ROOT, '.cache', 'fuzz');
const KEPT = join(ROOT, 'test', 'conformance', 'fuzz', 'corpus');
const LONGEST = 400;
/** Inputs of a target that are kept in the repository, and how long one may be. */
const MOST_KEPT = 60;
const LONGEST_KEPT = 200;

const program = process.env.XMPP_BROKER_FUZZ_NODE ?? process.execPath;

/** One file of CommonJS for each target: that is what the fuzzer can watch. */
async function build() {
  mkdirSync(HOME, { recursive: true });
  const source = join(ROOT, 'test', 'conformance', 'fuzz', 'targets.ts');
  const bundle = await rolldown({ input: source, platform: 'node', logLevel: 'silent' });
  const { output } = await bundle.generate({ format: 'cjs', codeSplitting: false });
  await bundle.close();
  for (const target of TARGETS) {
    writeFileSync(
      join(HOME, `${target}.cjs`),
      `${output[0].code}\nmodule.exports.fuzz = module.exports.TARGETS.${target};\n`,
    );
  }
}

/** The inputs of a target: those of the repository, and what earlier runs found. */
function corpusOf(target) {
  const folder = join(HOME, 'corpus', target);
  mkdirSync(folder, { recursive: true });
  const kept = join(KEPT, `${target}.txt`);
  const lines = existsSync(kept) ? readFileSync(kept, 'utf8').trim().split('\n') : [];
  for (const [index, line] of lines.entries())
    writeFileSync(join(folder, `kept-${index}`), Buffer.from(line, 'base64'));
  return folder;
}

/** Puts short inputs of a target into the repository, as they spread over everything that was found. */
function keep(target, folder) {
  const found = readdirSync(folder)
    .map((name) => join(folder, name))
    .filter((path) => statSync(path).size <= LONGEST_KEPT)
    .map((path) => readFileSync(path).toString('base64'));
  const all = [...new Set(found)].sort();
  const step = Math.max(1, Math.ceil(all.length / MOST_KEPT));
  mkdirSync(KEPT, { recursive: true });
  writeFileSync(join(KEPT, `${target}.txt`), `${all.filter((_, index) => index % step === 0).join('\n')}\n`);
}

function runPortion({ part: target, from, size, seed, book }) {
  const folder = corpusOf(target);
  const began = Date.now();
  const flags = [
    `-runs=${size}`,
    `-seed=${seed}`,
    `-max_len=${LONGEST}`,
    `-artifact_prefix=${HOME}/${target}-`,
    '-timeout=10',
  ];
  const cli = join(fuzzer.path, '@jazzer.js', 'core', 'dist', 'cli.js');
  const args = [cli, join(HOME, `${target}.cjs`), folder, '--sync', '--disable_bug_detectors=.*', '--', ...flags];
  const {
    stderr = '',
    stdout = '',
    status,
  } = spawnSync(program, args, { cwd: HOME, encoding: 'utf8', maxBuffer: 2 ** 28 });
  const text = stdout + stderr;
  const [, runs] = /Done (\d+) runs/.exec(text) ?? [];
  const last = [...text.matchAll(/cov: (\d+) ft: (\d+) corp: (\d+)/g)].at(-1);
  const crash = /Test unit written to \S*?([^/\s]+)\n/.exec(text)?.[1];
  if (runs === undefined && crash === undefined) {
    console.error(text.slice(-2_000));
    return status;
  }
  const [, what = 'it threw'] = /Uncaught Exception:\s*(.*)/.exec(text) ?? [];
  const wrong = crash === undefined ? [] : [`${what}, ${crash}`];
  const counts = { edges: Number(last?.[1] ?? 0), features: Number(last?.[2] ?? 0), inputs: Number(last?.[3] ?? 0) };
  const line = {
    part: target,
    from,
    // What was found has to be mended before there is more to find.
    size,
    seed,
    ms: Date.now() - began,
    of: null,
    counts,
    wrong,
  };
  appendFileSync(book.path, `${JSON.stringify(line)}\n`);
  keep(target, folder);
  return 0;
}

const parts = partsSubject({
  name: 'fuzz',
  runPortion,
  title: 'what others send, by a fuzzer that watches the code',
  text: [
    'Jazzer.js (libFuzzer) feeds bytes, and prefers those that reach new code, to: the tokenizer, in pieces and whole; the',
    'parser of expressions, and what they match with and without the index; addresses; DER; messages of servers in a sign-in;',
    'rows of a file of a queue. Wrong is what throws anything but the errors that are documented, takes longer than ten seconds, or',
    'breaks what test/conformance/fuzz/targets.ts says must hold. Some inputs are kept there and run with the tests.',
  ],
  unit: 'inputs',
  size: 6_000_000,
  batch: 200_000,
  parts: TARGETS,
  counts: [
    ['edges of the code', 'edges', 'most'],
    ['features', 'features', 'most'],
    ['kept', 'inputs', 'most'],
  ],
});

let fuzzer;

async function run(task) {
  fuzzer = jazzer(program);
  if ('missing' in fuzzer) {
    console.error(`evidence: fuzz: LEFT OUT: ${fuzzer.missing}`);
    return false;
  }
  await build();
  return parts.run(task);
}

export const fuzz = { ...parts, run };
