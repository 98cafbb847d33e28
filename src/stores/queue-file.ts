// The file of the queues, as the writer thread has it. Everything here is synchronous.
import type { SessionRecord, StoredStanza } from '../queue/store.js';
import type { Database, Driver, Row } from './driver.js';
import { Keys } from './keys.js';
import type { Ops } from './ops.js';
import { Identity, isThere, prepare } from './place.js';
import { sessionOf, stanzaOf } from './record.js';
import { discard, readAll, replace, writeAll } from './salvage.js';
import { settle } from './schema.js';
import { Statements } from './statements.js';
import { BUSY, failed, faultOf, fenced, FULL, locked, packed, resultOf, spoilt, type Fault } from './store-faults.js';

export interface FileSettings {
  readonly file: string;
  readonly sync: 'full' | 'normal';
  readonly onCorrupt: 'refuse' | 'salvage';
}

/** A queue when it was opened. */
export interface OpenedQueue {
  readonly epoch: number;
  readonly held: readonly StoredStanza[];
  readonly session: SessionRecord | null;
  /** Records that were given up. */
  readonly dead: readonly { readonly key: string; readonly xml: string; readonly fault: Fault }[];
  readonly warning: string | null;
}

/** How often a lock is tried, and how long at most between two tries: two that begin at once disturb each other. */
const TRIES = 20;
const PAUSE_MS = 25;

/** Of the log that SQLite writes before the file itself, in bytes: what is longer is cut when it was taken over. */
const LOG_LIMIT = 16 << 20;

/** Rows that are read at once, at most. */
const AT_ONCE = 1_000;

/** Rows of one queue with none of another between them: one statement reads them, where one for each row costs twice as much. */
interface Stretch {
  readonly first: number;
  last: number;
  rows: number;
}

/** An open file: what SQLite has of it, and what is prepared. */
interface Connection {
  readonly db: Database;
  readonly statements: Statements;
  readonly identity: Identity;
}

export class QueueFile {
  readonly #settings: FileSettings;
  readonly #driver: Driver;
  #connection: Connection | null = null;
  /** Epochs of the queues that are open. */
  readonly #epochs: Map<string, number>;
  readonly #keys = new Keys();
  /** Rows of the queues that nobody has opened yet, as they were when the file was opened. */
  #unread = new Map<string, Stretch[]>();
  /** Rows that commits made which failed: after a failed flush nobody knows whether they are there. */
  #undone: number[] = [];
  /** What the next one who opens a queue has to be told. */
  #warning: string | null = null;
  #dead: OpenedQueue['dead'][number][] = [];

  /** @param epochs of queues that an earlier thread had open */
  constructor(settings: FileSettings, driver: Driver, epochs: ReadonlyMap<string, number> = new Map()) {
    this.#settings = settings;
    this.#driver = driver;
    this.#epochs = new Map(epochs);
  }

  /** @throws BrokerError */
  openQueue(queue: string): OpenedQueue {
    return this.#guarded(({ db, statements }) => {
      db.exec('BEGIN IMMEDIATE');
      const epoch = statements.nextEpoch(queue);
      const held: StoredStanza[] = [];
      const rows = new Map<string, number>();
      for (const { first, last } of this.#unread.get(queue) ?? []) {
        for (const row of statements.stanzas(first, last)) {
          const stanza = stanzaOf(row, queue);
          if (stanza === null || rows.has(stanza.key)) this.#bury(statements, queue, row);
          else {
            held.push(stanza);
            rows.set(stanza.key, stanza.position);
          }
        }
      }
      const session = sessionOf(statements.session(queue), queue);
      db.exec('COMMIT');
      this.#epochs.set(queue, epoch);
      this.#keys.open(queue, rows);
      this.#unread.delete(queue);
      const opened = { epoch, held, session, dead: this.#dead, warning: this.#warning };
      [this.#warning, this.#dead] = [null, []];
      return opened;
    });
  }

  /**
   * Writes all of it, or nothing.
   * @throws BrokerError
   */
  commit(ops: Readonly<Ops>): void {
    try {
      this.#guarded(({ db, statements, identity }) => {
        db.exec('BEGIN IMMEDIATE');
        for (const row of this.#undone) statements.remove(row);
        statements.apply(ops);
        db.exec('COMMIT');
        identity.check(this.#settings.file);
      });
      this.#undone = [];
      this.#keys.keep();
    } catch (error) {
      this.#undone.push(...this.#keys.takeBack());
      throw error;
    }
  }

  leave(queue: string): void {
    this.#epochs.delete(queue);
    this.#unread.set(
      queue,
      this.#keys.close(queue).map((row) => ({ first: row, last: row, rows: 1 })),
    );
  }

  /** Lets go of the file. */
  close(): void {
    try {
      if (this.#undone.length > 0) this.commit([]);
    } catch {
      // Then they may be there at the next start, as they were when a process was killed.
    }
    this.#disconnect();
  }

  /** Does something in the file. What goes wrong is taken back; a handle that failed is not used again. */
  #guarded<T>(work: (connection: Connection) => T): T {
    const { file } = this.#settings;
    try {
      this.#connection ??= this.#epochs.size === 0 ? this.#connect() : this.#reconnect();
      this.#connection.identity.check(file);
      return work(this.#connection);
    } catch (error) {
      const connection = this.#connection;
      attempt(() => connection?.db.exec('ROLLBACK'));
      // While the file is elsewhere the handle is the only way to it: closing it would take away the log of what lies there now.
      if (resultOf(error) !== FULL && connection?.identity.holds === true) this.#disconnect();
      throw faultOf(error, file);
    }
  }

  #disconnect(): void {
    const connection = this.#connection;
    this.#connection = null;
    attempt(() => connection?.db.close());
  }

  /** For the first time: the file is made if there is none. */
  #connect(): Connection {
    const { file, onCorrupt } = this.#settings;
    prepare(file);
    try {
      return this.#first(file);
    } catch (error) {
      const fault = faultOf(error, file);
      if (fault.code !== 'QUEUE_CORRUPT' || onCorrupt !== 'salvage') throw fault;
      return this.#salvaged(fault.message);
    }
  }

  #first(file: string): Connection {
    const connection = this.#opened(file);
    try {
      this.#look(connection);
      return connection;
    } catch (error) {
      attempt(() => connection.db.close());
      throw error;
    }
  }

  /** After a fault: it has to be the same file, and our queues still ours. */
  #reconnect(): Connection {
    const { file } = this.#settings;
    if (!isThere(file)) throw failed(file, 'was removed while it was open: bring it back, or start again');
    const connection = this.#opened(file);
    for (const [queue, epoch] of this.#epochs) {
      if (connection.statements.epoch(queue) === epoch) continue;
      connection.db.close();
      throw fenced(file, queue);
    }
    return connection;
  }

  #salvaged(why: string): Connection {
    const { file } = this.#settings;
    const saved = readAll(file, this.#driver);
    const fresh = `${file}.salvage`;
    discard(fresh);
    prepare(fresh);
    const { db } = this.#opened(fresh);
    writeAll(db, saved);
    db.close();
    const aside = replace(file, fresh);
    this.#warning = `${why}; it was moved to ${aside}; ${saved.stanzas.length} stanzas were read out of it, all of which may have been sent already, and ${saved.spoilt.length} more that do not fit their checksums lie in its table dead now`;
    return this.#first(file);
  }

  #opened(file: string): Connection {
    const db = this.#locked(file);
    try {
      settle(db, file);
      db.exec(`PRAGMA journal_size_limit=${LOG_LIMIT}`);
      if (Object.values(db.prepare('PRAGMA journal_mode=WAL').get() ?? {})[0] !== 'wal') {
        throw failed(file, 'lies where SQLite cannot keep its log beside it: use a local disk');
      }
      const sync = this.#settings.sync === 'full' ? 'FULL' : 'NORMAL';
      // macOS flushes to the disk itself only when it is told so.
      db.exec(`PRAGMA synchronous=${sync}; PRAGMA fullfsync=1; PRAGMA checkpoint_fullfsync=1`);
      const statements = new Statements(db, this.#keys);
      db.exec('BEGIN IMMEDIATE; COMMIT'); // the log is there
      return { db, statements, identity: new Identity([file, `${file}-wal`]) };
    } catch (error) {
      attempt(() => db.close());
      throw error;
    }
  }

  /** Opens a file for us alone, until it is closed or the process ends. */
  #locked(file: string): Database {
    for (let tries = 1; ; tries += 1) {
      const db = this.#driver(file);
      try {
        db.exec('PRAGMA trusted_schema=OFF; PRAGMA cell_size_check=ON; PRAGMA locking_mode=EXCLUSIVE');
        db.exec('BEGIN EXCLUSIVE; COMMIT');
        return db;
      } catch (error) {
        attempt(() => db.close());
        if (resultOf(error) !== BUSY) throw error;
        if (tries === TRIES) throw locked(file);
        Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1 + Math.random() * PAUSE_MS);
      }
    }
  }

  /** Finds out what there is. A queue that never was may be a wrong name in a row: nobody would ever ask for it. */
  #look({ db, statements }: Connection): void {
    this.#unread = new Map();
    const known = statements.queues();
    let before: { name: string; stretch: Stretch } | null = null;
    db.exec('BEGIN IMMEDIATE');
    for (const { seq, queue } of statements.places()) {
      const [place, name] = [Number(seq), String(queue)];
      const row = known.has(name) ? undefined : statements.stanza(place);
      if (row !== undefined && stanzaOf(row, name) === null) this.#bury(statements, name, row);
      else if (before !== null && before.name === name && before.stretch.rows < AT_ONCE) {
        before.stretch.last = place;
        before.stretch.rows += 1;
      } else {
        const stretch = { first: place, last: place, rows: 1 };
        const stretches = this.#unread.get(name);
        if (stretches === undefined) this.#unread.set(name, [stretch]);
        else stretches.push(stretch);
        before = { name, stretch };
      }
    }
    db.exec('COMMIT');
  }

  #bury(statements: Statements, queue: string, row: Row): void {
    const [key, xml] = [String(row['key']), String(row['xml'])];
    statements.bury(row, queue, 'QUEUE_CORRUPT');
    this.#dead.push({ key, xml, fault: packed(spoilt(this.#settings.file, key)) });
  }
}

function attempt(work: () => void): void {
  try {
    work();
  } catch {
    // Cleaning up behind something that failed, and was told.
  }
}
