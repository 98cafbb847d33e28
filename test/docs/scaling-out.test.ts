// The page about several processes: its pictures and its table are those of scripts/recipes.mjs.
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { pictureOf } from '../../scripts/recipe-pictures.mjs';
import { takeoverTable, type ScaleFacts } from '../../scripts/evidence/scale.mjs';
import { NAMES, RECIPES } from '../../scripts/recipes.mjs';
import { ROOT } from './support/markdown.js';

const page = readFileSync(`${ROOT}/docs/scaling-out.md`, 'utf8');

/** What the page calls a recipe, or that there is none. */
const recipeCell = (recipe: (typeof NAMES)[number]['recipe']): string => {
  if (recipe === null) return 'none';
  const { title } = RECIPES[recipe];
  return `[${title.toLowerCase()}](#${title.toLowerCase().replaceAll(' ', '-').replaceAll('/', '')})`;
};

describe('docs/scaling-out.md', () => {
  it.each(Object.entries(RECIPES))('has the picture of %s, as scripts/recipe-pictures.mjs draws it', (name, recipe) => {
    expect(readFileSync(`${ROOT}/docs/pictures/${name}.svg`, 'utf8')).toBe(pictureOf(recipe));
    expect(page).toContain(`![${recipe.caption}](pictures/${name}.svg)`);
    expect(page).toContain(`\n## ${recipe.title}\n`);
  });

  it('has the table of servers', () => {
    const rows = NAMES.map(({ server, name, second, recipe, setting, remark }) =>
      [server, name, second, recipeCell(recipe), setting === null ? 'nothing' : `\`${setting}\``, remark].join(' | '),
    );
    const begin = page.indexOf('| server | the name is of |');
    const table = page.slice(begin, page.indexOf('\n\n', begin)).split('\n').slice(2);
    expect(table).toEqual(rows.map((row) => `| ${row} |`));
  });

  it('has the takeovers as they were measured last', () => {
    const facts = JSON.parse(readFileSync(`${ROOT}/docs/evidence/scale.json`, 'utf8')) as ScaleFacts;
    const words = (text: string) => text.replaceAll(/[ -]+/g, ' ');
    expect(words(page)).toContain(words(takeoverTable(facts).join('\n')));
  });

  it('shows the simulation as it was run last', () => {
    const { results } = JSON.parse(readFileSync(`${ROOT}/bench/simulation/fleet.json`, 'utf8')) as {
      results: {
        name: string;
        shardMoves: number;
        accountMoves: number;
        mostWithout: number;
        allServedSeconds: number;
        mostConnectsPerSecond: number;
      }[];
    };
    const count = (value: number): string => value.toLocaleString('en');
    for (const { name, shardMoves, accountMoves, mostWithout, allServedSeconds, mostConnectsPerSecond } of results) {
      const cells = [shardMoves, accountMoves, mostWithout].map(count);
      const row = [name, ...cells, `${allServedSeconds.toFixed(1)} s`, count(mostConnectsPerSecond)];
      expect(page).toContain(`| ${row.join(' | ')} |`);
    }
  });
});
