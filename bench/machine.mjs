/** Where a run took place: results compare within a run, and only roughly with those of another machine. */
import { readFileSync } from 'node:fs';
import { cpus, loadavg, release, totalmem, type } from 'node:os';

/** The load average of the last minute. */
export const load = () => loadavg()[0];

export function machine() {
  let system = `${type()} ${release()}`;
  try {
    system = `${/PRETTY_NAME="([^"]*)"/.exec(readFileSync('/etc/os-release', 'utf8'))[1]}, ${system}`;
  } catch {
    // Not every system has that file.
  }
  return {
    cpu: cpus()[0]?.model ?? 'unknown',
    cores: cpus().length,
    memoryGb: Math.round(totalmem() / 2 ** 30),
    system,
    node: process.version,
    v8: process.versions.v8,
  };
}
