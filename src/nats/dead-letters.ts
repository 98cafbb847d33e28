// What workers and queues give up is kept in the stream of dead letters, with the reason.
import { printable } from '../errors.js';
import type { BrokerError } from '../errors.js';
import { randomKey } from '../queue/ticket.js';
import { ANSWER_MS, type NatsBase } from './base.js';
import type { NatsLink } from './connection.js';
import type { Delivery } from './delivery.js';
import { AT, CODE, EVENT, headerText, KEY } from './headers.js';
import { headersOf } from './message.js';
import { subjectToken, type Subjects } from './subjects.js';

/** The group that gave it up. */
const GROUP = 'Xmpp-Group';
/** Why, for people. */
const REASON = 'Xmpp-Reason';

/** How long JetStream has to say that it has a dead letter, in milliseconds. */
const ACK_MS = 2_000;

/** Stores dead letters of a group. The promise of one rejects with what the client says. */
export function deadLetters(
  { client, connection }: NatsLink,
  subjects: Subjects,
  queue: string,
  group: string,
): (delivery: Delivery, error: BrokerError) => Promise<unknown> {
  const subject = subjects.dead(queue);
  return ({ message }, error) => {
    const headers = client.transport.headers();
    for (const name of [EVENT, AT]) {
      const value = message.headers?.get(name) ?? '';
      if (value !== '') headers.set(name, value);
    }
    // One for each group, also when it is not known whether the first was stored. What has no id has none here.
    const id = message.headers?.get(KEY) ?? '';
    if (id !== '') headers.set(KEY, `dead:${subjectToken(group)}:${id}`);
    headers.set(CODE, error.code);
    headers.set(GROUP, headerText(group));
    headers.set(REASON, headerText(printable(error.message, 300)));
    const jetstream = client.jetstream.jetstream(connection, { timeout: ACK_MS });
    return jetstream.publish(subject, message.data, { headers });
  };
}

/** A stanza that a queue could not send. */
export interface DeadOutput {
  readonly key: string;
  readonly at: number;
  readonly xmlns: string | null;
  readonly xml: string;
  /** Of the error. */
  readonly code: string | undefined;
}

/** Stores what a queue gives up. @throws what the client says */
export async function buryOutput(
  { link, js, subjects }: Pick<NatsBase, 'link' | 'js' | 'subjects'>,
  queue: string,
  { key, at, xmlns, xml, code }: DeadOutput,
): Promise<void> {
  const headers = headersOf(link.client, { key, queue, id: randomKey(), at, xmlns });
  headers.set(CODE, code ?? '');
  await js.publish(subjects.dead(queue), xml, { headers, timeout: ANSWER_MS });
}
