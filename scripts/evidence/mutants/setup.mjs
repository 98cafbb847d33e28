// What every test file loads first while checks are taken out: it says which check is out in which test, and notes which
// tests see which check refuse. XMPP_BROKER_MUTANTS has the path of the plan.
import { appendFileSync, readFileSync } from 'node:fs';
import { Worker } from 'node:worker_threads';
import { afterAll, afterEach, beforeEach, expect } from 'vitest';

/** How long the event loop may stand still. Without a check, something may go round for ever. */
const HANGS_MS = 60_000;

const { files, book } = JSON.parse(readFileSync(process.env.XMPP_BROKER_MUTANTS, 'utf8'));
const testPath = expect.getState().testPath ?? globalThis.__vitest_worker__.filepath;
/** `out` is out in the whole file, or `tests` says what is out in which; of the others only `controls` run. */
const { out = null, tests = null, controls = [] } = files[testPath] ?? {};
const wanted = tests === null ? null : new Set([...Object.keys(tests), ...controls]);
const noted = [];
let seen = new Set();
let missing = out;

globalThis.__checks = {
  /** A check refuses when an `if` comes true, or a part of an "and" does not. */
  check(key, when, value) {
    if (key === missing) return !when;
    if (Boolean(value) === when) seen.add(key);
    return value;
  },
};

/** Nobody but a thread notices that this one goes round for ever. */
function watch() {
  const beats = new Int32Array(new SharedArrayBuffer(4));
  const source = `
    const { workerData: { beats, hangs } } = require('node:worker_threads');
    let last = -1;
    setInterval(() => {
      const now = Atomics.load(beats, 0);
      if (now === last) process.kill(process.pid, 'SIGKILL');
      last = now;
    }, hangs);`;
  new Worker(source, { eval: true, workerData: { beats, hangs: HANGS_MS } }).unref();
  globalThis.setInterval(() => Atomics.add(beats, 0, 1), 1_000).unref();
}
if (out !== null || tests !== null) watch();

const fullName = (task) => (task.suite?.name ? `${fullName(task.suite)} > ${task.name}` : task.name);

const note = (test, ms) => {
  if (seen.size > 0 || test !== null) noted.push({ test, ms: Math.round(ms), seen: [...seen] });
  seen = new Set();
};

let began = 0;
beforeEach(({ task, skip }) => {
  note(null, 0);
  const name = fullName(task);
  if (wanted !== null && !wanted.has(name)) skip();
  missing = tests?.[name] ?? out;
  if (missing !== null) appendFileSync(book, `${JSON.stringify({ file: testPath, test: name, out: missing })}\n`);
  began = performance.now();
});

afterEach(({ task }) => {
  missing = out;
  note(fullName(task), performance.now() - began);
});

afterAll(() => {
  note(null, 0);
  if (out === null && tests === null) appendFileSync(book, `${JSON.stringify({ file: testPath, noted })}\n`);
});
