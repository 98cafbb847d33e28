import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { count } from './facts.mjs';

/** The page that leads to all others, from what is in the folder. */
export function indexPage(folder) {
  const names = readdirSync(folder)
    .filter((name) => name.endsWith('.json'))
    .map((name) => name.slice(0, -'.json'.length))
    .sort();
  const rows = names.map((name) => {
    const { title, cases, unit, wrong, date, commit } = JSON.parse(readFileSync(join(folder, `${name}.json`), 'utf8'));
    return `| [${title}](${name}.md) | ${count(cases)} ${unit} | ${count(wrong.length)} | ${date}, ${commit} |`;
  });
  return [
    '# Evidence',
    '',
    'What the tests show in small, at a larger size: `npm run evidence`. Each page says what was done, with which seeds, and what was',
    'wrong; what was wrong is mended and has become a test. `npm run evidence -- --only split --size 100000` runs one of them, and',
    'goes on where it was; `--fresh` begins anew. The same tests run with few cases in `npm test`.',
    '',
    '| what | cases | wrong | when, and the commit |',
    '| --- | --: | --: | --- |',
    ...rows,
    '',
  ].join('\n');
}
