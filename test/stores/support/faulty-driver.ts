import type { Database, Driver, Statement } from '../../../src/stores/driver.js';

/** A driver whose calls are counted, and fail as a test wants. */
export class FaultyDriver {
  calls = 0;
  /** Number of the first call that fails, from 1. */
  from = Infinity;
  /** How many fail in a row. */
  times = 1;
  /** What SQLite says then: the number of the result, as node:sqlite has it. */
  result = 10;
  readonly #driver: Driver;

  constructor(driver: Driver) {
    this.#driver = driver;
  }

  readonly open: Driver = (file) => {
    this.#call();
    return this.#database(this.#driver(file));
  };

  #call(): void {
    this.calls += 1;
    if (this.calls < this.from || this.calls >= this.from + this.times) return;
    throw Object.assign(new Error('as the test wants it'), { code: 'ERR_SQLITE_ERROR', errcode: this.result });
  }

  #database(db: Database): Database {
    return {
      exec: (sql) => {
        // What is taken back is taken back by SQLite itself after many faults.
        if (sql !== 'ROLLBACK') this.#call();
        db.exec(sql);
      },
      prepare: (sql) => {
        this.#call();
        return this.#statement(db.prepare(sql));
      },
      close: () => db.close(),
    };
  }

  #statement(statement: Statement): Statement {
    return {
      run: (...values) => this.#called(() => statement.run(...values)),
      get: (...values) => this.#called(() => statement.get(...values)),
      all: (...values) => this.#called(() => statement.all(...values)),
    };
  }

  #called<T>(call: () => T): T {
    this.#call();
    return call();
  }
}
