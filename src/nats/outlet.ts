// Where the stanzas of workers go: into the stream of what is to be sent, for the holder of the queue.
import { randomBytes } from 'node:crypto';
import { asStanza } from '../stanza/outbound.js';
import { serialize } from '../xml/serializer.js';
import type { Element } from '../xml/element.js';
import type { NatsLink } from './connection.js';
import { AT, headerText, KEY } from './headers.js';
import type { Subjects } from './subjects.js';

/** A stanza on its way to the stream. */
export interface RemoteTicket {
  readonly key: string;
  /** Resolves when the stream has it. */
  readonly stored: Promise<unknown>;
}

/** Publishes stanzas to be sent by one queue. */
export class QueueOutlet {
  readonly #link: NatsLink;
  readonly #subject: string;

  constructor(link: NatsLink, subjects: Subjects, queue: string) {
    this.#link = link;
    this.#subject = subjects.out(queue);
  }

  output(
    node: Element | object | string,
    { key = randomBytes(16).toString('hex') }: { key?: string | undefined } = {},
  ): RemoteTicket {
    const { client, connection } = this.#link;
    const text = serialize(asStanza(node, 'jabber:client'));
    const headers = client.transport.headers();
    headers.set(KEY, headerText(key));
    headers.set(AT, String(Date.now()));
    const stored = client.jetstream
      .jetstream(connection)
      .publish(this.#subject, text, { headers, retries: 5, timeout: 2_000 });
    stored.catch(() => undefined);
    return { key, stored };
  }
}
