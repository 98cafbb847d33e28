/**
 * Where the built package lies: as it is published in `dist/`, and as the modules it is made of in `build/`; or both where
 * the environment variable DIST says.
 */
const folder = (otherwise) =>
  process.env.DIST === undefined ? new URL(otherwise, import.meta.url) : new URL(`file://${process.env.DIST}/`);

export const dist = (path) => new URL(path, folder('../dist/')).href;
export const built = (path) => new URL(path, folder('../build/')).href;
