import { spawn, type ChildProcessByStdio } from 'node:child_process';
import type { Readable, Writable } from 'node:stream';

const quoted = (word: string): string => `'${word.replaceAll("'", `'\\''`)}'`;

/** A program at a pseudo-terminal, as somebody sits in front of one. What it writes and what is echoed is one text. */
export class PseudoTerminal implements AsyncDisposable {
  /** All that stands on the screen, with its escape sequences. */
  screen = '';
  /** The exit code. */
  readonly ended: Promise<number | null>;
  readonly #process: ChildProcessByStdio<Writable, Readable, null>;
  readonly #looks = new Set<() => void>();

  /** @param words the program and its arguments */
  constructor(words: readonly string[], env: Record<string, string> = {}) {
    // util-linux's script makes the terminal; what is typed comes from us.
    const command = `exec ${words.map(quoted).join(' ')}`;
    this.#process = spawn('script', ['--quiet', '--return', '--command', command, '/dev/null'], {
      env: { PATH: process.env['PATH'], TERM: 'xterm', ...env },
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    this.#process.stdout.setEncoding('utf8').on('data', (text: string) => {
      this.screen += text;
      for (const look of this.#looks) look();
    });
    this.ended = new Promise((resolve, reject) => {
      this.#process.once('error', reject);
      this.#process.once('close', (code) => {
        resolve(code);
      });
    });
  }

  /** Presses keys. */
  type(keys: string): void {
    this.#process.stdin.write(keys);
  }

  /** Resolves when that stands on the screen; rejects when the program ends without. */
  async shows(pattern: RegExp): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      const look = (): void => {
        if (!pattern.test(this.screen)) return;
        this.#looks.delete(look);
        resolve();
      };
      this.#looks.add(look);
      look();
      void this.ended.then(() => {
        look();
        reject(new Error(`the program ended without ${String(pattern)}:\n${this.screen}`));
      }, reject);
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // Who has the other end of a terminal takes the program with him.
    this.#process.kill('SIGKILL');
    await this.ended;
  }
}
