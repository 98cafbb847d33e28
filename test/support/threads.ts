// A thread begins with a file of its own, and Node before 22.18 runs no TypeScript: where a source starts a thread, tests
// start what is made of that file here.
import { mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { rolldown } from 'rolldown';

const CACHE = fileURLToPath(new URL('../../.cache/threads/', import.meta.url));
const STARTED = /new URL\('\.\/([\w-]+)\.js', import\.meta\.url\)/;

const made = new Map<string, Promise<string>>();

/** One file with all that the source needs. @returns its path */
async function make(source: string, name: string): Promise<string> {
  const bundle = await rolldown({ input: source, external: /^[^./]/, platform: 'node', logLevel: 'silent' });
  const { output } = await bundle.generate({ format: 'esm', codeSplitting: false });
  await bundle.close();
  const path = join(CACHE, `${name}.mjs`);
  const fresh = `${path}.${process.pid}`;
  mkdirSync(CACHE, { recursive: true });
  writeFileSync(fresh, output[0].code);
  renameSync(fresh, path); // others may be starting it
  return path;
}

/** A plugin of Vite. */
export const threads = {
  name: 'threads',
  enforce: 'pre',
  async transform(code: string, id: string): Promise<string | null> {
    const [found, name] = code.includes('new Worker(') ? (STARTED.exec(code) ?? []) : [];
    if (found === undefined || name === undefined || !id.endsWith('.ts')) return null;
    const source = join(dirname(id), `${name}.ts`);
    if (!made.has(source)) made.set(source, make(source, name));
    const path = await made.get(source);
    return code.replace(found, `new URL(${JSON.stringify(pathToFileURL(path ?? '').href)})`);
  },
} as const;
