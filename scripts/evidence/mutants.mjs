// Each check taken out of the sources, one at a time: some test has to fail then. Which tests see a check refuse is noted first,
// in one run of all of them; only those can tell that it is gone.
import { appendFileSync } from 'node:fs';
import { count, provenance } from './facts.mjs';
import { EQUIVALENT } from './mutants/equivalent.mjs';
import { checkedFiles, guardsIn } from './mutants/guards.mjs';
import { Hunt } from './mutants/hunt.mjs';
import { takeNotes } from './mutants/notes.mjs';
import { Session } from './mutants/session.mjs';
import { bars } from './plot.mjs';

const allGuards = () => checkedFiles().flatMap((path) => guardsIn(path));

/** What was found of the checks that there are; the last of each counts. */
function findings(book) {
  const last = new Map(book.read().map((line) => [line.key, line]));
  return allGuards().flatMap(({ key, path }) => (last.has(key) ? [{ ...last.get(key), path }] : []));
}

async function run({ size, book }) {
  const done = new Set(
    findings(book)
      .filter(({ by }) => by !== null)
      .map(({ key }) => key),
  );
  const left = allGuards()
    .slice(0, size)
    .filter(({ key }) => !done.has(key) && EQUIVALENT[key] === undefined);
  if (left.length === 0) return true;
  const session = await new Session(book.path).open();
  const hunt = new Hunt(session, await takeNotes(`${book.path}.noted`, session), (key, by) => {
    appendFileSync(book.path, `${JSON.stringify({ key, refused: hunt.seenBy(key), by })}\n`);
    if (by === null) console.log(`evidence: nothing fails without it: ${key}`);
  });
  await hunt.all(left.map(({ key }) => key));
  await session.close();
  return true;
}

function report({ size, book }) {
  const same = allGuards().filter(({ key }) => EQUIVALENT[key] !== undefined);
  const lines = findings(book).filter(({ key }) => EQUIVALENT[key] === undefined);
  const alive = lines.filter(({ by }) => by === null);
  const folders = [...new Set([...lines, ...same].map(({ path }) => path.split('/')[1]))].sort();
  const of = (folder, list) => list.filter(({ path }) => path.split('/')[1] === folder).length;
  const rows = folders.map((name) => ({ name, value: of(name, lines), wrong: of(name, alive), same: of(name, same) }));
  return {
    title: 'each check taken out',
    unit: 'checks',
    cases: lines.length + same.length,
    text: [
      'A check is an `if` or a `? :` that leads to a refusal, or one part of an "and" that is returned, in the code that sees what',
      'others send. Each is taken out of the sources alone, and some test has to fail then. Wrong is one that no test misses.',
      'Among them may be ways to be fast, where the slow way says the same. mutants.json tells for each check which test misses it.',
    ],
    facts: {
      ...provenance(`npm run evidence -- --only mutants --size ${size}`),
      wrong: alive.map(({ key, refused }) => ({
        seed: null,
        where: key,
        what: refused === 0 ? 'no test sees it refuse' : 'no test misses it',
      })),
      checks: lines.map(({ key, by }) => ({ check: key, missedBy: by })),
      equivalent: same.map(({ key }) => ({ check: key, why: EQUIVALENT[key] })),
    },
    figures: {
      bullets: [
        `- Checks: ${count(lines.length + same.length)} of ${count(allGuards().length)}; a test fails without ${count(lines.length - alive.length)}, nothing changes without ${count(same.length)}`,
      ],
      tables: [
        '| room | checks that change something | wrong | checks that change nothing |',
        '| --- | --: | --: | --: |',
        ...rows.map(({ name, value, wrong, same }) => `| ${name} | ${value} | ${wrong} | ${same} |`),
        ...(same.length === 0
          ? []
          : ['', '## What changes nothing', '', ...same.map(({ key }) => `- \`${key}\`: ${EQUIVALENT[key]}`)]),
      ],
    },
    plots: { rooms: bars(rows, 'checks') },
  };
}

export const mutants = { name: 'mutants', size: 10_000, run, report };
