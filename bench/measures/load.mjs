/** What it costs a program to start: importing the package in a fresh process, over a process that imports nothing. */
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { median } from '../statistics.mjs';

export const title = 'Importing the package';
export const note =
  'A process that imports it and does nothing, less one that imports nothing: CPU time of all threads, and the heap after ' +
  "collecting garbage. @xmpp/client is what a program imports that is a client. Node's own modules are those that both need for TLS.";
export const columns = [
  { head: 'CPU ms', of: ({ cpu }) => cpu, digits: 1 },
  { head: 'heap MB', of: ({ heap }) => heap, digits: 2 },
];
export const ratio = { head: 'times @xmpp/client', to: 'xmppjs' };

/** Processes of each kind. */
const PROCESSES = 9;

const CELLS = [
  ['raw', "Node's own modules (limit)"],
  ['ours', 'xmpp-broker'],
  ['xmppjs', '@xmpp/client'],
];

export const cells = () => CELLS.map(([candidate, label]) => ({ key: candidate, label, candidate, params: {} }));

const PROGRAM = `
  for (const name of process.argv.slice(1)) await import(name);
  const { user, system } = process.cpuUsage();
  for (let i = 0; i < 4; i += 1) globalThis.gc();
  console.log(JSON.stringify({ cpu: (user + system) / 1000, heap: process.memoryUsage().heapUsed / 1e6 }));
`;

function start(imports) {
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    ['--expose-gc', '--input-type=module', '--eval', PROGRAM, '--', ...imports],
    // Packages are looked for from there.
    { encoding: 'utf8', cwd: fileURLToPath(new URL('..', import.meta.url)) },
  );
  if (status !== 0) throw new Error(`importing ${imports.join(', ')} failed\n${stderr}`);
  return JSON.parse(stdout);
}

export function run({ imports }) {
  const [empty, full] = [[], []];
  for (let i = 0; i < PROCESSES; i += 1) {
    empty.push(start([]));
    full.push(start(imports));
  }
  const over = (key) => median(full.map((one) => one[key])) - median(empty.map((one) => one[key]));
  return { cpu: over('cpu'), heap: over('heap') };
}
