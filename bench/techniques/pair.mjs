/**
 * Compares two builds with one workload: two processes that take steps in turn, A B B A, each while the other one waits.
 * What disturbs the machine disturbs both within some milliseconds of each other.
 */
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { median } from '../statistics.mjs';
import { WORKLOADS } from './workloads.mjs';

const here = (path) => fileURLToPath(new URL(path, import.meta.url));

/** A process that answers lines with lines. */
function start(args, env = {}) {
  const child = spawn(process.execPath, args, {
    stdio: ['pipe', 'pipe', 'inherit'],
    env: { ...process.env, ...env },
  });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const line = async () => {
    const { value, done } = await lines.next();
    if (done) throw new Error(`${args.join(' ')}: ended`);
    return JSON.parse(value);
  };
  const ask = () => {
    child.stdin.write('\n');
    return line();
  };
  return { line, ask, end: () => child.kill() };
}

/** Starts a workload with the build in a folder, and its other side. */
async function worker(workload, folder, running) {
  const { order } = WORKLOADS[workload];
  let params = {};
  if (order !== undefined) {
    const peer = start([here('../peer.mjs'), JSON.stringify(order)]);
    running.push(peer);
    params = await peer.line();
  }
  const one = start([here('worker.mjs'), workload, JSON.stringify(params)], { DIST: folder });
  running.push(one);
  await one.line();
  return one;
}

/**
 * @param folders of the two builds
 * @returns what a stanza costs with each in microseconds of CPU time, and the median ratio of neighbouring steps, second
 * build over first
 */
export async function compare(workload, folders, { warm, steps }) {
  const running = [];
  try {
    const pair = [];
    for (const folder of folders) pair.push(await worker(workload, folder, running));
    const costs = [[], []];
    for (let i = 0; i < warm + steps; i += 1) {
      for (const which of i % 2 === 0 ? [0, 1] : [1, 0]) {
        const cost = await pair[which].ask();
        if (i >= warm) costs[which].push(cost);
      }
    }
    const [first, second] = costs;
    return { first: median(first), second: median(second), ratio: median(first.map((cost, i) => second[i] / cost)) };
  } finally {
    for (const one of running) one.end();
  }
}
