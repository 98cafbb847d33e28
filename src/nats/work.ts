// One stanza for one worker.
import { createHash } from 'node:crypto';
import { isA, kindOf } from '../arguments/values.js';
import { usageError } from '../errors.js';
import { isStanzaKind } from '../stanza/kinds.js';
import { reply } from '../stanza/replies.js';
import { Element } from '../xml/element.js';
import { ALL } from './groups.js';
import type { RemoteTicket } from './remote-ticket.js';

/** What is known of the stanza in a message. */
export interface WorkFacts {
  readonly node: Element;
  readonly event: string;
  /** Names the stanza, and the event, for all deliveries. */
  readonly id: string;
  readonly delivery: number;
  readonly possibleDuplicate: boolean;
}

/** Where a worker's stanzas go. */
export interface Outlet {
  output(node: Element | object | string, options?: { key?: string | undefined }): RemoteTicket;
}

/** A stanza that a worker got, and what it can do with it. */
export class Work {
  /** The stanza. */
  readonly node: Element;
  /** The event under which it was handed on; `PCJ_NODERECEIVED` in a group that gets `'all'`. */
  readonly event: string;
  /** How often it was handed to a worker of this group, this time included. */
  readonly delivery: number;
  /** Whether somebody may have handled it already: it was handed out before, or came to the broker twice. */
  readonly possibleDuplicate: boolean;
  readonly #id: string;
  readonly #outlet: Outlet;
  readonly #stored: Promise<unknown>[] = [];
  #controller: AbortController | null = null;
  #isAborted = false;

  /** @internal */
  constructor({ node, event, id, delivery, possibleDuplicate }: WorkFacts, outlet: Outlet) {
    this.node = node;
    this.event = event;
    this.delivery = delivery;
    this.possibleDuplicate = possibleDuplicate;
    this.#id = id;
    this.#outlet = outlet;
  }

  /** Whether a filter asked for it; false in a group that gets `'all'`. */
  get matched(): boolean {
    return this.event !== ALL;
  }

  /** Aborted when nobody waits any more for what becomes of it: the worker was closed, or its connection. */
  get signal(): AbortSignal {
    this.#controller ??= new AbortController();
    if (this.#isAborted) this.#controller.abort();
    return this.#controller.signal;
  }

  /**
   * Sends a stanza by the broker that got this one. The work is done when it is stored, too.
   * @param options - `key`: names the stanza, see `StanzaPublisher.output`. With one of your own, such as the id of what you
   * handle, it goes out once, however often the work is tried
   * @throws BrokerError as `StanzaPublisher.output`
   */
  output(node: Element | object | string, options: { key?: string | undefined } = {}): RemoteTicket {
    const ticket = this.#outlet.output(node, options);
    this.#stored.push(ticket.stored);
    return ticket;
  }

  /**
   * Answers the stanza. A request is answered once, whoever answers it and however often it is tried.
   * @param answer the whole answer, as `reply()` and `errorReply()` make it, or what it carries: the payload of the result, or
   * the child of a message. Left out: a result without payload
   * @throws BrokerError `USAGE_REPLY`, and as `output`
   */
  reply(answer?: Element): RemoteTicket {
    if (answer !== undefined && !isA(answer, Element)) {
      throw usageError('USAGE_REPLY', `work.reply() takes an Element, not ${kindOf(answer)}`);
    }
    const isWhole = answer !== undefined && isStanzaKind(answer.localName);
    const stanza = isWhole ? answer : reply(this.node, answer);
    const isNamed = this.node.localName === 'iq' && this.#id !== '';
    return this.output(stanza, isNamed ? { key: this.#answerKey } : {});
  }

  /** @internal resolves when all that was output is stored */
  get outputs(): Promise<unknown> | null {
    return this.#stored.length === 0 ? null : Promise.all(this.#stored);
  }

  /** @internal */
  abort(): void {
    this.#isAborted = true;
    this.#controller?.abort();
  }

  /** The same for the groups and events that a request goes to: without the event, which is the last part. */
  get #answerKey(): string {
    const request = this.#id.slice(0, this.#id.lastIndexOf(':'));
    return `answer-${createHash('sha256').update(request).digest('base64url')}`;
  }
}
