// What one open page is told.
import { printable } from '../errors.js';
import type { StatusEvent, StatusEvents } from '../events.js';
import type { Subscription } from '../pubsub/pubsub.js';
import type { Ticket } from '../queue/ticket.js';
import type { Element } from '../xml/element.js';
import { describeStanza, line, LONGEST, type Described } from './described.js';
import type { Filters, HeldLine, Message, Queue, Requests, RowKind } from './messages.js';
import { Sample } from './sample.js';
import { ALL, isFault, now } from './timeline.js';
import type { View } from './view.js';
import type { WatchedBroker } from './watched-broker.js';

/** Time between two messages with traffic, and between two with everything else, in milliseconds. */
const TRAFFIC_MS = 250;
const REST_MS = 1_000;

/** Most requests, held stanzas and filters that are listed. */
const MOST_LISTED = 100;
/** Longest held stanza that is listed with its text, in UTF-16 code units. */
const LONGEST_HELD = 4_096;
/** The same of the expression of a filter. */
const LONGEST_EXPRESSION = 500;

/** Events whose payload is a stanza. */
const STANZAS: Readonly<Partial<Record<StatusEvent, RowKind>>> = {
  PCJ_NODERECEIVED: 'in',
  PCJ_NODESENT: 'out',
  PCJ_NODEQUEUED: 'held',
  PCJ_RTS_FINISH: 'answer',
};

/** Events that say of stanzas what their rows say already. */
const DETAILS: ReadonlySet<StatusEvent> = new Set<StatusEvent>(['PCJ_RTS_START', 'PCJ_SM_ACK']);

/** To whom messages go. */
export interface FeedOwner {
  send(message: Message): void;
  /** Whether more was sent than the page has taken. */
  readonly isBehind: boolean;
  /** Nothing more can be told. */
  end(): void;
}

/**
 * Tells one page of one broker, and how the others stand. What costs something with each stanza is subscribed to here, so
 * that it costs nothing when no page is open.
 */
export class Feed {
  readonly #watched: WatchedBroker;
  readonly #all: readonly WatchedBroker[];
  readonly #owner: FeedOwner;
  readonly #sample: Sample;
  readonly #subscriptions: Subscription[] = [];
  readonly #timers: NodeJS.Timeout[];
  readonly #held = new WeakMap<Ticket, Described>();
  /** What was sent of each kind, to be sent again only when it is something else. */
  readonly #sent = new Map<string, string>();
  /** When the newest point was taken that was sent. */
  #pointAt = 0;

  constructor(watched: WatchedBroker, all: readonly WatchedBroker[], view: View, owner: FeedOwner) {
    this.#watched = watched;
    this.#all = all;
    this.#owner = owner;
    this.#sample = new Sample(view);
    if (watched.broker.state !== 'halted') for (const event of ALL) this.#hear(event, view);
    this.#timers = [
      setInterval(() => this.#try(this.#tellTraffic), TRAFFIC_MS),
      setInterval(() => this.#try(this.#tellRest), REST_MS),
    ];
    for (const timer of this.#timers) timer.unref();
    this.refresh();
  }

  /** Something was ordered: what came of it is told now. */
  refresh(): void {
    this.#try(this.#tellRest);
  }

  close(): void {
    for (const timer of this.#timers) clearInterval(timer);
    for (const subscription of this.#subscriptions.splice(0)) subscription.cancel();
  }

  /** What cannot be told ends what this page is told, and not the program that it runs in. */
  #try(tell: () => void): void {
    try {
      tell();
    } catch {
      this.close();
      this.#owner.end();
    }
  }

  #hear(event: StatusEvent, { kinds }: View): void {
    const what = STANZAS[event];
    const sample = this.#sample;
    if (what !== undefined) {
      if (kinds.has(what)) this.#subscribe(event, (payload) => sample.stanza(what, payload as Element));
      return;
    }
    const detail = DETAILS.has(event);
    if (!kinds.has('event') && !kinds.has('fault') && !(detail && kinds.has('detail'))) return;
    this.#subscribe(event, (payload) => {
      const kind = detail ? 'detail' : isFault(event, payload) ? 'fault' : 'event';
      if (kinds.has(kind)) sample.event(kind, event, payload);
    });
  }

  #subscribe<Name extends StatusEvent>(event: Name, handler: (payload: StatusEvents[Name]) => void): void {
    this.#subscriptions.push(this.#watched.broker.subscribe(event, handler));
  }

  readonly #tellTraffic = (): void => {
    const traffic = this.#sample.take(this.#owner.isBehind);
    if (traffic !== null) this.#owner.send(traffic);
  };

  readonly #tellRest = (): void => {
    if (this.#owner.isBehind) return;
    const { timeline, store } = this.#watched;
    this.#owner.send({ kind: 'brokers', at: Date.now(), list: this.#all.map((one) => one.line) });
    this.#tellPoints();
    this.#changed('timeline', String(timeline.version), () => ({ kind: 'timeline', attempts: timeline.read() }));
    this.#changed('store', String(store.version), () => ({ kind: 'store', ...store.read() }));
    for (const message of [this.#requests(), this.#queue(), this.#filters()]) {
      const text = JSON.stringify(message);
      this.#changed(message.kind, text, () => message);
    }
  };

  /** Those of the history, which are a second apart: rates of anything shorter would jump. */
  #tellPoints(): void {
    const list = this.#watched.history.since(this.#pointAt);
    const last = list.at(-1);
    if (last === undefined) return;
    this.#pointAt = last.at;
    this.#owner.send({ kind: 'points', list });
  }

  #changed(kind: string, version: string, message: () => Message): void {
    if (this.#sent.get(kind) === version) return;
    this.#sent.set(kind, version);
    this.#owner.send(message());
  }

  #requests(): Requests {
    const { pending } = this.#watched.broker;
    const list = [...pending.values()].slice(0, MOST_LISTED).map(({ id, to, event, ticket }) => ({
      id: line(id),
      to: to === null ? null : line(to),
      event: event === null ? null : line(event),
      state: ticket.state,
      since: sinceOf(ticket),
    }));
    return { kind: 'requests', total: pending.size, list };
  }

  #queue(): Queue {
    const { queue } = this.#watched.broker;
    const list: HeldLine[] = [];
    for (let i = 0; i < Math.min(queue.size, MOST_LISTED); i += 1) {
      const ticket = queue.at(i);
      if (ticket === undefined) break;
      const { title, to, xml } = this.#describe(ticket);
      list.push({
        id: ticket.id,
        title,
        to,
        bytes: ticket.bytes,
        since: sinceOf(ticket),
        attempts: ticket.attempts,
        possibleDuplicate: ticket.possibleDuplicate,
        xml: xml === null || xml.length > LONGEST_HELD ? null : xml,
      });
    }
    return { kind: 'queue', total: queue.size, bytes: queue.bytes, list };
  }

  #describe(ticket: Ticket): Described {
    let described = this.#held.get(ticket);
    if (described === undefined) {
      const short = { title: ticket.kind, text: '', from: null, to: null, xml: null };
      described = ticket.xml.length > LONGEST ? short : describeStanza(ticket.node);
      this.#held.set(ticket, described);
    }
    return described;
  }

  #filters(): Filters {
    const { filters, events, state } = this.#watched.broker;
    const list: Filters['list'][number][] = [];
    // Asking for the first filter would make room for filters.
    if (filters.size > 0) {
      for (const { event, expression, state: filterState, counters } of filters) {
        if (list.length >= MOST_LISTED) break;
        list.push({
          event: line(event),
          expression: printable(expression, LONGEST_EXPRESSION),
          state: filterState,
          ...counters,
          milliseconds: Math.round(counters.milliseconds * 10) / 10,
          subscribers: state === 'halted' ? 0 : events.subscribers(event),
        });
      }
    }
    return { kind: 'filters', total: filters.size, list };
  }
}

/** When a stanza was accepted: rounded, so that it is the same each time. */
function sinceOf({ ageMs }: Ticket): number {
  return Math.round((now() - ageMs) / 100) * 100;
}
