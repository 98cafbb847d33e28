// `npm run evidence [-- --only split,disconnect] [--size 10000]`: what the tests show in small, at full size. What was done
// is kept in .cache/evidence: a run that was ended goes on where it was, and a larger size adds to it. `--fresh` begins anew,
// `--report` writes the pages from what is kept. The pages and their figures are in docs/evidence.
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { Book } from './evidence/book.mjs';
import { ROOT } from './evidence/facts.mjs';
import { writeReport } from './evidence/report.mjs';
import { SUBJECTS } from './evidence/subjects.mjs';

const cache = join(ROOT, '.cache', 'evidence');
const names = SUBJECTS.map(({ name }) => name);

const { values } = parseArgs({
  options: {
    only: { type: 'string', default: names.join(',') },
    size: { type: 'string' },
    places: { type: 'string', default: 'loopback,prosody,ejabberd' },
    fresh: { type: 'boolean', default: false },
    report: { type: 'boolean', default: false },
  },
});
const wanted = values.only.split(',');
const unknown = wanted.filter((name) => !names.includes(name));
const given = values.size === undefined ? null : Number(values.size);
if (unknown.length > 0 || (given !== null && (!Number.isInteger(given) || given < 1))) {
  console.error(`evidence: --only takes ${names.join(', ')}, and --size a whole number`);
  process.exit(1);
}

mkdirSync(cache, { recursive: true });
for (const subject of SUBJECTS.filter(({ name }) => wanted.includes(name))) {
  const path = join(cache, `${subject.name}.jsonl`);
  if (values.fresh) rmSync(path, { force: true });
  const size = given ?? subject.size;
  const task = { size, book: new Book(path), places: values.places.split(',') };
  if (!values.report && !(await subject.run(task))) process.exitCode = 1;
  if (writeReport(subject, task) > 0) process.exitCode = 1;
}
