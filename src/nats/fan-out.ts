// A broker whose stanzas are handed on: what happens to each that arrives.
import { randomBytes } from 'node:crypto';
import { crc32 } from 'node:zlib';
import type { JetStreamClient } from '@nats-io/jetstream';
import { isA, kindOf } from '../arguments/values.js';
import type { Broker } from '../broker/broker.js';
import { Deferred } from '../deferred.js';
import { printable, usageError, type BrokerError } from '../errors.js';
import type { Handler, SubscribeOptions, Subscription } from '../pubsub/pubsub.js';
import { Element } from '../xml/element.js';
import { serialize } from '../xml/serializer.js';
import { Announcements } from './announcements.js';
import type { NatsLink } from './connection.js';
import { isFull, isOutsized, unreachable } from './errors.js';
import { ALL, consumersIn, type Group } from './groups.js';
import { AT, EVENT, headerText, KEY } from './headers.js';
import { StreamWriter, type Message, type StreamWriterOwner } from './stream-writer.js';
import { managerOf } from './streams.js';
import { subjectToken, type Subjects } from './subjects.js';
import { lost, outgrown, unanswered, unstored } from './work-errors.js';

/** What happens to a {@link FanOut}. */
export interface FanOutEvents {
  /**
   * JetStream does not take what arrived: told once, and each minute while that goes on. Or one stanza did not go the way it
   * should: `WORK_UNANSWERED`, `WORK_LOST`, `NATS_TOO_BIG`. If nobody is subscribed, it is a warning of the process.
   */
  fail: BrokerError;
  /** JetStream takes what arrives again. */
  ready: undefined;
}

/** What was settled when it was opened. */
export interface FanOutSettings {
  readonly partitions: number;
  readonly answerWithinMs: number;
  /** Makes what stands for the groups, and the streams, where they are not there. */
  readonly setUp: () => Promise<void>;
  /** Called once, when it ends. */
  readonly release: () => void;
}

/** How long JetStream has to say that it has a stanza, in milliseconds. */
const ACK_MS = 2_000;

/** How long closing waits for what is under way, and halting, in milliseconds. */
const CLOSE_MS = 5_000;
const HALT_MS = 1_000;

/** The last stanza, and what is known of it: mostly it matters to one event, sometimes to several. */
interface Seen {
  readonly node: Element;
  readonly text: string;
  readonly id: string;
  readonly partition: number;
  readonly at: string;
}

/**
 * Hands what arrives at a broker to groups of workers. A stanza counts as handled when JetStream has stored it, for each group
 * that gets it; until then it is tried again. Where the server can send it again (stream management, a session that can be
 * resumed), nothing is lost by the end of the process, and a stanza that comes again is the same one for JetStream.
 */
export class FanOut implements AsyncDisposable {
  readonly #broker: Broker;
  readonly #link: NatsLink;
  readonly #jetstream: JetStreamClient;
  readonly #subjects: Subjects;
  readonly #settings: FanOutSettings;
  readonly #queue: string;
  readonly #writer: StreamWriter;
  readonly #told = new Announcements<FanOutEvents>('a FanOut', ['fail', 'ready']);
  readonly #subscriptions: Subscription[] = [];
  readonly #closed = new Deferred<void>();
  /** Names what comes in no session that could bring it again. */
  readonly #life = randomBytes(9).toString('base64url');
  readonly #offHalt: () => void;
  #count = 0;
  #seen: Seen | null = null;
  /** The stream is gone, or was: what stands for the groups went with it, and without that everything is forgotten. */
  #isBroken = false;
  #mending: Promise<void> | null = null;
  #closing: Promise<void> | null = null;

  /** @internal */
  constructor(broker: Broker, link: NatsLink, subjects: Subjects, groups: readonly Group[], settings: FanOutSettings) {
    this.#broker = broker;
    this.#link = link;
    this.#jetstream = link.client.jetstream.jetstream(link.connection, { timeout: ACK_MS });
    this.#subjects = subjects;
    this.#settings = settings;
    this.#queue = broker.handOver.queue;
    this.#writer = new StreamWriter(this.#writerOwner());
    link.watch({
      down: () => this.#writer.down(),
      up: (isAnother) => this.#writer.up(isAnother),
      refused: (error) => this.#fail(error),
      ended: () => this.#connectionEnded(),
    });
    const events = new Set(groups.flatMap((group) => group.events));
    for (const event of events) {
      const ordered = groups.some((group) => group.ordered && group.events.includes(event));
      this.#subscriptions.push(
        broker.subscribe(event as 'PCJ_NODERECEIVED', (payload: unknown) => this.#arrived(event, payload, ordered)),
      );
    }
    this.#subscriptions.push(broker.subscribe('PCJ_SOCKETDISCONNECT', () => this.#linkEnded()));
    this.#offHalt = broker.handOver.onHalt(() => {
      this.#closing ??= this.#end(HALT_MS);
    });
  }

  /** Stanzas that JetStream has not stored yet. One that matters to several events counts for each. */
  get pending(): number {
    return this.#writer.size;
  }

  /** Resolves when it is closed. */
  get closed(): Promise<void> {
    return this.#closed.promise;
  }

  /** Calls a handler for each event. @throws BrokerError `USAGE_EVENT`, `USAGE_HANDLER`, `USAGE_EVENT_OPTIONS`, `USAGE_SIGNAL` */
  subscribe<Name extends keyof FanOutEvents>(
    event: Name,
    handler: Handler<FanOutEvents[Name]>,
    options: SubscribeOptions = {},
  ): Subscription {
    return this.#told.subscribe(event, handler, options);
  }

  /**
   * Hands nothing on any more. Best called behind `broker.shutdown()`: what arrives later nobody gets. What JetStream does
   * not have within 5 seconds stays unhandled, so that the server sends it again. Halting the broker closes it, too.
   */
  close(): Promise<void> {
    this.#closing ??= this.#end(CLOSE_MS);
    return this.#closing;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  #writerOwner(): StreamWriterOwner {
    return {
      publish: (message) =>
        this.#isBroken ? this.#mended().then(() => this.#publish(message)) : this.#publish(message),
      failure: (cause, message) => {
        // The client looks at the size before it sends anything.
        if (isOutsized(cause)) {
          const bytes = Buffer.byteLength(message.text);
          return { error: outgrown(bytes, this.#link.maxPayload, message.from), final: true };
        }
        const error = this.#link.error(cause, `to store what "${this.#queue}" got`);
        if (error.code === 'NATS_NO_STREAM') this.#isBroken = true;
        return { error, final: false };
      },
      away: () => unreachable(this.#link.server, `to store what "${this.#queue}" got`),
      failing: (error) => {
        if (isFull(error.cause)) void this.#tellFull(error);
        else this.#fail(error);
      },
      working: () => this.#told.tell('ready', undefined),
      lost: (error) => this.#fail(error),
    };
  }

  #publish({ subject, text, headers }: Message): Promise<unknown> {
    return this.#jetstream.publish(subject, text, { headers });
  }

  #mended(): Promise<void> {
    this.#mending ??= this.#settings
      .setUp()
      .then(() => {
        this.#isBroken = false;
      })
      .finally(() => {
        this.#mending = null;
      });
    return this.#mending;
  }

  #fail(error: BrokerError): void {
    this.#told.tellFault('fail', error, error.message);
  }

  /** Says who is behind, as that is what has to be looked at. */
  async #tellFull(error: BrokerError): Promise<void> {
    let who = '';
    try {
      const manager = await managerOf(this.#link, 'to see who is behind');
      const all = [...(await consumersIn(manager, this.#subjects.inStream, '')).values()];
      const behind = all.sort((a, b) => b.num_pending - a.num_pending).slice(0, 3);
      const lines = behind.map(({ name, num_pending }) => `${name}: ${num_pending}`);
      who = `; most waits for ${printable(lines.join(', '), 400)}. Start workers, or remove a group that nobody serves (nats consumer rm)`;
    } catch {
      // What happened is told without it.
    }
    this.#fail(error.with({}, error.message + who));
  }

  /** @returns a promise that resolves when JetStream has it; it never rejects. Nothing: it is not handed on */
  #arrived(event: string, payload: unknown, ordered: boolean): Promise<void> | undefined {
    const node = nodeOf(payload);
    if (node === null) {
      const text = `the event "${printable(event, 80)}" is fanned out, and came with ${kindOf(payload)}: only elements and matches of filters can be handed on`;
      throw usageError('USAGE_FAN_OUT', text);
    }
    if (isRequest(node) && !this.#willBeAnswered(node, event)) return undefined;
    const seen = this.#seen?.node === node ? this.#seen : this.#look(node);
    const headers = this.#link.client.transport.headers();
    const id = `${seen.id}:${subjectToken(event)}`;
    headers.set(KEY, id);
    headers.set(EVENT, headerText(event));
    headers.set(AT, seen.at);
    const subject = this.#subjects.in(this.#queue, event, seen.partition);
    return this.#writer.write({ id, subject, text: seen.text, headers, ordered, from: node.getAttribute('from') });
  }

  /** Sees to it that a request is answered by a worker, or in the end by the broker. Returns false when it is none for workers. */
  #willBeAnswered(iq: Element, event: string): boolean {
    const { handOver } = this.#broker;
    if (handOver.answers(iq)) return event !== ALL;
    if (!handOver.delivers(iq)) return true;
    const { answerWithinMs } = this.#settings;
    handOver.later(iq, answerWithinMs, () => this.#fail(unanswered(iq, answerWithinMs)));
    return true;
  }

  #look(node: Element): Seen {
    const place = this.#broker.handOver.placeOf(node);
    this.#count += 1;
    const id =
      place === null
        ? `${this.#life}:${this.#count}`
        : `${subjectToken(place.session)}:${subjectToken(place.tag)}:${place.ordinal}`;
    const from = node.getAttribute('from') ?? '';
    const slash = from.indexOf('/');
    const partition = crc32(slash < 0 ? from : from.slice(0, slash)) % this.#settings.partitions;
    const seen = {
      node,
      text: serialize(node),
      id: `${subjectToken(this.#queue)}:${id}`,
      partition,
      at: String(Date.now()),
    };
    this.#seen = seen;
    queueMicrotask(() => {
      if (this.#seen === seen) this.#seen = null;
    });
    return seen;
  }

  /** What the link brought and is not stored may come again, or not; it is tried further, within bounds. */
  #linkEnded(): void {
    const most = this.#broker.config.limits.unsettled;
    const count = this.#writer.age(most);
    if (count > 0) this.#fail(lost(count, most));
  }

  #connectionEnded(): void {
    this.#writer.down();
    if (this.#closing !== null) return;
    this.#fail(this.#link.closedError(`to hand on what "${this.#queue}" gets: make a new fanOut() with an open one`));
  }

  async #end(limitMs: number): Promise<void> {
    this.#offHalt();
    for (const subscription of this.#subscriptions) subscription.cancel();
    const left = await this.#writer.close(this.#link.isClosed ? 0 : limitMs);
    if (left > 0) this.#fail(unstored(left));
    // What is not stored must not count as handled while the link lives: it is let go with the link.
    if (left === 0 || this.#broker.state !== 'ready') this.#writer.release();
    else this.#broker.subscribe('PCJ_SOCKETDISCONNECT', () => this.#writer.release(), { once: true });
    await this.#link.release();
    this.#settings.release();
    this.#closed.resolve();
  }
}

/** The stanza in the payload of an event. */
function nodeOf(payload: unknown): Element | null {
  if (isA(payload, Element)) return payload;
  if (typeof payload !== 'object' || payload === null) return null;
  const { node } = payload as { node?: unknown };
  return isA(node, Element) ? node : null;
}

function isRequest(node: Element): boolean {
  if (node.localName !== 'iq') return false;
  const type = node.getAttribute('type');
  return type === 'get' || type === 'set';
}
