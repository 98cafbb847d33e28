/** Runs one cell: the process that is measured, and beside it the one on the other side of its connections. */
import { spawn, spawnSync } from 'node:child_process';
import { availableParallelism } from 'node:os';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const here = (path) => fileURLToPath(new URL(path, import.meta.url));

/** What a command line begins with whose process shall have the last core for itself; nothing where that cannot be said. */
const LAST_CORE = (() => {
  const prefix = ['taskset', '-c', String(availableParallelism() - 1)];
  const { status } = spawnSync(prefix[0], [...prefix.slice(1), 'true']);
  return availableParallelism() > 1 && status === 0 ? prefix : [];
})();

/** Longest time of one cell, in milliseconds. */
const LIMIT_MS = 300_000;

/** A process of which whole lines are read, and what it complained about. */
function start(command, args) {
  const child = spawn(command, args, { stdio: ['pipe', 'pipe', 'pipe'], timeout: LIMIT_MS });
  let complaints = '';
  child.stderr.on('data', (chunk) => (complaints += chunk));
  const ended = new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code, signal) => {
      if (code === 0) resolve();
      else reject(new Error(`${command} ${args.join(' ')}: ended with ${signal ?? code}\n${complaints.slice(-2000)}`));
    });
  });
  ended.catch(() => undefined);
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const line = async () => {
    const { value, done } = await lines.next();
    if (!done) return JSON.parse(value);
    await ended;
    throw new Error(`${command} ${args.join(' ')}: said nothing`);
  };
  return { child, line, ended };
}

/**
 * The result of a cell of a measure.
 * @param files makes the files that programs read: the corpus, and others on demand
 */
export async function runCell(name, measure, cell, candidate, files) {
  const [command, ...rest] = [
    ...(measure.pinned === true ? LAST_CORE : []),
    process.execPath,
    here(measure.peer ?? 'peer.mjs'),
    JSON.stringify(cell.order),
  ];
  const peer = cell.order === undefined ? null : start(command, rest);
  try {
    const params = { ...cell.params, ...(peer === null ? {} : await peer.line()) };
    const measured =
      candidate.command === null
        ? start(process.execPath, ['--expose-gc', here('cell.mjs'), name, cell.candidate, JSON.stringify(params)])
        : start(candidate.command[0], [
            ...candidate.command.slice(1),
            name,
            ...measure.programArguments(params, files, cell.candidate).map(String),
          ]);
    try {
      const said = await measured.line();
      const result = candidate.command === null ? said : measure.fromProgram(said, params);
      await measured.ended;
      if (peer !== null) {
        peer.child.stdin.end();
        result.peer = await peer.line();
      }
      measure.check?.(result, params);
      return result;
    } finally {
      measured.child.kill();
    }
  } finally {
    peer?.child.kill();
  }
}
