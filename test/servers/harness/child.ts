import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, existsSync, openSync, readdirSync, readFileSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { serverAccount } from './account.js';

/** What to run, and where its output goes. */
export interface Program {
  /** Short name for messages. */
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** Working directory and HOME. */
  readonly directory: string;
  /** File that standard output and error are appended to. */
  readonly output: string;
}

/** util-linux: changes the user and asks the kernel to kill the program when this process dies, however it dies. */
const SETPRIV = ['/usr/bin/setpriv', '/bin/setpriv'].find(existsSync);

const alive = new Set<Child>();

/** Without `setpriv`, and for what servers fork: no child outlives an orderly end of this process. */
function killAll(): void {
  for (const child of alive) child.signal('SIGKILL');
}
process.on('exit', killAll);
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.once(signal, () => {
    killAll();
    process.kill(process.pid, signal); // the handler is gone: now it ends us as it would have
  });
}

/** A program of a private server: its own process group, an unprivileged user, and it dies with us. */
export class Child {
  readonly name: string;
  private readonly ended: Promise<void>;

  private constructor(
    program: Program,
    private readonly process: ChildProcess,
  ) {
    this.name = program.name;
    alive.add(this);
    this.ended = once(process, 'exit').then(() => {
      alive.delete(this);
    });
  }

  static async start(program: Program): Promise<Child> {
    const account = serverAccount();
    const log = openSync(program.output, 'a');
    try {
      const [command, args] = wrap(program, account);
      const child = spawn(command, args, {
        cwd: program.directory,
        detached: true, // a process group of its own
        stdio: ['ignore', log, log],
        env: { PATH: process.env['PATH'], LC_ALL: 'C.UTF-8', HOME: program.directory, ...program.env },
        ...(SETPRIV === undefined && account !== null ? account : {}),
      });
      await once(child, 'spawn');
      child.unref();
      return new Child(program, child);
    } finally {
      closeSync(log);
    }
  }

  get pid(): number {
    return this.process.pid ?? 0;
  }

  get running(): boolean {
    return this.process.exitCode === null && this.process.signalCode === null;
  }

  /** How it ended, for messages. */
  get outcome(): string {
    if (this.running) return 'is running';
    return this.process.signalCode === null
      ? `ended with code ${this.process.exitCode ?? '?'}`
      : `was ended by ${this.process.signalCode}`;
  }

  /** Sends a signal to the program and what it started. A program that is gone is left alone. */
  signal(signal: NodeJS.Signals): void {
    if (!this.running) return;
    try {
      process.kill(-this.pid, signal);
    } catch {
      this.process.kill(signal);
    }
  }

  /**
   * Resolves when the program has nothing to do, or after a second. A server that is asked to stop in the middle of an
   * answer may go without a word to its clients.
   */
  async idle(): Promise<void> {
    let before = this.cpuTime();
    for (let look = 0; look < 50 && this.running; look++) {
      await pause(20);
      const now = this.cpuTime();
      if (now - before < 1_000_000) return;
      before = now;
    }
  }

  /** Nanoseconds of CPU that its threads have used, where Linux tells. */
  private cpuTime(): number {
    try {
      const threads = `/proc/${this.pid}/task`;
      return readdirSync(threads)
        .map((thread) => Number(readFileSync(`${threads}/${thread}/schedstat`, 'utf8').split(' ', 1)[0]))
        .reduce((sum, time) => sum + time, 0);
    } catch {
      return 0;
    }
  }

  /** Asks it to end, and ends it after `graceMs`. Resolves once it is gone. */
  async stop(graceMs: number): Promise<void> {
    this.signal('SIGTERM');
    const timer = setTimeout(() => {
      this.signal('SIGKILL');
    }, graceMs);
    await this.wait();
    clearTimeout(timer);
  }

  async kill(): Promise<void> {
    this.signal('SIGKILL');
    await this.wait();
  }

  /** Stops or continues the process where it stands: the machine is there, nobody answers. */
  freeze(frozen: boolean): void {
    this.signal(frozen ? 'SIGSTOP' : 'SIGCONT');
    // The signal is on its way only: what is sent to the process now might still be answered.
    const until = performance.now() + 5_000;
    while (frozen && !standsStill(this.process.pid) && performance.now() < until);
  }

  private async wait(): Promise<void> {
    this.process.ref();
    await this.ended;
  }
}

/** Whether all threads of a process are stopped, where the system tells. */
function standsStill(pid: number | undefined): boolean {
  try {
    const tasks = `/proc/${String(pid)}/task`;
    return readdirSync(tasks).every((task) => /\) T /.test(readFileSync(`${tasks}/${task}/stat`, 'utf8')));
  } catch {
    return true;
  }
}

/** Runs a helper program of a server to its end, as the server's user. Rejects with its output when it fails. */
export async function runToEnd(program: Omit<Program, 'output'>, input = ''): Promise<string> {
  const account = serverAccount();
  const [command, args] = wrap(program, account);
  const child = spawn(command, args, {
    cwd: program.directory,
    stdio: ['pipe', 'pipe', 'pipe'],
    env: { PATH: process.env['PATH'], LC_ALL: 'C.UTF-8', HOME: program.directory, ...program.env },
    ...(SETPRIV === undefined && account !== null ? account : {}),
  });
  let output = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (output += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (output += text));
  child.stdin.on('error', () => undefined); // it may end without reading everything
  child.stdin.end(input);
  const [code] = (await once(child, 'close')) as [number | null];
  if (code !== 0) throw new Error(`${program.name} ended with code ${code ?? 'none'}:\n${output.slice(-4000)}`);
  return output;
}

function wrap(program: Omit<Program, 'output'>, account: { uid: number; gid: number } | null): [string, string[]] {
  if (SETPRIV === undefined) return [program.command, [...program.args]];
  const identity = account === null ? [] : [`--reuid=${account.uid}`, `--regid=${account.gid}`, '--clear-groups'];
  return [SETPRIV, ['--pdeathsig', 'KILL', ...identity, '--', program.command, ...program.args]];
}
