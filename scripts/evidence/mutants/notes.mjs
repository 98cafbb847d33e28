// Which tests see which check refuse: kept with a hash of each test file, so that only those that changed run again.
import { createHash } from 'node:crypto';
import { appendFileSync, existsSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { ROOT } from '../facts.mjs';

/** What is run at a time; what is noted then is kept. */
const FILES = 20;

const hashOf = (file) => createHash('sha256').update(readFileSync(file)).digest('hex').slice(0, 16);

/** @returns the notes by file: `{ noted: [{ test, ms, seen }] }`; a `test` of null is what happened between tests */
export async function takeNotes(path, session) {
  const kept = new Map();
  const lines = existsSync(path) ? readFileSync(path, 'utf8').split('\n').filter(Boolean) : [];
  for (const line of lines) {
    const { file, ...notes } = JSON.parse(line);
    kept.set(join(ROOT, file), notes);
  }
  const files = await session.files();
  const left = files.filter((file) => kept.get(file)?.hash !== hashOf(file));
  if (left.length > 0) console.log(`evidence: mutants: ${left.length} test files run to see which check refuses where`);
  while (left.length > 0) {
    const some = left.splice(0, FILES);
    const { lines } = await session.run(Object.fromEntries(some.map((file) => [file, {}])));
    for (const { file, noted } of lines) {
      const notes = { hash: hashOf(file), noted };
      kept.set(file, notes);
      // Below the checkout, so that another one can go on with it.
      appendFileSync(path, `${JSON.stringify({ file: relative(ROOT, file), ...notes })}\n`);
    }
  }
  return new Map(files.filter((file) => kept.has(file)).map((file) => [file, kept.get(file).noted]));
}
