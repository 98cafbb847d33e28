// The streams and the bucket that everything else relies on, as they have to be; and making them, or looking whether they are.
import type { JetStreamManager, StreamConfig } from '@nats-io/jetstream';
import type { NatsLink } from './connection.js';
import {
  isGettingReady,
  isNameInUse,
  isOutOfRoom,
  isStreamMissing,
  noJetStream,
  noRoom,
  otherSetup,
} from './errors.js';
import type { Subjects } from './subjects.js';

/** How long JetStream may be away before that counts, in milliseconds: a cluster without a leader says the same. */
const PATIENCE_MS = 10_000;
const RETRY_MS = 250;
/** For one answer. */
const TIMEOUT_MS = 2_000;

const DAY_MS = 24 * 60 * 60 * 1000;

/** How the streams are wanted. What is undefined is not compared where they exist. */
export interface StreamWishes {
  readonly replicas?: number | undefined;
  /** Most stanzas of one queue in the stream that are not done with. */
  readonly maxStanzas?: number | undefined;
  readonly dedupMs?: number | undefined;
  readonly keepReportsMs?: number | undefined;
}

/** What holds for streams that are made, where nothing else is wished. */
export const STREAM_DEFAULTS = { replicas: 1, maxStanzas: 10_000, dedupMs: 10 * 60 * 1000 } as const;

/** What the headers of a message may take of its size, in bytes. */
export const HEADER_ROOM = 2_048;

type Config = Partial<StreamConfig> & Pick<StreamConfig, 'name'>;

/** JetStream counts in nanoseconds. */
const nanos = (ms: number): number => ms * 1_000_000;

/** The streams as they have to be, and what was wished of each: the rest of a config is compared anyhow. */
function configs(subjects: Subjects, wishes: StreamWishes): { config: Config; wished: Set<string> }[] {
  const { prefix } = subjects;
  const replicas = wishes.replicas ?? STREAM_DEFAULTS.replicas;
  const dedup = nanos(wishes.dedupMs ?? STREAM_DEFAULTS.dedupMs);
  const common = { storage: 'file', num_replicas: replicas } as const;
  const list: { config: object; wished: (string | false)[] }[] = [
    {
      config: {
        ...common,
        name: subjects.outStream,
        subjects: [`${prefix}.out.>`],
        retention: 'workqueue',
        discard: 'new',
        discard_new_per_subject: true,
        max_msgs_per_subject: wishes.maxStanzas ?? STREAM_DEFAULTS.maxStanzas,
        duplicate_window: dedup,
      },
      wished: [
        wishes.maxStanzas !== undefined && 'max_msgs_per_subject',
        wishes.dedupMs !== undefined && 'duplicate_window',
      ],
    },
    {
      config: {
        ...common,
        name: subjects.inStream,
        subjects: [`${prefix}.in.>`],
        retention: 'interest',
        discard: 'new',
        max_age: nanos(7 * DAY_MS),
        max_bytes: 1024 ** 3,
        duplicate_window: dedup,
      },
      wished: [wishes.dedupMs !== undefined && 'duplicate_window'],
    },
    {
      config: {
        ...common,
        name: subjects.deadStream,
        subjects: [`${prefix}.dead.*`],
        retention: 'limits',
        discard: 'old',
        max_age: nanos(7 * DAY_MS),
      },
      wished: [],
    },
    {
      config: {
        ...common,
        name: `KV_${subjects.holdBucket}`,
        subjects: [`$KV.${subjects.holdBucket}.>`],
        retention: 'limits',
        discard: 'new',
        max_msgs_per_subject: 1,
        allow_rollup_hdrs: true,
        deny_delete: true,
        allow_direct: true,
      },
      wished: ['max_msgs_per_subject'],
    },
  ];
  if (wishes.keepReportsMs !== undefined) {
    list.push({
      config: {
        ...common,
        name: subjects.reportStream,
        subjects: [`${prefix}.report.*.*`],
        retention: 'limits',
        discard: 'old',
        max_msgs_per_subject: 1,
        allow_direct: true,
        max_age: nanos(wishes.keepReportsMs),
      },
      wished: ['max_age'],
    });
  }
  const always = wishes.replicas === undefined ? [] : ['num_replicas'];
  return list.map(({ config, wished }) => ({
    config: config as Config,
    wished: new Set([...always, ...wished.filter((name) => name !== false)]),
  }));
}

/** Fields without which the promises do not hold, whoever made the stream. */
const ALWAYS = ['retention', 'discard', 'discard_new_per_subject', 'storage', 'subjects'] as const;

/** Makes the streams that are not there, and compares those that are. @throws BrokerError `NATS_SETUP`, `NATS_NO_STREAM`, `NATS_DENIED` */
export async function setUpStreams(link: NatsLink, subjects: Subjects, wishes: StreamWishes): Promise<void> {
  const doing = 'to set up its streams';
  const manager = await managerOf(link, doing);
  for (const { config, wished } of configs(subjects, wishes)) {
    await patiently(link, doing, () => setUp(manager, config, wished));
  }
}

/** Only looks whether they are there and as they must be. @throws BrokerError `NATS_SETUP`, `NATS_NO_STREAM`, `NATS_DENIED` */
export async function checkStreams(link: NatsLink, subjects: Subjects): Promise<void> {
  const doing = 'to look at its streams';
  const manager = await managerOf(link, doing);
  for (const { config } of configs(subjects, {})) {
    try {
      compare((await manager.streams.info(config.name)).config, config, new Set());
    } catch (cause) {
      throw link.error(cause, doing);
    }
  }
}

async function setUp(manager: JetStreamManager, config: Config, wished: ReadonlySet<string>): Promise<void> {
  try {
    compare((await manager.streams.info(config.name)).config, config, wished);
    return;
  } catch (error) {
    if (!isStreamMissing(error)) throw error;
  }
  try {
    await manager.streams.add(config);
  } catch (error) {
    if (!isNameInUse(error)) throw error;
    // Another process was faster.
    compare((await manager.streams.info(config.name)).config, config, wished);
  }
}

function compare(found: StreamConfig, config: Config, wished: ReadonlySet<string>): void {
  const names = [...ALWAYS, ...wished].filter((name) => name in config) as (keyof StreamConfig)[];
  const differences = names
    .filter((name) => JSON.stringify(found[name]) !== JSON.stringify(config[name]))
    .map((name) => `${name} is ${JSON.stringify(found[name])}, and ${JSON.stringify(config[name])} is wanted`);
  if (differences.length > 0) throw otherSetup(config.name, differences);
}

/** The manager of streams, as soon as JetStream is there. */
export async function managerOf(link: NatsLink, doing: string): Promise<JetStreamManager> {
  const { client, connection } = link;
  const { info } = connection;
  // Alone, and without it: that will not change by waiting.
  if (info?.jetstream !== true && info?.cluster === undefined) throw noJetStream(link.server, doing);
  return await patiently(link, doing, () => client.jetstream.jetstreamManager(connection, { timeout: TIMEOUT_MS }));
}

/** Tries what JetStream may not be ready for. */
async function patiently<T>(link: NatsLink, doing: string, attempt: () => Promise<T>): Promise<T> {
  const until = performance.now() + PATIENCE_MS;
  for (;;) {
    try {
      return await attempt();
    } catch (cause) {
      if (isOutOfRoom(cause)) throw noRoom(link.server, doing, cause);
      if (!isGettingReady(cause) || link.isClosed || performance.now() > until) throw link.error(cause, doing);
    }
    await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
  }
}
