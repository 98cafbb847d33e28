// `xmpp-broker/queue/sqlite`: the outbound queue in a file.
import { resolve } from 'node:path';
import { isText, must, oneOf } from '../arguments/checks.js';
import { readOptions, type OptionTable } from '../arguments/options.js';
import type { QueueStore } from '../queue/store.js';
import { DRIVERS } from './driver.js';
import { SqliteStore } from './sqlite-store.js';
import { WriterThread } from './writer-thread.js';

/** What {@link sqliteStore} takes. */
export interface SqliteStoreOptions {
  /**
   * Path of the file. Needed. It is made where there is none, for its owner alone; its folder must exist, on a local disk.
   * Beside it lies its log, with `-wal` behind the name.
   */
  file: string;
  /** When a commit counts: `full`, when it survives a power cut; `normal`, when it survives the end of the process. Default `full`. */
  sync?: 'full' | 'normal' | undefined;
  /** Which SQLite is used. Default: `node:sqlite` where Node has it (22.13 on), else the package `better-sqlite3`, which you install. */
  driver?: 'node:sqlite' | 'better-sqlite3' | undefined;
  /**
   * What is done with a damaged file: `refuse`, `QUEUE_CORRUPT`; `salvage`, it is moved aside, and what can be read goes into
   * a new one, all of it as possible duplicates. Default `refuse`.
   */
  onCorrupt?: 'refuse' | 'salvage' | undefined;
}

const OPTIONS: OptionTable<SqliteStoreOptions> = {
  checks: {
    file: must('the path of a file', (value) => isText(value) && !value.includes('\0')),
    sync: oneOf('full', 'normal'),
    driver: oneOf(...DRIVERS),
    onCorrupt: oneOf('refuse', 'salvage'),
  },
  rule: ({ file }, given) =>
    file === undefined && !given.has('file') ? ['file is missing: the path of the file'] : [],
};

/**
 * A store for `options.queue.store`: the outbound queue in a SQLite file, written by a thread of its own. What was stored
 * survives kill -9 and, with `sync: 'full'`, a power cut. One process may have the file open; all brokers of a program can
 * share the store, each with a `queue.name` of its own: they are written with one commit.
 *
 * Nothing is opened here: `QUEUE_NO_DRIVER`, `QUEUE_LOCKED`, `QUEUE_CORRUPT`, `QUEUE_VERSION` and `QUEUE_STORE_FAILED` come
 * from `openQueue()` and `connect()`.
 *
 * @throws BrokerError `USAGE_STORE`
 */
export function sqliteStore(options: SqliteStoreOptions): QueueStore {
  const { file, sync, driver, onCorrupt } = readOptions('USAGE_STORE', 'sqliteStore()', options, OPTIONS);
  // A program may go to another folder before it connects.
  const settings = {
    file: resolve(file),
    sync: sync ?? 'full',
    driver: driver ?? null,
    onCorrupt: onCorrupt ?? 'refuse',
  } as const;
  return new SqliteStore(settings, (data, died) => new WriterThread(data, died));
}
