// Where the file of a queue lies: what has to be right about that before SQLite is asked, and whether it still lies there.
import {
  accessSync,
  closeSync,
  constants,
  fsyncSync,
  lstatSync,
  openSync,
  realpathSync,
  statfsSync,
  statSync,
  type Stats,
} from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { failed } from './store-faults.js';

/** File systems of other machines, by the number that statfs has for them on Linux: locks and flushes of theirs cannot be relied on. */
const REMOTE: ReadonlyMap<number, string> = new Map([
  [0x6969, 'NFS'],
  [0x517b, 'SMB'],
  [0xff534d42, 'CIFS'],
  [0xfe534d42, 'SMB'],
  [0x5346414f, 'AFS'],
  [0x6b414653, 'AFS'],
  [0x73757245, 'Coda'],
  [0x00c36400, 'Ceph'],
  [0x0bd00bd0, 'Lustre'],
]);

/** Only the owner reads what people write to each other. */
const OWNER_ONLY = 0o600;

/** What a path names, or null when there is nothing. */
function look(path: string, follow = true): Stats | null {
  return (follow ? statSync : lstatSync)(path, { throwIfNoEntry: false }) ?? null;
}

/** The one name of a file, whichever way it is written: two names may not open it twice in one process. */
export function canonical(file: string): string {
  const path = resolve(file);
  try {
    return realpathSync(path);
  } catch {
    try {
      return join(realpathSync(dirname(path)), basename(path));
    } catch {
      return path;
    }
  }
}

/**
 * Makes sure that a file can be a queue here, and makes an empty one, for the owner alone, where there is none.
 * @throws BrokerError `QUEUE_STORE_FAILED`
 */
export function prepare(file: string): void {
  const folder = dirname(resolve(file));
  try {
    if (look(folder)?.isDirectory() !== true) {
      throw failed(file, `cannot be made: there is no folder ${folder}; make it first`);
    }
    refuseRemote(file, folder);
    const there = look(file, false);
    if (there === null) create(file, folder);
    else if (there.isSymbolicLink() && look(file) === null) throw failed(file, 'is a link that leads nowhere');
    else if (look(file)?.isFile() !== true)
      throw failed(file, 'is no file, but a folder or a device; give a path of a file');
    for (const path of [folder, file]) accessSync(path, constants.R_OK | constants.W_OK);
  } catch (error) {
    if (!(error instanceof Error) || !('syscall' in error)) throw error;
    throw failed(file, `cannot be opened for reading and writing, or its folder cannot: ${reason(error)}`, error);
  }
}

function reason(error: Error): string {
  const { code } = error as { code?: unknown };
  return code === 'EROFS' ? 'the file system is read-only' : error.message;
}

function refuseRemote(file: string, folder: string): void {
  const kind = REMOTE.get(statfsSync(folder).type >>> 0);
  if (kind === undefined) return;
  throw failed(
    file,
    `lies on a network file system (${kind}), where locks and flushes cannot be relied on: use a local disk`,
  );
}

function create(file: string, folder: string): void {
  closeSync(openSync(file, 'wx', OWNER_ONLY));
  // A name that is not written to disk is not there after a power cut.
  if (process.platform === 'win32') return;
  const entry = openSync(folder, 'r');
  try {
    fsyncSync(entry);
  } finally {
    closeSync(entry);
  }
}

export function isThere(file: string): boolean {
  return look(file) !== null;
}

/** Which files lie somewhere. On most systems a file goes on working when its name was taken away, and then all of it is lost. */
export class Identity {
  readonly #files: readonly { path: string; device: number; inode: number }[];

  constructor(paths: readonly string[]) {
    this.#files = paths.flatMap((path) => {
      const there = look(path);
      return there === null ? [] : [{ path, device: there.dev, inode: there.ino }];
    });
  }

  /** Whether all of them still lie where they did. */
  get holds(): boolean {
    return this.#files.every(({ path, device, inode }) => {
      const there = look(path);
      return there !== null && there.dev === device && there.ino === inode;
    });
  }

  /** @throws BrokerError `QUEUE_STORE_FAILED` */
  check(file: string): void {
    if (this.holds) return;
    throw failed(file, 'was moved, removed or replaced while it was open: bring it back, or start again');
  }
}
