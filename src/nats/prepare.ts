// `prepareNats`: a step of a deployment, with more rights than the programs need that run behind it.
import { count, whole } from '../arguments/checks.js';
import { readOptions, type OptionTable } from '../arguments/options.js';
import { usageError } from '../errors.js';
import { connectionCheck, openLink, type NatsGiven } from './connection.js';
import { setUpStreams } from './streams.js';
import { prefixCheck, replicasCheck, Subjects } from './subjects.js';

/** What {@link prepareNats} takes. What is left out is not compared where the streams exist. */
export interface PrepareOptions {
  /** What all names in NATS begin with: lower-case letters, digits, `-`, `_`. Default `xmpp`. */
  prefix?: string | undefined;
  /** How many nodes of a cluster keep each stream: 1, 3 or 5. Default 1. */
  replicas?: 1 | 3 | 5 | undefined;
  /** Most stanzas of one queue that wait in NATS; then `output` throws `QUEUE_FULL`. Default 10 000. */
  maxStanzas?: number | undefined;
  /** Within this time a stanza with the same key is the same stanza, in milliseconds. At least 100. Default ten minutes. */
  dedupMs?: number | undefined;
  /**
   * How long it is kept what became of stanzas, for `StanzaPublisher.ticket()`, in milliseconds. Default: it is told to who
   * listens, and not kept.
   */
  keepReportsMs?: number | undefined;
}

const OPTIONS: OptionTable<PrepareOptions> = {
  checks: {
    prefix: prefixCheck,
    replicas: replicasCheck,
    maxStanzas: count,
    dedupMs: whole(100, 2 ** 40),
    keepReportsMs: whole(100, 2 ** 40),
  },
};

/**
 * Makes the streams and the bucket that `natsStore`, `StanzaPublisher`, `fanOut` and `Worker` work with, or checks those that
 * are there. It changes nothing that exists. The login needs `$JS.API.>`.
 * @param connection a connection to NATS, or options for one; a connection that was given is left open
 * @throws BrokerError `USAGE_NATS`; `NATS_NOT_INSTALLED`, `NATS_UNREACHABLE`, `NATS_DENIED`, `NATS_NO_STREAM`, `NATS_SETUP`,
 * `NATS_TOO_OLD`
 */
export async function prepareNats(connection: NatsGiven, options: PrepareOptions = {}): Promise<void> {
  const problem = connectionCheck(connection);
  if (problem !== null) throw usageError('USAGE_NATS', `prepareNats(): the connection ${problem}`);
  const { prefix, ...wishes } = readOptions('USAGE_NATS', 'prepareNats()', options, OPTIONS);
  const link = await openLink(connection, 'xmpp-broker prepare');
  try {
    await setUpStreams(link, new Subjects(prefix), wishes);
  } finally {
    await link.release();
  }
}
