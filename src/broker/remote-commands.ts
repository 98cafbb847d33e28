// What other processes ask of the holder of a shared queue, and what it may do for them.
import { isA } from '../arguments/values.js';
import { BrokerError } from '../errors.js';
import type { Lifecycle } from '../lifecycle/lifecycle.js';
import type { BrokerConfig } from '../options/options.js';
import type { StoreConfig } from '../options/queue.js';
import { readBack } from '../queue/read-back.js';
import { selected } from '../queue/selection.js';
import type { PurgeSelection, QueueStatus } from '../queue/store.js';
import { inClientNamespace } from '../stanza/client-namespace.js';
import { StanzaError } from '../stanza/stanza-error.js';
import type { Element } from '../xml/element.js';
import { serialize } from '../xml/serializer.js';
import type { Outbox } from './outbox.js';
import type { RequestOptions } from './requester.js';
import type { Status } from './status.js';

/** What it works with. */
export interface RemoteCommandsParts {
  readonly config: BrokerConfig;
  readonly status: Status;
  readonly outbox: Outbox;
  readonly lifecycle: Lifecycle;
  readonly resumption: { readonly unacknowledged: number };
  readonly requester: { asPromise(stanza: Element, options: RequestOptions): Promise<Element> };
}

export class RemoteCommands {
  readonly #queue: string;
  readonly #allows: StoreConfig['remotePurge'];
  readonly #parts: RemoteCommandsParts;

  constructor(queue: string, allows: StoreConfig['remotePurge'], parts: RemoteCommandsParts) {
    this.#queue = queue;
    this.#allows = allows;
    this.#parts = parts;
  }

  /** @throws BrokerError `QUEUE_PURGE_REFUSED` */
  purge(selection: PurgeSelection, by: string): number {
    this.#check(selection, by);
    return this.#parts.outbox.send(selected(selection), by).length;
  }

  /** @throws BrokerError `QUEUE_PURGE_REFUSED` */
  drop(selection: PurgeSelection, by: string): number {
    this.#check(selection, by);
    return this.#parts.outbox.queue.drop(selected(selection)).length;
  }

  status(): Pick<QueueStatus, 'state' | 'bytes' | 'oldestMs' | 'unacknowledged'> {
    const { outbox, lifecycle, resumption } = this.#parts;
    const { bytes } = outbox.queue;
    const oldestMs = outbox.queue.at(0)?.ageMs ?? null;
    return { state: lifecycle.state, bytes, oldestMs, unacknowledged: resumption.unacknowledged };
  }

  /** The answer to a request, which may be an error of the other side. */
  async ask(xml: string, timeoutMs?: number): Promise<string> {
    const { requester, config } = this.#parts;
    const stanza = readBack(xml, config.xmlns);
    try {
      const answer = await requester.asPromise(stanza, { timeout: timeoutMs });
      return serialize(inClientNamespace(answer));
    } catch (error) {
      if (isA(error, StanzaError)) return serialize(inClientNamespace(error.stanza));
      throw error;
    }
  }

  #check(selection: PurgeSelection, by: string): void {
    let allows: unknown = this.#allows;
    if (typeof this.#allows === 'function') {
      try {
        allows = this.#allows(selection, by);
      } catch (error) {
        allows = false;
        this.#parts.status.onHandlerError(error, 'queue.remotePurge');
      }
    }
    if (allows === true) return;
    const text = `the queue ${this.#queue} does not take this from "${by}" (queue.remotePurge)`;
    throw new BrokerError('QUEUE_PURGE_REFUSED', text, { layer: 'queue', sent: 'no' });
  }
}
