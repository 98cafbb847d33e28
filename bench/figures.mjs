/** Figures of the results in the pages of `docs`: a full run writes them, and a test compares them. */
import { reached } from './goals.mjs';
import { row, times } from './report.mjs';
import { median, spread } from './statistics.mjs';

const fixed = (value) => value.toFixed(2);

function goals({ results }) {
  const lines = reached(results).map(({ text, value, min, max, least, most, aim, met, aimed }) =>
    row([
      text,
      times(value),
      `${times(min)} to ${times(max)}`,
      `${least === undefined ? `at most ${times(most)}` : `at least ${times(least)}`}, better ${times(aim)}`,
      aimed ? 'better' : met ? 'reached' : '**missed**',
    ]),
  );
  return [row(['what', 'measured', 'spread', 'goal', '']), row(['---', '--:', '--:', '---', '---']), ...lines];
}

function filters({ results }) {
  const lines = [0, 10, 100, 1_000, 10_000, 100_000].map((count) => {
    const list = results[`inbound/ours-${count}`];
    const { min, max } = spread(list);
    const grouped = count.toLocaleString('en').replace(',', ' ');
    return row([grouped, fixed(median(list)), `${fixed(min)} to ${fixed(max)}`]);
  });
  const heads = ['filters', 'CPU time for one stanza, µs', 'spread of five rounds'];
  return [row(heads), row(['--:', '--:', '--:']), ...lines];
}

function machine({ date, machine: on, load }) {
  return [
    `Measured on ${date}: ${on.cpu}, ${on.cores} cores, Node ${on.node}; load average ${fixed(load.before)} before it.`,
  ];
}

const KINDS = { goals, filters, machine };

/** The pages that have figures. */
export const PAGES = ['docs/performance.md', 'docs/how-filters-are-matched.md'];

/** A page with the lines behind each `<!-- figures: KIND -->` and a blank line, up to the next one, as the results say. */
export function withFigures(page, report) {
  return page.replaceAll(/(<!-- figures: (\w+) -->\n\n)(?:.+\n)*/g, (_, mark, kind) => {
    const lines = KINDS[kind]?.(report);
    if (lines === undefined) throw new Error(`there are no figures called ${kind}`);
    return `${mark}${lines.join('\n')}\n`;
  });
}
