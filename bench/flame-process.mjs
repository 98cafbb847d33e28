/** One workload in a process of its own, profiled once it is warm. Writes the profile to a file. */
import { writeFileSync } from 'node:fs';
import { Session } from 'node:inspector/promises';
import { WORKLOADS } from './techniques/workloads.mjs';

const [name, params, seconds, path] = process.argv.slice(2);
const { step } = await WORKLOADS[name].prepare(JSON.parse(params));
const run = async (ms) => {
  for (const end = performance.now() + ms; performance.now() < end;) await step();
};
await run(3_000);
const session = new Session();
session.connect();
await session.post('Profiler.enable');
await session.post('Profiler.setSamplingInterval', { interval: 500 });
await session.post('Profiler.start');
await run(Number(seconds) * 1000);
const { profile } = await session.post('Profiler.stop');
writeFileSync(path, JSON.stringify(profile));
process.exit();
