import { spawn, type ChildProcess } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { SERVERS } from '../../scripts/servers.mjs';

/** What it says, a line each. */
interface Line {
  readonly online?: string;
  readonly failed?: string;
  readonly id?: number;
  readonly result?: unknown;
  readonly error?: string;
}

/** How it signs in. */
export interface SlixmppAccount {
  readonly host: string;
  readonly port: number;
  readonly jid: string;
  readonly password: string;
  /** File with the authority to trust. */
  readonly authority: string;
}

/** A client written with slixmpp, in a process of its own: what it sees and says was not written by ours. */
export class Slixmpp implements AsyncDisposable {
  /** Its full address. */
  jid = '';
  readonly #child: ChildProcess;
  readonly #waiting = new Map<number, (line: Line) => void>();
  #asked = 0;

  private constructor(child: ChildProcess) {
    this.#child = child;
  }

  /** Resolves when it is online; rejects with what it says when it is not. */
  static async online(account: SlixmppAccount): Promise<Slixmpp> {
    const paths = SERVERS.slixmpp.find();
    if (paths === null) throw new Error('slixmpp is not installed');
    const { host, port, jid, password, authority } = account;
    const program = fileURLToPath(new URL('slixmpp-client.py', import.meta.url));
    const child = spawn(paths.python, [program, host, String(port), jid, password, authority], {
      stdio: ['pipe', 'pipe', 'pipe'],
      env: { PATH: process.env['PATH'], PYTHONUNBUFFERED: '1' },
    });
    const client = new Slixmpp(child);
    let noise = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => (noise += text));
    await new Promise<void>((resolve, reject) => {
      createInterface({ input: child.stdout }).on('line', (text) => {
        const line = JSON.parse(text) as Line;
        if (line.failed !== undefined) reject(new Error(`slixmpp: ${line.failed}\n${noise}`));
        if (line.online !== undefined) {
          client.jid = line.online;
          resolve();
        }
        if (line.id !== undefined) client.#answered(line.id, line);
      });
      child.once('error', reject).once('close', (code) => {
        reject(new Error(`slixmpp ended with ${String(code)}\n${noise}`));
        for (const id of client.#waiting.keys()) client.#answered(id, { error: `slixmpp ended\n${noise}` });
      });
    });
    return client;
  }

  /** Asks it to do something. Rejects with the condition of an error. */
  async ask(what: string, order: Readonly<Record<string, string>>): Promise<unknown> {
    const id = (this.#asked += 1);
    const line = await new Promise<Line>((resolve) => {
      this.#waiting.set(id, resolve);
      this.#child.stdin?.write(`${JSON.stringify({ id, do: what, ...order })}\n`);
    });
    if (line.error !== undefined) throw new Error(line.error);
    return line.result;
  }

  #answered(id: number, line: Line): void {
    this.#waiting.get(id)?.(line);
    this.#waiting.delete(id);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const ended = new Promise((resolve) => this.#child.once('close', resolve));
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    this.#child.kill('SIGKILL');
    await ended;
  }
}
