/** CPU time of this process, all threads, in microseconds. */
export function cpu() {
  const { user, system } = process.cpuUsage();
  return user + system;
}

/**
 * Counts stanzas: what they cost from the end of the warm-up to the last one.
 * @returns `received(n)` to count with, and a promise of `{ cpu, wall, stanzas }` in microseconds, seconds and stanzas
 */
export function span(warm, measured, atStart = () => undefined) {
  let seen = 0;
  let from = null;
  let done;
  const promise = new Promise((resolve) => (done = resolve));
  const received = (n) => {
    seen += n;
    if (from === null && seen >= warm) {
      atStart();
      from = { cpu: cpu(), wall: performance.now(), seen };
    } else if (from !== null && done !== null && seen >= warm + measured) {
      done({ cpu: cpu() - from.cpu, wall: (performance.now() - from.wall) / 1000, stanzas: seen - from.seen });
      done = null;
    }
  };
  return { promise, received };
}

/** Collects garbage as far as it goes; needs `--expose-gc`. */
export function collect() {
  for (let i = 0; i < 4; i += 1) globalThis.gc();
}
