// What can be wrong with a file, as errors that name the file and the way out; and how they cross from thread to thread.
import { BrokerError, printable } from '../errors.js';

/** An error as it is posted to another thread, where classes are lost. */
export interface Fault {
  readonly code: string;
  readonly message: string;
  readonly origin: 'local' | 'os';
  readonly cause: string | null;
}

/** Primary result codes of SQLite that are told apart (https://www.sqlite.org/rescode.html). */
const PERM = 3;
export const BUSY = 5;
const READONLY = 8;
const CORRUPT = 11;
export const FULL = 13;
const CANTOPEN = 14;
const NOTADB = 26;

/** As better-sqlite3 calls them; node:sqlite has the numbers. */
const NAMES: Readonly<Record<string, number>> = {
  SQLITE_PERM: PERM,
  SQLITE_BUSY: BUSY,
  SQLITE_READONLY: READONLY,
  SQLITE_CORRUPT: CORRUPT,
  SQLITE_FULL: FULL,
  SQLITE_CANTOPEN: CANTOPEN,
  SQLITE_NOTADB: NOTADB,
};

/** The primary result code of an error of SQLite, as either driver gives it; 0: it is none. */
export function resultOf(error: unknown): number {
  const { code, errcode } = error as { code?: unknown; errcode?: unknown };
  if (typeof errcode === 'number') return errcode & 0xff;
  if (typeof code !== 'string') return 0;
  const [name] = /^SQLITE_[A-Z]+/.exec(code) ?? [];
  return name === undefined ? 0 : (NAMES[name] ?? 1);
}

/** What every message begins with. */
function place(file: string): string {
  return `the queue file ${printable(file, 300)}`;
}

export function locked(file: string, by = 'another process'): BrokerError {
  return new BrokerError(
    'QUEUE_LOCKED',
    `${place(file)} is in use by ${by}: one alone may have it open; stop that one, or use another file`,
    { layer: 'queue' },
  );
}

export function corrupt(file: string, what: string, cause?: unknown): BrokerError {
  return new BrokerError(
    'QUEUE_CORRUPT',
    `${place(file)} is damaged (${printable(what, 300)}): onCorrupt: 'salvage' moves it aside and keeps what can be read; or bring back a copy, or move it away yourself`,
    { layer: 'queue', cause },
  );
}

/** One record. */
export function spoilt(file: string, key: string): BrokerError {
  return new BrokerError(
    'QUEUE_CORRUPT',
    `${place(file)} has a record that does not fit its checksum, of stanza "${printable(key, 100)}": it is not sent, and lies in table dead of that file`,
    { layer: 'queue' },
  );
}

export function otherVersion(file: string, what: string): BrokerError {
  return new BrokerError('QUEUE_VERSION', `${place(file)} ${what}`, { layer: 'queue' });
}

export function failed(file: string, what: string, cause?: unknown): BrokerError {
  return new BrokerError('QUEUE_STORE_FAILED', `${place(file)} ${what}`, { layer: 'queue', origin: 'os', cause });
}

export function fenced(file: string, queue: string): BrokerError {
  return new BrokerError(
    'QUEUE_FENCED',
    `${place(file)} was closed after a fault, and meanwhile another process took queue "${printable(queue, 100)}" over`,
    { layer: 'queue' },
  );
}

/** What a failed call of the driver means for a queue. */
export function faultOf(error: unknown, file: string): BrokerError {
  if (error instanceof BrokerError) return error;
  const result = resultOf(error);
  if (result === BUSY) return locked(file);
  const text = error instanceof Error ? error.message : String(error);
  if (result === CORRUPT) return corrupt(file, text, error);
  if (result === NOTADB) return corrupt(file, `${text}; is it the right path?`, error);
  if (result === FULL) {
    return failed(file, 'cannot grow: the disk is full; it goes on by itself once there is room', error);
  }
  if (result === READONLY) {
    return failed(file, 'cannot be written: the file, its folder or the file system is read-only', error);
  }
  if (result === CANTOPEN || result === PERM) {
    return failed(file, 'cannot be opened: the program needs to read and write it and its folder', error);
  }
  return failed(file, `does not work: ${printable(text, 300)}`, error);
}

/** To be posted. */
export function packed(error: BrokerError): Fault {
  const { code, message, origin, cause } = error;
  const below = cause instanceof Error ? cause.message : null;
  return { code, message, origin: origin === 'os' ? 'os' : 'local', cause: below };
}

/** As it was before it was posted. */
export function unpacked({ code, message, origin, cause }: Fault): BrokerError {
  return new BrokerError(code, message, {
    layer: 'queue',
    origin,
    ...(cause === null ? {} : { cause: new Error(cause) }),
  });
}
