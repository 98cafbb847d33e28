/**
 * A flame graph as SVG: where the time of one workload of `bench/techniques/workloads.mjs` goes.
 *
 *   npm run build && node bench/flame.mjs inbound-10 docs/pictures/flame-inbound.svg [--seconds 5]
 *
 * Frames are functions of the package; what stands for less than half a percent is left out, so that files are small. The
 * width is the share of the samples. Hold the pointer over a frame to see the name and the share.
 */
import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { flame } from './flame-svg.mjs';
import { WORKLOADS } from './techniques/workloads.mjs';

const here = (path) => fileURLToPath(new URL(path, import.meta.url));

/** Runs a workload for some seconds in a process of its own, and gives its profile: from when it was warm. */
async function profiled(name, seconds) {
  const folder = mkdtempSync(join(tmpdir(), 'xmpp-broker-flame-'));
  const { order } = WORKLOADS[name];
  const peer = order === undefined ? null : spawn(process.execPath, [here('peer.mjs'), JSON.stringify(order)]);
  try {
    let params = '{}';
    if (peer !== null)
      for await (const line of createInterface({ input: peer.stdout })) {
        params = line;
        break;
      }
    const path = join(folder, 'profile.json');
    const { status, stderr } = spawnSync(
      process.execPath,
      [here('flame-process.mjs'), name, params, String(seconds), path],
      { encoding: 'utf8', env: { ...process.env, DIST: here('../build') } },
    );
    if (status !== 0) throw new Error(stderr);
    return JSON.parse(readFileSync(path, 'utf8'));
  } finally {
    peer?.kill();
    rmSync(folder, { recursive: true, force: true });
  }
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { seconds: { type: 'string', default: '5' } },
});
const [name, out] = positionals;
if (WORKLOADS[name] === undefined || out === undefined) {
  throw new Error(`node bench/flame.mjs WORKLOAD FILE.svg; there are ${Object.keys(WORKLOADS).join(', ')}`);
}
writeFileSync(out, flame(await profiled(name, Number(values.seconds)), WORKLOADS[name].text));
console.log(`flame: written to ${out}`);
process.exit();
