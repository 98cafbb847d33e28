/** Arguments of `npm run bench`. */
import { parseArgs } from 'node:util';

export const MEASURES = [
  'parse',
  'inbound',
  'outbound',
  'load',
  'connect',
  'sign-in',
  'idle',
  'filters',
  'hostile',
  'secure',
  'busy',
  'latency',
  'store',
  'nats',
  'fan-out',
  'console',
];

/** What the short mode measures. */
const SHORT = ['parse', 'inbound', 'outbound'];

/**
 * @returns `{ short, only, rounds }`
 * @throws Error that says what is wrong with the arguments
 */
export function benchOptions(args) {
  const { values } = parseArgs({
    args,
    options: { short: { type: 'boolean' }, only: { type: 'string' }, rounds: { type: 'string' } },
  });
  const short = values.short === true;
  const only = values.only?.split(',') ?? (short ? SHORT : MEASURES);
  const unknown = only.filter((name) => !MEASURES.includes(name));
  if (unknown.length > 0)
    throw new Error(`--only: there is no ${unknown.join(', ')}; there are ${MEASURES.join(', ')}`);
  const rounds = Number(values.rounds ?? (short ? 3 : 5));
  if (!Number.isInteger(rounds) || rounds < 1) throw new Error('--rounds must be a whole number, 1 or more');
  return { short, only: MEASURES.filter((name) => only.includes(name)), rounds };
}
