// What becomes of one delivery: its handler runs, and it is done, tried again, or a dead letter.
import { isA } from '../arguments/values.js';
import { BrokerError } from '../errors.js';
import { StanzaError } from '../stanza/stanza-error.js';
import type { Element } from '../xml/element.js';
import type { XmlLimits } from '../xml/tokenizer/limits.js';
import { parse } from '../xml/tokenizer/parse.js';
import type { Delivery } from './delivery.js';
import { DUPLICATE, EVENT, fromHeader, KEY } from './headers.js';
import { Work, type Outlet } from './work.js';
import { abandoned, gaveUp, unreadable } from './work-errors.js';

/** When what failed is tried again, in milliseconds: behind the first time, the second, all others. */
const AGAIN_MS = [1_000, 5_000, 30_000];

/** When a dead letter is tried again that could not be stored. */
const DEAD_AGAIN_MS = 30_000;

/** What handling works with. */
export interface HandlingParts {
  readonly handler: (work: Work) => unknown;
  readonly maxDeliver: number;
  readonly outlet: Outlet;
  /** Stores a dead letter. */
  bury(delivery: Delivery, error: BrokerError): Promise<unknown>;
}

/** Who is told. */
export interface HandlingOwner {
  /** A handler failed, and the stanza comes again. */
  failed(work: Work, error: unknown, delayMs: number): void;
  /** A stanza was given up. */
  dead(xml: string, error: BrokerError): void;
  /** A dead letter could not be stored. */
  notBuried(cause: unknown): void;
}

/** Handles deliveries, each once, and says what became of it. */
export class Handling {
  readonly #parts: HandlingParts;
  readonly #owner: HandlingOwner;
  readonly #works = new Map<Delivery, Work>();
  #isAborted = false;

  constructor(parts: HandlingParts, owner: HandlingOwner) {
    this.#parts = parts;
    this.#owner = owner;
  }

  /** It never rejects. */
  async handle(delivery: Delivery): Promise<void> {
    const { maxDeliver, handler } = this.#parts;
    if (delivery.count > maxDeliver) {
      await this.#giveUp(delivery, abandoned(delivery.count - 1));
      return;
    }
    let work: Work;
    try {
      work = this.#workOf(delivery);
    } catch (cause) {
      await this.#giveUp(delivery, unreadable(cause));
      return;
    }
    this.#works.set(delivery, work);
    try {
      await handler(work);
      await work.outputs;
      delivery.ack();
    } catch (error) {
      // What a handler says behind that is no news: the stanza is given back.
      if (!this.#isAborted) await this.#failed(delivery, work, error);
    } finally {
      this.#works.delete(delivery);
    }
  }

  /** Nobody waits any more for what is being handled. */
  abort(): void {
    this.#isAborted = true;
    for (const work of this.#works.values()) work.abort();
  }

  #workOf(delivery: Delivery): Work {
    const { message, count } = delivery;
    const { headers } = message;
    return new Work(
      {
        node: read(message.data),
        event: fromHeader(headers?.get(EVENT) ?? '') ?? '',
        id: headers?.get(KEY) ?? '',
        delivery: count,
        possibleDuplicate: count > 1 || headers?.get(DUPLICATE) === '1',
      },
      this.#parts.outlet,
    );
  }

  async #failed(delivery: Delivery, work: Work, error: unknown): Promise<void> {
    if (isA(error, StanzaError) && isRequest(work.node)) {
      // That is its answer, as for a handler of `broker.answer`.
      try {
        await work.reply(error.replyTo(work.node)).stored;
        delivery.ack();
        return;
      } catch {
        // It comes again.
      }
    }
    const { count } = delivery;
    if (count >= this.#parts.maxDeliver) {
      await this.#giveUp(delivery, gaveUp(error, count));
      return;
    }
    const delayMs = AGAIN_MS[Math.min(count, AGAIN_MS.length) - 1] ?? 0;
    this.#owner.failed(work, error, delayMs);
    delivery.again(delayMs);
  }

  async #giveUp(delivery: Delivery, error: BrokerError): Promise<void> {
    try {
      await this.#parts.bury(delivery, error);
      delivery.ack();
      this.#owner.dead(delivery.message.string(), error);
    } catch (cause) {
      this.#owner.notBuried(cause);
      delivery.again(DEAD_AGAIN_MS);
    }
  }
}

/** Whoever has larger limits than usual for his broker has them for its stanzas, too. NATS bounds the size. */
const WIDE: Partial<XmlLimits> = {
  stanzaBytes: Number.POSITIVE_INFINITY,
  depth: 10_000,
  attributes: Number.POSITIVE_INFINITY,
  nodes: Number.POSITIVE_INFINITY,
  namespaceDeclarations: Number.POSITIVE_INFINITY,
  nameBytes: Number.POSITIVE_INFINITY,
  attributeValueBytes: Number.POSITIVE_INFINITY,
};

function read(data: Uint8Array): Element {
  try {
    return parse(data);
  } catch (error) {
    if (!isA(error, BrokerError) || !error.code.startsWith('LIMIT_')) throw error;
    return parse(data, WIDE);
  }
}

function isRequest(node: Element): boolean {
  if (node.localName !== 'iq') return false;
  const type = node.getAttribute('type');
  return type === 'get' || type === 'set';
}
