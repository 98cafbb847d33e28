/** One workload with one build (DIST), in a process of its own: a step for each line it reads, whose cost it prints. */
import { createInterface } from 'node:readline';
import { cpu } from '../spent.mjs';
import { WORKLOADS } from './workloads.mjs';

const [name, params] = process.argv.slice(2);
const { step, stanzas } = await WORKLOADS[name].prepare(JSON.parse(params));
console.log(0);
// From the end of one step to the end of the next: so what other threads do meanwhile is counted.
let before = cpu();
for await (const line of createInterface({ input: process.stdin })) {
  if (line !== '') throw new Error(`what is "${line}"?`);
  await step();
  const now = cpu();
  console.log((now - before) / stanzas);
  before = now;
}
process.exit();
