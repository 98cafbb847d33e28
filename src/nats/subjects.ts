// Names in NATS: where stanzas of a queue are published, the streams that keep them, the bucket of holders. One place, so
// that all processes and the permissions of a deployment agree (docs/scaling-out.md).
import { createHash } from 'node:crypto';
import { must } from '../arguments/checks.js';

/** What every name begins with where the program does not say otherwise. */
export const DEFAULT_PREFIX = 'xmpp';

/** Streams and buckets have it in capitals, so two prefixes never share one. */
export const prefixCheck = must(
  'one to 32 lower-case letters, digits, "-" or "_"',
  (value) => typeof value === 'string' && /^[a-z0-9_-]{1,32}$/.test(value),
);

/** How many nodes of a cluster keep a stream. */
export const replicasCheck = must('1, 3 or 5', (value) => value === 1 || value === 3 || value === 5);

/** Longest token that is written out. Names of consumers end at 255 characters. */
const LONGEST = 180;
const KEPT = 120;

const OTHERS = /[^A-Za-z0-9_-]+/g;

/** The last text and its token: with each stanza that of its queue is asked for more than once. */
let last = { text: '', token: '' };

/**
 * A text as one token of a subject, and as a part of the name of a consumer: letters, digits, `-` and `_` as they are, each
 * other byte of its UTF-8 as `=` and two hex digits. Two texts never have the same token; a long one ends in a hash.
 */
export function subjectToken(text: string): string {
  if (text !== last.text) last = { text, token: tokenOf(text) };
  return last.token;
}

function tokenOf(text: string): string {
  const token = text.replace(OTHERS, escaped);
  if (token.length <= LONGEST) return token;
  const hash = createHash('sha256').update(text, 'utf8').digest('hex').slice(0, 32);
  return `${token.slice(0, KEPT)}=-${hash}`;
}

function escaped(others: string): string {
  return Buffer.from(others, 'utf8').toString('hex').toUpperCase().replace(/../g, '=$&');
}

/** The subjects and names below one prefix. */
export class Subjects {
  readonly prefix: string;

  constructor(prefix: string = DEFAULT_PREFIX) {
    this.prefix = prefix;
  }

  /** Stream of the stanzas that are to be sent. */
  get outStream(): string {
    return this.#named('OUT');
  }

  /** Stream of the stanzas that arrived. */
  get inStream(): string {
    return this.#named('IN');
  }

  /** Stream of what was given up. */
  get deadStream(): string {
    return this.#named('DEAD');
  }

  /** Stream of what became of stanzas, where it is kept (`keepReportsMs`). */
  get reportStream(): string {
    return this.#named('REPORTS');
  }

  /** Bucket of the holder records, one key for each queue: {@link subjectToken} of its name. */
  get holdBucket(): string {
    return this.#named('HOLD');
  }

  /** Stanzas that a queue is to send. */
  out(queue: string): string {
    return `${this.prefix}.out.${subjectToken(queue)}`;
  }

  /** The same of one shard of a fleet; `*` as the queue for all of them. */
  shardOut(fleet: string, shard: number, queue: string): string {
    const last = queue === '*' ? queue : subjectToken(queue);
    return `${this.prefix}.out.${subjectToken(fleet)}.${shard}.${last}`;
  }

  /** Where the members of a fleet say that they are there. */
  fleet(fleet: string): string {
    return `${this.prefix}.fleet.${subjectToken(fleet)}`;
  }

  /** A stanza that arrived, for workers. `*` as the partition for all of them. */
  in(queue: string, event: string, partition: number | '*'): string {
    return `${this.prefix}.in.${subjectToken(queue)}.${subjectToken(event)}.${partition}`;
  }

  /** What was given up of a queue. */
  dead(queue: string): string {
    return `${this.prefix}.dead.${subjectToken(queue)}`;
  }

  /** What became of the stanzas of a producer. */
  ticket(producer: string): string {
    return this.ticketOf(subjectToken(producer));
  }

  /** The same of a producer of which only its token is known. */
  ticketOf(token: string): string {
    return `${this.prefix}.ticket.${token}`;
  }

  /** The same of one stanza, where it is kept (`keepReportsMs`). */
  report(producer: string, key: string): string {
    return this.reportOf(subjectToken(producer), key);
  }

  reportOf(token: string, key: string): string {
    return `${this.prefix}.report.${token}.${subjectToken(key)}`;
  }

  /** Commands to the holder of a queue: purge, drop, status. */
  cmd(queue: string): string {
    return `${this.prefix}.cmd.${subjectToken(queue)}`;
  }

  /** Requests that the holder of a queue makes for others. */
  ask(queue: string): string {
    return `${this.prefix}.ask.${subjectToken(queue)}`;
  }

  #named(what: string): string {
    return `${this.prefix.toUpperCase()}_${what}`;
  }
}
