// The statements of a queue file.
import type { Handed } from '../queue/store.js';
import { FOLLOWING, Op, type Batch } from './batch.js';
import type { Database, Row, Statement, Value } from './driver.js';
import { checksum, markOf, sessionCheck, YES } from './record.js';
import { MOST_DEAD } from './schema.js';

const COLUMNS = 'seq, queue, key, handed, session, ordinal, duplicate, attempts, faults, at, crc, xmlns, xml';

export class Statements {
  readonly #db: Database;
  readonly #prepared = new Map<string, Statement>();

  constructor(db: Database) {
    this.#db = db;
  }

  /** Each is prepared when it is needed first. */
  #do(sql: string): Statement {
    let statement = this.#prepared.get(sql);
    if (statement === undefined) this.#prepared.set(sql, (statement = this.#db.prepare(sql)));
    return statement;
  }

  epoch(queue: string): number {
    const epoch = this.#do('SELECT epoch FROM life WHERE queue=?').get(queue)?.['epoch'];
    return typeof epoch === 'number' ? epoch : 0;
  }

  nextEpoch(queue: string): number {
    const epoch = this.epoch(queue) + 1;
    this.#do('INSERT OR REPLACE INTO life VALUES (?, ?)').run(queue, epoch);
    return epoch;
  }

  /** The stanzas of a queue, oldest first. */
  rows(queue: string): Row[] {
    return this.#do(`SELECT ${COLUMNS} FROM stanza WHERE queue=? ORDER BY seq`).all(queue);
  }

  everything(): Row[] {
    return this.#do(`SELECT ${COLUMNS} FROM stanza NOT INDEXED ORDER BY seq`).all();
  }

  session(queue: string): Row | undefined {
    return this.#do('SELECT record, crc FROM session WHERE queue=?').get(queue);
  }

  /** @param put keys of stanzas that were not there before are added to those of their queue */
  apply({ queue, xmlns, ops }: Batch, put: Map<string, string[]>): void {
    let keys = put.get(queue);
    if (keys === undefined) put.set(queue, (keys = []));
    for (let at = 0; at < ops.length; at += 1 + following(ops[at])) {
      const [key, one, two, three, four] = ops.slice(at + 1, at + 6) as [string, Value, number, Value, number | null];
      switch (ops[at]) {
        case Op.put:
          if (this.#put(queue, key, xmlns, one as string, two, null)) keys.push(key);
          break;
        case Op.putHanded:
          if (this.#put(queue, key, xmlns, one as string, two, { session: three as string | null, ordinal: four }))
            keys.push(key);
          break;
        case Op.hand:
          this.#hand(queue, key, { session: one as string | null, ordinal: two });
          break;
        case Op.hold:
          this.#hold(queue, key, one === 1, two);
          break;
        case Op.end:
          this.remove(queue, key);
          break;
        case Op.bury:
          this.#bury(queue, key, one as string | null);
          break;
        default:
          this.#do('INSERT OR REPLACE INTO session VALUES (?, ?, ?)').run(queue, key, sessionCheck(queue, key));
      }
    }
  }

  /** @returns whether it was not there before */
  #put(queue: string, key: string, xmlns: string, xml: string, at: number, handed: Handed | null): boolean {
    const insert = this.#do(
      `INSERT OR IGNORE INTO stanza (${COLUMNS}) VALUES (NULL, ?, ?, ?, ?, ?, 0, ?, 0, ?, ?, ?, ?)`,
    );
    const crc = checksum(queue, key, at, xmlns, xml);
    const mark = handed === null ? 0 : markOf(key, handed);
    const [session, ordinal] = [handed?.session ?? null, handed?.ordinal ?? null];
    const attempts = handed === null ? 0 : 1;
    const { changes } = insert.run(queue, key, mark, session, ordinal, attempts, at, crc, xmlns, xml);
    if (Number(changes) === 1) return true;
    if (handed !== null) this.#hand(queue, key, handed);
    return false;
  }

  #hand(queue: string, key: string, handed: Handed): void {
    this.#do('UPDATE stanza SET handed=?, session=?, ordinal=?, attempts=attempts+1 WHERE queue=? AND key=?').run(
      markOf(key, handed),
      handed.session,
      handed.ordinal,
      queue,
      key,
    );
  }

  #hold(queue: string, key: string, possibleDuplicate: boolean, faults: number): void {
    this.#do(
      'UPDATE stanza SET handed=0, session=NULL, ordinal=NULL, duplicate=max(duplicate, ?), faults=? WHERE queue=? AND key=?',
    ).run(possibleDuplicate ? YES : 0, faults, queue, key);
  }

  remove(queue: string, key: string): void {
    this.#do('DELETE FROM stanza WHERE queue=? AND key=?').run(queue, key);
  }

  #bury(queue: string, key: string, code: string | null): void {
    const row = this.#do(`SELECT ${COLUMNS} FROM stanza WHERE queue=? AND key=?`).get(queue, key);
    if (row !== undefined) this.bury(row, queue, code);
  }

  /** A row becomes a dead letter. */
  bury({ seq = null, key = null, at = null, xml = null }: Row, queue: string, code: string | null): void {
    this.#do('INSERT INTO dead (queue, key, at, code, xml) VALUES (?, ?, ?, ?, ?)').run(queue, key, at, code, xml);
    this.#do('DELETE FROM stanza WHERE seq=?').run(seq);
    this.#do(
      `DELETE FROM dead WHERE queue=? AND seq <= (SELECT seq FROM dead WHERE queue=? ORDER BY seq DESC LIMIT 1 OFFSET ${MOST_DEAD})`,
    ).run(queue, queue);
  }
}

function following(op: string | number | null | undefined): number {
  return FOLLOWING[op as keyof typeof FOLLOWING & number] ?? 0;
}
