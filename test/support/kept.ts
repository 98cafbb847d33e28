// What a process keeps, and whether that grows.
import { readdirSync } from 'node:fs';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

export const MIB = 1024 * 1024;

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

/** What this process keeps behind a collection of garbage, in MiB. */
export async function keptMiB(): Promise<number> {
  for (let times = 0; times < 3; times += 1) {
    await new Promise((resolve) => setImmediate(resolve));
    collect();
  }
  const { heapUsed, external } = process.memoryUsage();
  return (heapUsed + external) / MIB;
}

/** How many files, sockets and pipes this process has open; null where nobody tells. */
export function descriptors(): number | null {
  try {
    return readdirSync('/proc/self/fd').length;
  } catch {
    return null;
  }
}

/** By how much values rise over the last two thirds of a sequence, by the line that fits them best. What is made once is in the first. */
export function rise(series: readonly number[]): number {
  const values = series.slice(Math.floor(series.length / 3));
  const mean = (of: readonly number[]) => of.reduce((sum, value) => sum + value, 0) / of.length;
  const [middle, average] = [(values.length - 1) / 2, mean(values)];
  const spread = values.reduce((sum, _, at) => sum + (at - middle) ** 2, 0);
  if (spread === 0) return 0;
  const slope = values.reduce((sum, value, at) => sum + (at - middle) * (value - average), 0) / spread;
  return slope * (values.length - 1);
}

export const rounded = (value: number): number => Math.round(value * 100) / 100;
