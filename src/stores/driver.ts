// Which SQLite is used, and the few of its calls that are.
import { createRequire, isBuiltin } from 'node:module';
import { BrokerError } from '../errors.js';

/** A value in a database. */
export type Value = string | number | bigint | null | Uint8Array;
export type Row = Readonly<Record<string, Value>>;

/** A statement that was prepared. */
export interface Statement {
  run(...values: Value[]): { readonly lastInsertRowid: number | bigint };
  get(...values: Value[]): Row | undefined;
  all(...values: Value[]): Row[];
}

/** An open database: what node:sqlite and better-sqlite3 have in common. */
export interface Database {
  exec(sql: string): void;
  prepare(sql: string): Statement;
  close(): void;
}

/** Opens the database in a file. It never waits for a lock. */
export type Driver = (file: string) => Database;

export const DRIVERS = ['node:sqlite', 'better-sqlite3'] as const;
export type DriverName = (typeof DRIVERS)[number];

// Not import(): what is to be loaded is found out when it is loaded, and the type of neither need be there.
const load = createRequire(import.meta.url);

/**
 * Loads a driver: the one that is asked for, else node:sqlite where Node has it.
 * @throws BrokerError `QUEUE_NO_DRIVER`
 */
export function loadDriver(name?: DriverName): Driver {
  const builtin = isBuiltin('node:sqlite');
  if (name === 'node:sqlite' && !builtin) {
    throw noDriver(
      `Node ${process.versions.node} has no node:sqlite: use Node 22.13 or newer, or driver better-sqlite3`,
    );
  }
  return builtin && name !== 'better-sqlite3' ? builtIn() : betterSqlite3();
}

function builtIn(): Driver {
  const { DatabaseSync } = load('node:sqlite') as { DatabaseSync: new (file: string) => Database };
  return (file) => new DatabaseSync(file);
}

function betterSqlite3(): Driver {
  try {
    const Opened = load('better-sqlite3') as new (file: string, options: { timeout: number }) => Database;
    new Opened(':memory:', { timeout: 0 }).close(); // its binary is loaded with the first one
    return (file) => new Opened(file, { timeout: 0 });
  } catch (cause) {
    const absent = (cause as { code?: unknown }).code === 'MODULE_NOT_FOUND';
    throw noDriver(
      absent
        ? `on Node ${process.versions.node} the package better-sqlite3 is needed: npm install better-sqlite3@12, or use Node 22.13 or newer`
        : 'better-sqlite3 is installed, but cannot be loaded (npm rebuild better-sqlite3 makes it fit this Node)',
      cause,
    );
  }
}

function noDriver(message: string, cause?: unknown): BrokerError {
  return new BrokerError('QUEUE_NO_DRIVER', message, { layer: 'queue', cause });
}
