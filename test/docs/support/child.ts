import { spawn, type ChildProcess } from 'node:child_process';
import { join } from 'node:path';
import type { Surroundings } from './place.js';
import type { ProgramFolder } from './workshop.js';

/** How a child ended. */
export interface End {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly output: string;
}

/** A program that runs in a process of its own. */
export class Child implements AsyncDisposable {
  /** What it printed so far, both streams. */
  output = '';
  readonly #process: ChildProcess;
  readonly #ended: Promise<End>;
  readonly #done: Promise<void>;
  #watchers: (() => void)[] = [];

  constructor(
    workshop: ProgramFolder,
    program: string,
    place: Surroundings,
    env: Readonly<Record<string, string>> = {},
    args: readonly string[] = [],
  ) {
    const child = spawn(process.execPath, [workshop.launcher, program, ...args], {
      cwd: place.folder,
      env: {
        PATH: process.env['PATH'],
        DETOUR: JSON.stringify(place.detour),
        NODE_EXTRA_CA_CERTS: join(place.folder, 'ca.pem'),
        ...env,
      },
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    });
    this.#process = child;
    for (const stream of [child.stdout, child.stderr]) {
      stream?.setEncoding('utf8').on('data', (text: string) => {
        this.output += text;
        for (const watch of this.#watchers) watch();
      });
    }
    this.#ended = new Promise((resolve, reject) => {
      child.once('error', reject).once('close', (code, signal) => {
        resolve({ code, signal, output: this.output });
      });
    });
    this.#done = new Promise((resolve) => child.once('message', () => resolve()));
  }

  /** Resolves when the program's own code is through, or the process ended. */
  async done(): Promise<void> {
    await Promise.race([this.#done, this.#ended]);
  }

  /** Resolves when the text was printed. Rejects when the process ends without. */
  prints(text: string): Promise<void> {
    return new Promise((resolve, reject) => {
      const watch = () => {
        if (this.output.includes(text)) resolve();
      };
      this.#watchers.push(watch);
      watch();
      this.#ended.then(({ code, signal }) => {
        watch();
        const how = `the program ended with ${code ?? signal} and did not print ${JSON.stringify(text)}`;
        reject(new Error(`${how}, but:\n${this.output}`));
      }, reject);
    });
  }

  signal(signal: NodeJS.Signals): void {
    this.#process.kill(signal);
  }

  ended(): Promise<End> {
    return this.#ended;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#process.kill('SIGKILL');
    await this.#ended;
  }
}
