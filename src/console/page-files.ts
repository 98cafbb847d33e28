import { readFile } from 'node:fs/promises';

/** A file of the page. */
export interface PageFile {
  readonly type: string;
  readonly content: Buffer;
}

/** The files of the page, by their paths: there are no others. `npm run build` makes them. */
const FILES: Readonly<Record<string, readonly [file: string, type: string]>> = {
  '/': ['index.html', 'text/html; charset=utf-8'],
  '/page.js': ['page.js', 'text/javascript; charset=utf-8'],
  '/page.css': ['page.css', 'text/css; charset=utf-8'],
  '/icon.svg': ['icon.svg', 'image/svg+xml'],
};

/** Reads the files of the page, each once, when they are asked for. */
export class PageFiles {
  readonly #folder: URL;
  readonly #read = new Map<string, PageFile>();

  constructor(folder: URL) {
    this.#folder = folder;
  }

  /** Null when there is no such file. */
  async at(path: string): Promise<PageFile | null> {
    const [file, type] = (Object.hasOwn(FILES, path) ? FILES[path] : undefined) ?? [];
    if (file === undefined || type === undefined) return null;
    const known = this.#read.get(path);
    if (known !== undefined) return known;
    const read = { type, content: await readFile(new URL(file, this.#folder)) };
    this.#read.set(path, read);
    return read;
  }
}
