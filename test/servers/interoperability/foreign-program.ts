import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process';
import { createInterface } from 'node:readline';
import { Collected } from '../support/collected.js';

/** A program and where it finds what it needs. */
export interface Launch {
  readonly command: readonly string[];
  readonly env: Readonly<Record<string, string>>;
}

/** Where it goes, and as who. */
export interface Destination {
  readonly kind: 'client' | 'component';
  readonly host: string;
  readonly port: number;
  readonly tls: 'starttls' | 'direct' | 'none' | 'websocket';
  /** File with the authority. */
  readonly ca: string;
  readonly jid: string;
  readonly password: string;
}

/** Milliseconds for what hangs. */
const PATIENCE = 30_000;

/** One of the programs of others: orders go in, and what happens comes out, a line each (see programs/README.md). */
export class ForeignProgram implements AsyncDisposable {
  readonly #lines = new Collected<readonly string[]>();
  readonly #child: ChildProcessWithoutNullStreams;
  readonly #ended: Promise<void>;
  #noise = '';

  constructor({ command, env }: Launch, to: Destination) {
    const [program = '', ...args] = command;
    const told = {
      PEER_KIND: to.kind,
      PEER_HOST: to.host,
      PEER_PORT: String(to.port),
      PEER_TLS: to.tls,
      PEER_CA: to.ca,
      // Programs of Node and Go cannot be told otherwise.
      NODE_EXTRA_CA_CERTS: to.ca,
      SSL_CERT_FILE: to.ca,
      PEER_JID: to.jid,
      PEER_PASSWORD: to.password,
    };
    this.#child = spawn(program, args, { env: { PATH: process.env['PATH'], ...env, ...told } });
    this.#child.stderr.setEncoding('utf8').on('data', (text: string) => (this.#noise += text));
    this.#child.stdin.on('error', () => undefined); // it has ended, which is told below
    createInterface({ input: this.#child.stdout }).on('line', (line) => {
      this.#lines.add(line.split('\t'));
    });
    this.#ended = new Promise((resolve) => {
      const end = (why: string): void => {
        this.#lines.add(['failed', why]);
        resolve();
      };
      this.#child.once('error', (error) => {
        end(error.message);
      });
      this.#child.once('close', (code) => {
        end(`ended with ${String(code)}`);
      });
    });
  }

  order(...words: readonly string[]): void {
    this.#child.stdin.write(`${words.join('\t')}\n`);
  }

  /** Waits for a line that begins with these words; rejects when the program has failed or ends. */
  async heard(...words: readonly string[]): Promise<readonly string[]> {
    const fits = (line: readonly string[]) => words.every((word, index) => line[index] === word);
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<readonly string[]>((resolve) => {
      timer = setTimeout(() => {
        resolve([`"${words.join(' ')}" does not come`]);
      }, PATIENCE);
    });
    const line = await Promise.race([
      this.#lines.until((one) => fits(one) || (one[0] === 'failed' && words[0] !== 'failed')),
      late,
    ]);
    clearTimeout(timer);
    if (fits(line)) return line;
    throw this.#fault(line.join(' '));
  }

  #fault(what: string): Error {
    const heard = this.#lines.all.map((line) => line.join(' ')).join('; ');
    return new Error(`${what}; heard: ${heard}; ${this.#noise.slice(-2_000)}`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode === null && this.#child.signalCode === null) this.#child.kill('SIGKILL');
    await this.#ended;
  }
}
