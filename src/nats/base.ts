// What everything that holds queues works with: JetStream and the bucket of holders, over one connection.
import type { JetStreamClient, JetStreamManager } from '@nats-io/jetstream';
import type { KV } from '@nats-io/kv';
import type { NatsLink } from './connection.js';
import { Reports } from './reports.js';
import { checkStreams, managerOf, setUpStreams } from './streams.js';
import type { Subjects } from './subjects.js';

/** For an answer of JetStream to what holds queues, in milliseconds. */
export const ANSWER_MS = 2_000;

export interface NatsBase {
  readonly link: NatsLink;
  readonly subjects: Subjects;
  readonly js: JetStreamClient;
  readonly manager: JetStreamManager;
  readonly kv: KV;
  readonly reports: Reports;
}

/** How the streams are wanted. */
export interface BaseWishes {
  readonly replicas: 1 | 3 | 5 | undefined;
  /** Whether they are made where they are not there. */
  readonly setup: boolean;
}

/** @throws BrokerError `NATS_SETUP`, `NATS_NO_STREAM`, `NATS_DENIED` */
export async function openBase(link: NatsLink, subjects: Subjects, { replicas, setup }: BaseWishes): Promise<NatsBase> {
  if (setup) await setUpStreams(link, subjects, { replicas });
  else await checkStreams(link, subjects);
  const manager = await managerOf(link, 'to open its queue');
  const js = link.client.jetstream.jetstream(link.connection, { timeout: ANSWER_MS });
  const kv = await new link.client.kv.Kvm(js).open(subjects.holdBucket);
  const areKept = await manager.streams.info(subjects.reportStream).then(
    () => true,
    () => false,
  );
  return { link, subjects, js, manager, kv, reports: new Reports(link, subjects, areKept) };
}
