import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { PAGES, withFigures } from '../../bench/figures.mjs';
import { flame } from '../../bench/flame-svg.mjs';
import { ROOT } from './support/markdown.js';

const report = JSON.parse(readFileSync(`${ROOT}/bench/results/results.json`, 'utf8')) as object;

describe('figures in docs', () => {
  it.each(PAGES)('%s: they are those of bench/results', (path) => {
    const page = readFileSync(`${ROOT}/${path}`, 'utf8');
    expect(page).toContain('<!-- figures: ');
    // `npm run bench` writes them anew.
    expect(page).toBe(withFigures(page, report));
  });

  it('are put in where they are missing, and old ones go', () => {
    const page = 'before\n\n<!-- figures: machine -->\n\nold\nolder\n\nbehind\n';
    expect(withFigures(page, report)).toMatch(/^before\n\n<!-- figures: machine -->\n\nMeasured on .*\n\nbehind\n$/);
    expect(() => withFigures('<!-- figures: none -->\n\n', report)).toThrow('no figures called none');
  });
});

describe('a flame graph', () => {
  const frame = (id: number, functionName: string, url: string, children: number[] = []) => ({
    id,
    callFrame: { functionName, url },
    children,
  });
  const nodes = [
    frame(1, '(root)', '', [2, 3]),
    frame(2, '(idle)', ''),
    frame(3, 'scan<1>', 'file:///x/build/xml/tokenizer/scanner.js', [4]),
    frame(4, 'match', 'file:///x/build/filters/filter-set.js'),
  ];

  it('has the shares of all that is not idle, and nothing that is no XML', () => {
    const svg = flame({ nodes, samples: [2, 3, 4], timeDeltas: [50, 75, 25] }, 'a < b');
    expect(svg).toContain('<title>scan&lt;1&gt; (xml/tokenizer/scanner): 100.0 %</title>');
    expect(svg).toContain('<title>match (filters/filter-set): 25.0 %</title>');
    expect(svg).toContain('<title>a &lt; b</title>');
    expect(svg).not.toContain('idle');
  });
});
