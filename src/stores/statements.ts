// The statements of a queue file.
import type { Handed } from '../queue/store.js';
import type { Database, Row, Statement, Value } from './driver.js';
import type { Keys } from './keys.js';
import { FOLLOWING, Op, type Ops } from './ops.js';
import { checksum, markOf, sessionCheck, YES } from './record.js';
import { MOST_DEAD } from './schema.js';

const COLUMNS = 'seq, queue, key, handed, session, ordinal, duplicate, attempts, faults, at, crc, xmlns, xml';

export class Statements {
  readonly #db: Database;
  readonly #keys: Keys;
  readonly #prepared = new Map<string, Statement>();

  constructor(db: Database, keys: Keys) {
    this.#db = db;
    this.#keys = keys;
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

  /** The queues that were ever opened. */
  queues(): Set<Value | undefined> {
    return new Set(
      this.#do('SELECT queue FROM life')
        .all()
        .map(({ queue }) => queue),
    );
  }

  /** The rows of all stanzas, oldest first, and the queues that they are of. */
  places(): Row[] {
    return this.#do('SELECT seq, queue FROM stanza ORDER BY seq').all();
  }

  stanza(row: number): Row | undefined {
    return this.#do(`SELECT ${COLUMNS} FROM stanza WHERE seq=?`).get(row);
  }

  /** From one row to another, in their order. */
  stanzas(first: number, last: number): Row[] {
    return this.#do(`SELECT ${COLUMNS} FROM stanza WHERE seq BETWEEN ? AND ? ORDER BY seq`).all(first, last);
  }

  session(queue: string): Row | undefined {
    return this.#do('SELECT record, crc FROM session WHERE queue=?').get(queue);
  }

  apply(ops: Readonly<Ops>): void {
    let queue = '';
    let xmlns = '';
    for (let at = 0; at < ops.length; at += 1 + following(ops[at])) {
      const key = ops[at + 1] as string;
      const one = ops[at + 2] as string | null;
      const two = ops[at + 3] as number;
      switch (ops[at]) {
        case Op.put:
          this.#put(queue, key, xmlns, one ?? '', two, null);
          break;
        case Op.putHanded: {
          const handed = { session: ops[at + 4] as string | null, ordinal: ops[at + 5] as number | null };
          this.#put(queue, key, xmlns, one ?? '', two, handed);
          break;
        }
        case Op.hand:
          this.#hand(queue, key, { session: one, ordinal: ops[at + 3] as number | null });
          break;
        case Op.hold:
          this.#hold(queue, key, ops[at + 2] === 1, two);
          break;
        case Op.end:
          this.#end(queue, key);
          break;
        case Op.bury:
          this.#bury(queue, key, one);
          break;
        case Op.session:
          this.#do('INSERT OR REPLACE INTO session VALUES (?, ?, ?)').run(queue, key, sessionCheck(queue, key));
          break;
        default:
          [queue, xmlns] = [key, one ?? ''];
      }
    }
  }

  #put(queue: string, key: string, xmlns: string, xml: string, at: number, handed: Handed | null): void {
    if (this.#keys.row(queue, key) !== undefined) {
      if (handed !== null) this.#hand(queue, key, handed);
      return;
    }
    const { lastInsertRowid } = this.#do(
      `INSERT INTO stanza (${COLUMNS}) VALUES (NULL, ?, ?, ?, ?, ?, 0, ?, 0, ?, ?, ?, ?)`,
    ).run(
      queue,
      key,
      handed === null ? 0 : markOf(key, handed),
      handed?.session ?? null,
      handed?.ordinal ?? null,
      handed === null ? 0 : 1,
      at,
      checksum(queue, key, at, xmlns, xml),
      xmlns,
      xml,
    );
    this.#keys.add(queue, key, Number(lastInsertRowid));
  }

  #hand(queue: string, key: string, handed: Handed): void {
    const row = this.#keys.row(queue, key);
    if (row === undefined) return;
    const sql = 'UPDATE stanza SET handed=?, session=?, ordinal=?, attempts=attempts+1 WHERE seq=?';
    this.#do(sql).run(markOf(key, handed), handed.session, handed.ordinal, row);
  }

  #hold(queue: string, key: string, possibleDuplicate: boolean, faults: number): void {
    const row = this.#keys.row(queue, key);
    if (row === undefined) return;
    const sql =
      'UPDATE stanza SET handed=0, session=NULL, ordinal=NULL, duplicate=max(duplicate, ?), faults=? WHERE seq=?';
    this.#do(sql).run(possibleDuplicate ? YES : 0, faults, row);
  }

  #end(queue: string, key: string): void {
    const row = this.#keys.row(queue, key);
    if (row === undefined) return;
    this.remove(row);
    this.#keys.remove(queue, key);
  }

  remove(row: number): void {
    this.#do('DELETE FROM stanza WHERE seq=?').run(row);
  }

  #bury(queue: string, key: string, code: string | null): void {
    const place = this.#keys.row(queue, key);
    const row = place === undefined ? undefined : this.stanza(place);
    if (row === undefined) return;
    this.bury(row, queue, code);
    this.#keys.remove(queue, key);
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
