import { afterAll, describe, expect, it } from 'vitest';
import { Child } from './support/child.js';
import { readPages } from './support/markdown.js';
import { openPlace } from './support/place.js';
import { programsOf, type Program } from './support/programs.js';
import { typeErrors } from './support/type-check.js';
import { Workshop } from './support/workshop.js';

const programs = readPages().flatMap(programsOf);
const workshop = new Workshop();
afterAll(() => {
  workshop[Symbol.dispose]();
});

/** For one program: what hangs is reported with what it printed. */
const LIMIT_MS = 45_000;

describe('the code in README and docs', () => {
  it('has programs', () => {
    expect(programs.length).toBeGreaterThan(1);
  });

  it('has the right types', () => {
    expect(typeErrors(programs)).toEqual([]);
  });

  const running = programs.filter(({ typesOnly }) => !typesOnly).map((program, i) => ({ ...program, i }));
  it.concurrent.each(running)('runs: $name', async (program) => {
    expect(await run(program, program.i)).toBe('as documented');
  });
});

/** A program that stays is told to end by one of both signals. */
async function run(program: Program, number: number): Promise<string> {
  await using place = await openPlace(workshop);
  await using child = new Child(workshop, workshop.add(`program-${String(number)}.ts`, program.source), place);
  const timer = setTimeout(() => {
    child.signal('SIGKILL');
  }, LIMIT_MS);
  try {
    for (const text of program.until) await child.prints(text);
    // A program that stays may wait in its last line for the end that only the signal brings.
    if (!program.stays || program.until.length === 0) await child.done();
    if (program.stays) child.signal(number % 2 === 0 ? 'SIGTERM' : 'SIGINT');
    const { code, signal, output } = await child.ended();
    if (signal === 'SIGKILL') return `still running after ${String(LIMIT_MS)} ms; it printed:\n${output}`;
    if (code !== 0) {
      return `ended with ${String(code ?? signal)}; it printed:\n${output}`;
    }
    const missing = program.until.find((text) => !output.includes(text));
    return missing === undefined ? 'as documented' : `did not print ${JSON.stringify(missing)}, but:\n${output}`;
  } finally {
    clearTimeout(timer);
  }
}
