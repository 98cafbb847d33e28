// Asking a consumer of JetStream for messages: the requests, and what is said in place of messages.
import type { Msg, NatsConnection, Subscription } from '@nats-io/transport-node';
import { Delivery } from './delivery.js';

/** How long a request waits at the server, in milliseconds. */
const EXPIRES_MS = 60_000;

/** How often the server says that it is still there while nothing comes. */
const HEARTBEAT_MS = 5_000;

/** So many of them may be missing. */
const MISSED = 2.5;

/** What is pulled from, and where to. */
export interface PullerPlace {
  readonly inbox: string;
  readonly stream: string;
  readonly consumer: string;
  readonly isOrdered: boolean;
}

/** Who pulls. */
export interface PullerOwner {
  /** A message arrived. */
  took(delivery: Delivery, puller: Puller): void;
  /** A request is over, or the server was not heard of: more may be asked for. */
  idle(puller: Puller): void;
  /** The consumer is not there any more, as it seems. */
  missing(puller: Puller): void;
  /** NATS refuses the subscription. */
  refused(cause: Error): void;
}

/** Pulls messages of one consumer, so many as it is told. */
export class Puller {
  /** One message at a time is all that comes. */
  readonly isOrdered: boolean;
  readonly #connection: NatsConnection;
  readonly #subject: string;
  readonly #inbox: string;
  readonly #owner: PullerOwner;
  readonly #subscription: Subscription;
  #asked = 0;
  #heardAt = 0;

  constructor(connection: NatsConnection, place: PullerPlace, owner: PullerOwner) {
    const { inbox, stream, consumer, isOrdered } = place;
    this.isOrdered = isOrdered;
    this.#connection = connection;
    this.#inbox = inbox;
    this.#subject = `$JS.API.CONSUMER.MSG.NEXT.${stream}.${consumer}`;
    this.#owner = owner;
    this.#subscription = connection.subscribe(inbox, {
      callback: (error, message) => {
        if (error !== null) owner.refused(error);
        else this.#received(message);
      },
    });
  }

  /** Messages that were asked for and did not come yet. */
  get asked(): number {
    return this.#asked;
  }

  /** Asks for so many more. */
  pull(batch: number): void {
    const request = { batch, expires: EXPIRES_MS * 1_000_000, idle_heartbeat: HEARTBEAT_MS * 1_000_000 };
    this.#asked += batch;
    this.#heardAt = performance.now();
    try {
      this.#connection.publish(this.#subject, JSON.stringify(request), { reply: this.#inbox });
    } catch {
      // The connection is closed, of which its watcher tells.
      this.#asked -= batch;
    }
  }

  /** Requests that were under way are gone with the connection. */
  forget(): void {
    this.#asked = 0;
  }

  /** Called now and then: a server that says nothing has no request of ours, or no such consumer. */
  look(): void {
    if (this.#asked === 0 || performance.now() - this.#heardAt < MISSED * HEARTBEAT_MS) return;
    this.#asked = 0;
    this.#owner.missing(this);
  }

  close(): void {
    this.#subscription.unsubscribe();
  }

  #received(message: Msg): void {
    this.#heardAt = performance.now();
    if (message.subject !== this.#inbox) {
      const delivery = Delivery.of(message);
      if (delivery === null) return;
      this.#asked = Math.max(0, this.#asked - 1);
      this.#owner.took(delivery, this);
      return;
    }
    const { headers } = message;
    const code = headers?.code ?? 0;
    if (code === 100) return;
    // Not asked for any more: what is left of the request that ended, or all there is.
    const left = Number(headers?.get('Nats-Pending-Messages') ?? '');
    this.#asked = left > 0 ? Math.max(0, this.#asked - left) : 0;
    // 404 and 408: there was nothing, or not in time. The others: deleted, too many requests, nobody there.
    if (code === 404 || code === 408) this.#owner.idle(this);
    else this.#owner.missing(this);
  }
}
