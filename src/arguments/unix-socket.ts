/** Longest path of a unix socket, in bytes: what every system takes (`sun_path`). Longer ones are cut off by some. */
const MOST_BYTES = 103;

const FORM = /^unix:(\/[^\p{Cc}\p{Cs}]+)$/u;

/** The path of the unix socket that a host means which is written `unix:/path`; null for any other host. */
export function unixSocketPath(host: string): string | null {
  const path = FORM.exec(host)?.[1] ?? null;
  return path !== null && Buffer.byteLength(path) <= MOST_BYTES ? path : null;
}

/** What is wrong with a host that begins like one that means a unix socket, or null. */
export function unixSocketProblem(host: string): string | null {
  if (unixSocketPath(host) !== null) return null;
  return `must have the absolute path of a socket behind unix:, of at most ${MOST_BYTES} bytes`;
}
