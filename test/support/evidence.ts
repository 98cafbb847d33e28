import { appendFileSync } from 'node:fs';

const { env } = process;

/** Which cases of a sequence a run is to do: few in `npm test`, any in `npm run evidence`, which sets the variables. */
export interface Portion {
  /** Index of the first case. */
  readonly from: number;
  readonly size: number;
  /** For what is drawn, not counted off. */
  readonly seed: number;
  /** Whether the cases are counted off from the first to the last, and not begun anywhere. */
  readonly isWhole: boolean;
}

/** What came of it. */
export interface Outcome {
  /** How many cases the sequence has; null: without end. */
  readonly of: number | null;
  readonly counts?: Readonly<Record<string, number>>;
  readonly wrong: readonly string[];
  /** Values that are drawn as a line. */
  readonly series?: readonly number[];
}

/** The parts that are to be run. */
export const partsOf = <Name extends string>(names: readonly Name[]): readonly Name[] =>
  env['XMPP_BROKER_PART'] === undefined ? names : names.filter((name) => name === env['XMPP_BROKER_PART']);

/**
 * The cases that are to be run of a part. `size` is that of `npm test`, which begins anywhere; who counts off his cases takes
 * them modulo their number.
 */
export function portion(size: number): Portion {
  const seed = Number(env['XMPP_BROKER_SEED'] ?? 1 + (Date.now() % (2 ** 31 - 1)));
  return {
    from: Number(env['XMPP_BROKER_FROM'] ?? seed % 1_000_000),
    size: Number(env['XMPP_BROKER_SIZE'] ?? size),
    seed,
    isWhole: env['XMPP_BROKER_FROM'] !== undefined,
  };
}

/** Notes what came of a portion that began then, by `process.uptime()`, for the report. */
export function note(part: string, { from, size, seed }: Portion, began: number, outcome: Outcome): void {
  const book = env['XMPP_BROKER_OUTCOME'];
  if (book === undefined) return;
  const ms = Math.round((process.uptime() - began) * 1_000);
  appendFileSync(book, `${JSON.stringify({ part, from, size, seed, ms, ...outcome })}\n`);
}
