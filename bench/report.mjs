/** The results as Markdown. */
import { reached } from './goals.mjs';
import { median, spread } from './statistics.mjs';

const number = (value, digits) =>
  value === undefined || Number.isNaN(value)
    ? ''
    : value.toLocaleString('en', { minimumFractionDigits: digits, maximumFractionDigits: digits });

export const row = (cells) => `| ${cells.join(' | ')} |`;

/** How a ratio is shown: large ones need no decimals. */
export const times = (value) => `${number(value, value >= 100 ? 0 : value >= 10 ? 1 : 2)}x`;

/**
 * The table of one measure.
 * @param cells `{ key, label, results }`, one result per round
 */
export function measureTable({ title, note, columns, ratio }, cells) {
  const [primary] = columns;
  const value = (cell) => median(cell.results.map(primary.of));
  const reference = ratio === null ? undefined : cells.find(({ key }) => key === ratio.to);
  const heads = ['', primary.head, 'spread', ...columns.slice(1).map(({ head }) => head)];
  if (reference !== undefined) heads.push(ratio.head);
  const lines = cells.map((cell) => {
    const { min, max } = spread(cell.results.map(primary.of));
    const shown = [
      cell.label,
      number(value(cell), primary.digits),
      `${number(min, primary.digits)}..${number(max, primary.digits)}`,
    ];
    for (const { of, digits } of columns.slice(1)) shown.push(number(median(cell.results.map(of)), digits));
    if (reference !== undefined) {
      shown.push(times(ratio.inverse ? value(reference) / value(cell) : value(cell) / value(reference)));
    }
    return row(shown);
  });
  const rule = heads.map((_, i) => (i === 0 ? '---' : '--:'));
  return [`## ${title}`, '', note, '', row(heads), row(rule), ...lines].join('\n');
}

/** What was to be reached and what was; nothing when no goal could be measured. */
export function goalTable(results) {
  const goals = reached(results);
  if (goals.length === 0) return '';
  const lines = goals.map(({ text, value, min, max, least, most, aim, met, aimed }) =>
    row([
      text,
      times(value),
      `${times(min)}..${times(max)}`,
      least === undefined ? `at most ${times(most)}` : `at least ${times(least)}`,
      times(aim),
      aimed ? 'aim reached' : met ? 'reached' : '**missed**',
    ]),
  );
  const heads = ['', 'measured', 'spread', 'goal', 'aim', ''];
  return ['## Goals', '', row(heads), row(heads.map((_, i) => (i === 0 ? '---' : '--:'))), ...lines].join('\n');
}

/** The whole report. */
export function markdown({ command, date, rounds, machine, load, candidates, measures, results }) {
  const present = candidates.filter(({ missing }) => missing === undefined);
  const absent = candidates.filter(({ missing }) => missing !== undefined);
  const facts = [
    `- Command: \`${command}\`, ${date}`,
    `- Machine: ${machine.cpu}, ${machine.cores} cores, ${machine.memoryGb} GB; ${machine.system}; Node ${machine.node}`,
    `- Load average before and after: ${number(load.before, 2)} and ${number(load.after, 2)}; the run itself makes about 1.5`,
    `- ${rounds} rounds; each figure is the median of the rounds, the spread is from the smallest to the largest`,
    ...present.map(({ name, version }) => `- ${name}${version === '' ? '' : `: ${version ?? 'version unknown'}`}`),
    ...absent.map(({ name, missing }) => `- **Not measured**: ${name} is not installed; get it with \`${missing}\``),
  ];
  const sections = measures.map(({ measure, cells }) => measureTable(measure, cells));
  const goals = goalTable(results);
  return `${['# Benchmarks', facts.join('\n'), ...sections, ...(goals === '' ? [] : [goals])].join('\n\n')}\n`;
}
