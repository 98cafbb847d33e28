// A subject that consists of parts, each a sequence of numbered cases that is the same in every run: one test file, which is
// told which part and which cases. The book has one object for each portion: what it was, how many cases the part has (null:
// without end), what was counted, and what was wrong.
import { count, provenance, sum } from './facts.mjs';
import { bars } from './plot.mjs';
import { anySeed, runTests } from './vitest.mjs';

/** What of a part is in the book. */
function standOf(lines, part) {
  const those = lines.filter((line) => line.part === part);
  return {
    those,
    done: sum(those, ({ size }) => size),
    of: those.at(-1)?.of ?? Infinity,
    wrong: sum(those, ({ wrong }) => wrong.length),
  };
}

/**
 * @param options.size cases of all parts together; parts that have fewer than their share are done whole
 * @param options.shares how many of these each part has, by its name; equal ones if left out
 * @param options.counts columns: the title, the name of what was counted, and `most` where portions are not added up
 * @param options.batch cases of one portion, about a minute
 * @param options.runPortion what does a portion and adds it to the book, if not the test file
 */
export function partsSubject({
  name,
  runPortion,
  title,
  text,
  unit,
  size,
  batch,
  project,
  file,
  shares,
  parts = Object.keys(shares),
  counts = [],
  ...rest
}) {
  const share = (whole, part) => Math.ceil(whole * (shares === undefined ? 1 / parts.length : shares[part] / size));

  const runTestsOf = ({ part, from, size, seed, book }) =>
    runTests(process.execPath, project, file, {
      XMPP_BROKER_PART: part,
      XMPP_BROKER_FROM: String(from),
      XMPP_BROKER_SIZE: String(size),
      XMPP_BROKER_SEED: String(seed),
      XMPP_BROKER_OUTCOME: book.path,
    });

  function run({ size: whole, book }) {
    for (const part of parts) {
      for (;;) {
        const lines = book.read();
        const { done, of } = standOf(lines, part);
        const left = Math.min(share(whole, part), of) - done;
        if (left <= 0) break;
        const portion = Math.min(left, batch);
        const seed = anySeed();
        console.log(`evidence: ${name}, ${part}: ${done} ${unit}; next ${portion}, seed ${seed}`);
        const status = (runPortion ?? runTestsOf)({ part, from: done, size: portion, seed, book });
        if (book.read().length > lines.length) continue;
        console.error(`evidence: ${name}, ${part}: the portion with seed ${seed} gave no result (exit code ${status})`);
        return false;
      }
    }
    return true;
  }

  function report({ size: whole, book }) {
    const lines = book.read();
    const stands = parts.map((part) => ({ part, ...standOf(lines, part) }));
    const head = ['part', unit, 'of', ...counts.map(([title]) => title), 'wrong', 'seconds'];
    const rows = stands.map(({ part, those, done, of, wrong }) => {
      const cells = counts.map(([, what, how]) => {
        const values = those.map((line) => line.counts?.[what] ?? 0);
        return count(how === 'most' ? Math.max(0, ...values) : sum(values, (value) => value));
      });
      const seconds = Math.round(sum(those, ({ ms }) => ms) / 1000);
      return [part, count(done), Number.isFinite(of) ? count(of) : '', ...cells, count(wrong), count(seconds)];
    });
    const table = [head, ['---', ...head.slice(1).map(() => '--:')], ...rows].map((row) => `| ${row.join(' | ')} |`);
    return {
      title,
      unit,
      cases: sum(stands, ({ done }) => done),
      text,
      facts: {
        ...provenance(`npm run evidence -- --only ${name} --size ${whole}`),
        wrong: lines.flatMap(({ part, seed, wrong }) => wrong.map((what) => ({ seed, where: part, what }))),
        parts: lines.map((line) => ({ ...line, wrong: line.wrong.length })),
      },
      figures: {
        bullets: [
          `- Cases: ${count(sum(stands, ({ done }) => done))} ${unit}; seeds and counts of each portion are in ${name}.json`,
        ],
        tables: [...table, ...(rest.tables?.(lines) ?? [])],
      },
      plots: {
        parts: bars(
          stands.map(({ part, done, wrong }) => ({ name: part, value: done, wrong })),
          unit,
        ),
        ...rest.plots?.(lines),
      },
    };
  }

  return { name, size, parts, run, report };
}
