// Tokens in a file that nobody else can read.
import { randomBytes } from 'node:crypto';
import { open, readFile, rename, rm, stat } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { printable, usageError } from '../../errors.js';
import { asToken, type FastToken, type TokenStore } from './token-store.js';

/** What others may do: a token is as good as a password. */
const OTHERS = 0o077;
const ANYBODY_WRITES = 0o002;
const STICKY = 0o1000;

/** Largest file that is read, in bytes. */
const LARGEST = 16 * 1024 * 1024;

/**
 * Keeps the tokens of any number of accounts in one file. It is written anew with each token: under another name first, then
 * renamed, so that it is never half a file. Only its owner may read it (mode 0600), which is not checked on Windows.
 *
 * One process at a time may use a file: two would take each other's tokens.
 * @param path of the file; it is made with the first token. Its folder has to be there
 * @throws BrokerError `USAGE_TOKEN_FILE` for a path that is none. `load` and `save` reject with it for a file that others can
 * read, a folder that anybody may write to, and a file that is no store
 */
export function fileTokenStore(path: string): TokenStore {
  if (typeof path !== 'string' || path === '' || path.includes('\0')) {
    throw usageError('USAGE_TOKEN_FILE', 'fileTokenStore() takes the path of a file, a string that is not empty');
  }
  const file = resolve(path);
  let last: Promise<unknown> = Promise.resolve();
  // One after the other: a store is read, changed and written.
  const inTurn = <T>(work: () => Promise<T>): Promise<T> => {
    const done = last.then(work);
    last = done.catch(() => undefined);
    return done;
  };
  return Object.freeze({
    load: (account: string) => inTurn(async () => (await read(file)).get(account) ?? null),
    save: (account: string, token: FastToken | null) =>
      inTurn(async () => {
        const tokens = await read(file);
        if (token === null && !tokens.delete(account)) return;
        if (token !== null) tokens.set(account, token);
        await write(file, tokens);
      }),
  });
}

async function read(file: string): Promise<Map<string, FastToken>> {
  await checkFolder(file);
  const about = await stat(file).catch((error: unknown) => {
    if (codeOf(error) === 'ENOENT') return null;
    throw error;
  });
  if (about === null) return new Map();
  if (!about.isFile() || about.size > LARGEST) throw unusable(file, 'it is no store of tokens');
  if (process.platform !== 'win32' && (about.mode & OTHERS) !== 0) {
    throw unusable(file, 'others can read or write it: allow that to its owner only (chmod 600)');
  }
  return entries(file, await readFile(file, 'utf8'));
}

/** What cannot be read is not told: it may be part of a token. */
function entries(file: string, text: string): Map<string, FastToken> {
  let stored: unknown;
  try {
    stored = JSON.parse(text);
  } catch {
    throw unusable(file, 'it is no store of tokens');
  }
  if (typeof stored !== 'object' || stored === null) throw unusable(file, 'it is no store of tokens');
  return new Map(
    Object.entries(stored).flatMap(([account, value]) => {
      const token = asToken(value);
      return token === null ? [] : [[account, token] as const];
    }),
  );
}

async function write(file: string, tokens: ReadonlyMap<string, FastToken>): Promise<void> {
  const draft = `${file}.${randomBytes(6).toString('hex')}.tmp`;
  const text = `${JSON.stringify(Object.fromEntries(tokens), null, 2)}\n`;
  try {
    const handle = await open(draft, 'wx', 0o600);
    try {
      await handle.writeFile(text);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(draft, file);
  } catch (error) {
    await rm(draft, { force: true });
    throw error;
  }
}

/** Where anybody may write, anybody may put another file in its place. */
async function checkFolder(file: string): Promise<void> {
  if (process.platform === 'win32') return;
  const folder = dirname(file);
  const { mode } = await stat(folder);
  if ((mode & ANYBODY_WRITES) !== 0 && (mode & STICKY) === 0) {
    throw unusable(file, `anybody may write to its folder ${printable(folder, 200)}`);
  }
}

function unusable(file: string, why: string): Error {
  return usageError('USAGE_TOKEN_FILE', `the file of tokens ${printable(file, 200)} cannot be used: ${why}`);
}

function codeOf(error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : undefined;
}
