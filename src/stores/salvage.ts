// What can be read of a broken file is taken into a new one.
import { existsSync, linkSync, renameSync, rmSync } from 'node:fs';
import type { Database, Driver, Row, Value } from './driver.js';
import { stanzaOf, YES } from './record.js';

/** Ranges that are tried before the rest is left where it is. */
const MOST_TRIES = 20_000;

/** Copied as they are; when one cannot be read, the others still are. */
const COPIED: Readonly<Record<string, readonly string[]>> = {
  dead: ['seq', 'queue', 'key', 'at', 'code', 'xml'],
  life: ['queue', 'epoch'],
};

export interface Saved {
  readonly stanzas: readonly Row[];
  readonly spoilt: readonly Row[];
  readonly others: ReadonlyMap<string, readonly Row[]>;
}

/** Everything that can be read. The file is locked while that goes on. */
export function readAll(file: string, driver: Driver): Saved {
  const others = new Map<string, readonly Row[]>();
  let rows: Row[] = [];
  const db = driver(file);
  try {
    db.exec('PRAGMA trusted_schema=OFF; PRAGMA locking_mode=EXCLUSIVE');
    rows = stanzas(db);
    for (const [table, columns] of Object.entries(COPIED)) {
      others.set(table, tried(() => db.prepare(`SELECT ${columns.join(', ')} FROM ${table}`).all()) ?? []);
    }
  } catch {
    // Not even the beginning can be read.
  } finally {
    tried(() => db.close());
  }
  const whole = (row: Row) => typeof row['queue'] === 'string' && stanzaOf(row, row['queue']) !== null;
  return { stanzas: rows.filter(whole), spoilt: rows.filter((row) => !whole(row)), others };
}

/** The rows around broken pages: what cannot be read at once is read in halves. */
function stanzas(db: Database): Row[] {
  const highest = tried(() => db.prepare("SELECT seq FROM sqlite_sequence WHERE name='stanza'").get()?.['seq']);
  const select = db.prepare('SELECT * FROM stanza NOT INDEXED WHERE seq BETWEEN ? AND ? ORDER BY seq');
  const found: Row[] = [];
  const ranges: [number, number][] = [[1, typeof highest === 'number' ? highest : 2 ** 32]];
  for (let tries = 0; tries < MOST_TRIES; tries += 1) {
    const range = ranges[tries];
    if (range === undefined) break;
    const rows = tried(() => select.all(...range));
    if (rows !== null) found.push(...rows);
    else if (range[0] < range[1]) {
      const middle = Math.floor((range[0] + range[1]) / 2);
      ranges.push([range[0], middle], [middle + 1, range[1]]);
    }
  }
  return found.sort((a, b) => Number(a['seq']) - Number(b['seq']));
}

/** Writes it into a new file: all of it may have been sent already. */
export function writeAll(db: Database, { stanzas, spoilt, others }: Saved): void {
  db.exec('BEGIN IMMEDIATE');
  const stanza = ['queue', 'key', 'at', 'crc', 'xmlns', 'xml', 'attempts', 'faults'];
  const insert = db.prepare(
    `INSERT OR IGNORE INTO stanza (${stanza.join(', ')}, handed, duplicate) VALUES (?, ?, ?, ?, ?, ?, ?, ?, 0, ${YES})`,
  );
  for (const row of stanzas) insert.run(...values(row, stanza));
  for (const [table, rows] of others) {
    const columns = COPIED[table] ?? [];
    const copy = db.prepare(`INSERT OR IGNORE INTO ${table} VALUES (${columns.map(() => '?').join(', ')})`);
    for (const row of rows) tried(() => copy.run(...values(row, columns)));
  }
  const bury = db.prepare("INSERT INTO dead (queue, key, at, code, xml) VALUES (?, ?, ?, 'QUEUE_CORRUPT', ?)");
  for (const row of spoilt) bury.run(String(row['queue']), ...values(row, ['key', 'at', 'xml']));
  db.exec('COMMIT');
}

function values(row: Row, columns: readonly string[]): Value[] {
  return columns.map((column) => row[column] ?? null);
}

/**
 * Puts a new file in the place of the broken one, which stays beside it. There is a file at every moment.
 * @returns the name of the broken one now
 */
export function replace(file: string, fresh: string): string {
  const aside = `${file}.corrupt-${new Date().toISOString().replaceAll(/[-:]|\.\d+/g, '')}`;
  for (const ending of ['-wal', '-journal']) {
    if (existsSync(file + ending)) renameSync(file + ending, aside + ending);
  }
  try {
    linkSync(file, aside);
  } catch {
    renameSync(file, aside); // a file system without second names
  }
  renameSync(fresh, file);
  return aside;
}

/** Takes away what an earlier try left. */
export function discard(fresh: string): void {
  for (const ending of ['', '-wal', '-journal']) rmSync(fresh + ending, { force: true });
}

function tried<T>(read: () => T): T | null {
  try {
    return read();
  } catch {
    return null;
  }
}
