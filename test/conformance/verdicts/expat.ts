import { spawn, spawnSync, type ChildProcessWithoutNullStreams } from 'node:child_process';
import { createInterface, type Interface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { Verdict } from './verdict.js';

const PROGRAM = fileURLToPath(new URL('expat.py', import.meta.url));

export const HAS_EXPAT = spawnSync('python3', ['-c', 'import pyexpat']).status === 0;

/** expat, in a process of Python. */
export class Expat {
  readonly #process: ChildProcessWithoutNullStreams;
  readonly #lines: AsyncIterator<string>;
  readonly #reader: Interface;

  constructor() {
    this.#process = spawn('python3', [PROGRAM]);
    this.#process.stderr.pipe(process.stderr);
    this.#reader = createInterface({ input: this.#process.stdout });
    this.#lines = this.#reader[Symbol.asyncIterator]();
  }

  async judge(documents: readonly Buffer[]): Promise<Verdict[]> {
    const pieces = documents.flatMap((document) => {
      const head = Buffer.alloc(4);
      head.writeUInt32LE(document.length);
      return [head, document];
    });
    this.#process.stdin.write(Buffer.concat(pieces));
    const verdicts: Verdict[] = [];
    while (verdicts.length < documents.length) {
      const line = await this.#lines.next();
      if (line.done === true) throw new Error('expat ended');
      verdicts.push(JSON.parse(line.value) as Verdict);
    }
    return verdicts;
  }

  close(): void {
    this.#process.stdin.end();
    this.#reader.close();
  }
}
