// The tables of a queue file, and whether a file has them.
import type { Database } from './driver.js';
import { corrupt, otherVersion } from './store-faults.js';

/** "XMPQ", by which `file` and we know the format. */
const APPLICATION_ID = 0x584d5051;
/** Rises when the tables change. */
const VERSION = 1;

/** Given up for each queue and kept: more are forgotten, the oldest first. */
export const MOST_DEAD = 1_000;

/**
 * `handed` is 0 while a stanza is held; `duplicate` is 0 unless it may have arrived already. The text is last: long ones
 * overflow behind it. What is needed to find a stanza by its key is in memory: an index would be written with each commit, and
 * be one thing more that can be wrong.
 */
const TABLES = `
CREATE TABLE stanza (
  seq INTEGER PRIMARY KEY AUTOINCREMENT, queue TEXT NOT NULL, key TEXT NOT NULL,
  handed INTEGER NOT NULL, session TEXT, ordinal INTEGER, duplicate INTEGER NOT NULL,
  attempts INTEGER NOT NULL, faults INTEGER NOT NULL, at INTEGER NOT NULL, crc INTEGER NOT NULL,
  xmlns TEXT NOT NULL, xml TEXT NOT NULL);
CREATE TABLE session (queue TEXT PRIMARY KEY, record TEXT NOT NULL, crc INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE dead (seq INTEGER PRIMARY KEY AUTOINCREMENT, queue TEXT NOT NULL, key TEXT, at INTEGER, code TEXT, xml TEXT);
CREATE INDEX dead_queue ON dead (queue, seq);
CREATE TABLE life (queue TEXT PRIMARY KEY, epoch INTEGER NOT NULL) WITHOUT ROWID;`;

/** The number that a pragma has. */
function pragma(db: Database, name: string): number {
  const row = db.prepare(`PRAGMA ${name}`).get();
  return Number(Object.values(row ?? {})[0]);
}

/**
 * Makes the tables in an empty file, and finds out whether others are whole.
 * @throws BrokerError `QUEUE_VERSION`, `QUEUE_CORRUPT`; whatever SQLite throws
 */
export function settle(db: Database, file: string): void {
  const [id, version] = [pragma(db, 'application_id'), pragma(db, 'user_version')];
  if (id === 0 && version === 0 && pragma(db, 'schema_version') === 0) {
    db.exec(`BEGIN;${TABLES} PRAGMA application_id=${APPLICATION_ID}; PRAGMA user_version=${VERSION}; COMMIT`);
    return;
  }
  if (id !== APPLICATION_ID) {
    throw otherVersion(file, 'is a database of something else: give the queue a file of its own');
  }
  if (version !== VERSION) {
    const hint =
      version > VERSION ? 'a newer xmpp-broker wrote it, which is needed to read it' : 'no such format is known';
    throw otherVersion(file, `has format ${version}, and this xmpp-broker knows ${VERSION}: ${hint}`);
  }
  const found = db.prepare('PRAGMA quick_check(3)').all().flatMap(Object.values);
  if (found.length !== 1 || found[0] !== 'ok') throw corrupt(file, found.join('; '));
}
