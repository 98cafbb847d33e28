import type { Terminal } from '../../../src/cli/command.js';
import { run } from '../../../src/cli/run.js';

/** What a command wrote, and how it ended. */
export interface Outcome {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** A terminal of a test: what is written is kept, and somebody may wait for it. */
export class TestTerminal implements Terminal {
  readonly env: Record<string, string>;
  colour = false;
  ask: Terminal['ask'] = null;
  readonly #end = new AbortController();
  readonly signal = this.#end.signal;
  #out = '';
  #err = '';
  #look = (): void => undefined;

  constructor(
    env: Record<string, string> = {},
    private readonly typed = '',
  ) {
    this.env = env;
  }

  readonly out = (line: string): void => {
    this.#out += `${line}\n`;
    this.#look();
  };

  readonly err = (line: string): void => {
    this.#err += `${line}\n`;
  };

  /** What was written so far where errors go. */
  get told(): string {
    return this.#err;
  }

  readonly input = (): Promise<string> => Promise.resolve(this.typed);

  /** As Ctrl-C does. */
  interrupt(): void {
    this.#end.abort(new Error('ended by SIGINT'));
  }

  /** Resolves when that was written. */
  async wrote(pattern: RegExp): Promise<RegExpExecArray> {
    return new Promise((resolve) => {
      this.#look = () => {
        const found = pattern.exec(this.#out);
        if (found !== null) resolve(found);
      };
      this.#look();
    });
  }

  async run(...args: readonly string[]): Promise<Outcome> {
    const code = await run(args, '1.2.3', this);
    return { code, out: this.#out, err: this.#err };
  }
}

/** Runs a command to its end. */
export const command = (args: readonly string[], env: Record<string, string> = {}, typed = ''): Promise<Outcome> =>
  new TestTerminal(env, typed).run(...args);
