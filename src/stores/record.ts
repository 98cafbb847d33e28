// How a stanza lies in the file, and how it is known to be as it was written.
import { crc32 } from 'node:zlib';
import type { Handed, SessionRecord, StoredStanza } from '../queue/store.js';
import type { Row, Value } from './driver.js';

/**
 * What stands for "yes". SQLite keeps 0 and 1 in a single bit of a record's head; this differs from 0 in more than that, and
 * whatever is not 0 is yes: a bit that flips makes a stanza a possible duplicate, never the other way round.
 */
export const YES = 255;

/** Above every CRC-32, so that no mark is 0. */
const MARKED = 2 ** 32;

/** Of what is never changed. */
export function checksum(queue: string, key: string, at: number, xmlns: string, xml: string): number {
  return crc32(xml, crc32(`${queue}\0${key}\0${at}\0${xmlns}\0`));
}

/** The column `handed`: 0 while held, else a checksum of where it was handed to. */
export function markOf(key: string, { session, ordinal }: Handed): number {
  return MARKED + crc32(`${key}\0${session ?? ''}\0${ordinal ?? ''}`);
}

/** A stanza out of its row; null when it is not what was written. */
export function stanzaOf(row: Row, queue: string): StoredStanza | null {
  const { seq, key, at, crc, xmlns, xml } = row;
  if (typeof key !== 'string' || typeof xml !== 'string' || typeof xmlns !== 'string') return null;
  if (typeof at !== 'number' || checksum(queue, key, at, xmlns, xml) !== crc) return null;
  return {
    key,
    position: Number(seq),
    xml,
    xmlns,
    at,
    handed: handedOf(row, key),
    possibleDuplicate: row['duplicate'] !== 0,
    attempts: whole(row['attempts']),
    faults: whole(row['faults']),
  };
}

/** Where it was handed to. With a mark that is wrong it was handed to somewhere that nobody knows any more. */
function handedOf({ handed, session, ordinal }: Row, key: string): Handed | null {
  if (handed === 0) return null;
  const known = {
    session: typeof session === 'string' ? session : null,
    ordinal: typeof ordinal === 'number' ? ordinal : null,
  };
  return handed === markOf(key, known) ? known : { session: null, ordinal: null };
}

function whole(value: Value | undefined): number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value > 0 ? value : 0;
}

/** Of the session of a queue, as text. */
export function sessionCheck(queue: string, record: string): number {
  return crc32(`${queue}\0${record}`);
}

/** The session out of its row; null when there is none, or it is not what was written. */
export function sessionOf(row: Row | undefined, queue: string): SessionRecord | null {
  const record = row?.['record'];
  if (typeof record !== 'string' || sessionCheck(queue, record) !== row?.['crc']) return null;
  return JSON.parse(record) as SessionRecord | null;
}
