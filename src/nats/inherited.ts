// What the last holder of a queue left in its record, and what a record of a queue is.
import type { SessionRecord } from '../queue/store.js';
import type { FeedMessage } from './feed.js';
import { Marks, type Mark } from './marks.js';

/** What goes along with the holder record. */
export interface Body {
  readonly marks: readonly object[];
  /** Places that are done with: `KnownStanzas.done`. Records of older versions have none. */
  readonly done: readonly number[];
  readonly session: SessionRecord | null;
}

/** Most numbers of which the places that are done with consist. */
const MOST_DONE = 128;

/** Of a stanza that was not there yet. */
const NO_MARKS = new Marks([], []);

export class Inherited {
  readonly session: SessionRecord | null;
  #marks: Marks;
  /** When it was written, by the clock of NATS. */
  readonly #at: number;

  constructor(body: unknown, at: number) {
    const { marks, done, session } = (typeof body === 'object' && body !== null ? body : {}) as Record<string, unknown>;
    this.#marks = new Marks(marks, done);
    this.#at = at;
    this.session = isSession(session) ? session : null;
  }

  /** What it says of a stanza. They come in order. */
  markOf({ sequence, at }: Pick<FeedMessage, 'sequence' | 'at'>): Mark {
    if (this.#marks.last < sequence) this.#marks = NO_MARKS;
    return this.#marks.of(sequence, at > this.#at);
  }

  /** The next record, with what the last one says of stanzas that are not here yet. @param floor all up to there were brought */
  body(floor: number, { marks, done, session }: Body): Body {
    if (floor >= this.#marks.last) return { marks, done, session };
    const { groups, done: before } = this.#marks;
    return { marks: [...marks, ...groups], done: [...before, ...done].slice(-MOST_DONE), session };
  }
}

/** It comes from another process. */
function isSession(value: unknown): value is SessionRecord {
  if (typeof value !== 'object' || value === null) return false;
  const { id, tag, jid, sent, acked, handled, at } = value as Record<string, unknown>;
  return (
    typeof id === 'string' &&
    typeof jid === 'string' &&
    (tag === undefined || typeof tag === 'string') &&
    [sent, acked, handled, at].every((one) => Number.isFinite(one))
  );
}
