// What lies in a queue's file, read and nothing else.
import { existsSync } from 'node:fs';
import { usageError } from '../errors.js';
import { loadDriver, type Row } from '../stores/driver.js';
import { faultOf } from '../stores/store-faults.js';

/** A row of the file, as it is shown. */
export interface QueueRow {
  readonly queue: string;
  readonly key: string;
  /** When it was accepted; null where that is not known. */
  readonly accepted: string | null;
  readonly xml: string;
  /** Of what is left to be sent: whether it may have been sent already. */
  readonly mayBeSent?: boolean;
  /** Of what was given up: why. */
  readonly code?: string;
}

const LIST = 'SELECT queue, key, at, xml, handed, duplicate FROM stanza ORDER BY seq';
const DEAD = 'SELECT queue, key, at, xml, code FROM dead ORDER BY seq';

/**
 * Reads what is left to be sent, or what was given up.
 * @throws BrokerError `USAGE_ARGUMENT` where there is no file; `QUEUE_LOCKED`, `QUEUE_CORRUPT`, `QUEUE_NO_DRIVER`, `QUEUE_STORE_FAILED`
 */
export function readQueueFile(file: string, what: 'list' | 'dead'): QueueRow[] {
  // SQLite would make one.
  if (!existsSync(file)) throw usageError('USAGE_ARGUMENT', `there is no file ${file}`);
  const driver = loadDriver();
  try {
    const db = driver(file);
    try {
      return db
        .prepare(what === 'list' ? LIST : DEAD)
        .all()
        .map((row) => shown(row, what));
    } finally {
      db.close();
    }
  } catch (error) {
    throw faultOf(error, file);
  }
}

function shown({ queue, key, at, xml, handed, duplicate, code }: Row, what: 'list' | 'dead'): QueueRow {
  const accepted = typeof at === 'number' && Math.abs(at) < 8e15 ? new Date(at).toISOString() : null;
  const common = { queue: text(queue), key: text(key), accepted, xml: text(xml) };
  if (what === 'dead') return { ...common, code: text(code) };
  return { ...common, mayBeSent: Boolean(handed) || Boolean(duplicate) };
}

/** Nobody has checked what is in a file. */
function text(value: Row[string] | undefined): string {
  return typeof value === 'string' ? value : '';
}
