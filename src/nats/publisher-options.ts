// What a `StanzaPublisher` and its calls take.
import { count, duration, key, must, signal, text, whole } from '../arguments/checks.js';
import type { OptionTable } from '../arguments/options.js';
import type { PurgeSelection } from '../queue/store.js';
import { SELECTION } from './commands.js';
import { connectionCheck, type NatsGiven } from './connection.js';
import { prefixCheck } from './subjects.js';

/** What `new StanzaPublisher()` takes. */
export interface StanzaPublisherOptions {
  /** A connection to NATS, or options for one. A connection that was given is left open. Needed. */
  connection: NatsGiven;
  /** What all names in NATS begin with. Default `xmpp`. */
  prefix?: string | undefined;
  /** Name of this producer, under which it hears what becomes of its stanzas, and which PCJ_PURGED tells. Default a random one. */
  name?: string | undefined;
  /** The queue of a call that names none: `queue.name` of its brokers, by default their bare address. Default none. */
  queue?: string | undefined;
  /** The fleet to which the queues belong: then a queue is an account of it. Default none: brokers with `natsStore`. */
  fleet?: string | undefined;
  /** Most stanzas that are not stored yet. Default 10 000. */
  maxStanzas?: number | undefined;
  /** Most bytes of them. Default 32 MiB. */
  maxBytes?: number | undefined;
  /**
   * How long JetStream knows a key, in milliseconds: the `dedupMs` of `prepareNats()`. What could not be stored for longer is
   * published as a possible duplicate. Default ten minutes.
   */
  dedupMs?: number | undefined;
}

/** Options of `publisher.output()`. */
export interface RemoteOutputOptions {
  /** The queue that sends it. Default `queue` of the publisher. */
  queue?: string | undefined;
  /**
   * Names the stanza, 1 to 256 characters: a second one for the same queue with the same key within `dedupMs`, of whatever
   * process, is the first one. Default random.
   */
  key?: string | undefined;
}

/** Options of `publisher.request()`. */
export interface RemoteRequestOptions {
  /** The queue whose holder asks. Default `queue` of the publisher. */
  queue?: string | undefined;
  /** How long the answer may take, in milliseconds. Default 30 000. */
  timeout?: number | undefined;
  /** Gives up waiting. Default none. */
  signal?: AbortSignal | undefined;
}

export const PUBLISHER: OptionTable<StanzaPublisherOptions> = {
  checks: {
    connection: connectionCheck,
    prefix: prefixCheck,
    name: text,
    queue: text,
    fleet: text,
    maxStanzas: count,
    maxBytes: count,
    dedupMs: whole(100, 2 ** 40),
  },
  rule: (_, given) =>
    given.has('connection') ? [] : ["connection is missing: such as { servers: 'nats://127.0.0.1:4222' }"],
};
export const OUTPUT: OptionTable<RemoteOutputOptions> = { checks: { queue: text, key } };
export const REQUEST: OptionTable<RemoteRequestOptions> = {
  checks: { queue: text, timeout: duration, signal },
};
export const PICK: OptionTable<PurgeSelection> = {
  checks: {
    keys: must('a list of keys', SELECTION.keys),
    names: must("a list of 'message', 'presence' and 'iq'", SELECTION.names),
    to: must('an address', SELECTION.to),
    youngerThanMs: must('a number of milliseconds', SELECTION.youngerThanMs),
    olderThanMs: must('a number of milliseconds', SELECTION.olderThanMs),
    possibleDuplicate: must('true or false', SELECTION.possibleDuplicate),
    limit: must('a whole number', SELECTION.limit),
  },
};
export const CLOSE: OptionTable<{ timeoutMs?: number | undefined }> = { checks: { timeoutMs: duration } };
