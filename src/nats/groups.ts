// Groups of workers: which events each gets, and the consumers of JetStream that stand for that. Their names are all that a
// worker needs to find its group.
import { createHash } from 'node:crypto';
import type { ConsumerConfig, ConsumerInfo, JetStreamManager } from '@nats-io/jetstream';
import { listOf, must, flag, type Check } from '../arguments/checks.js';
import type { OptionTable } from '../arguments/options.js';
import { isArray } from '../arguments/values.js';
import { BrokerError, printable } from '../errors.js';
import { isConsumerMissing } from './errors.js';
import { subjectToken, type Subjects } from './subjects.js';

/** Events that a group gets: those of filters, or `'all'`, which is what PCJ_NODERECEIVED brings. */
export type GroupEvents = readonly string[] | 'all';

/** A group, where more is to be said than its events. */
export interface GroupOptions {
  /** Events that the group gets. Needed. */
  events: GroupEvents;
  /**
   * Stanzas of one sender are handled in their order: one of each partition at a time, also when it is tried again. Default
   * false: whoever is free takes the next one.
   */
  ordered?: boolean | undefined;
}

/** A group as it was read. */
export interface Group {
  readonly name: string;
  readonly events: readonly string[];
  readonly ordered: boolean;
}

/** The event of everything that arrived and that no request took. */
export const ALL = 'PCJ_NODERECEIVED';

/** Time without a sign of life after which a stanza goes to another worker, in milliseconds. */
export const ACK_WAIT_MS = 10_000;

/** Stanzas of a group that are in hand at once, over all workers, those that wait to be tried again among them. */
const MOST_IN_HAND = 10_000;

/** Requests of workers for stanzas that wait at a time. */
const MOST_WAITING = 8_192;

/** A name that can be a token: any text that UTF-8 can hold. */
const isName = (value: unknown): boolean => typeof value === 'string' && value !== '' && value.isWellFormed();

const event = must(
  "the name of a filter's event",
  (value) => isName(value) && !(value as string).startsWith('PCJ_') && value !== 'all',
);

const WANTED = "a list of one or more events of filters, 'all', or { events, ordered }";

const events: Check = (value) =>
  value === 'all'
    ? null
    : isArray(value)
      ? listOf("events of filters, or 'all'", event, 1)(value)
      : `must be ${WANTED}`;

const GROUP: OptionTable<GroupOptions> = {
  checks: { events, ordered: flag },
  instead: events,
  rule: (_, given) => (given.has('events') ? [] : [`events is missing in a group: ${WANTED}`]),
};

/** What `groups` takes. */
export const GROUPS: OptionTable<Record<string, GroupEvents | GroupOptions>> = {
  checks: {},
  others: GROUP,
  rule: (_, given) => {
    if (given.size === 0) return ["groups has none: name those who work, such as { replies: ['question'] }"];
    return [...given].filter((name) => !isName(name)).map((name) => `groups has a name that is no text: "${name}"`);
  },
};

/** The groups in force. */
export function groupsOf(given: Readonly<Record<string, GroupEvents | GroupOptions>>): Group[] {
  return Object.entries(given).map(([name, value]) => {
    const { events, ordered = false } = typeof value === 'object' && 'events' in value ? value : { events: value };
    return { name, events: events === 'all' ? [ALL] : [...new Set(events)], ordered };
  });
}

/** Longest part of a name of a consumer; names end at 255 characters. */
const LONGEST = 70;

/** A text as a part of the name of a consumer. Two texts never have the same. */
function part(text: string): string {
  const token = subjectToken(text);
  if (token.length <= LONGEST) return token;
  const hash = createHash('sha256').update(text, 'utf8').digest('hex').slice(0, 32);
  return `${token.slice(0, LONGEST - 34)}=-${hash}`;
}

/** Between parts: within one, `=` is followed by two digits or `-`. */
const JOINT = '=_';

/** How the names of all consumers of a queue begin. */
export const queuePrefix = (queue: string): string => part(queue) + JOINT;

/** How the names of all consumers of a group begin. */
export const groupPrefix = (queue: string, group: string): string => queuePrefix(queue) + part(group) + JOINT;

/** The group in the name of a consumer, as it is written there; null: that is none of ours. */
export function groupIn(name: string, queue: string): string | null {
  const prefix = queuePrefix(queue);
  if (!name.startsWith(prefix)) return null;
  const end = name.indexOf(JOINT, prefix.length);
  return end < 0 ? null : name.slice(prefix.length, end);
}

/** Whether a consumer hands out one stanza at a time. */
export const isOrdered = ({ config }: ConsumerInfo): boolean => config.max_ack_pending === 1;

/** What stands for a group in JetStream: a consumer for each event, and for each partition where order matters. */
export function consumersOf(subjects: Subjects, queue: string, group: Group, partitions: number): ConsumerConfig[] {
  const prefix = groupPrefix(queue, group.name);
  const description = `xmpp-broker: what ${printable(queue, 100)} gets, for the workers "${printable(group.name, 100)}"`;
  return group.events.flatMap((event) => {
    const parts = group.ordered ? Array.from({ length: partitions }, (_, index) => index) : (['*'] as const);
    return parts.map((partition) => ({
      durable_name: prefix + part(event) + (partition === '*' ? '' : JOINT + String(partition)),
      description,
      filter_subject: subjects.in(queue, event, partition),
      ack_policy: 'explicit' as const,
      deliver_policy: 'all' as const,
      replay_policy: 'instant' as const,
      ack_wait: ACK_WAIT_MS * 1_000_000,
      // The worker counts, and knows what to do with one that always fails.
      max_deliver: -1,
      max_ack_pending: group.ordered ? 1 : MOST_IN_HAND,
      max_waiting: MOST_WAITING,
    }));
  });
}

/** Fields without which a group is another one than was asked for. */
const COMPARED = ['filter_subject', 'ack_policy', 'max_ack_pending', 'max_deliver'] as const;

/**
 * Makes the consumers of groups that are not there. It takes none away: what waits there is somebody's.
 * @throws BrokerError `NATS_SETUP` with what is otherwise, and what the client throws
 */
export async function setUpGroups(
  manager: JetStreamManager,
  subjects: Subjects,
  queue: string,
  groups: readonly Group[],
  partitions: number,
): Promise<void> {
  const stream = subjects.inStream;
  const there = await consumersIn(manager, stream, queuePrefix(queue));
  const problems: string[] = [];
  const missing: ConsumerConfig[] = [];
  for (const group of groups) {
    const wanted = consumersOf(subjects, queue, group, partitions);
    const names = new Set(wanted.map(({ durable_name }) => durable_name));
    const prefix = groupPrefix(queue, group.name);
    const strange = [...there.keys()].filter((name) => name.startsWith(prefix) && !names.has(name));
    problems.push(...strange.map((name) => `${name} is of another order, partition or event`));
    for (const config of wanted) {
      const found = there.get(config.durable_name ?? '');
      if (found === undefined) missing.push(config);
      else problems.push(...differences(found, config));
    }
  }
  if (problems.length > 0) throw otherGroups(stream, problems);
  for (const config of missing) await manager.consumers.add(stream, config);
}

/** The consumers of a stream whose names begin in some way. */
export async function consumersIn(
  manager: JetStreamManager,
  stream: string,
  prefix: string,
): Promise<Map<string, ConsumerInfo>> {
  const found = new Map<string, ConsumerInfo>();
  try {
    for await (const info of manager.consumers.list(stream)) {
      if (info.name.startsWith(prefix)) found.set(info.name, info);
    }
  } catch (error) {
    if (!isConsumerMissing(error)) throw error;
  }
  return found;
}

function differences({ name, config: found }: ConsumerInfo, wanted: ConsumerConfig): string[] {
  return COMPARED.filter((field) => found[field] !== wanted[field]).map(
    (field) => `${name} has ${field} ${JSON.stringify(found[field])}, not ${JSON.stringify(wanted[field])}`,
  );
}

function otherGroups(stream: string, problems: readonly string[]): BrokerError {
  const shown = problems.slice(0, 10);
  if (problems.length > shown.length) shown.push(`and ${problems.length - shown.length} more`);
  const text = `groups of workers are set up otherwise in the stream ${stream}: ${shown.join('; ')}. What waits in such a consumer is kept for it: let its workers finish, and remove it (nats consumer rm ${stream} NAME), or ask for what was`;
  return new BrokerError('NATS_SETUP', text, { layer: 'nats' });
}
