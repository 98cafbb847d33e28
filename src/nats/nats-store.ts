// `natsStore`: the outbound queue in NATS, which several processes share.
import { flag, must, oneOf } from '../arguments/checks.js';
import { readOptions, type OptionTable } from '../arguments/options.js';
import type { QueueStore } from '../queue/store.js';
import { connectionCheck, type NatsGiven } from './connection.js';
import { NatsStore } from './store.js';
import { prefixCheck, replicasCheck, Subjects } from './subjects.js';

/** What {@link natsStore} takes. */
export interface NatsStoreOptions {
  /**
   * A connection to NATS, or options for one. Needed. A connection that was given is left open; it should notice within
   * seconds that NATS is gone (`pingInterval: 5000, maxPingOut: 2`), as one that is made here does.
   */
  connection: NatsGiven;
  /** What all names in NATS begin with: lower-case letters, digits, `-`, `_`. Default `xmpp`. */
  prefix?: string | undefined;
  /**
   * How long the holder may be silent before another process takes over, in milliseconds, at least 1500. The holder lets go
   * half a second earlier. `Infinity`: for a single process, which keeps its link while NATS is away. Default 3000.
   */
  ttlMs?: number | undefined;
  /**
   * `single`: one process has the link, the others wait. `shared`: all have one, where the XMPP server shares the name among
   * them; each sends what NATS gives it while it is ready, and there is no order between them. Then only what comes through
   * NATS is stored, by `StanzaPublisher`, not what `output` of such a broker is given. Default `single`.
   */
  mode?: 'single' | 'shared' | undefined;
  /** How many nodes of a cluster keep the streams, if they are made here: 1, 3 or 5. Default 1. */
  replicas?: 1 | 3 | 5 | undefined;
  /** Whether the streams are made if they are not there; else `prepareNats()` has made them. Default true. */
  setup?: boolean | undefined;
}

/** Shortest time that a busy process and a busy network keep, in milliseconds. */
const SHORTEST_TTL_MS = 1_500;

const OPTIONS: OptionTable<NatsStoreOptions> = {
  checks: {
    connection: connectionCheck,
    prefix: prefixCheck,
    ttlMs: must(
      `a whole number of milliseconds from ${SHORTEST_TTL_MS} to 3600000, or Infinity`,
      (value) =>
        value === Number.POSITIVE_INFINITY ||
        (Number.isInteger(value) && (value as number) >= SHORTEST_TTL_MS && (value as number) <= 3_600_000),
    ),
    mode: oneOf('single', 'shared'),
    replicas: replicasCheck,
    setup: flag,
  },
  rule: (_, given) =>
    given.has('connection') ? [] : ['connection is missing: a connection to NATS, or options for one'],
};

/**
 * A store for `options.queue.store`: the outbound queue in NATS JetStream. Processes that open the same queue share it: one is
 * its holder and has the link to the XMPP server, the others wait in the state `standby` and take over when it goes. Any
 * process can put stanzas into it with a `StanzaPublisher`.
 *
 * Nothing is opened here: `NATS_*` and `QUEUE_LOCKED`, the same queue twice in one store, come from `openQueue()` and
 * `connect()`.
 *
 * @throws BrokerError `USAGE_STORE`
 */
export function natsStore(options: NatsStoreOptions): QueueStore {
  const given = readOptions('USAGE_STORE', 'natsStore()', options, OPTIONS);
  const { connection, prefix, ttlMs, replicas, setup, mode } = given;
  return new NatsStore({
    connection,
    subjects: new Subjects(prefix),
    ttlMs: ttlMs ?? 3_000,
    replicas,
    setup: setup ?? true,
    mode: mode ?? 'single',
  });
}
