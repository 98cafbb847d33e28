/** What one filter can cost with one stanza, when both are as bad as the limits allow. */
import { EXPRESSIONS, STANZAS } from '../hostile.mjs';
import { median } from '../statistics.mjs';

export const title = 'Hostile stanzas and costly filters';
export const note = `${EXPRESSIONS.length} costly expressions, each alone with each stanza, with the default budget, wall time once the process is warm; no pair may take more than 10 ms. The very first evaluation of a process takes up to ten times as long, because nothing is compiled yet.`;
export const columns = [
  { head: 'ms, worst filter', of: ({ worst }) => worst, digits: 2 },
  { head: 'median filter', of: ({ middle }) => middle, digits: 2 },
  { head: 'filters over budget', of: ({ refused }) => refused, digits: 0 },
];
export const ratio = null;

const REPEAT = 5;

export const cells = () =>
  Object.keys(STANZAS).map((stanza) => ({ key: stanza, label: stanza, candidate: 'ours', params: { stanza } }));

export function run(candidate, { stanza }) {
  const prepare = (expression) => candidate.matcher(STANZAS[stanza], expression);
  for (let warm = 0; warm < REPEAT; warm += 1) for (const expression of EXPRESSIONS) prepare(expression)();
  let refused = 0;
  const times = EXPRESSIONS.map((expression) => {
    const runs = Array.from({ length: REPEAT }, () => {
      const match = prepare(expression);
      const start = performance.now();
      const over = match();
      return { over, spent: performance.now() - start };
    });
    if (runs.some(({ over }) => over)) refused += 1;
    return median(runs.map(({ spent }) => spent));
  });
  return { worst: Math.max(...times), middle: median(times), refused };
}
