/** Where the built package lies: `dist/`, or what the environment variable DIST names. */
const base =
  process.env.DIST === undefined ? new URL('../dist/', import.meta.url) : new URL(`file://${process.env.DIST}/`);

export const dist = (path) => new URL(path, base).href;
