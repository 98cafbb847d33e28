import type { Channel } from 'node:diagnostics_channel';
import { nearest } from '../arguments/suggestion.js';
import { statusChannel, type StatusMessage } from '../channels.js';
import EVENTS, { type StatusEvent, type StatusEvents } from '../events.js';
import type { StatusPublisher } from '../link/status-publisher.js';
import type { Logger } from '../logger.js';
import { EventLog } from './event-log.js';
import { PubSub, type Rights, type PubSubOptions } from '../pubsub/pubsub.js';
import { RunningCalls } from '../pubsub/running-calls.js';

const NAMES = Object.keys(EVENTS) as StatusEvent[];

const CHANNELS = Object.fromEntries(NAMES.map((name) => [name, statusChannel(name)])) as Record<StatusEvent, Channel>;

/** Events that come with each stanza: they are none of the log's. */
const TRAFFIC: ReadonlySet<string> = new Set<StatusEvent>([
  'PCJ_NODESENT',
  'PCJ_NODEQUEUED',
  'PCJ_NODERECEIVED',
  'PCJ_SM_ACK',
  'PCJ_RTS_START',
  'PCJ_RTS_FINISH',
]);

/** How a name begins that was meant to be a status event's. */
const LIKE_STATUS = /^[pcj]{2}/i;

/** The bus of a broker, and the only right to fire its status events. */
export class Status implements StatusPublisher, PubSubOptions<Record<string, unknown>> {
  readonly bus: PubSub;
  /** The broker. */
  subject: object | undefined;
  /** What is told to people. */
  readonly log: EventLog;
  /** The calls of handlers that are not done. */
  readonly running = new RunningCalls();
  #rights!: Rights<Record<string, unknown>>;
  #closed = false;

  constructor(logger: Logger) {
    this.log = new EventLog(logger);
    this.bus = new PubSub(this);
  }

  /** @internal called by the bus */
  owner(rights: Rights<Record<string, unknown>>): void {
    this.#rights = rights;
  }

  reserved(name: string): boolean {
    return name.startsWith('PCJ_');
  }

  get own(): readonly string[] {
    return NAMES;
  }

  /** Somebody waits for an event. If it looks like a status event and is none, nothing would ever tell. */
  onUnpublished(event: string): void {
    if (Object.hasOwn(EVENTS, event)) return;
    if (Object.hasOwn(EVENTS, `PCJ_${event}`)) this.log.misspelt(event, `PCJ_${event}`);
    else if (LIKE_STATUS.test(event)) {
      const meant = nearest(event, NAMES);
      if (meant !== undefined || this.reserved(event)) this.log.misspelt(event, meant);
    }
  }

  /** Tells the log of a status event, and fires it. */
  publish<N extends StatusEvent>(event: N, payload: StatusEvents[N], promises?: Promise<void>[]): void {
    if (this.#closed) return;
    if (!TRAFFIC.has(event)) this.log.event(event, payload);
    const channel = CHANNELS[event];
    if (channel.hasSubscribers) channel.publish({ broker: this.subject, event, payload } satisfies StatusMessage);
    this.#rights.fire(event, payload, promises);
  }

  /** A handler threw, or its promise rejected. */
  onHandlerError(error: unknown, event: string): void {
    if (event !== 'PCJ_HANDLERERROR') this.publish('PCJ_HANDLERERROR', { event, error });
    else this.log.handlerFailed(event, error);
  }

  /** Whether an event tells of the broker itself, and not of what arrived. */
  tellsOfItself(event: string): boolean {
    return this.reserved(event) && event !== 'PCJ_NODERECEIVED';
  }

  /** Whether anybody hears a status event. */
  watched(event: StatusEvent): boolean {
    return this.bus.subscribers(event) > 0 || CHANNELS[event].hasSubscribers;
  }

  /** Ends all delivery. */
  close(): void {
    this.#closed = true;
    this.#rights.close();
  }
}
