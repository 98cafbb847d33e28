import { printable } from '../../errors.js';
import type { Terminal } from '../command.js';

/** How a step went. */
export type Mark = 'ok' | 'fail' | 'warn' | 'info';

const COLOURS: Readonly<Record<Mark, number>> = { ok: 32, fail: 31, warn: 33, info: 2 };

/** Longest line, in UTF-16 code units: a certificate may have a thousand names. */
const LINE = 2_000;

/** Writes what is found, as it is found: lines for people, or objects for programs. */
export class Report {
  readonly #terminal: Pick<Terminal, 'out' | 'colour'>;
  readonly #json: boolean;

  constructor(json: boolean, terminal: Pick<Terminal, 'out' | 'colour'>) {
    this.#json = json;
    this.#terminal = terminal;
  }

  /** Begins a part. Programs do not see it. */
  title(text: string): void {
    if (this.#json) return;
    const { out, colour } = this.#terminal;
    out(colour ? `\u001b[1m${printable(text, LINE)}\u001b[22m` : printable(text, LINE));
  }

  /** One line; its facts for programs, null where they are in those of another line. Times are in milliseconds. */
  line(mark: Mark, text: string, facts: Readonly<Record<string, unknown>> | null): void {
    const { out, colour } = this.#terminal;
    if (this.#json) {
      // What moves a cursor is escaped in JSON in the same way.
      if (facts !== null) out(printable(JSON.stringify({ result: mark, ...facts }, rounded), Infinity));
      return;
    }
    const sign = (mark === 'info' ? '' : mark).padEnd(5);
    const { ms } = facts ?? {};
    const time = typeof ms === 'number' ? ` (${ms.toFixed(1)} ms)` : '';
    out(`  ${colour ? `\u001b[${COLOURS[mark]}m${sign}\u001b[0m` : sign}${printable(text, LINE)}${time}`);
  }
}

/** A time has as many digits as mean something. */
function rounded(_name: string, value: unknown): unknown {
  return typeof value === 'number' && !Number.isInteger(value) ? Math.round(value * 10) / 10 : value;
}
