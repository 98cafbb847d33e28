import { BrokerError } from 'xmpp-broker';
import { VALUE_NAMES, VALUES, type ValueName } from './bad-values.js';

/** One argument of one public function. */
export interface Row {
  /** The function and the argument, for the test's name. */
  readonly call: string;
  /** What the message of the error must name. */
  readonly names: RegExp;
  /** Values that are right for it. Every other one must be refused. */
  readonly takes: readonly ValueName[];
  readonly run: (value: never) => unknown;
}

export const row = (call: string, names: RegExp, takes: readonly ValueName[], run: (value: never) => unknown): Row => ({
  call,
  names,
  takes,
  run,
});

type Outcome = { kind: 'taken' } | { kind: 'pending' } | { kind: 'refused'; error: unknown };

/** What a call came to, without waiting for anything but its own promise's first steps. */
export async function outcome(run: () => unknown): Promise<Outcome> {
  try {
    const result = run();
    if (!(result instanceof Promise)) return { kind: 'taken' };
    const later = new Promise<Outcome>((resolve) => setImmediate(() => resolve({ kind: 'pending' })));
    return await Promise.race([result.then((): Outcome => ({ kind: 'taken' })), later]);
  } catch (error) {
    return { kind: 'refused', error };
  }
}

function complaint(found: Outcome, names: RegExp): string | null {
  if (found.kind !== 'refused') return 'was accepted';
  const { error } = found;
  if (!(error instanceof BrokerError) && !(error instanceof TypeError)) {
    return `gave ${error instanceof Error ? `${error.constructor.name}: ${error.message}` : typeof error}`;
  }
  return names.test(error.message) ? null : `is not named in "${error.message}"`;
}

/** A request that runs out of time at once was taken all the same. */
function isUsage(error: unknown): boolean {
  return !(error instanceof BrokerError) || error.layer === 'usage' || error.layer === 'xml';
}

/** What is wrong with how one argument is checked: each value must be taken, or refused with an error that names it. */
export async function problemsOf({ names, takes, run }: Row): Promise<string[]> {
  const problems: string[] = [];
  for (const name of VALUE_NAMES) {
    const found = await outcome(() => run(VALUES[name]() as never));
    if (takes.includes(name)) {
      if (found.kind === 'refused' && isUsage(found.error))
        problems.push(`${name} should be taken: ${String(found.error)}`);
    } else {
      const problem = complaint(found, names);
      if (problem !== null) problems.push(`${name} ${problem}`);
    }
  }
  return problems;
}
