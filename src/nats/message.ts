// A stanza as a message of NATS.
import type { MsgHdrs } from '@nats-io/transport-node';
import { printable } from '../errors.js';
import type { StoredStanza } from '../queue/store.js';
import type { NatsClient } from './client.js';
import type { FeedMessage } from './feed.js';
import { AT, DUPLICATE, fromHeader, headerText, KEY, NAMED, NAMESPACE, TICKET } from './headers.js';
import { FRESH, type Mark } from './marks.js';
import { HEADER_ROOM } from './streams.js';
import { subjectToken } from './subjects.js';

/** What goes along with a stanza. */
export interface MessageFacts {
  readonly key: string;
  /** Whose queue it is in: a key is that of one queue, and JetStream compares what it knows over all of them. */
  readonly queue: string;
  /** What JetStream knows it by; default the queue and the key. */
  readonly id?: string | undefined;
  readonly at: number;
  /** Namespace in which the text is to be read; null: it is complete by itself. */
  readonly xmlns: string | null;
  /** Whom to tell what becomes of it: a token of a subject. */
  readonly producer?: string | undefined;
  readonly possibleDuplicate?: boolean | undefined;
}

export function headersOf({ transport }: NatsClient, facts: MessageFacts): MsgHdrs {
  const headers = transport.headers();
  const key = headerText(facts.key);
  headers.append(KEY, facts.id ?? `${subjectToken(facts.queue)}:${key}`);
  headers.append(NAMED, key);
  headers.append(AT, String(facts.at));
  if (facts.xmlns !== null) headers.append(NAMESPACE, headerText(facts.xmlns));
  if (facts.producer !== undefined) headers.append(TICKET, `${facts.producer}/${key}`);
  if (facts.possibleDuplicate === true) headers.append(DUPLICATE, '1');
  return headers;
}

/** Of a key that is written three times, so much fits into what all headers may have. */
const KEY_ROOM = 1_024;
/** Most bytes of a character of a key: three of UTF-8, each as `%` and two digits. */
const CHARACTER = 9;

/** What the headers of a stanza with that key may take of a message, in bytes. */
export function headerRoom(key: string): number {
  if (3 * CHARACTER * key.length <= KEY_ROOM) return HEADER_ROOM;
  return HEADER_ROOM + Math.max(0, 3 * headerText(key).length - KEY_ROOM);
}

/** Who put a stanza and wants to know what becomes of it. */
export interface Ticketed {
  /** Token of its subject. */
  readonly producer: string;
  /** As the producer wrote it. */
  readonly key: string;
}

export function ticketOf({ message }: FeedMessage): Ticketed | null {
  const [, producer, key] = /^([A-Za-z0-9_=-]{1,180})\/(.+)$/.exec(message.headers?.get(TICKET) ?? '') ?? [];
  return producer === undefined || key === undefined ? null : { producer, key };
}

/** The key of a stanza. One that somebody else published without one is named after its place. */
export function keyOf({ message, sequence }: FeedMessage): string {
  const given = message.headers?.get(NAMED) || message.headers?.get(KEY) || '';
  const key = given === '' ? null : fromHeader(given);
  // Of a program that does not write keys as we do.
  return key === null || key.length > 256 ? (given === '' ? `at-${sequence}` : printable(given, 256)) : key;
}

/** A message as a stored stanza. What it says of itself is what some process wrote: only what fits counts. */
export function storedOf(from: FeedMessage, mark: Mark = FRESH): StoredStanza {
  const { message, sequence } = from;
  const { headers } = message;
  const given = Number(headers?.get(AT) ?? '');
  // Nothing is accepted later than it is stored: such a stanza would never be old enough to go.
  const at = Number.isSafeInteger(given) && given > 0 ? Math.min(given, from.at) : from.at;
  const xmlns = headers?.get(NAMESPACE) ?? '';
  return {
    key: keyOf(from),
    position: sequence,
    xml: message.string(),
    xmlns: xmlns === '' ? null : fromHeader(xmlns),
    at,
    handed: mark.handed,
    possibleDuplicate: mark.possibleDuplicate || headers?.get(DUPLICATE) === '1',
    attempts: mark.attempts,
    faults: mark.faults,
  };
}
