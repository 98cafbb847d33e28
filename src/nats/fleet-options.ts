// What a fleet takes.
import { count, flag, method, must, text, whole } from '../arguments/checks.js';
import { readOptions, type OptionTable } from '../arguments/options.js';
import type { BrokerOptions } from '../options/options.js';
import { connectionCheck, type NatsGiven } from './connection.js';
import { MOST_SHARDS } from './fleet-beat.js';
import { prefixCheck, replicasCheck } from './subjects.js';

/** Options of a `Fleet`. */
export interface FleetOptions {
  /** A connection to NATS, which stays yours, or options for one. Needed. */
  connection: NatsGiven;
  /** What all names in NATS begin with. Default `xmpp`. */
  prefix?: string | undefined;
  /** Name of the fleet: all members give the same one. Needed. */
  name: string;
  /**
   * Into how many parts the accounts are divided: 1 to 4 096. It is fixed when the first member of the fleet starts, and all
   * give the same one. Some ten times as many as there will be members is a good number: each costs NATS a consumer. Default 64.
   */
  shards?: number | undefined;
  /** All accounts of the fleet, in any order. Asked whenever the member gets a shard, and by `refresh()`. Needed. */
  list: () => AsyncIterable<string> | Iterable<string>;
  /** Options of the broker of an account. Its queue and where that is stored are the fleet's. Needed. */
  broker: (account: string) => BrokerOptions;
  /** Most links that a member makes at a time; fewer while its event loop is late. Default 50. */
  maxConnecting?: number | undefined;
  /** After that time without a sign of its holder a shard may be taken by another, in milliseconds. At least 1 500. Default 3 000. */
  ttlMs?: number | undefined;
  /** How many nodes of a cluster keep the streams, if they are made here: 1, 3 or 5. Default 1. */
  replicas?: 1 | 3 | 5 | undefined;
  /** Whether the streams are made if they are not there; else `prepareNats()` has made them. Default true. */
  setup?: boolean | undefined;
}

/** The options with defaults. */
export interface FleetConfig extends FleetOptions {
  readonly shards: number;
  readonly maxConnecting: number;
  readonly ttlMs: number;
  readonly replicas: 1 | 3 | 5 | undefined;
  readonly setup: boolean;
}

const DEFAULTS = { shards: 64, maxConnecting: 50, ttlMs: 3_000, replicas: undefined, setup: true } as const;

const OPTIONS: OptionTable<FleetOptions> = {
  checks: {
    connection: connectionCheck,
    prefix: prefixCheck,
    name: must('a string of 1 to 100 characters', (value) => text(value) === null && (value as string).length <= 100),
    shards: whole(1, MOST_SHARDS),
    list: method,
    broker: method,
    maxConnecting: count,
    ttlMs: whole(1_500, 3_600_000),
    replicas: replicasCheck,
    setup: flag,
  },
  rule: (_, given) =>
    ['connection', 'name', 'list', 'broker'].filter((name) => !given.has(name)).map((name) => `${name} is missing`),
};

/** @throws BrokerError `USAGE_FLEET` */
export function readFleetOptions(options: FleetOptions): FleetConfig {
  return { ...DEFAULTS, ...readOptions('USAGE_FLEET', 'new Fleet()', options, OPTIONS) };
}
