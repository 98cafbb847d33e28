// `fanOut`: what arrives at a broker, handed to workers in other processes.
import { milliseconds, whole } from '../arguments/checks.js';
import { readOptions, type OptionTable } from '../arguments/options.js';
import { isA, kindOf } from '../arguments/values.js';
import { Broker } from '../broker/broker.js';
import { usageError } from '../errors.js';
import { connectionCheck, openLink, type NatsGiven, type NatsLink } from './connection.js';
import { tooSmall } from './errors.js';
import { FanOut } from './fan-out.js';
import { GROUPS, groupsOf, setUpGroups, type Group, type GroupEvents, type GroupOptions } from './groups.js';
import { managerOf, setUpStreams } from './streams.js';
import { DEFAULT_PREFIX, prefixCheck, Subjects } from './subjects.js';

/** What {@link fanOut} takes. */
export interface FanOutOptions {
  /** A connection to NATS, or options for one. A connection that was given is left open. Needed. */
  connection: NatsGiven;
  /** What all names in NATS begin with. Default `xmpp`. */
  prefix?: string | undefined;
  /**
   * Who gets what: by the name of the group the events of filters, or `'all'` for everything that no request took. Each
   * group gets all of its events; its workers share them. Needed.
   */
  groups: Record<string, GroupEvents | GroupOptions>;
  /** Parts of the senders, 1 to 64: in a group that is `ordered`, as many workers have something to do at a time. Default 8. */
  partitions?: number | undefined;
  /**
   * How long workers have to answer an iq request, in milliseconds; then the broker answers it with an error, and the event
   * `fail` has `WORK_UNANSWERED`. Default 30 000.
   */
  answerWithinMs?: number | undefined;
}

const OPTIONS: OptionTable<FanOutOptions> = {
  checks: {
    connection: connectionCheck,
    prefix: prefixCheck,
    groups: GROUPS,
    partitions: whole(1, 64),
    answerWithinMs: milliseconds,
  },
  rule: (_, given) => [
    ...(given.has('connection') ? [] : ["connection is missing: such as { servers: 'nats://127.0.0.1:4222' }"]),
    ...(given.has('groups') ? [] : ["groups is missing: name those who work, such as { replies: ['question'] }"]),
  ],
};

/** What goes along with a stanza in a message: its headers, and what writing it anew may add. */
const ROOM_BYTES = 4 * 1024;

/** Which prefixes a broker is fanned out to. */
const taken = new WeakMap<Broker, Set<string>>();

/**
 * Hands what arrives at a broker to groups of workers, over JetStream, at least once: see {@link FanOut}. It makes what
 * stands for the groups in JetStream, and the streams if they are not there, and then subscribes like anybody else.
 *
 * The broker needs `acknowledge: 'settled'`: a stanza counts as handled when JetStream has it, and while JetStream takes
 * nothing, no more than `limits.unsettled` stanzas are read.
 * @returns a promise that rejects with a BrokerError: `USAGE_FAN_OUT`, `USAGE_FAN_OUT_TAKEN`; `NATS_NOT_INSTALLED`,
 * `NATS_UNREACHABLE`, `NATS_DENIED`, `NATS_NO_STREAM`, `NATS_SETUP`, `NATS_TOO_OLD`; `NATS_TOO_BIG` when NATS does not take
 * messages as large as the stanzas that the broker takes
 */
export async function fanOut(broker: Broker, options: FanOutOptions): Promise<FanOut> {
  if (!isA(broker, Broker)) throw usageError('USAGE_FAN_OUT', `fanOut() takes a Broker first, not ${kindOf(broker)}`);
  const given = readOptions('USAGE_FAN_OUT', 'fanOut()', options, OPTIONS);
  if (broker.config.acknowledge !== 'settled') {
    const text = `fanOut() needs a broker with acknowledge: 'settled': else the server is told that stanzas are handled that nobody has stored, and nothing bounds how many of them wait`;
    throw usageError('USAGE_FAN_OUT', text);
  }
  if (broker.state === 'halted') throw usageError('USAGE_FAN_OUT', 'fanOut(): the broker was halted; make a new one');
  const { connection, prefix = DEFAULT_PREFIX, groups, partitions = 8, answerWithinMs = 30_000 } = given;
  const release = claim(broker, prefix);
  try {
    return await opened(broker, connection, new Subjects(prefix), groupsOf(groups), {
      partitions,
      answerWithinMs,
      release,
    });
  } catch (error) {
    release();
    throw error;
  }
}

async function opened(
  broker: Broker,
  connection: NatsGiven,
  subjects: Subjects,
  groups: readonly Group[],
  settings: { partitions: number; answerWithinMs: number; release: () => void },
): Promise<FanOut> {
  const { queue } = broker.handOver;
  const doing = `to hand on what "${queue}" gets`;
  const link = await openLink(connection, `xmpp-broker fan-out ${queue}`);
  try {
    refuseTooSmall(link, broker.config.limits.stanzaBytes);
    const setUp = async (): Promise<void> => {
      await setUpStreams(link, subjects, {});
      await setUpGroups(await managerOf(link, doing), subjects, queue, groups, settings.partitions);
    };
    await setUp();
    return new FanOut(broker, link, subjects, groups, { ...settings, setUp });
  } catch (cause) {
    const error = link.error(cause, doing);
    await link.release();
    throw error;
  }
}

/** So that it does not turn out with the first large stanza. */
function refuseTooSmall({ maxPayload }: NatsLink, stanzaBytes: number): void {
  const wanted = stanzaBytes + ROOM_BYTES;
  if (maxPayload < wanted) throw tooSmall(maxPayload, wanted, 'limits.stanzaBytes');
}

/** Two of them would hand everything on twice. @returns what ends it @throws BrokerError `USAGE_FAN_OUT_TAKEN` */
function claim(broker: Broker, prefix: string): () => void {
  const prefixes = taken.get(broker) ?? new Set();
  taken.set(broker, prefixes);
  if (prefixes.has(prefix)) {
    const text = `this broker is fanned out to "${prefix}" already: name all groups in one fanOut(), or close() the other one first`;
    throw usageError('USAGE_FAN_OUT_TAKEN', text);
  }
  prefixes.add(prefix);
  return () => prefixes.delete(prefix);
}
